"""What happened to a user: each change with its rule, its time, its author and its request."""

from datetime import UTC, datetime, timedelta

import pytest

from service.model.history import Event
from tests.support.cases import cases
from tests.support.signing import identity_key, proof_of
from tests.support.tenants import Tenant

MEMBERS = {"at", "event", "rule", "by", "requestId", "before", "after"}


def events(tenant: Tenant, id: str):
    """Return the events of a history, each with the rule that decided."""
    return [(entry["event"], entry["rule"]) for entry in tenant.history(id)]


def last(tenant: Tenant, id: str):
    return tenant.history(id)[-1]


def key_of(tenant: Tenant, kind: str) -> str:
    return next(key["id"] for key in tenant.list_keys() if key["kind"] == kind)


@cases(
    "claim, rule",
    ("all", {"userId": "u-17", "email": "Jane@Example.org", "name": "Jane"}, "new-user-id"),
    ("email", {"email": "jane@example.org"}, "new-email"),
    ("nobody", {"name": "Somebody"}, "anonymous"),
)
def test_a_created_user_has_one_entry_with_what_they_began_with(tenant, claim, rule):
    began = datetime.now(UTC) - timedelta(milliseconds=1)
    login = tenant.try_login(**claim)
    user = login.json["user"]
    [entry] = tenant.history(user["id"])
    assert set(entry) == MEMBERS
    assert (entry["event"], entry["rule"], entry["before"]) == ("created", rule, None)
    assert entry["after"] == {name: user[name] for name in ("userId", "email", "name")}
    assert (entry["by"], entry["requestId"]) == (key_of(tenant, "secret"), login.headers["X-Request-Id"])
    assert began <= datetime.fromisoformat(entry["at"]) <= datetime.now(UTC)
    assert entry["at"] == user["createdAt"]


def test_a_user_whom_a_widget_made_names_its_key(tenant):
    login = tenant.try_login(key=tenant.pk)
    entry = last(tenant, login.json["user"]["id"])
    assert (entry["by"], entry["requestId"]) == (key_of(tenant, "publishable"), login.headers["X-Request-Id"])


def test_a_user_who_came_with_a_proof_names_the_widgets_key(tenant):
    _, secret = identity_key(tenant)
    login = tenant.try_login(key=tenant.pk, proof=proof_of(tenant, secret, sub="u-17", name="Jane"))
    entry = last(tenant, login.json["user"]["id"])
    assert (entry["event"], entry["rule"]) == ("created", "new-user-id")
    assert entry["by"] == key_of(tenant, "publishable")


def test_what_nobody_proved_has_a_history_too(tenant):
    tenant.set(identityVerification="off")
    login = tenant.try_login(key=tenant.pk, email="jane@example.org")
    [user] = tenant.find()
    [entry] = tenant.history(user["id"])
    assert (entry["event"], entry["rule"]) == ("created", "new-email")
    assert entry["requestId"] == login.headers["X-Request-Id"]


@cases(
    "first, second, expected",
    (
        "attached",
        {"email": "jane@example.org"},
        {"userId": "u-17", "email": "JANE@example.org"},
        [("user-id-attached", "attach-user-id", {"userId": None}, {"userId": "u-17"})],
    ),
    (
        "attached and renamed",
        {"email": "jane@example.org", "name": "Jane"},
        {"userId": "u-17", "email": "jane@example.org", "name": "Joan"},
        [
            ("user-id-attached", "attach-user-id", {"userId": None}, {"userId": "u-17"}),
            ("name-changed", "attach-user-id", {"name": "Jane"}, {"name": "Joan"}),
        ],
    ),
    (
        "filled",
        {"userId": "u-17"},
        {"userId": "u-17", "email": "jane@example.org", "name": "Jane"},
        [
            ("email-changed", "known-user-id", {"email": None}, {"email": "jane@example.org"}),
            ("name-changed", "known-user-id", {"name": None}, {"name": "Jane"}),
        ],
    ),
    ("the same", {"userId": "u-17", "name": "Jane"}, {"userId": "u-17", "name": "Jane"}, []),
)
def test_a_login_leaves_an_entry_for_each_thing_that_it_changed(tenant, first, second, expected):
    id = tenant.known(**first)
    login = tenant.try_login(**second)
    added = tenant.history(id)[1:]
    told = [(entry["event"], entry["rule"], entry["before"], entry["after"]) for entry in added]
    assert told == expected
    assert {entry["requestId"] for entry in added} <= {login.headers["X-Request-Id"]}
    assert {entry["by"] for entry in added} <= {key_of(tenant, "secret")}


