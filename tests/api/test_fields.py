"""What is said of a person is theirs, whoever they are part of by then; an undo leaves each with what was
last said of them, and no way of the one leads to the other."""

import pytest

from tests.support.responses import problem_of
from tests.support.signing import proof_of

pytestmark = pytest.mark.usefixtures("sound")
ONE = {"userId": "one", "email": "one@x.example", "name": "One"}
TWO = {"userId": "two", "email": "two@x.example", "name": "Two"}
NEWS = {"email": {"email": "new@x.example"}, "name": {"name": "Two B"}}
NEWS["both"] = NEWS["email"] | NEWS["name"]


def shown(tenant, id):
    found = tenant.user(id)
    return {name: found[name] for name in ("userId", "email", "name")}


def change(tenant, id, **changes):
    changed = tenant.change(id, **changes)
    assert changed.status_code == 200, changed.text


def logs_in_by(tenant, secret, way, **news):
    """Log ``two`` in with news, in some way."""
    if way == "backend":
        return tenant.session(userId="two", **news)
    if way == "further ID":
        tenant.call(
            "POST",
            "/v1/aliases",
            tenant.session(userId="two"),
            {"userId": "two-b", "proof": proof_of(tenant, secret, sub="two-b")},
        )
        return tenant.session(userId="two-b", **news)
    answer = tenant.try_login(key=tenant.pk, proof=proof_of(tenant, secret, sub="two", **news))
    return answer.json["session"]["token"]


# --- what is said of one who is part of another ---
@pytest.mark.parametrize("way", ["backend", "proof", "further ID"])
@pytest.mark.parametrize("news", NEWS.values(), ids=NEWS)
def test_what_was_said_of_one_since_is_theirs_after_an_undo(tenant, secret, news, way):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    thread = tenant.begin(tenant.session(userId="one"), "of one")
    merged = tenant.merge(two, one)
    logs_in_by(tenant, secret, way, **news)
    assert shown(tenant, one) == ONE | news
    tenant.undo(merged)

    assert (shown(tenant, one), shown(tenant, two)) == (ONE, TWO | news)
    assert tenant.known(userId="one") == one
    proof = proof_of(tenant, secret, email=news.get("email", TWO["email"]))
    assert tenant.conversations(tenant.try_login(key=tenant.pk, proof=proof).json["session"]["token"]) == []
    assert tenant.conversations(tenant.session(email=ONE["email"])) == [thread]


@pytest.mark.parametrize("news", NEWS.values(), ids=NEWS)
def test_what_was_said_of_the_one_who_stays_is_theirs(tenant, news):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    tenant.session(userId="one", **news)
    tenant.undo(merged)
    assert (shown(tenant, one), shown(tenant, two)) == (ONE | news, TWO)


def test_the_latest_is_shown_whoever_it_was_said_of(tenant):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    seen = [shown(tenant, one)["email"]]
    for claim in ({"userId": "two", "email": "b@x.example"}, {"userId": "one", "email": "one@x.example"}):
        tenant.login(**claim)
        seen.append(shown(tenant, one)["email"])
    assert seen == ["one@x.example", "b@x.example", "one@x.example"]
    tenant.undo(merged)
    assert (shown(tenant, one)["email"], shown(tenant, two)["email"]) == ("one@x.example", "b@x.example")


def test_who_says_what_is_shown_already_keeps_it(tenant):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    device = "device-of-two-123"
    tenant.session(userId="two", deviceId=device)
    login = tenant.login(userId="two", email=ONE["email"], name="One", deviceId=device)
    assert login["resolution"]["changes"] == []
    tenant.undo(merged)
    assert shown(tenant, two) == TWO | {"email": ONE["email"], "name": "One"}
    assert shown(tenant, one) == ONE


def test_the_history_of_it_goes_with_whom_it_was_said_of(tenant):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    tenant.session(userId="two", **NEWS["email"])

    def told(id):
        lines = tenant.history(id)
        return [(line["before"], line["after"]) for line in lines if line["event"] == "email-changed"]

    line = ({"email": "two@x.example"}, {"email": "new@x.example"})
    assert told(one) == [line]
    tenant.undo(merged)
    assert (told(one), told(two)) == ([], [line])


