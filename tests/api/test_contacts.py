"""How to reach somebody who is nobody yet: they say it, agents see it, and nothing else comes of it."""

import pytest

from service.desk.erasing import tidy
from service.desk.users import MAX_CONTACTS
from service.store.tables import Contacts
from service.times import DAY, now
from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields

pytestmark = pytest.mark.usefixtures("sound")

LEFT = {"email": "jane@example.org", "phone": "+49 30 901820", "name": "Jane"}
NOTHING = {"email": None, "phone": None, "name": None}


def leave(tenant, token, **said):
    return tenant.call("PUT", "/v1/me/contact", token, said)


def contacts(tenant, id):
    return [{name: one[name] for name in ("email", "phone", "name")} for one in tenant.user(id)["contacts"]]


@pytest.fixture
def visit(tenant):
    """A widget's login of nobody."""
    return tenant.try_login(key=tenant.pk).json


@pytest.fixture
def token(visit):
    return visit["session"]["token"]


def test_a_visitor_leaves_it_and_agents_see_it_with_when(tenant, visit, token):
    answer = leave(tenant, token, **LEFT)
    assert (answer.status_code, answer.json) == (200, LEFT)
    [shown] = tenant.user(visit["user"]["id"])["contacts"]
    assert shown == LEFT | {"at": shown["at"]}
    assert set(tenant.get("/v1/me", token).json["user"]) & {"contacts", "contact"} == set()


def test_it_is_no_email_and_no_name_and_no_login_looks_at_it(tenant, visit, token):
    leave(tenant, token, **LEFT)
    assert tenant.find(q="jane") == []
    login = tenant.login(email=LEFT["email"])
    visitor = tenant.user(visit["user"]["id"])
    assert (visitor["email"], visitor["name"], visitor["anonymous"]) == (None, None, True)
    assert (login["created"], login["resolution"]["rule"]) == (True, "new-email")
    told = tenant.call("POST", "/v1/resolve", tenant.sk, {"email": LEFT["email"]}).json
    assert told["candidates"]["email"] == [login["user"]["id"]]
    assert [user["id"] for user in tenant.find(email=LEFT["email"])] == [login["user"]["id"]]


@cases(
    "said, kept",
    ("another", {"email": "b@example.org"}, NOTHING | {"email": "b@example.org"}),
    ("a name alone", {"name": "Jane"}, NOTHING | {"name": "Jane"}),
    ("what is cleaned", {"email": " B@EXAMPLE.org ", "phone": " \uff10\uff13\uff10-1 ", "name": "J\n"},
     {"email": "B@example.org", "phone": "030-1", "name": "J "}),
    ("null beside", {"email": None, "phone": "030 1", "name": ""}, NOTHING | {"phone": "030 1"}),
)  # fmt: skip
def test_it_takes_the_place_of_what_was_left_before(tenant, visit, token, said, kept):
    leave(tenant, token, **LEFT)
    assert leave(tenant, token, **said).json == kept
    assert contacts(tenant, visit["user"]["id"]) == [kept]


@pytest.mark.parametrize("said", [{}, NOTHING, dict.fromkeys(LEFT, ""), {"name": " \u200b"}], ids=repr)
def test_nothing_removes_it(tenant, visit, token, rows, said):
    leave(tenant, token, **LEFT)
    for _ in range(2):
        answer = leave(tenant, token, **said)
        assert (answer.status_code, answer.json) == (200, NOTHING)
    assert (contacts(tenant, visit["user"]["id"]), rows()["contacts"]) == ([], [])


@cases(
    "said, pointer, code",
    ("no email", {"email": "jane"}, "/email", "invalid-email"),
    ("a number", {"phone": 4930901820}, "/phone", "not-a-string"),
    ("no phone", {"phone": "call me"}, "/phone", "invalid-phone"),
    ("a long phone", {"phone": "0" * 65}, "/phone", "too-long"),
    ("no name", {"name": ["Jane"]}, "/name", "not-a-string"),
    ("a user ID", {"userId": "u-1"}, "/userId", "unknown"),
)
def test_what_is_none_is_refused_and_changes_nothing(tenant, token, rows, said, pointer, code):
    leave(tenant, token, **LEFT)
    before = rows()
    assert refused_fields(leave(tenant, token, **said)) == [(pointer, code)]
    assert rows() == before


def test_it_changes_nothing_of_the_user(tenant, store, visit, token):
    id = visit["user"]["id"]
    before = tenant.history(id), store.of(tenant.id).users.with_id(id)
    leave(tenant, token, **LEFT)
    assert (tenant.history(id), store.of(tenant.id).users.with_id(id)) == before


@pytest.mark.parametrize("key", ["sk", "pk", "ak"])
def test_only_a_session_leaves_it(tenant, key):
    by = tenant.admin_key if key == "ak" else getattr(tenant, key)
    assert problem_of(leave(tenant, by, **LEFT)) == (403, "not-allowed")


