"""Users at the console: found, looked at, explained, erased."""

from urllib.parse import unquote

import pytest

from tests.console.conftest import more_of, require_words, text_of
from tests.support.cases import cases

NOBODY = "0" * 32
HOSTILE = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "what", ["u-kim", "u-k", "kim@example.org", "KIM@", "Kim", "ki", " Kim "], ids=lambda what: what
)
def test_a_user_is_found_by_how_an_id_an_email_or_a_name_begins(agent, scene, what):
    said = text_of(agent.follow(agent.post("/console/find", q=what)))
    assert "u-kim" in said
    assert "u-lee" not in said


def test_who_is_looked_for_stands_in_no_address(agent, scene):
    location = agent.post("/console/find", q="kim@example.org").headers["Location"]
    # Among so many letters by chance some spell a short name.
    assert "kim@" not in unquote(location).lower()
    assert "example" not in location


def test_what_one_app_looked_for_another_does_not_read(agent, other_agent, scene):
    location = agent.post("/console/find", q="kim@example.org").headers["Location"]
    answer = other_agent.get(location)
    assert answer.status_code == 404
    assert "kim" not in answer.text


@pytest.mark.parametrize("search", ["x", "gAAAAA", "%00"])
def test_an_address_that_we_did_not_write_is_not_there(agent, search):
    assert agent.get(f"/console/users?search={search}").status_code == 404


def test_our_own_ids_lead_straight_to_what_they_name(agent, scene):
    assert "u-kim" in text_of(agent.follow(agent.post("/console/find", q=scene.kim)))
    assert "Where is it?" in text_of(agent.follow(agent.post("/console/find", q=scene.thread)))


def test_whoever_looks_for_nothing_sees_all(agent, scene):
    require_words(agent.follow(agent.post("/console/find", q="")), "u-kim", "u-lee")


@cases(
    "marks",
    ("zero-width", ("\u200b", "")),
    ("mark", ("", "\ufeff")),
    ("embedding", ("\u202a", "\u202c")),
    ("spaces", (" \u200e", "\u00a0")),
    ("tab", ("", "\t\u2060")),
)
def test_what_cannot_be_seen_around_it_is_not_looked_for(agent, scene, marks):
    said = text_of(agent.follow(agent.post("/console/find", q="kim@example.org".join(marks))))
    assert "u-kim" in said
    assert "u-lee" not in said


def test_where_nobody_is_found_the_page_says_what_to_try(agent, scene):
    assert "Try fewer letters" in text_of(agent.follow(agent.post("/console/find", q="zoe")))


def test_an_app_without_users_says_so(agent):
    assert "no users yet" in text_of(agent.get("/console/users"))


def test_what_is_too_long_to_look_for_is_refused_in_words(agent):
    answer = agent.follow(agent.post("/console/find", q="x" * 256))
    assert answer.status_code == 422
    assert "at most 255 characters" in text_of(answer)


def test_many_users_go_on_on_another_page(agent, tenant):
    for number in range(21):
        tenant.login(userId=f"many-{number:02}")
    first = agent.follow(agent.post("/console/find", q="many"))
    assert "many-20" not in first.text
    assert "many-20" in agent.get(more_of(first)).text


def test_a_users_page_shows_what_is_known(agent, tenant, scene):
    tenant.alias(scene.kim, "further-id")
    bought = {
        "userId": "u-kim",
        "storeAccount": {"store": "app_store", "account": "a-1"},
        "product": "gold",
        "transaction": "t-1",
    }
    assert tenant.call("POST", "/v1/purchases", tenant.sk, bought).status_code < 300

    said = text_of(agent.get(f"/console/users/{scene.kim}"))

    for known in ("u-kim", "further-id", "kim@example.org", "Kim", scene.kim, "Parcel", "gold", "active"):
        assert known in said
    assert "Yes: by the app’s own backend" in said
    assert "Created with user ID “u-kim”, email “kim@example.org” and name “Kim”." in said
    assert "“further-id” became a further user ID." in said
    assert "Bought “gold”." in said
    assert "Device" in said
    assert "Never merged." in said


def test_a_users_page_shows_further_emails(agent, tenant, scene):
    tenant.merge(tenant.known(email="kim@home.example"), scene.kim)
    assert "Further emails kim@home.example" in text_of(agent.get(f"/console/users/{scene.kim}"))


def test_a_purchase_that_somebody_only_claimed_is_said_to_be_one(agent, tenant, scene):
    tenant.set(revenuecat="on")
    receipt = {"app_user_id": "u-kim", "fetch_token": "t-1", "product_id": "gold"}
    assert tenant.call("POST", "/v1/receipts", tenant.pk, receipt).status_code == 200
    said = text_of(agent.get(f"/console/users/{scene.kim}"))
    assert "gold active only claimed" in " ".join(said.split())
    assert "Somebody who knows a user ID of this user said so; nobody proved it." in said


def test_what_is_not_known_is_said_to_be_missing(agent, tenant):
    id = tenant.known(email="only@example.org")
    tenant.call("POST", "/v1/logout", tenant.sk, {"user": id})
    require_words(
        agent.get(f"/console/users/{id}"),
        "none yet",
        "Logged in nowhere.",
        "What this user writes appears here.",
    )