# --- what fills a blank ---
def test_what_was_filled_in_is_blank_again(tenant):
    one, two = tenant.known(userId="one"), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    assert shown(tenant, one) == TWO | {"userId": "one"}
    tenant.undo(merged)
    assert (shown(tenant, one), shown(tenant, two)) == ({"userId": "one", "email": None, "name": None}, TWO)


@pytest.mark.parametrize("who", ["one", "two"])
@pytest.mark.parametrize("news", NEWS.values(), ids=NEWS)
def test_a_filled_field_that_was_changed_since_is_of_whom_it_was_changed(tenant, who, news):
    blank = {"userId": "one", "email": None, "name": None}
    one, two = tenant.known(userId="one"), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    tenant.session(userId=who, **news)
    tenant.undo(merged)
    expected = {"one": blank, "two": TWO}
    expected[who] = expected[who] | news
    assert (shown(tenant, one), shown(tenant, two)) == (expected["one"], expected["two"])


def test_whoever_comes_by_an_email_that_was_filled_in_is_whose_it_is(tenant, secret):
    one, two = tenant.known(userId="one"), tenant.known(**TWO)
    thread = tenant.begin(tenant.session(userId="one"), "of one")
    merged = tenant.merge(two, one)
    by_email = tenant.login(email=TWO["email"], name="Two B")
    token = by_email["session"]["token"]
    assert (by_email["user"]["id"], tenant.conversations(token)) == (one, [thread])
    theirs = tenant.begin(token, "of two")
    tenant.undo(merged)

    assert tenant.get("/v1/me", token).status_code == 401
    assert tenant.conversations(tenant.session(userId="one")) == [thread]
    assert tenant.conversations(tenant.session(email=TWO["email"])) == [theirs]
    assert (shown(tenant, two)["name"], shown(tenant, one)["name"]) == ("Two B", None)


def test_a_visitors_name_fills_in_and_goes_back(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login(name="EndUser")
    one = tenant.login(userId="one", deviceId=visit["deviceId"])["user"]
    last = tenant.history(one["id"])[-1]
    assert one["name"] == "EndUser"
    tenant.undo(last["after"]["merge"])
    assert (shown(tenant, one["id"])["name"], shown(tenant, visit["user"]["id"])["name"]) == (None, "EndUser")


# --- several merges ---
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "in reverse"])
@pytest.mark.parametrize("blank", [True, False], ids=["blank", "filled"])
def test_of_two_who_became_part_of_one_each_keeps_their_own(tenant, order, blank):
    first = {"userId": "one", "email": None, "name": None} if blank else ONE
    third = {"userId": "three", "email": "three@x.example", "name": "Three"}
    one, two, three = (tenant.known(**claim) for claim in (first, TWO, third))
    merges = [tenant.merge(two, one), tenant.merge(three, one)]
    tenant.login(userId="two", email="two-b@x.example")
    tenant.login(userId="three", name="Three B")
    for number in order:
        tenant.undo(merges[number])

    assert shown(tenant, one) == first
    assert shown(tenant, two) == TWO | {"email": "two-b@x.example"}
    assert shown(tenant, three) == third | {"name": "Three B"}


def test_who_stays_part_fills_what_another_had_filled(tenant):
    one, two = tenant.known(userId="one"), tenant.known(**TWO)
    three = tenant.known(userId="three", email="three@x.example")
    merged = tenant.merge(two, one)
    tenant.merge(three, one)
    tenant.undo(merged)
    assert shown(tenant, one) == {"userId": "one", "email": "three@x.example", "name": None}