def test_no_session_that_has_ended_leaves_it(tenant, token):
    tenant.call("POST", "/v1/logout", token)
    assert leave(tenant, token, **LEFT).status_code == 401


def test_a_page_may_leave_it(tenant, token):
    origin = "https://shop.example"
    tenant.set(origins=[origin])
    asks = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    allowed = tenant.client.options("/v1/me/contact", headers=asks)
    assert "PUT" in allowed.headers["Access-Control-Allow-Methods"]
    left = tenant.call("PUT", "/v1/me/contact", token, LEFT, Origin=origin)
    assert (left.status_code, left.headers["Access-Control-Allow-Origin"]) == (200, origin)
    stranger = tenant.call("PUT", "/v1/me/contact", token, LEFT, Origin="https://other.example")
    assert stranger.status_code == 403


# --- who finds it ---


@cases(
    "query, found",
    ("the email", "jane@example.org", True),
    ("in other letters", " JANE@Example.ORG", True),
    ("the phone", "+49 30 901820", True),
    ("as dialled", "0049-30/90 18 20", True),
    ("with a zero in brackets", "+49 (0)30 901820", True),
    ("another email", "joan@example.org", False),
    ("another phone", "030 901820", False),
)
def test_agents_find_people_by_it(tenant, other_tenant, visit, token, query, found):
    leave(tenant, token, **LEFT)
    leave(other_tenant, other_tenant.session(), **LEFT)
    assert [user["id"] for user in tenant.find(contact=query)] == ([visit["user"]["id"]] if found else [])


@pytest.mark.parametrize("query", ["", "Jane", "jane@", "12"])
def test_by_what_is_none_nobody_is_looked_for(tenant, query):
    assert refused_fields(tenant.get("/v1/users", contact=query)) == [("/contact", "invalid-contact")]


def test_all_who_left_it_are_found_and_all_that_is_given_fits(tenant):
    ids = []
    for user_id in ("u-1", "u-2", "u-3"):
        login = tenant.login(userId=user_id)
        ids.append(login["user"]["id"])
        leave(tenant, login["session"]["token"], phone="112")
    assert [user["id"] for user in tenant.find(contact="112")] == ids
    assert [user["id"] for user in tenant.find(contact="112", userId="u-2")] == ids[1:2]
    page = tenant.get("/v1/users", contact="112", limit=2).json
    assert [user["id"] for user in tenant.find(contact="112", cursor=page["nextCursor"])] == ids[2:]


# --- whose it is ---


def test_a_user_has_one_from_all_their_devices(tenant):
    one, other = (tenant.login(userId="u-1") for _ in range(2))
    leave(tenant, one["session"]["token"], **LEFT)
    leave(tenant, other["session"]["token"], phone="112")
    assert contacts(tenant, one["user"]["id"]) == [NOTHING | {"phone": "112"}]


def test_a_merge_keeps_both_and_an_undo_gives_each_theirs(tenant, time_machine):
    one, other = tenant.login(userId="u-1"), tenant.login(userId="u-2")
    ids = [login["user"]["id"] for login in (one, other)]
    for minutes, (login, phone) in enumerate(((one, "112"), (other, "110"))):
        time_machine.move_to(1_900_000_000 + 60 * minutes, tick=False)
        leave(tenant, tenant.session(userId=login["user"]["userId"]), phone=phone)
    merge = tenant.merge(*ids)
    both = [NOTHING | {"phone": phone} for phone in ("110", "112")]
    assert contacts(tenant, ids[0]) == contacts(tenant, ids[1]) == both
    assert [user["id"] for user in tenant.find(contact="112")] == [ids[1]]
    time_machine.move_to(1_900_000_000 + 600, tick=False)
    leave(tenant, tenant.session(userId="u-1"), phone="999")
    assert contacts(tenant, ids[1]) == [NOTHING | {"phone": phone} for phone in ("999", "110")]
    told = tenant.get(f"/v1/users/{ids[1]}/export").json["contacts"]
    assert [(one["user"], one["phone"]) for one in told] == [(ids[0], "999"), (ids[1], "110")]
    tenant.undo(merge)
    assert [contacts(tenant, id) for id in ids] == [
        [NOTHING | {"phone": "999"}],
        [NOTHING | {"phone": "110"}],
    ]


def test_what_a_visitor_left_goes_along_with_their_login(tenant, visit, token):
    tenant.set(anonymousOnLogin="merge")
    leave(tenant, token, **LEFT)
    login = tenant.login(userId="u-1", deviceId=visit["deviceId"])
    assert contacts(tenant, login["user"]["id"]) == [LEFT]
    assert login["user"].keys().isdisjoint({"contacts", "contact"})


def test_of_a_cleared_visitor_agents_see_it_still(tenant, visit, token):
    tenant.set(anonymousOnLogin="clear")
    leave(tenant, token, **LEFT)
    login = tenant.login(userId="u-1", deviceId=visit["deviceId"])
    assert contacts(tenant, visit["user"]["id"]) == [LEFT]
    assert contacts(tenant, login["user"]["id"]) == []
    assert leave(tenant, token, **LEFT).status_code == 401