@cases(
    "changes, expected",
    (
        "email",
        {"email": "joan@example.org"},
        [("email-changed", {"email": "jane@example.org"}, {"email": "joan@example.org"})],
    ),
    ("no email", {"email": None}, [("email-changed", {"email": "jane@example.org"}, {"email": None})]),
    ("no name", {"name": None}, [("name-changed", {"name": "Jane"}, {"name": None})]),
    (
        "both",
        {"name": "Joan", "email": "Jane@example.org"},
        [
            ("email-changed", {"email": "jane@example.org"}, {"email": "Jane@example.org"}),
            ("name-changed", {"name": "Jane"}, {"name": "Joan"}),
        ],
    ),
    ("the same", {"name": "Jane", "email": "jane@example.org"}, []),
    ("nothing", {}, []),
)
def test_a_correction_leaves_an_entry_for_each_thing_that_it_changed(tenant, changes, expected):
    id = tenant.known(userId="u-17", email="jane@example.org", name="Jane")
    response = tenant.change(id, **changes)
    added = tenant.history(id)[1:]
    assert [(entry["event"], entry["before"], entry["after"]) for entry in added] == expected
    assert {entry["rule"] for entry in added} <= {None}
    assert {entry["requestId"] for entry in added} <= {response.headers["X-Request-Id"]}
    assert {entry["by"] for entry in added} <= {key_of(tenant, "secret")}


@cases(
    "setting, flag, rule",
    ("by the setting", "clear", False, "clear"),
    ("by the device's flag", "keep", True, "clear-by-device"),
)
def test_a_cleared_anonymous_user_has_an_entry(tenant, setting, flag, rule):
    tenant.set(anonymousOnLogin=setting)
    visit = tenant.login()
    if flag:
        tenant.call("POST", "/v1/clearAnonymousUser", visit["session"]["token"])
    login = tenant.try_login(userId="u-17", deviceId=visit["deviceId"])
    entry = last(tenant, visit["user"]["id"])
    assert (entry["event"], entry["rule"]) == ("cleared", rule)
    assert (entry["before"], entry["after"]) == (None, None)
    assert entry["requestId"] == login.headers["X-Request-Id"]
    assert events(tenant, login.json["user"]["id"]) == [("created", "new-user-id")]


@pytest.mark.parametrize("policy", ["merge", "merge-once"])
def test_a_merge_stands_in_the_history_of_both(tenant, store, policy):
    tenant.set(anonymousOnLogin=policy)
    visit = tenant.login()
    away = visit["user"]
    login = tenant.try_login(userId="u-17", deviceId=visit["deviceId"])

    into = login.json["user"]["id"]
    entry = last(tenant, into)
    assert (entry["event"], entry["rule"], entry["before"]) == ("merged", "merge", None)
    merge = entry["after"]["merge"]
    assert entry["after"] == {"merge": merge, "from": away["id"], "aliases": [away["userId"]]}
    assert tenant.get(f"/v1/merges/{merge}").json["from"] == away["id"]
    assert entry["requestId"] == login.headers["X-Request-Id"]
    kept = store.of(tenant.id).history.page([away["id"]], "", 100)
    assert [(entry.event, entry.rule) for entry in kept] == [("created", "anonymous"), ("merged", "merge")]