@pytest.mark.parametrize("who", ["one", "two", "three"])
def test_through_a_chain_each_keeps_their_own(tenant, who):
    claims = {"one": ONE, "two": {"userId": "two"}, "three": {"userId": "three", "email": "three@x.example"}}
    ids = {name: tenant.known(**claim) for name, claim in claims.items()}
    blank = {"email": None, "name": None}
    expected = {name: blank | claim for name, claim in claims.items()}
    first = tenant.merge(ids["three"], ids["two"])
    assert shown(tenant, ids["two"])["email"] == "three@x.example"
    second = tenant.merge(ids["two"], ids["one"])
    tenant.login(userId=who, email="news@x.example", name="News")
    expected[who] = expected[who] | {"email": "news@x.example", "name": "News"}
    assert shown(tenant, ids["one"]) == ONE | {"email": "news@x.example", "name": "News"}
    tenant.undo(second)
    tenant.undo(first)

    assert {name: shown(tenant, id) for name, id in ids.items()} == expected


def test_a_merge_made_twice_and_undone_twice_leaves_all_as_it_was(tenant):
    one, two = tenant.known(userId="one", name="One"), tenant.known(**TWO)
    before = shown(tenant, one), shown(tenant, two)
    for source, target in ((two, one), (one, two)):
        tenant.undo(tenant.merge(source, target))
    assert (shown(tenant, one), shown(tenant, two)) == before


# --- what an agent says ---
@pytest.mark.parametrize("value", ["agent@x.example", None], ids=["sets", "removes"])
def test_what_an_agent_says_belongs_to_the_one_who_stays(tenant, value):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    tenant.login(userId="two", email="two-b@x.example")
    change(tenant, one, email=value)
    assert shown(tenant, one)["email"] == value
    tenant.undo(merged)
    assert (shown(tenant, one)["email"], shown(tenant, two)["email"]) == (value, "two-b@x.example")


def test_what_an_agent_removed_is_filled_by_the_next(tenant):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    three = tenant.known(userId="three", email="three@x.example")
    tenant.merge(two, one)
    change(tenant, one, email=None)
    merged = tenant.merge(three, one)
    assert shown(tenant, one)["email"] == "three@x.example"
    tenant.undo(merged)
    assert shown(tenant, one)["email"] is None


# --- IDs ---
def test_an_id_that_somebodys_own_session_proved_goes_with_them(tenant, secret):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    thread = tenant.begin(tenant.session(userId="one"), "of one")
    merged = tenant.merge(two, one)
    logs_in_by(tenant, secret, "further ID")
    tenant.undo(merged)
    assert tenant.known(userId="two-b") == two
    assert thread not in tenant.conversations(tenant.session(userId="two-b"))


def test_an_id_given_to_somebody_with_an_email_only_is_theirs_after_an_undo(tenant):
    one, two = tenant.known(email="one@x.example"), tenant.known(email="two@x.example")
    merged = tenant.merge(two, one)
    assert tenant.alias(two, "two").json["userId"] == "two"
    tenant.undo(merged)
    assert shown(tenant, two) == {"userId": "two", "email": "two@x.example", "name": None}
    assert shown(tenant, one) == {"userId": None, "email": "one@x.example", "name": None}


def test_an_id_given_to_a_visitor_who_is_part_of_another_makes_them_somebody(tenant):
    visit, one = tenant.known(), tenant.known(**ONE)
    merged = tenant.merge(visit, one)
    tenant.alias(visit, "two")
    tenant.undo(merged)
    assert shown(tenant, visit)["userId"] == "two"
    assert tenant.known(userId="two") == visit


def test_a_visitor_is_one_again_when_whoever_was_given_the_id_stands_apart(tenant):
    two, three, one = tenant.login(), tenant.login(), tenant.login()
    merged = tenant.merge(two["user"]["id"], one["user"]["id"])
    tenant.merge(three["user"]["id"], one["user"]["id"])
    tenant.alias(two["user"]["id"], "two")
    assert tenant.get("/v1/me", one["session"]["token"]).json["session"]["verified"] is True
    tenant.undo(merged)
    assert tenant.known(userId="two") == two["user"]["id"]
    assert tenant.get("/v1/me", one["session"]["token"]).json["session"]["verified"] is False
    assert tenant.known(deviceId=one["deviceId"]) == one["user"]["id"]