def test_of_who_only_claims_each_device_leaves_its_own_and_learns_nothing_of_others(tenant):
    tenant.set(identityVerification="off")
    claims = [tenant.try_login(key=tenant.pk, userId="u-1").json["session"]["token"] for _ in range(2)]
    told = [leave(tenant, claims[0], **LEFT), leave(tenant, claims[1], phone="112"), leave(tenant, claims[1])]
    assert [answer.json for answer in told] == [LEFT, NOTHING | {"phone": "112"}, NOTHING]
    [user] = tenant.find(userId="u-1")
    assert contacts(tenant, user["id"]) == [LEFT]
    assert not any("jane" in tenant.get("/v1/me", token).text for token in claims)


def test_an_agents_merge_leads_what_was_only_claimed_to_the_proven_user(tenant):
    tenant.set(identityVerification="off")
    for phone in ("112", "110"):
        leave(tenant, tenant.try_login(key=tenant.pk, userId="u-1").json["session"]["token"], phone=phone)
    [claims] = [user["id"] for user in tenant.find(userId="u-1")]
    jane = tenant.known(userId="u-1")
    merge = tenant.merge(claims, jane)
    assert {one["phone"] for one in contacts(tenant, jane)} == {"110", "112"}
    tenant.undo(merge)
    assert (len(contacts(tenant, claims)), contacts(tenant, jane)) == (2, [])


def test_no_other_answer_holds_it(tenant, visit, token):
    leave(tenant, token, email="canary@example.org", name="canary")
    other = tenant.login(userId="u-1")
    leave(tenant, other["session"]["token"], email="canary@example.org")
    thread = tenant.begin(token)
    paths = ("me", "conversations", f"conversations/{thread}", f"conversations/{thread}/messages")
    told = [tenant.get(f"/v1/{path}", key) for key in (token, other["session"]["token"]) for path in paths]
    told += [tenant.get(f"/v1/{path}") for path in ("users", *paths[1:])]
    told += [tenant.call("POST", "/v1/resolve", tenant.sk, {"email": "canary@example.org"})]
    assert [answer.text for answer in told if "canary" in answer.text] == []


def test_of_very_many_the_newest_are_shown_and_the_export_has_all(tenant, store, visit):
    id = visit["user"]["id"]
    row = {"app": tenant.id, "home": id, "user": id, "phone": "112", "phone_key": "112"}
    rows = [row | {"device": f"{number}", "at": number} for number in range(MAX_CONTACTS + 5)]
    store.database.change(Contacts.insert_many(rows))
    shown = tenant.user(id)["contacts"]
    assert len(shown) == MAX_CONTACTS
    assert shown[0]["at"] == "1970-01-01T00:00:00.104Z"
    assert len(tenant.get(f"/v1/users/{id}/export").json["contacts"]) == MAX_CONTACTS + 5


# --- how it is forgotten ---


@pytest.mark.parametrize("part", [False, True], ids=["alone", "with who is part of them"])
def test_it_is_erased_with_the_user(tenant, rows, part):
    login = tenant.login(userId="u-1")
    leave(tenant, login["session"]["token"], **LEFT)
    id = login["user"]["id"]
    if part:
        id = tenant.known(userId="u-2")
        tenant.merge(login["user"]["id"], id)
    tenant.erase(id)
    assert rows()["contacts"] == []


def test_it_is_tidied_with_a_visitor_who_does_nothing(tenant, store, visit, token, rows, time_machine):
    leave(tenant, token, **LEFT)
    time_machine.move_to((now() + 100 * DAY) / 1000)
    app = store.apps.with_id(tenant.id)
    assert (
        tidy(store.of(tenant.id), app, idle_days=90, empty_days=90, cleared_days=30, event_days=30).users == 1
    )
    assert rows()["contacts"] == []


@pytest.mark.parametrize("round", range(3))
def test_whoever_leaves_it_while_they_are_erased_leaves_nothing(tenant, rows, round):
    login = tenant.login(userId="u-1")
    token, id = login["session"]["token"], login["user"]["id"]
    told = tenant.at_once(lambda own: own.erase(id), *[lambda own: leave(own, token, **LEFT)] * 3)
    assert {answer.status_code for answer in told[1:]} <= {200, 401}
    assert rows()["contacts"] == []


@pytest.mark.parametrize("round", range(3))
def test_whoever_leaves_it_while_they_become_part_of_another_leaves_it_there(tenant, round):
    one, other = tenant.login(userId="u-1"), tenant.known(userId="u-2")
    token, id = one["session"]["token"], one["user"]["id"]
    told = tenant.at_once(lambda own: own.merge(id, other), *[lambda own: leave(own, token, **LEFT)] * 3)
    left = any(answer.status_code == 200 for answer in told[1:])
    assert {answer.status_code for answer in told[1:]} <= {200, 401}
    assert contacts(tenant, other) == [LEFT] * left
