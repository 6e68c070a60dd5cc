"""What an app knows of its users by name: who may say it, how it is shown, how much of it there may be."""

import json

import pytest

from service.model.attributes import MAX_ATTRIBUTES
from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields
from tests.support.signing import hmac_of, proof_of
from tests.support.subscribers import say

pytestmark = pytest.mark.usefixtures("sound")

SAID = {"plan": "gold", "ratio": 0.5, "seats": 7, "trial": False}
MANY = {f"name{number:02}": number for number in range(MAX_ATTRIBUTES)}


def shown(tenant, id):
    return tenant.user(id)["attributes"]


def events(tenant, id):
    return [
        (entry["before"], entry["after"])
        for entry in tenant.history(id)
        if entry["event"] == "attributes-changed"
    ]


def ignored(login):
    return [(one["pointer"], one["code"]) for one in login["resolution"]["ignored"]]


def version(store, tenant, id):
    return store.of(tenant.id).users.with_id(id).version


# --- who says it ---


@cases(
    "claim",
    ("somebody new", {"userId": "u-1"}),
    ("by email", {"email": "jane@example.org"}),
    ("nobody yet", {}),
)
def test_a_backend_says_it_with_a_login_and_it_is_shown_wherever_the_user_is(tenant, claim):
    login = tenant.login(**claim, attributes=SAID)
    id, token = login["user"]["id"], login["session"]["token"]

    assert (login["user"]["attributes"], login["resolution"]["changes"]) == (SAID, [])
    assert shown(tenant, id) == SAID
    assert [user["attributes"] for user in tenant.find()] == [SAID]
    assert tenant.get("/v1/me", token).json["user"]["attributes"] == SAID
    assert tenant.get(f"/v1/users/{id}/export").json["user"]["attributes"] == SAID
    assert tenant.login(**claim, deviceId=login["deviceId"])["user"]["attributes"] == SAID
    assert tenant.change(id, name="Jane").json["attributes"] == SAID


def test_a_user_of_whom_nothing_was_said_has_none(tenant):
    assert tenant.login(userId="u-1")["user"]["attributes"] == {}


def test_true_is_not_one_and_a_whole_number_has_no_point(tenant):
    id = tenant.known(userId="u-1", attributes={"a": True, "b": 1, "c": 1.0, "d": False, "e": 0})
    assert json.dumps(shown(tenant, id)) == '{"a": true, "b": 1, "c": 1, "d": false, "e": 0}'
    tenant.change(id, attributes={"a": 1, "b": True})
    assert json.dumps(shown(tenant, id)) == '{"a": 1, "b": true, "c": 1, "d": false, "e": 0}'


def test_what_is_given_replaces_and_what_is_not_stays(tenant):
    id = tenant.known(userId="u-1", attributes=SAID)
    login = tenant.login(userId="u-1", attributes={"plan": "free", "trial": None, "new": "x"})
    assert login["resolution"]["changes"] == ["attributes"]
    assert shown(tenant, id) == {"plan": "free", "seats": 7, "ratio": 0.5, "new": "x"}


def test_two_cases_are_two_names(tenant):
    id = tenant.known(userId="u-1", attributes={"Plan": "a", "plan": "b"})
    assert shown(tenant, id) == {"Plan": "a", "plan": "b"}


def test_whoever_is_added_is_described(tenant):
    sent = {"userId": "u-1", "attributes": SAID}
    added = [tenant.call("POST", "/v1/users", tenant.sk, sent) for _ in range(2)]
    assert [one.status_code for one in added] == [201, 200]
    assert [one.json["user"]["attributes"] for one in added] == [SAID, SAID]
    assert added[1].json["resolution"]["changes"] == []


def test_a_proof_says_it_and_comes_before_what_is_sent_beside_it(tenant, secret):
    proof = proof_of(tenant, secret, sub="u-1", attributes={"plan": "free", "seats": 7, "gone": None})
    sent = {"plan": "gold", "seats": 7, "admin": True, "gone": "x"}
    login = tenant.try_login(key=tenant.pk, proof=proof, attributes=sent).json
    by_backend = tenant.login(userId="u-1", proof=proof, attributes=sent)

    assert login["user"]["attributes"] == {"plan": "free", "seats": 7}
    assert ignored(login) == [
        ("/attributes/admin", "not-proven"),
        ("/attributes/gone", "not-proven"),
        ("/attributes/plan", "not-proven"),
    ]
    assert (by_backend["user"]["attributes"], ignored(by_backend)) == (
        {"plan": "free", "seats": 7, "admin": True},
        [],
    )