def test_an_anonymous_user_is_told_from_one_who_is_unproven(agent, tenant):
    tenant.set(identityVerification="off")
    anonymous = tenant.known()
    tenant.set(revenuecat="on")
    tenant.get("/v1/subscribers/$RCAnonymousID:" + "a" * 32, tenant.pk)
    made = tenant.get("/v1/users?q=$RCAnonymousID").json["data"][0]["id"]
    tenant.try_login(key=tenant.pk, userId="claimed")
    claimed = tenant.find(userId="claimed")[0]["id"]
    assert "Anonymous: nobody claimed" in text_of(agent.get(f"/console/users/{anonymous}"))
    for unproven in (claimed, made):
        assert "No: somebody only claimed" in text_of(agent.get(f"/console/users/{unproven}"))


def test_the_address_of_a_merged_user_leads_to_the_one_they_became(agent, tenant, scene):
    merged = tenant.call("POST", "/v1/merges", tenant.sk, {"from": scene.lee, "into": scene.kim})
    assert merged.status_code == 201
    assert agent.get(f"/console/users/{scene.lee}").headers["Location"] == f"/console/users/{scene.kim}"


def test_a_long_history_goes_on_on_another_page(agent, tenant, scene):
    for number in range(101):
        tenant.change(scene.lee, name=f"Lee {number:03}")
    first = agent.get(f"/console/users/{scene.lee}")
    assert "to “Lee 100”." not in first.text
    assert "to “Lee 100”." in agent.get(more_of(first)).text


def test_a_login_is_explained_and_nobody_is_logged_in(agent, tenant, scene):
    before = tenant.get(f"/v1/users/{scene.kim}/export").json
    require_words(
        agent.post("/console/explain", userId="u-kim", email="new@example.org"),
        "known-user-id",
        "A user has this user ID, which outranks any email.",
        "It would lead to a user who is there",
        "Would change email",
    )
    assert tenant.get(f"/v1/users/{scene.kim}/export").json == before


@cases(
    "sent, rule, then",
    ("new", {"userId": "u-new"}, "new-user-id", "It would create a user"),
    ("email", {"email": "kim@example.org"}, "known-email", "It would lead to"),
    ("attach", {"userId": "u-new", "email": "open@example.org"}, "attach-user-id", "this user ID"),
    ("anonymous", {}, "anonymous", "It would create a user"),
)
def test_each_outcome_has_words(agent, tenant, scene, sent, rule, then):
    tenant.login(email="open@example.org")
    require_words(agent.post("/console/explain", **sent), rule, then)


def test_a_login_that_would_be_refused_is_refused_with_what_was_typed(agent):
    without_an_id = agent.post("/console/explain", email=f"{HOSTILE}@", name="Jane")
    with_none = agent.post("/console/explain", email=f"{HOSTILE}@", userId="null")
    assert (without_an_id.status_code, with_none.status_code) == (422, 422)
    assert "This is not an email address that mail can be sent to. email" in text_of(without_an_id)
    assert "This is what broken clients send in place of a user ID. userId" in text_of(with_none)
    assert 'value="null"' in with_none.text
    assert HOSTILE not in without_an_id.text + with_none.text


def test_what_a_login_would_leave_out_is_said(agent):
    answer = agent.post("/console/explain", email=f"{HOSTILE}@", userId="u-1")
    assert answer.status_code == 200
    assert "Would leave out email: invalid-email" in text_of(answer)
    assert HOSTILE not in answer.text


def test_a_proof_that_shows_nothing_is_said_to(agent):
    answer = agent.post("/console/explain", userId="u-1", proof="none")
    assert answer.status_code == 422
    assert "proof-invalid" in text_of(answer)


def test_the_page_that_explains_begins_empty(agent):
    assert "Nobody is logged in, and nothing changes." in text_of(agent.get("/console/explain"))


def test_a_user_is_erased_after_one_is_asked(agent, tenant, scene):
    assert f'value="{scene.kim}"' in agent.get(f"/console/users/{scene.kim}/erase").text
    answer = agent.post(f"/console/users/{scene.kim}/erase", erase=scene.kim)
    assert "The user was erased" in text_of(agent.follow(answer))
    assert tenant.get(f"/v1/users/{scene.kim}").status_code == 404


@pytest.mark.parametrize("confirmed", ["", "on", f"usr_{NOBODY}"])
def test_without_the_tick_nobody_is_erased(agent, tenant, scene, confirmed):
    answer = agent.post(f"/console/users/{scene.kim}/erase", erase=confirmed)
    assert answer.status_code == 422
    assert "Nothing was erased." in text_of(answer)
    assert tenant.get(f"/v1/users/{scene.kim}").status_code == 200


def test_who_was_merged_after_the_page_was_shown_takes_nobody_along(agent, tenant, scene):
    tenant.call("POST", "/v1/merges", tenant.sk, {"from": scene.lee, "into": scene.kim})
    answer = agent.post(f"/console/users/{scene.lee}/erase", erase=scene.lee)
    assert answer.status_code == 422
    assert "1 who became part" in text_of(answer)
    assert tenant.get(f"/v1/users/{scene.kim}").status_code == 200