# --- whoever comes to one who is part of another ---
def test_a_visitor_who_logs_in_as_part_of_another_goes_with_them(tenant):
    tenant.set(anonymousOnLogin="merge")
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"], "of two, before they logged in")
    tenant.login(userId="two", deviceId=visit["deviceId"])
    assert tenant.conversations(tenant.session(userId="one")) == [thread]
    tenant.undo(merged)

    assert tenant.conversations(tenant.session(userId="one")) == []
    assert tenant.conversations(tenant.session(userId="two")) == [thread]
    assert shown(tenant, visit["user"]["id"])["userId"] == "two"


@pytest.mark.parametrize("first", ["visitor", "two"])
def test_a_visitor_taken_in_meanwhile_stands_apart_before_or_after(tenant, first):
    tenant.set(anonymousOnLogin="merge")
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merges = {"two": tenant.merge(two, one)}
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"], "of the visitor")
    tenant.login(userId="two", deviceId=visit["deviceId"])
    told = tenant.history(one)
    merges["visitor"] = told[-1]["after"]["merge"]

    for who in (first, *(merges.keys() - {first})):
        tenant.undo(merges[who])

    tenant.set(anonymousOnLogin="keep")
    back = tenant.login(deviceId=visit["deviceId"])
    assert (back["user"]["id"], tenant.conversations(back["session"]["token"])) == (
        visit["user"]["id"],
        [thread],
    )
    assert tenant.conversations(tenant.session(userId="two")) == []


def test_a_merge_on_which_a_later_one_stands_is_not_undone(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    two = tenant.known(deviceId=visit["deviceId"], **TWO)
    told = tenant.history(two)
    one = tenant.known(**ONE)
    tenant.merge(two, one)
    refused = tenant.call("DELETE", f"/v1/merges/{told[-1]['after']['merge']}", tenant.sk)
    assert problem_of(refused) == (409, "undo-conflict")


def test_whose_account_shows_them_to_be_one_goes_with_whom_it_was_shown_of(tenant):
    account = {"storeAccount": {"store": "app_store", "account": "apple-1"}}
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"], "of the visitor")
    tenant.call("POST", "/v1/restore", tenant.sk, account | {"userId": visit["user"]["userId"]})
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    restored = tenant.call("POST", "/v1/restore", tenant.sk, account | {"userId": "two"})
    assert (restored.json["user"]["id"], restored.json["resolution"]["rule"]) == (one, "anonymous-owner")
    tenant.undo(merged)

    assert tenant.conversations(tenant.session(userId="two")) == [thread]
    assert tenant.conversations(tenant.session(userId="one")) == []


def test_what_an_agent_writes_to_one_who_is_part_of_another_is_theirs(tenant):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    thread = tenant.begin(tenant.sk, "to two", user=two)
    assert tenant.conversations(tenant.session(userId="one")) == [thread]
    tenant.undo(merged)
    assert tenant.conversations(tenant.session(userId="one")) == []
    assert tenant.conversations(tenant.session(userId="two")) == [thread]


# --- what is kept ---
def test_an_export_tells_what_was_said_of_each(tenant):
    one, two = tenant.known(**ONE), tenant.known(userId="two", email="two@x.example")
    tenant.merge(two, one)
    told = tenant.get(f"/v1/users/{one}/export").json["fields"]

    assert sorted(map(repr, told)) == sorted(
        repr({"user": user, "name": name, "value": value})
        for user, name, value in (
            (one, "email", "one@x.example"),
            (one, "name", "One"),
            (two, "email", "two@x.example"),
            (two, "name", None),
        )
    )


def test_who_stands_alone_has_no_copy_of_what_they_show(tenant, store):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    merged = tenant.merge(two, one)
    tenant.undo(merged)
    assert store.of(tenant.id).fields.of_homes([one, two]) == ()


def test_whom_nobody_proved_shows_after_an_undo_what_they_showed_before(tenant):
    tenant.set(identityVerification="off", anonymousOnLogin="merge-once")
    visit = tenant.login(name="Bo")
    tenant.try_login(key=tenant.pk, deviceId=visit["deviceId"], userId="one")
    one = tenant.find(userId="one")[0]["id"]
    before = shown(tenant, one)
    merge = tenant.merge(one, tenant.known(userId="two"))

    tenant.undo(merge)

    assert shown(tenant, one) == before == {"userId": "one", "email": None, "name": None}


def test_nothing_that_nobody_proved_is_shown_of_who_was_proven(tenant):
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, **TWO)
    two = tenant.find(userId="two")[0]["id"]
    one, three = tenant.known(userId="one"), tenant.known(userId="three", name="Three")
    claimed, merged = tenant.merge(two, one), tenant.merge(three, one)
    assert shown(tenant, one) == {"userId": "one", "email": None, "name": "Three"}
    for one_of_them in (merged, claimed):
        tenant.undo(one_of_them)
    assert shown(tenant, one) == {"userId": "one", "email": None, "name": None}
    assert shown(tenant, two) == TWO