@cases("sent", ("attributes", SAID), ("what removes them", dict.fromkeys(SAID)))
def test_a_widget_is_believed_nothing_that_it_says_itself(tenant, secret, hmac_secret, sent):
    id = tenant.known(userId="u-1", email="jane@example.org", attributes={"plan": "silver"})
    before = tenant.history(id)
    logins = [
        tenant.try_login(key=tenant.pk, **claim, attributes=sent).json
        for claim in (
            {"proof": proof_of(tenant, secret, sub="u-1")},
            {"proof": proof_of(tenant, secret, email="jane@example.org")},
            {"userId": "u-1", "proof": hmac_of("u-1", hmac_secret)},
            {},
        )
    ]

    expected = [(f"/attributes/{name}", "not-proven") for name in sent]
    assert [ignored(login) for login in logins] == [expected] * 4
    assert [login["user"]["attributes"] for login in logins] == [{"plan": "silver"}] * 3 + [{}]
    assert tenant.history(id) == before


def test_without_a_proof_it_is_refused_as_ever(tenant):
    id = tenant.known(userId="u-1")
    refused = tenant.try_login(key=tenant.pk, userId="u-1", attributes=SAID)
    assert problem_of(refused) == (401, "proof-required")
    assert shown(tenant, id) == {}


def test_where_nothing_is_proven_nothing_is_said_and_nothing_told(tenant, rows):
    tenant.set(identityVerification="off")
    login = tenant.try_login(key=tenant.pk, userId="u-1", attributes=SAID).json
    me = tenant.get("/v1/me", login["session"]["token"]).json
    assert login["user"] == me["user"] == {"userId": "u-1", "email": None, "name": None}
    assert "resolution" not in login
    assert (rows()["attributes"], [user["attributes"] for user in tenant.find()]) == ([], [{}])


def test_what_revenuecats_clients_say_is_shown_of_who_only_claims(tenant, rc):
    proven = tenant.known(userId="u-1", attributes={"plan": "gold"})
    say(rc, "u-1", plan="free", _email="x@example.org")
    [claims] = [user for user in tenant.find(userId="u-1") if not user["verified"]]
    assert claims["attributes"] == {"plan": "free", "$email": "x@example.org"}
    assert shown(tenant, proven) == {"plan": "gold"}
    merge = tenant.merge(claims["id"], proven)
    assert shown(tenant, proven) == {"plan": "gold"}
    tenant.undo(merge)
    assert shown(tenant, claims["id"]) == {"plan": "free", "$email": "x@example.org"}


def test_what_a_backend_says_as_revenuecats_clients_do_is_shown(tenant, rc):
    id = tenant.known(userId="u-1", attributes={"plan": "gold"})
    rc("POST", "/subscribers/u-1/attributes", {"attributes": {"plan": {"value": "free"}}}, key=tenant.sk)
    assert shown(tenant, id) == {"plan": "free"}


@cases("method, path", ("corrected", "PATCH", "/v1/users/{id}"), ("added", "POST", "/v1/users"))
@pytest.mark.parametrize("key", ["pk", "st"])
def test_nobody_but_a_backend_corrects_it(tenant, method, path, key):
    login = tenant.login(userId="u-1", attributes=SAID)
    by = tenant.pk if key == "pk" else login["session"]["token"]
    path = path.format(id=login["user"]["id"])
    refused = tenant.call(method, path, by, {"attributes": {"plan": "free"}})
    assert (refused.status_code, shown(tenant, login["user"]["id"])) == (403, SAID)


def test_another_apps_user_has_none_of_it(tenant, other_tenant):
    tenant.known(userId="u-1", attributes=SAID)
    other = other_tenant.known(userId="u-1")
    assert shown(other_tenant, other) == {}
    assert other_tenant.change(tenant.known(userId="u-1"), attributes={"plan": "x"}).status_code == 404


# --- what is said again ---


@pytest.mark.parametrize("said", [SAID, {"plan": "gold"}, {"gone": None}, {}, None, ""], ids=repr)
def test_what_is_known_already_changes_nothing(tenant, store, said):
    login = tenant.login(userId="u-1", email="j@example.org", attributes=SAID)
    id = login["user"]["id"]
    before = tenant.history(id), version(store, tenant, id)
    again = tenant.login(userId="u-1", deviceId=login["deviceId"], attributes=said)
    elsewhere = tenant.login(email="j@example.org", attributes=said)

    assert [one["user"]["attributes"] for one in (again, elsewhere)] == [SAID, SAID]
    assert [one["resolution"]["changes"] for one in (again, elsewhere)] == [[], []]
    assert tenant.change(id, attributes=said or {}).status_code == 200
    assert (tenant.history(id), version(store, tenant, id)) == before