def test_the_id_of_a_merged_user_leads_to_the_history_of_the_one_it_became(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    into = tenant.known(userId="u-17", deviceId=visit["deviceId"])
    assert tenant.history(visit["user"]["id"]) == tenant.history(into)


def test_of_an_erased_user_it_stays_known_that_they_were_and_nothing_else(tenant, store):
    id = tenant.known(userId="u-17", email="jane@example.org", name="Jane")
    tenant.change(id, name="Joan")
    erased = tenant.erase(id)
    kept = store.of(tenant.id).history.page([id], "", 100)
    assert [entry.event for entry in kept] == [Event.CREATED, Event.NAME_CHANGED, Event.ERASED]
    assert {(entry.before, entry.after) for entry in kept} == {(None, None)}
    assert kept[-1].actor.request == erased.headers["X-Request-Id"]
    assert kept[-1].actor.by == key_of(tenant, "secret")
    assert tenant.get(f"/v1/users/{id}/history").status_code == 404


def test_what_is_refused_leaves_no_entry(tenant):
    tenant.login(email="joan@example.org")
    unclaimed = tenant.known(email="jane@example.org", name="Jane")
    before = tenant.history(unclaimed)
    answers = [
        tenant.try_login(userId="null", email="jane@example.org", name="Joan"),
        tenant.try_login(key=tenant.pk, email="jane@example.org", name="Joan"),
        tenant.try_login(key=tenant.pk, email="jane@example.org", proof="e30.e30.e30", name="Joan"),
        tenant.try_login(email="jane@example.org", name="Joan", deviceId="short"),
        tenant.change(unclaimed, email=None, name="Joan"),
        tenant.change(unclaimed, email="joan@example.org", name="Joan"),
        tenant.change(unclaimed, name="Joan", userId="u-17"),
        tenant.call("POST", "/v1/resolve", tenant.sk, {"email": "jane@example.org", "name": "Joan"}),
    ]

    statuses = [answer.status_code for answer in answers]
    assert statuses == [422, 401, 401, 422, 409, 409, 422, 200]
    assert tenant.history(unclaimed) == before


def test_a_change_that_fails_halfway_leaves_no_entry_and_no_change(app, tenant, store):
    id = tenant.known(userId="u-17", email="jane@example.org", name="Jane")
    before = tenant.history(id)
    hooks = store.database.peewee.query_hooks

    def fail(event):
        if event.sql.startswith('UPDATE "users"') and "name_key" in event.sql:
            raise ZeroDivisionError

    hooks.append(fail)
    try:
        response = tenant.change(id, email="joan@example.org", name="Joan")
    finally:
        hooks.remove(fail)

    assert response.status_code == 500
    assert tenant.history(id) == before
    assert tenant.user(id)["email"] == "jane@example.org"


def test_pages_hold_each_entry_once_the_oldest_first(tenant):
    id = tenant.known(userId="u-17")
    for number in range(6):
        tenant.change(id, name=f"Jane {number}")
    pages, cursor = [], ""
    while cursor is not None:
        asked = f"/v1/users/{id}/history?limit=3" + (f"&cursor={cursor}" if cursor else "")
        body = tenant.get(asked).json
        assert set(body) == {"data", "nextCursor"}
        pages.append([(entry["after"] or {}).get("name") for entry in body["data"]])
        cursor = body["nextCursor"]

    assert pages == [[None, "Jane 0", "Jane 1"], ["Jane 2", "Jane 3", "Jane 4"], ["Jane 5"]]


@pytest.mark.parametrize("asked", ["limit=0", "limit=101", "cursor=x", "after=x"])
def test_a_page_that_makes_no_sense_is_refused(tenant, asked):
    id = tenant.known(userId="u-17")
    assert tenant.get(f"/v1/users/{id}/history?{asked}").status_code == 422