# --- parts of another world, and what came by a part ---
@pytest.mark.parametrize("claim", [{"userId": "two"}, {"email": "two@x.example"}], ids=["ID", "email"])
def test_who_only_claims_is_given_no_id_as_part_of_a_proven_user(tenant, claim):
    one = tenant.known(**ONE)
    tenant.set(identityVerification="off")
    tenant.begin(tenant.try_login(key=tenant.pk, **claim).json["session"]["token"], "claimed")
    [two] = tenant.find(**claim)
    merged = tenant.merge(two["id"], one)
    assert problem_of(tenant.alias(two["id"], "x")) == (409, "merge-conflict")
    tenant.undo(merged)
    assert tenant.conversations(tenant.session(**claim)) == []


def test_a_visitor_is_given_no_id_as_part_of_who_only_claims(tenant):
    tenant.set(identityVerification="off", anonymousOnLogin="merge")
    visitor = tenant.try_login(key=tenant.pk).json
    tenant.try_login(key=tenant.pk, deviceId=visitor["deviceId"], userId="two")
    assert problem_of(tenant.alias(visitor["user"]["id"], "x")) == (409, "merge-conflict")


def test_whoever_comes_by_the_account_of_a_part_goes_with_the_part(tenant):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    tenant.known(userId="three")
    secret = tenant.begin(tenant.session(userId="one"), "of one")
    account = {"storeAccount": {"store": "app_store", "account": "of two"}}
    tenant.call("POST", "/v1/restore", tenant.sk, {"userId": "two", **account})
    merged = tenant.merge(two, one)
    tenant.call("POST", "/v1/restore", tenant.sk, {"userId": "three", **account})
    tenant.undo(merged)

    assert tenant.known(userId="three") == tenant.known(userId="two") == two
    assert tenant.conversations(tenant.session(userId="three")) == []
    assert tenant.conversations(tenant.session(userId="one")) == [secret]


def test_the_history_of_a_part_does_not_tell_of_the_others_anonymous_id(tenant):
    one, two = (tenant.try_login(key=tenant.pk).json["user"] for _ in range(2))
    merged = tenant.merge(two["id"], one["id"])
    tenant.alias(two["id"], "two")
    tenant.undo(merged)
    assert one["userId"] not in tenant.get(f"/v1/users/{two['id']}/export").text


def test_who_was_erased_left_no_id_in_the_history_of_whom_they_were_part_of(tenant):
    one, two = tenant.known(**ONE), tenant.known(**TWO)
    others = tenant.merge(tenant.known(userId="three"), one)
    tenant.undo(tenant.merge(two, one))
    assert tenant.erase(two).status_code == 204
    told = tenant.history(one)
    [three, line] = [line["after"] for line in told if line["event"] == "merged" and "from" in line["after"]]
    assert (three["merge"], three["aliases"], set(line)) == (others, ["three"], {"merge", "from"})