@pytest.mark.parametrize(
    "said", [None, SAID, dict(reversed(SAID.items()))], ids=["nothing", "all", "otherwise"]
)
def test_who_comes_back_with_all_of_it_is_logged_in_as_fast_as_with_nothing(tenant, store, said):
    login = tenant.login(userId="u-1", attributes=SAID)
    statements = []
    store.database.peewee.query_hooks.append(lambda event: statements.append(event.sql))
    again = tenant.login(userId="u-1", deviceId=login["deviceId"], attributes=said)
    store.database.peewee.query_hooks.pop()
    assert again["user"]["attributes"] == SAID
    assert len(statements) == (2 if store.database.is_sqlite else 1)


@pytest.mark.parametrize("said", [{"plan": "free"}, {"plan": None}, {"new": 1}, {"trial": 0}], ids=repr)
def test_who_comes_back_with_news_is_described_anew(tenant, said):
    login = tenant.login(userId="u-1", attributes=SAID)
    again = tenant.login(userId="u-1", deviceId=login["deviceId"], attributes=said)
    left = {name: value for name, value in (SAID | said).items() if value is not None}
    assert again["resolution"]["changes"] == ["attributes"]
    assert json.dumps(again["user"]["attributes"], sort_keys=True) == json.dumps(left, sort_keys=True)


def test_a_change_raises_the_version_and_is_one_entry_with_the_names_that_changed(tenant, store):
    id = tenant.known(userId="u-1", attributes=SAID)
    before = version(store, tenant, id)
    tenant.login(userId="u-1", attributes=SAID | {"plan": "free", "trial": None, "gone": None})
    assert version(store, tenant, id) == before + 1
    tenant.change(id, attributes={"plan": "canary"})
    assert version(store, tenant, id) == before + 2
    assert events(tenant, id) == [
        (None, {"set": [*SAID]}),
        (None, {"set": ["plan"], "removed": ["trial"]}),
        (None, {"set": ["plan"]}),
    ]
    assert "canary" not in json.dumps(tenant.history(id))


def test_it_is_explained_before_it_is_done(tenant, rows):
    id = tenant.known(userId="u-1", attributes=SAID)
    before = rows()
    sent = {"userId": "u-1", "attributes": {"plan": "free", "a b": 1}}
    told = tenant.call("POST", "/v1/resolve", tenant.sk, sent).json
    assert (told["changes"], told["user"]["attributes"]) == (["attributes"], SAID)
    assert told["ignored"] == [{"pointer": "/attributes/a b", "code": "forbidden-character"}]
    assert rows() == before
    assert tenant.login(**sent)["resolution"]["changes"] == told["changes"]
    assert shown(tenant, id)["plan"] == "free"


# --- what can't be used ---

UNUSABLE = {
    "a list": ({"plan": []}, ("/attributes/plan", "not-a-value")),
    "an object": ({"plan": {"a": 1}}, ("/attributes/plan", "not-a-value")),
    "1,001 letters": ({"plan": "x" * 1001}, ("/attributes/plan", "too-long")),
    "NUL": ({"plan": "a\0"}, ("/attributes/plan", "forbidden-character")),
    "a number that readers round": ({"plan": 2**53}, ("/attributes/plan", "out-of-range")),
    "a space in a name": ({"a b": 1}, ("/attributes/a b", "forbidden-character")),
    "no name": ({"": 1}, ("/attributes/", "empty")),
    "a long name": ({"x" * 300: 1}, ("/attributes/" + "x" * 89, "too-long")),
    "a name to be escaped": ({"a/~": 1}, ("/attributes/a~1~0", "forbidden-character")),
    "no object": (["plan"], ("/attributes", "not-an-object")),
    "text": ("plan", ("/attributes", "not-an-object")),
}
unusable = pytest.mark.parametrize(("sent", "error"), UNUSABLE.values(), ids=UNUSABLE)


@unusable
def test_a_login_leaves_out_what_cannot_be_used_and_names_it(tenant, secret, sent, error):
    beside = sent | {"seats": 7} if isinstance(sent, dict) else sent
    kept = {"seats": 7} if isinstance(sent, dict) else {}
    proof = proof_of(tenant, secret, sub="u-2", attributes=beside)
    logins = [
        tenant.login(userId="u-1", attributes=beside),
        tenant.try_login(key=tenant.pk, proof=proof).json,
        tenant.call("POST", "/v1/users", tenant.sk, {"userId": "u-3", "attributes": beside}).json,
    ]
    assert [login["user"]["attributes"] for login in logins] == [kept] * 3
    assert [ignored(login) for login in logins] == [[error]] * 3


