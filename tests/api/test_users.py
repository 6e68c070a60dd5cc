"""Users as their app's backend finds, shows and corrects them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields
from tests.support.tenants import Tenant

MEMBERS = {"id", "userId", "email", "name", "anonymous", "aliases", "createdAt", "verified"}
UNKNOWN = "usr_" + "0" * 32
UNCLAIMED = "jane@example.org"


def find(tenant: Tenant, **asked):
    return tenant.client.get(
        "/v1/users", query_string=asked, headers={"Authorization": f"Bearer {tenant.sk}"}
    )


def found(tenant: Tenant, **asked) -> list[str]:
    """Find users, and answer their ids."""
    response = find(tenant, **asked)
    assert response.status_code == 200, response.text
    return [user["id"] for user in response.json["data"]]


def show(tenant: Tenant, id: str, key: str | None = None):
    return tenant.call("GET", f"/v1/users/{id}", key or tenant.sk)


def change(tenant: Tenant, id: str, **changes):
    return tenant.call("PATCH", f"/v1/users/{id}", tenant.sk, changes)


def known(tenant: Tenant, **claim) -> str:
    """Log somebody in as the backend, and answer our id of them."""
    id: str = tenant.login(**claim)["user"]["id"]
    return id


def unproven(tenant: Tenant, **claim) -> str:
    """Have somebody claim an identity without proof, and answer our id of them."""
    before = set(everybody(tenant))
    tenant.set(identityVerification="off")
    login = tenant.try_login(key=tenant.pk, **claim)
    assert login.status_code == 200, login.text
    (id,) = set(everybody(tenant)) - before
    return id


def everybody(tenant: Tenant) -> list[str]:
    return found(tenant, limit=100)


def of_world(tenant: Tenant, world: str, **claim) -> str:
    return known(tenant, **claim) if world == "verified" else unproven(tenant, **claim)


def at_once(tenant: Tenant, *calls):
    """Make calls at the same moment, each with a client of its own, and answer what they answer."""
    gate = Barrier(len(calls))

    def run(call):
        own = replace(tenant, client=tenant.client.application.test_client())
        gate.wait(60)
        return call(own)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


worlds = pytest.mark.parametrize("world", ["verified", "unverified"])


# --- Find ---
@pytest.mark.parametrize("parameter", ["userId", "email", "q", "cursor"])
@cases(
    "bytes",
    ("latin-1", "M%E5ns"),
    ("another of latin-1", "M%E4ns"),
    ("cut", "%C3"),
    ("surrogate", "%ED%A0%80"),
    ("overlong", "%C0%AF"),
    ("mark", "%FF%FE"),
    ("raw", "M\xe5ns"),
    ("continuation", "%80"),
)
def test_what_is_asked_in_bytes_that_are_no_text_is_refused(tenant, parameter, bytes):
    known(tenant, userId="M\ufffdns")

    response = tenant.client.get(
        "/v1/users",
        environ_overrides={"QUERY_STRING": f"{parameter}={bytes}"},
        headers={"Authorization": f"Bearer {tenant.sk}"},
    )

    assert problem_of(response) == (400, "bad-request")


def test_of_several_parameters_of_a_name_the_first_is_read(tenant):
    jane, _ = known(tenant, userId="u-jane"), known(tenant, userId="u-joe")
    response = tenant.client.get(
        "/v1/users?userId=u-jane&userId=u-joe&userId=", headers={"Authorization": f"Bearer {tenant.sk}"}
    )
    assert [user["id"] for user in response.json["data"]] == [jane]


def test_a_user_id_with_a_replacement_character_is_found_by_it(tenant):
    id = known(tenant, userId="M\ufffdns")
    assert found(tenant, userId="M\ufffdns") == [id]


def test_a_user_is_found_with_all_members_and_nothing_else(tenant):
    id = known(tenant, userId="u-17", email="Jane@Example.org", name="Jane")

    response = find(tenant, userId="u-17")

    assert set(response.json) == {"data", "nextCursor"}
    assert response.json["nextCursor"] is None
    [user] = response.json["data"]
    assert set(user) == MEMBERS
    assert user == {
        "id": id,
        "userId": "u-17",
        "email": "Jane@example.org",
        "name": "Jane",
        "anonymous": False,
        "aliases": [],
        "createdAt": user["createdAt"],
        "verified": True,
    }
    assert user | {"purchases": []} == show(tenant, id).json


def test_nobody_is_found_where_nobody_fits(tenant, other_tenant):
    known(other_tenant, userId="u-17", email=UNCLAIMED, name="Jane")
    answers = [find(tenant, userId="u-17"), find(tenant, email=UNCLAIMED), find(tenant, q="J")]
    assert [answer.json for answer in answers] == [{"data": [], "nextCursor": None}] * 3


def test_a_user_id_finds_whoever_has_it_in_either_world(tenant):
    owner = known(tenant, userId="u-17")
    claimant = unproven(tenant, userId="u-17")
    ids = found(tenant, userId="u-17")
    assert ids == [owner, claimant]
    assert [show(tenant, id).json["verified"] for id in ids] == [True, False]


@pytest.mark.parametrize("asked", ["U-17", "u-1", "u-17 x", "u-170"])
def test_a_user_id_finds_nobody_who_has_another(tenant, asked):
    known(tenant, userId="u-17")
    assert found(tenant, userId=asked) == []


def test_an_alias_finds_its_user(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    owner = known(tenant, userId="u-17", deviceId=visit["deviceId"])
    assert found(tenant, userId=visit["user"]["userId"]) == [owner]


def test_an_anonymous_user_is_found_by_its_generated_user_id(tenant):
    visit = tenant.login(name="Somebody")["user"]
    assert find(tenant, userId=visit["userId"]).json["data"] == [{**visit, "verified": False}]
    assert visit["anonymous"] is True


def test_an_email_finds_all_who_share_it_in_either_world_whatever_its_letters(tenant):
    sharing = [known(tenant, userId=f"u-{number}", email="Jane@Example.org") for number in range(3)]
    sharing.append(known(tenant, email="jane@example.org"))
    sharing.append(unproven(tenant, email="JANE@example.org"))
    known(tenant, userId="u-9", email="jane@example.com")
    assert sorted(found(tenant, email="jANE@EXAMPLE.org")) == sorted(sharing)


def test_an_international_domain_finds_the_user_who_has_its_ascii_form(tenant):
    id = known(tenant, email="jane@xn--bcher-kva.example")
    assert found(tenant, email="jane@BÜCHER.example") == [id]


@cases(
    "stored, beginning, decoy",
    ("letters of either case", "Jane Doe", "jANE d", "Janet"),
    ("all of it", "Jane", "Jane", "Jan"),
    ("one letter", "Jane", "J", "A. Jane"),
    ("percent", "a%b", "a%", "axb"),
    ("underscore", "a_b", "a_", "axb"),
    ("star", "a*b", "a*", "axb"),
    ("question mark", "a?b", "a?", "axb"),
    ("brackets", "a[x]b", "a[x]", "axb"),
    ("caret", "a[^y]b", "a[^", "axb"),
    ("backslash", "a\\b", "a\\", "ab"),
    ("quote", "a'b", "a'", "ab"),
    ("beyond ASCII", "Łukasz", "łU", "Lukasz"),
    ("sharp s found by two letters", "Straße", "STRASSE", "Strand"),
    ("two letters found by sharp s", "STRASSE", "straß", "STRAND"),
    ("capital sharp s", "GROẞ", "groß", "GROB"),
    ("final sigma", "ΟΔΥΣΣΕΥΣ", "οδυσσευς", "ΟΔΥΣΣΕΙΑ"),
    ("final sigma found by capitals", "Οδυσσευς", "ΟΔΥΣΣΕΥΣ", "Οδυσσεια"),
    ("beyond 16 bits", "\U0001f600 Jo", "\U0001f600", "\U0001f601 Jo"),
    ("letters beyond 16 bits", "\U00010400x", "\U00010428", "\U00010401x"),
    ("last before the surrogates", "\ud7ffx", "\ud7ff", "\ue000x"),
    ("highest code point", "a\U0010ffffx", "a\U0010ffff", "bx"),
    ("nothing comes after", "\U0010ffffx", "\U0010ffff", "\U0010fffex"),
    ("ligature", "ﬁx", "FI", "fa"),
)
def test_a_name_is_found_by_how_it_begins(tenant, stored, beginning, decoy):
    id = known(tenant, userId="x-1", name=stored)
    known(tenant, userId="x-2", name=decoy)
    assert found(tenant, q=beginning) == [id]


@cases(
    "claim, beginning",
    ("user ID", {"userId": "Größe-%_1"}, "GRÖSSE-%"),
    ("email", {"email": "J_ane@Example.org"}, "j_ANE@EX"),
    ("domain", {"userId": "x", "email": "jane@bücher.example"}, "JANE@xn--B"),
    ("name", {"userId": "x", "name": "Jane"}, "jan"),
)
def test_each_identifier_is_found_by_how_it_begins(tenant, claim, beginning):
    id = known(tenant, **claim)
    known(tenant, userId="other", email="joan@example.org", name="Joan")
    assert found(tenant, q=beginning) == [id]


def test_a_beginning_finds_a_user_once_by_however_many_of_their_identifiers(tenant):
    id = known(tenant, userId="jane-1", email=UNCLAIMED, name="Jane")
    assert found(tenant, q="jane") == [id]


def test_a_beginning_finds_users_of_both_worlds_by_aliases_too(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    owner = known(tenant, userId="u-17", deviceId=visit["deviceId"])
    claimant = unproven(tenant, userId=visit["user"]["userId"].replace("$anon:", "anon-"))
    assert found(tenant, q=visit["user"]["userId"][:12]) == [owner]
    assert found(tenant, q="ANON-") == [claimant]


@cases(
    "claim, beginning",
    ("name", {"userId": "x", "name": "n" * 300}, "N" * 255),
    ("user ID of 750", {"userId": "i" * 750}, "I" * 255),
    ("four-byte letters", {"userId": "\U0001f600" * 750}, "\U0001f600" * 255),
    ("letters that grow when lowered", {"userId": "x", "name": "ß" * 255}, "ẞ" * 255),
)
def test_a_beginning_has_up_to_255_characters(tenant, claim, beginning):
    id = known(tenant, **claim)
    known(tenant, userId="other", name="Joan")
    assert found(tenant, q=beginning) == [id]


def test_a_name_that_was_replaced_is_no_longer_found(tenant):
    id = known(tenant, userId="u-17", email="jane@old.example", name="Jane")
    known(tenant, userId="u-17", email="joan@new.example", name="Joan")
    assert found(tenant, q="jane") == []
    assert found(tenant, email="jane@old.example") == []
    assert found(tenant, q="joan") == [id]


def test_all_that_is_asked_has_to_fit(tenant):
    both = known(tenant, userId="u-1", email=UNCLAIMED, name="Jane")
    known(tenant, userId="u-2", email=UNCLAIMED, name="Joan")
    assert found(tenant, email=UNCLAIMED, q="jane d") == []
    assert found(tenant, email=UNCLAIMED, q="jAn", userId="u-1") == [both]
    assert found(tenant, email=UNCLAIMED, userId="u-3") == []


def test_pages_hold_each_user_once_the_oldest_first(tenant):
    everyone = [known(tenant, userId=f"u-{number}", name="Jane") for number in range(7)]
    pages, cursor = [], {}

    while cursor is not None:
        body = find(tenant, q="jane", limit=3, **cursor).json
        pages.append([user["id"] for user in body["data"]])
        cursor = body["nextCursor"] and {"cursor": body["nextCursor"]}

    assert pages == [everyone[:3], everyone[3:6], everyone[6:]]


def test_a_page_that_is_just_full_is_the_last(tenant):
    known(tenant, userId="u-1")
    known(tenant, userId="u-2")
    assert find(tenant, limit=2).json["nextCursor"] is None


@cases(
    "asked, pointer, code",
    ("empty beginning", {"q": ""}, "/q", "empty"),
    ("long beginning", {"q": "a" * 256}, "/q", "too-long"),
    ("NUL", {"q": "a\0"}, "/q", "forbidden-character"),
    ("empty email", {"email": ""}, "/email", "invalid-email"),
    ("white space", {"email": " "}, "/email", "invalid-email"),
    ("no email", {"email": "jane"}, "/email", "invalid-email"),
    ("empty user ID", {"userId": ""}, "/userId", "empty"),
    ("placeholder", {"userId": "null"}, "/userId", "placeholder"),
    ("long user ID", {"userId": "a" * 751}, "/userId", "too-long"),
    ("unknown member", {"name": "Jane"}, "/name", "unknown"),
    ("no limit", {"limit": "0"}, "/limit", "not-a-whole-number"),
    ("high limit", {"limit": "101"}, "/limit", "not-a-whole-number"),
    ("made-up cursor", {"cursor": "x"}, "/cursor", "invalid-cursor"),
)
def test_a_question_that_makes_no_sense_is_refused_by_member(tenant, asked, pointer, code):
    assert refused_fields(find(tenant, **asked)) == [(pointer, code)]


# --- Show ---
def test_the_id_of_a_merged_user_leads_to_the_one_it_became(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    owner = known(tenant, userId="u-17", deviceId=visit["deviceId"])

    response = show(tenant, visit["user"]["id"])

    assert (response.status_code, response.json["id"]) == (200, owner)
    assert response.json["aliases"] == [visit["user"]["userId"]]
    assert response.json["anonymous"] is False
    assert everybody(tenant) == [owner]


NOT_THERE = [UNKNOWN, "u-17", "usr_", "cnv_" + "0" * 32, "usr_" + "Z" * 32, "usr_%F0%9F%98%80", "usr_%00"]


@cases(
    "method, path",
    ("show", "GET", ""),
    ("change", "PATCH", ""),
    ("history", "GET", "/history"),
    ("export", "GET", "/export"),
    ("erase", "DELETE", ""),
)
def test_a_user_who_is_not_there_is_not_found(tenant, method, path):
    known(tenant, userId="u-17")
    sent = {} if method == "PATCH" else None
    answers = [tenant.call(method, f"/v1/users/{id}{path}", tenant.sk, sent) for id in NOT_THERE]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(404, "not-found")] * 7


ROUTES = [
    pytest.param("POST", "/v1/resolve", id="resolve"),
    pytest.param("GET", "/v1/users", id="find"),
    pytest.param("GET", "/v1/users/{id}", id="show"),
    pytest.param("PATCH", "/v1/users/{id}", id="change"),
    pytest.param("GET", "/v1/users/{id}/history", id="history"),
    pytest.param("GET", "/v1/users/{id}/export", id="export"),
    pytest.param("DELETE", "/v1/users/{id}", id="erase"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_another_apps_user_is_not_found_and_not_changed(tenant, other_tenant, method, path):
    theirs = known(other_tenant, userId="u-17", email=UNCLAIMED, name="Jane")
    before = show(other_tenant, theirs).json

    response = tenant.call(
        method, path.format(id=theirs), tenant.sk, {"name": "Eve"} if method in ("PATCH", "POST") else None
    )

    assert theirs not in response.text
    assert response.status_code == (404 if "{id}" in path else 200)
    assert show(other_tenant, theirs).json == before


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_but_the_backend_may_ask_about_users(tenant, method, path):
    login = tenant.login(userId="u-17", email=UNCLAIMED)
    id = login["user"]["id"]
    keys = login["session"]["token"], tenant.pk, tenant.admin_key
    sent = {} if method in ("PATCH", "POST") else None

    answers = [tenant.call(method, path.format(id=id), key, sent) for key in keys]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(403, "not-allowed")] * 3
    assert show(tenant, id).json["email"] == UNCLAIMED


# --- Change ---
@worlds
@cases(
    "changes, after",
    ("name", {"name": "Joan"}, {"name": "Joan"}),
    ("email", {"email": "Joan@Example.com"}, {"email": "Joan@example.com"}),
    ("spaces around", {"email": " joan@example.com "}, {"email": "joan@example.com"}),
    ("both", {"email": "joan@example.com", "name": "Joan"}, {"email": "joan@example.com", "name": "Joan"}),
    ("letters of the email", {"email": "JANE@example.org"}, {"email": "JANE@example.org"}),
    ("no name", {"name": None}, {"name": None}),
    ("no email", {"email": None}, {"email": None}),
    ("neither", {"email": None, "name": None}, {"email": None, "name": None}),
    ("long name", {"name": "n" * 300}, {"name": "n" * 255}),
    ("nothing", {}, {}),
)
def test_a_change_sets_what_is_given_and_removes_what_is_null(tenant, world, changes, after):
    id = of_world(tenant, world, userId="u-17", email=UNCLAIMED, name="Jane")
    before = show(tenant, id).json
    response = change(tenant, id, **changes)
    assert (response.status_code, response.json) == (200, {**before, **after})
    assert show(tenant, id).json == response.json


def test_a_change_reaches_the_user_that_a_merged_one_became(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    owner = known(tenant, userId="u-17", deviceId=visit["deviceId"])
    response = change(tenant, visit["user"]["id"], email=UNCLAIMED)
    assert (response.json["id"], response.json["email"]) == (owner, UNCLAIMED)


@cases(
    "changes, pointer",
    ("no email", {"email": "jane"}, "/email"),
    ("number", {"email": 7}, "/email"),
    ("array", {"name": ["Joan"]}, "/name"),
    ("number for a name", {"name": 7}, "/name"),
    ("user ID", {"name": "Joan", "userId": "u-18"}, "/userId"),
    ("world", {"name": "Joan", "verified": True}, "/verified"),
)
def test_a_change_that_is_refused_in_one_member_changes_none(tenant, changes, pointer):
    id = known(tenant, userId="u-17", email=UNCLAIMED, name="Jane")
    before = show(tenant, id).json
    response = change(tenant, id, **changes)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json["errors"]] == [pointer]
    assert show(tenant, id).json == before


@worlds
def test_a_second_unclaimed_user_of_an_email_is_a_conflict(tenant, world):
    of_world(tenant, world, email=UNCLAIMED)
    id = of_world(tenant, world, email="joan@example.org")
    assert problem_of(change(tenant, id, email="JANE@example.org", name="Joan")) == (409, "unclaimed-email")
    assert (show(tenant, id).json["email"], show(tenant, id).json["name"]) == ("joan@example.org", None)


def test_an_unclaimed_user_of_the_other_world_is_no_conflict(tenant):
    known(tenant, email=UNCLAIMED)
    unproven(tenant, email="ann@example.org")
    ids = [unproven(tenant, email="joan@example.org"), known(tenant, email="joan@example.org")]
    answers = [change(tenant, ids[0], email=UNCLAIMED), change(tenant, ids[1], email="ann@example.org")]
    assert [answer.status_code for answer in answers] == [200, 200]


@worlds
@cases(
    "mine, theirs",
    ("a user ID beside an unclaimed user", {"userId": "u-1"}, {"email": UNCLAIMED}),
    ("an unclaimed user", {"email": "x@y.example"}, {"userId": "u-2", "email": UNCLAIMED}),
    ("two with user IDs", {"userId": "u-1"}, {"userId": "u-2", "email": UNCLAIMED}),
)
def test_an_email_may_be_shared_with_users_who_have_user_ids(tenant, world, mine, theirs):
    of_world(tenant, world, **theirs)
    id = of_world(tenant, world, **mine)
    response = change(tenant, id, email=UNCLAIMED)
    assert (response.status_code, response.json["email"]) == (200, UNCLAIMED)


@worlds
@pytest.mark.parametrize("empty", [None, "", " "], ids=["null", "empty", "white space"])
def test_an_unclaimed_user_keeps_their_email(tenant, world, empty):
    id = of_world(tenant, world, email=UNCLAIMED)
    assert problem_of(change(tenant, id, email=empty)) == (409, "nothing-left")
    assert show(tenant, id).json["email"] == UNCLAIMED


def test_an_anonymous_user_is_given_no_email(tenant):
    id = tenant.login()["user"]["id"]
    assert problem_of(change(tenant, id, email=UNCLAIMED, name="Jane")) == (409, "anonymous-email")
    assert (show(tenant, id).json["email"], show(tenant, id).json["name"]) == (None, None)


def test_an_anonymous_user_may_have_a_name(tenant):
    id = tenant.login()["user"]["id"]
    response = change(tenant, id, name="Jane", email=None)
    assert (response.status_code, response.json["name"]) == (200, "Jane")


def test_a_changed_email_leads_to_its_user_and_the_old_one_to_nobody(tenant):
    id = known(tenant, email="jane@old.example")
    change(tenant, id, email="jane@new.example")
    by_new = tenant.login(email="Jane@New.example")
    by_old = tenant.login(email="jane@old.example")
    assert (by_new["user"]["id"], by_new["resolution"]["rule"]) == (id, "known-email")
    assert (by_old["user"]["id"] == id, by_old["resolution"]["rule"]) == (False, "new-email")


def test_a_change_shows_in_the_sessions_that_are_open(tenant):
    login = tenant.login(userId="u-17", name="Jane")
    change(tenant, login["user"]["id"], name="Joan", email=UNCLAIMED)
    me = tenant.call("GET", "/v1/me", login["session"]["token"]).json["user"]
    assert (me["name"], me["email"]) == ("Joan", UNCLAIMED)


# --- Races ---
@pytest.mark.parametrize("round", range(4))
def test_changes_and_logins_at_once_never_make_two_unclaimed_users(tenant, round):
    target = f"target-{round}@example.org"
    first, second = (known(tenant, email=f"{name}-{round}@example.org") for name in ("first", "second"))

    answers = at_once(
        tenant,
        lambda own: change(own, first, email=target),
        lambda own: change(own, second, email=target),
        lambda own: own.try_login(email=target),
        lambda own: own.try_login(email=target.upper()),
        lambda own: own.try_login(userId="u-17", email=target),
        lambda own: change(own, first, name="Jane"),
    )

    statuses = [answer.status_code for answer in answers]
    unclaimed = [user for user in find(tenant, email=target).json["data"] if user["userId"] is None]
    attached = answers[4].json["resolution"]["rule"] == "attach-user-id"
    assert set(statuses[:2]) <= {200, 409}
    assert set(statuses[2:]) <= {200, 201}
    # Each time that somebody unclaimed came to have the email, whoever had it before was attached.
    assert len(unclaimed) <= 1
    became = statuses[:2].count(200) + statuses[2:4].count(201)
    assert became - attached == len(unclaimed)


def test_two_unclaimed_users_who_swap_emails_at_once_are_both_a_conflict(tenant):
    one, other = known(tenant, email="one@example.org"), known(tenant, email="other@example.org")

    answers = at_once(
        tenant,
        lambda own: change(own, one, email="other@example.org"),
        lambda own: change(own, other, email="one@example.org"),
    )

    assert [answer.status_code for answer in answers] == [409, 409]


def test_changes_of_one_user_at_once_all_count(tenant):
    id = known(tenant, userId="u-17")

    answers = at_once(
        tenant,
        lambda own: change(own, id, name="Jane"),
        lambda own: change(own, id, email=UNCLAIMED),
        lambda own: own.try_login(userId="u-17"),
    )

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    user = show(tenant, id).json
    assert (user["name"], user["email"]) == ("Jane", UNCLAIMED)
