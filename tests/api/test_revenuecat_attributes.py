"""What RevenueCat's clients say of a subscriber by name is kept, the latest of each; no client reads it."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from service.model.attributes import MAX_ATTRIBUTES
from service.times import now
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.subscribers import kept, original, say, user_of

FAR = 4_102_444_800_000  # the year 2100


def test_what_is_said_is_kept_and_makes_whom_nobody_has_seen(rc, tenant):
    first, again = say(rc, color="blue"), say(rc, plan="gold")
    assert [(one.status_code, original(one)) for one in (first, again)] == [(201, "u-1"), (200, "u-1")]
    assert kept(tenant) == {"color": "blue", "plan": "gold"}


@pytest.mark.parametrize("key", ["pk", "sk"])
@cases(
    "name, value",
    ("one letter", "a", "x"),
    ("64 signs", "Az09_.$-" * 8, "x"),
    ("a dollar alone", "$", "x"),
    ("digits", "0", "0"),
    ("1,000 letters", "long", "x" * 1000),
    ("1,000 emoji", "emoji", "\U0001f600" * 1000),
    ("lines", "lines", "a\nb\tc"),
    ("JSON", "json", '{"a": [1]}'),
    ("a word for nothing", "word", "null"),
    ("quotes", "quotes", "'\"`; --"),
)
def test_a_legal_attribute_is_kept_as_it_is(rc, tenant, key, name, value):
    body = {"attributes": {name: {"value": value, "updated_at_ms": 1, "of": "another version"}}}
    assert rc("POST", "/subscribers/u-1/attributes", body, key=getattr(tenant, key)).status_code == 201
    assert kept(tenant) == {name: value}


RESERVED = ["$email", "$displayName", "$phoneNumber", "email", "name", "userId"]


@pytest.mark.parametrize("name", RESERVED)
def test_no_attribute_is_ever_the_users_email_name_or_id(rc, tenant, name):
    rc("GET", "/subscribers/u-1")
    was = user_of(tenant, "u-1")
    rc("POST", "/subscribers/u-1/attributes", {"attributes": {name: {"value": "jane@example.org"}}})
    assert user_of(tenant, "u-1") == was | {"attributes": {name: "jane@example.org"}}
    assert kept(tenant) == {name: "jane@example.org"}
    for search in ("email=jane@example.org", "q=jane", "userId=jane@example.org"):
        assert tenant.get(f"/v1/users?{search}").json["data"] == []
    assert tenant.login(email="jane@example.org")["created"]


@pytest.mark.parametrize("key", ["pk", "sk"])
def test_no_client_reads_it_back(rc, tenant, key):
    rc = partial(rc, key=getattr(tenant, key))
    say(rc, _email="canary@example.org", canary="canary")
    calls = [
        ("GET", "/subscribers/u-1", None),
        ("GET", "/subscribers/u-1/offerings", None),
        ("POST", "/subscribers/u-1/attributes", {"attributes": {"color": {"value": "blue"}}}),
        ("POST", "/subscribers/identify", {"app_user_id": "u-1", "new_app_user_id": "u-1"}),
        ("POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "t"}),
    ]
    told = [rc(*call) for call in calls]

    assert {one.status_code for one in told} == {200}
    assert [one.text for one in told if "canary" in one.text] == []


def test_another_apps_user_of_that_id_has_none_of_it(rc, tenant, other_tenant):
    other_tenant.set(revenuecat="on")
    other_tenant.get("/v1/subscribers/u-1", other_tenant.pk)
    say(rc, color="blue")
    assert kept(other_tenant) == {}


@cases(
    "said, holds",
    ("later", [(5, "a"), (6, "b")], "b"),
    ("late", [(6, "b"), (5, "a")], "b"),
    ("at the same time", [(5, "a"), (5, "b")], "b"),
    ("removed late", [(6, "b"), (5, None)], "b"),
    ("late, and removed since", [(6, None), (5, "a")], None),
    ("late, and emptied since", [(6, ""), (5, "a")], None),
    ("removed, and said again", [(6, None), (7, "a")], "a"),
    ("removed", [(5, "a"), (6, None)], None),
    ("emptied", [(5, "a"), (6, "")], None),
    ("nothing to be seen", [(5, "a"), (6, " \u200b")], None),
    ("spaces around it", [(5, "a"), (6, " b ")], " b "),
    ("after one in the future", [(FAR, "a"), (None, "b")], "b"),
    ("both in the future", [(FAR, "a"), (FAR, "b")], "b"),
    ("in a future that no store keeps", [(10**30, "a"), (FAR, "b")], "b"),
    ("late, after one without a time", [(None, "a"), (5, "b")], "a"),
    ("at the beginning of time", [(0, "a"), (0, "b")], "b"),
)
def test_the_latest_of_each_name_holds(rc, tenant, said, holds):
    for at, value in said:
        assert say(rc, at=at, color=value, other="x").status_code in (200, 201)
    assert kept(tenant) == {"color": holds, "other": "x"}


@pytest.mark.parametrize("at", [FAR, 10**30, None])
def test_nothing_was_said_in_the_future(rc, tenant, rows, at):
    began = now()
    say(rc, at=at, color="blue")
    [(*_, when, _)] = rows()["attributes"]
    assert began <= when <= now()


GOOD = {"value": "x", "updated_at_ms": 1}


@pytest.mark.parametrize("known", [False, True], ids=["of nobody", "of somebody"])
@cases(
    "body",
    ("none", {}),
    ("null", {"attributes": None}),
    ("no names", {"attributes": {}}),
    ("a list", {"attributes": [GOOD]}),
    ("a value alone", {"attributes": {"color": "blue"}}),
    ("no value", {"attributes": {"color": {"updated_at_ms": 1}}}),
    ("null of a name", {"attributes": {"color": None}}),
    ("a number", {"attributes": {"age": {"value": 17}}}),
    ("1,001 letters", {"attributes": {"long": {"value": "x" * 1001}}}),
    ("NUL", {"attributes": {"color": {"value": "a\0b"}}}),
    ("a surrogate", {"attributes": {"color": {"value": "\ud83d"}}}),
    ("an empty name", {"attributes": {"": GOOD}}),
    ("a name of 65 letters", {"attributes": {"x" * 65: GOOD}}),
    ("a name with a line feed", {"attributes": {"color\n": GOOD}}),
    ("a name with letters of another script", {"attributes": {"цвет": GOOD}}),
    ("a name with a slash", {"attributes": {"a/b": GOOD}}),
    ("a time that is text", {"attributes": {"color": {"value": "x", "updated_at_ms": "1"}}}),
    ("a time that is a boolean", {"attributes": {"color": {"value": "x", "updated_at_ms": True}}}),
    ("a time before 1970", {"attributes": {"color": {"value": "x", "updated_at_ms": -1}}}),
    ("51 names", {"attributes": {f"name-{number}": GOOD for number in range(MAX_ATTRIBUTES + 1)}}),
    (
        "51 names to remove",
        {"attributes": dict.fromkeys(map(str, range(MAX_ATTRIBUTES + 1)), {"value": None})},
    ),
)
def test_what_is_refused_changes_nothing(rc, tenant, rows, body, known):
    if known:
        say(rc, at=1, color="red", plan="gold")
    was = rows()
    if body.get("attributes"):
        # All or nothing: what is legal beside it is not kept either.
        body = _beside(body, plan=GOOD)
    assert problem_of(rc("POST", "/subscribers/u-1/attributes", body)) == (400, 7226)
    assert rows() == was


def _beside(body, **more):
    said = body["attributes"]
    return {"attributes": more | said} if isinstance(said, dict) else body


@pytest.mark.parametrize("id", ["null", "a%2Fb", "u%0A", "x" * 101, "$RCAnonymousID:short", "$anon:u-1"])
def test_nothing_is_said_of_an_id_that_cannot_be_one(rc, tenant, rows, id):
    was = rows()
    assert problem_of(say(rc, id, color="blue")) == (400, 7220)
    assert rows() == was


def test_nothing_is_said_without_a_key_or_where_it_is_off(rc, tenant, rows):
    unknown = say(partial(rc, key="rcb_pk_nothing"), color="blue")
    tenant.set(revenuecat="off")
    was = rows()
    off = say(rc, color="blue")
    assert [(one.status_code, one.json["code"]) for one in (unknown, off)] == [(401, 7225), (404, 7259)]
    assert rows() == was


def names(first, count=1):
    return {f"name{number}": "x" for number in range(first, first + count)}


def test_fifty_names_at_their_longest_fit_into_one_call(rc, tenant):
    said = {f"{number:064}": {"value": "x" * 1000, "updated_at_ms": 1} for number in range(MAX_ATTRIBUTES)}
    assert rc("POST", "/subscribers/u-1/attributes", {"attributes": said}).status_code == 201
    assert len(kept(tenant)) == MAX_ATTRIBUTES


def test_what_is_too_long_for_one_call_is_kept_by_several(rc, tenant, rows):
    said = {f"name{number}": "\U0001f600" * 1000 for number in range(MAX_ATTRIBUTES)}
    rc("GET", "/subscribers/u-1")
    was = rows()
    refused = say(rc, **said)
    unchanged = rows() == was
    taken = [say(rc, **{name: value}).status_code for name, value in said.items()]
    assert (refused.status_code, refused.json["code"], unchanged) == (413, 7226, True)
    assert set(taken) == {200}
    assert kept(tenant) == said


def test_a_user_has_at_most_fifty_names(rc, tenant):
    say(rc, at=1, **names(0, MAX_ATTRIBUTES))
    statuses = [
        say(rc, at=2, **names(MAX_ATTRIBUTES)).status_code,
        say(rc, at=2, **names(0), color=None).status_code,
        say(rc, at=2, **names(MAX_ATTRIBUTES), name1="").status_code,
        say(rc, at=2, name2=None).status_code,
        say(rc, at=2, **names(MAX_ATTRIBUTES + 1)).status_code,
        say(rc, at=2, **names(MAX_ATTRIBUTES + 2)).status_code,
        # What is late is not counted, as it changes nothing.
        say(rc, at=1, name1="late").status_code,
    ]

    assert statuses == [400, 200, 200, 200, 200, 400, 200]
    assert len([value for value in kept(tenant).values() if value is not None]) == MAX_ATTRIBUTES


def test_of_names_that_were_removed_the_last_fifty_are_remembered(rc, tenant):
    for first in range(0, 2 * MAX_ATTRIBUTES, MAX_ATTRIBUTES):
        say(rc, at=first + 1, **dict.fromkeys(names(first, MAX_ATTRIBUTES)))
    say(rc, at=MAX_ATTRIBUTES, name0="late", **{f"name{MAX_ATTRIBUTES}": "late"})
    assert kept(tenant) == {"name0": "late"} | dict.fromkeys(names(MAX_ATTRIBUTES, MAX_ATTRIBUTES))


def at_once(app, tenant):
    """Have eight say something of one user at once, each by a name of their own; return the statuses."""

    def call(number):
        said = {"attributes": {f"new{number}": {"value": "x"}}}
        path, headers = "/v1/subscribers/u-1/attributes", {"Authorization": f"Bearer {tenant.pk}"}
        return app.test_client().post(path, json=said, headers=headers).status_code

    with ThreadPoolExecutor(8) as threads:
        return sorted(threads.map(call, range(8)))


def test_those_who_say_something_at_once_break_no_limit(rc, app, tenant):
    say(rc, **names(0, MAX_ATTRIBUTES - 1))
    assert at_once(app, tenant) == [200] + [400] * 7
    assert len(kept(tenant)) == MAX_ATTRIBUTES


def test_of_those_who_say_the_first_thing_at_once_one_makes_the_user_and_nothing_is_lost(rc, app, tenant):
    assert at_once(app, tenant) == [200] * 7 + [201]
    assert kept(tenant) == {f"new{number}": "x" for number in range(8)}