@unusable
def test_a_correction_is_refused_by_field_and_changes_nothing(tenant, rows, sent, error):
    id = tenant.known(userId="u-1", attributes=SAID)
    before = rows()
    refused = tenant.change(id, name="Jane", attributes=sent)
    assert refused_fields(refused) == [error]
    assert "gold" not in refused.text
    assert rows() == before


@cases("body", ("no number", b'{"userId": "u-1", "attributes": {"a": NaN}}'),
       ("a name twice", b'{"userId": "u-1", "attributes": {"a": 1, "a": 2}}'))  # fmt: skip
def test_what_is_no_json_is_refused(tenant, body):
    headers = {"Authorization": f"Bearer {tenant.sk}", "Content-Type": "application/json"}
    assert tenant.client.post("/v1/login", data=body, headers=headers).status_code == 400


def test_a_number_that_is_infinite_to_us_is_left_out(tenant):
    headers = {"Authorization": f"Bearer {tenant.sk}", "Content-Type": "application/json"}
    body = b'{"userId": "u-1", "attributes": {"a": 1e400, "b": 1e2, "c": -0.0}}'
    login = tenant.client.post("/v1/login", data=body, headers=headers).json
    assert ignored(login) == [("/attributes/a", "out-of-range")]
    assert json.dumps(login["user"]["attributes"]) == '{"b": 100, "c": 0}'


@pytest.mark.parametrize("key", ["pk", "sk"])
def test_beside_nothing_else_what_cannot_be_used_is_refused(tenant, key):
    sent = {"attributes": {"a b": 1}}
    refused = tenant.call("POST", "/v1/login", getattr(tenant, key), sent)
    assert refused_fields(refused) == [("/attributes/a b", "forbidden-character")]


# --- how to remove it ---


@pytest.mark.parametrize("value", [None, "", " \u200b"], ids=["null", "empty", "nothing to be seen"])
def test_a_correction_removes_what_says_nothing(tenant, value):
    id = tenant.known(userId="u-1", attributes=SAID)
    changed = tenant.change(id, attributes={"plan": value}).json["attributes"]
    assert changed == {name: said for name, said in SAID.items() if name != "plan"}


def test_null_for_all_removes_all_and_an_object_without_members_none(tenant):
    id = tenant.known(userId="u-1", attributes=SAID)
    assert tenant.change(id, attributes={}).json["attributes"] == SAID
    assert tenant.change(id, attributes=None).json["attributes"] == {}
    assert tenant.change(id, attributes=None).json["attributes"] == {}
    assert events(tenant, id)[1:] == [(None, {"removed": ["plan", "ratio", "seats", "trial"]})]


def test_what_was_removed_is_said_again(tenant):
    id = tenant.known(userId="u-1", attributes=SAID)
    tenant.change(id, attributes={"plan": None})
    assert tenant.login(userId="u-1", attributes={"plan": "gold"})["resolution"]["changes"] == ["attributes"]
    assert shown(tenant, id) == SAID


# --- how much there may be ---


def test_a_login_leaves_out_what_has_no_room_and_names_it(tenant, secret):
    login = tenant.login(userId="u-1", attributes=MANY | {"yet": 1, "zest": 2})
    proof = proof_of(tenant, secret, sub="u-1", attributes={"name00": None, "yet": 1, "zest": 2})
    later = tenant.try_login(key=tenant.pk, proof=proof).json
    assert login["user"]["attributes"] == MANY
    assert ignored(login) == [("/attributes/yet", "too-many"), ("/attributes/zest", "too-many")]
    assert ignored(later) == [("/attributes/zest", "too-many")]
    left = {name: value for name, value in MANY.items() if name != "name00"}
    assert later["user"]["attributes"] == left | {"yet": 1}


def test_who_is_full_comes_back_and_is_told_the_same_each_time(tenant, store):
    login = tenant.login(userId="u-1", attributes=MANY)
    id = login["user"]["id"]
    before = version(store, tenant, id)
    for _ in range(2):
        again = tenant.login(userId="u-1", deviceId=login["deviceId"], attributes={"yet": 1})
        assert (ignored(again), again["resolution"]["changes"]) == ([("/attributes/yet", "too-many")], [])
    assert version(store, tenant, id) == before


def test_a_correction_of_more_is_refused_and_so_is_who_is_added_with_more(tenant, rows):
    id = tenant.known(userId="u-1", attributes=MANY)
    before = rows()
    news = {"name00": 100, "yet": 1}
    assert refused_fields(tenant.change(id, attributes=news)) == [("/attributes/yet", "too-many")]
    for user_id in ("u-1", "u-2"):
        sent = {"userId": user_id, "attributes": MANY | {"yet": 1}}
        refused = tenant.call("POST", "/v1/users", tenant.sk, sent)
        assert refused_fields(refused) == [("/attributes/yet", "too-many")]
    assert rows() == before
    changed = tenant.change(id, attributes=news | {"name01": None})
    assert len(changed.json["attributes"]) == MAX_ATTRIBUTES
    assert changed.json["attributes"]["yet"] == 1


def test_names_at_their_longest_fit(tenant):
    said = {f"{number:064}": "x" * 1000 for number in range(MAX_ATTRIBUTES)}
    login = tenant.login(userId="u-1", attributes=said)
    assert login["user"]["attributes"] == said
    assert (
        tenant.login(userId="u-1", deviceId=login["deviceId"], attributes=said)["resolution"]["changes"] == []
    )


def test_those_who_say_something_at_once_break_no_limit(tenant):
    id = tenant.known(userId="u-1", attributes=dict(list(MANY.items())[:-1]))
    told = tenant.at_once(
        *[lambda own, n=n: own.login(userId="u-1", attributes={f"new{n}": 1}) for n in range(4)],
        *[lambda own, n=n: own.change(id, attributes={f"newer{n}": 1}) for n in range(4)],
    )
    kept = [one for one in told[:4] if not one["resolution"]["ignored"]]
    taken = [one for one in told[4:] if one.status_code == 200]
    assert len(kept) + len(taken) == 1
    assert len(shown(tenant, id)) == MAX_ATTRIBUTES


def test_of_what_is_said_at_once_by_other_names_nothing_is_lost(tenant):
    tenant.at_once(
        *[lambda own, n=n: own.login(userId="u-1", attributes={f"login{n}": n}) for n in range(4)],
        *[
            lambda own, n=n: own.login(userId="u-1", name="Jane", attributes={f"more{n}": n})
            for n in range(4)
        ],
    )
    [user] = tenant.find(userId="u-1")
    assert user["attributes"] == {f"{word}{n}": n for word in ("login", "more") for n in range(4)}


# --- what is sent twice ---


def once(tenant, path, body, key="k-1"):
    return tenant.call("POST", path, tenant.sk, body, Idempotency_Key=key)


@pytest.mark.parametrize("path", ["/v1/login", "/v1/users"])
def test_a_key_is_used_up_by_other_attributes(tenant, path):
    sent = (
        {"userId": "u-1", "deviceId": "device-of-the-test-0001"} if path == "/v1/login" else {"userId": "u-1"}
    )
    first = once(tenant, path, sent | {"attributes": {"a": 1, "b": 2}})
    again = once(tenant, path, sent | {"attributes": {"b": 2, "a": 1}})
    others = [
        once(tenant, path, sent | {"attributes": said})
        for said in ({"a": 1}, {"a": 1, "b": True}, {"a": 1, "b": 2, "c": None}, {"a": 1, "b": "2"})
    ]
    assert (first.status_code, again.status_code) == (201, 200)
    assert {problem_of(other) for other in others} == {(422, "refused")}


def test_a_repeat_says_nothing_again_and_leaves_out_what_was_left_out(tenant):
    sent = {"userId": "u-1", "attributes": MANY | {"yet": 1, "a b": 1}}
    first = once(tenant, "/v1/login", sent).json
    id = first["user"]["id"]
    tenant.change(id, attributes={"name00": None, "name01": "since"})
    again = once(tenant, "/v1/login", sent).json
    assert again["resolution"] == first["resolution"]
    assert ignored(first) == [("/attributes/a b", "forbidden-character"), ("/attributes/yet", "too-many")]
    assert shown(tenant, id)["name01"] == "since"
    assert "name00" not in shown(tenant, id)


def test_whoever_was_added_is_answered_again_when_they_are_full_since(tenant):
    sent = {"userId": "u-1", "attributes": {"first": 1}}
    first = once(tenant, "/v1/users", sent)
    id = first.json["user"]["id"]
    tenant.change(id, attributes={"first": None})
    tenant.change(id, attributes=MANY)
    again = once(tenant, "/v1/users", sent)
    assert (again.status_code, again.json["user"]["attributes"]) == (200, MANY)
