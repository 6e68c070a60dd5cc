"""Every call that changes something takes an idempotency key: what is sent twice with it is done once."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from service.api.idempotency_keys import PARAMETER
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.responses import refused_fields
from tests.support.rows import add_former_key
from tests.support.signing import proof_of

MANY = 16
REUSED = [("/Idempotency-Key", "idempotency-key-reused")]
ACCOUNT = {"store": "app_store", "account": "apple-1"}
BOUGHT = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1"}

# Every other POST, with the reason why no key belongs there.
WITHOUT = {
    "/v1/resolve": "changes nothing",
    "/v1/subscribers/identify": "RevenueCat's clients send none, and are answered the same twice",
    "/v1/subscribers/<any_id:id>/alias": "as above",
    "/v1/subscribers/<any_id:id>/attributes": "as above",
    "/v1/receipts": "as above: a transaction is recorded once",
}


@dataclass
class Call:
    """A call, what else might be sent with its key, and what is to be there before."""

    path: str
    credential: str
    sent: dict[str, Any]
    other: dict[str, Any]
    first: int = 200
    again: int = 200
    differs: set[str] = field(default_factory=set)


def send(tenant, call, key="k-1", **members):
    sent = None if call.sent is None else call.sent | members
    return tenant.call("POST", call.path, call.credential, sent, Idempotency_Key=key)


def user(tenant, secret):
    return Call("/v1/users", tenant.sk, {"userId": "jane", "name": "Jane"}, {"userId": "jane"}, 201)


def alias(tenant, secret):
    user = tenant.known(userId="jane")
    return Call(f"/v1/users/{user}/aliases", tenant.sk, {"userId": "j-2"}, {"userId": "j-3"}, 201)


def alias_that_merges(tenant, secret):
    visitor = tenant.login()["user"]["userId"]
    return Call(
        f"/v1/users/{tenant.known(userId='jane')}/aliases", tenant.sk, {"userId": visitor}, {"userId": "j-3"}
    )


def own_alias(tenant, secret):
    sent = [{"userId": id, "proof": proof_of(tenant, secret, sub=id)} for id in ("j-2", "j-3")]
    return Call("/v1/aliases", tenant.session(userId="jane"), *sent, 201)


def merge(tenant, secret):
    one, two, three = (tenant.known(userId=id) for id in ("u-1", "u-2", "u-3"))
    return Call("/v1/merges", tenant.sk, {"from": one, "into": two}, {"from": three, "into": two}, 201)


def purchase(tenant, secret):
    tenant.known(userId="jane")
    sent = BOUGHT | {"userId": "jane"}
    return Call("/v1/purchases", tenant.sk, sent, sent | {"product": "gold"})


def own_purchase(tenant, secret):
    tenant.set(clientPurchases="on")
    sent = BOUGHT | {"proof": proof_of(tenant, secret, sub="jane", storeAccount=ACCOUNT)}
    return Call("/v1/purchases", tenant.session(userId="jane"), sent, sent | {"product": "gold"})


def restore(tenant, secret):
    tenant.call("POST", "/v1/purchases", tenant.sk, BOUGHT | {"userId": tenant.login()["user"]["userId"]})
    tenant.known(userId="jane")
    sent = {"storeAccount": ACCOUNT, "userId": "jane"}
    return Call("/v1/restore", tenant.sk, sent, sent | {"storeAccount": ACCOUNT | {"account": "apple-2"}})


def clearing(tenant, secret):
    return Call("/v1/clearAnonymousUser", tenant.session(userId="jane"), {"clear": True}, {"clear": False})


def clearing_by_backend(tenant, secret):
    sent = [{"deviceId": tenant.login()["deviceId"], "clear": clear} for clear in (True, False)]
    return Call("/v1/clearAnonymousUser", tenant.sk, *sent)


def sharing(tenant, secret):
    token = tenant.session(userId="jane")
    return Call("/v1/allowSharingStoreAccount", token, {"allow": True}, {"allow": False})


def conversation(tenant, secret):
    token = tenant.session(userId="jane")
    return Call("/v1/conversations", token, {"message": "Hello"}, {"message": "Hello!"}, 201)


def message(tenant, secret):
    token = tenant.session(userId="jane")
    path = f"/v1/conversations/{tenant.begin(token)}/messages"
    return Call(path, token, {"body": "Hello"}, {"body": "Hello!"}, 201)


def app(tenant, secret):
    return Call("/v1/apps", tenant.admin_key, {"name": f"Of {tenant.id}"}, {"name": "Other"}, 201)


def key(tenant, secret):
    path = f"/v1/apps/{tenant.id}/keys"
    return Call(path, tenant.admin_key, {"kind": "secret"}, {"kind": "publishable"}, 201, differs={"key"})


def identity_key(tenant, secret):
    path = f"/v1/apps/{tenant.id}/keys"
    sent = {"kind": "identity", "proof": "hmac"}
    return Call(path, tenant.admin_key, sent, {"kind": "identity"}, 201, differs={"key"})


CALLS = [
    *(user, alias, alias_that_merges, own_alias, merge, purchase, own_purchase, restore, clearing),
    *(clearing_by_backend, sharing, conversation, message, app, key, identity_key),
]


@pytest.fixture(params=CALLS, ids=lambda make: make.__name__)
def call(request, tenant, secret):
    return request.param(tenant, secret)


def key_of(tenant):
    """Return a key that no other test uses: the operator's are of all apps."""
    return f"k-{tenant.id}"


@one_engine
def test_every_post_takes_a_key_or_stands_among_the_few_that_need_none(app):
    without = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods
        and rule.rule.startswith("/v1/")
        and PARAMETER not in getattr(app.view_functions[rule.endpoint], "operation", {}).get("parameters", [])
    }

    assert without == set(WITHOUT)


@pytest.mark.usefixtures("sound")
def test_the_same_call_again_answers_the_same_and_changes_nothing(tenant, rows, call):
    first = send(tenant, call, key_of(tenant))
    before = rows()
    again = send(tenant, call, key_of(tenant))

    assert (first.status_code, again.status_code) == (call.first, call.again)
    kept = [{name: one.json[name] for name in one.json if name not in call.differs} for one in (first, again)]
    assert kept[0] == kept[1]
    assert {table for table, was in before.items() if rows()[table] != was} <= (
        {"keys"} if call.differs else set()
    )


def test_the_same_key_with_another_body_is_refused_and_changes_nothing(tenant, rows, call):
    send(tenant, call, key_of(tenant))
    before = rows()

    answer = tenant.call("POST", call.path, call.credential, call.other, Idempotency_Key=key_of(tenant))

    assert refused_fields(answer) == REUSED
    assert rows() == before


def test_a_malformed_key_is_refused_and_changes_nothing(tenant, rows, call):
    before = rows()

    assert refused_fields(send(tenant, call, "k k")) == [("/Idempotency-Key", "invalid-idempotency-key")]
    assert rows() == before


def test_another_key_is_another_call(tenant, call):
    answers = [send(tenant, call, f"{key_of(tenant)}-{number}") for number in range(2)]

    assert REUSED not in [refused_fields(answer) for answer in answers if answer.status_code == 422]


@pytest.mark.parametrize("make", [user, alias, merge, message, purchase, key], ids=lambda make: make.__name__)
def test_of_many_at_once_one_has_an_effect_and_all_answer_it(tenant, rows, secret, make):
    call = make(tenant, secret)
    before = rows()

    answers = tenant.at_once(*[lambda own: send(own, call)] * MANY)

    wanted = [call.first] + [call.again] * (MANY - 1)
    assert sorted(answer.status_code for answer in answers) == sorted(wanted)
    same = [{name: one.json[name] for name in one.json if name not in call.differs} for one in answers]
    assert same == same[:1] * MANY
    after = rows()
    more = {table: len(after[table]) - len(before[table]) for table in after}
    expected = {"idempotency_keys": 1} | {
        user: {"events": 1, "users": 1, "user_ids": 1, "history": 1},
        alias: {"events": 1, "user_ids": 1, "history": 1},
        merge: {"events": 1, "merges": 1, "history": 2, "fields": 4, "sessions": -1},
        message: {"events": 1, "messages": 1},
        purchase: {"events": 1, "store_accounts": 1, "purchases": 1, "history": 1, "duplicate_keys": 1},
        key: {"keys": 1},
    }[make]
    assert {table: number for table, number in more.items() if number} == expected


# --- what was refused leaves the key free ------------------------------------------------------------


def test_an_alias_that_was_refused_can_be_corrected(tenant, secret):
    call = alias(tenant, secret)
    tenant.known(userId="taken")

    assert send(tenant, call, userId="taken").json["code"] == "alias-taken"
    assert send(tenant, call).status_code == 201


def test_an_alias_whose_proof_is_wrong_is_refused_before_any_key_is_looked_at(tenant, secret):
    call = own_alias(tenant, secret)
    assert send(tenant, call).status_code == 201

    refused = send(tenant, call, proof=proof_of(tenant, secret, sub="somebody-else"))

    assert (refused.status_code, refused.json["code"]) == (401, "proof-invalid")


def test_a_merge_that_was_refused_can_be_corrected(tenant, secret):
    call = merge(tenant, secret)

    assert send(tenant, call, **{"from": call.sent["into"]}).status_code == 409
    assert send(tenant, call, **{"from": "usr_" + "0" * 32}).status_code == 404
    assert send(tenant, call).status_code == 201


def test_a_purchase_that_was_refused_can_be_corrected(tenant, secret):
    call = purchase(tenant, secret)

    assert send(tenant, call, userId="nobody").status_code == 404
    assert send(tenant, call).status_code == 200


def test_a_merge_that_was_only_previewed_leaves_the_key_free(tenant, secret):
    call = merge(tenant, secret)

    assert send(tenant, call, dryRun=True).status_code == 200
    assert send(tenant, call).status_code == 201


# --- whose a key is ----------------------------------------------------------------------------------


def test_each_secret_key_has_keys_of_its_own(tenant, secret):
    call = alias(tenant, secret)
    path = f"/v1/apps/{tenant.id}/keys"
    other = tenant.call("POST", path, tenant.admin_key, {"kind": "secret"}).json["key"]
    send(tenant, call)

    answer = tenant.call("POST", call.path, other, call.other, Idempotency_Key="k-1")

    assert answer.status_code == 201


def test_each_user_and_each_app_has_keys_of_its_own(tenant, other_tenant):
    sessions = [(tenant, "jane"), (tenant, "mike"), (other_tenant, "jane")]

    flags = [
        where.call("POST", path, where.session(userId=who), sent, Idempotency_Key="k-1").status_code
        for (where, who), (path, sent) in zip(
            sessions,
            [
                ("/v1/clearAnonymousUser", {"clear": True}),
                ("/v1/allowSharingStoreAccount", {"allow": True}),
                ("/v1/clearAnonymousUser", {"clear": False}),
            ],
            strict=True,
        )
    ]

    assert flags == [200, 200, 200]


def test_where_devices_see_different_conversations_each_has_keys_of_its_own(tenant):
    tenant.set(conversationScope="device")
    tokens = [tenant.session(userId="jane") for _ in range(2)]
    sent = {"message": "Hello"}

    begun = [tenant.call("POST", "/v1/conversations", one, sent, Idempotency_Key="k-1") for one in tokens]

    assert [answer.status_code for answer in begun] == [201, 201]
    assert [tenant.conversations(token) for token in tokens] == [[answer.json["id"]] for answer in begun]


# --- what became of it since -------------------------------------------------------------------------


def test_a_repeated_alias_shows_the_user_as_they_are_now(tenant, secret):
    call = alias(tenant, secret)
    first = send(tenant, call).json
    survivor = tenant.known(userId="mary")
    undo = tenant.merge(first["id"], survivor)

    assert send(tenant, call).json["id"] == survivor

    tenant.undo(undo)

    again = send(tenant, call)
    assert (again.status_code, again.json) == (200, first)


def test_a_repeated_merge_is_not_made_again_after_its_undo(tenant, secret):
    call = merge(tenant, secret)
    made = send(tenant, call).json
    tenant.undo(made["id"])

    again = send(tenant, call)

    assert again.status_code == 200
    assert again.json == made | {"undoneAt": again.json["undoneAt"]}
    assert again.json["undoneAt"] is not None
    assert tenant.user(call.sent["from"])["id"] == call.sent["from"]


@pytest.mark.usefixtures("sound")
def test_a_merge_is_forgotten_with_either_of_its_users(tenant, rows, secret):
    call = merge(tenant, secret)
    tenant.undo(send(tenant, call).json["id"])

    tenant.erase(call.sent["from"])

    assert rows()["idempotency_keys"] == []
    assert send(tenant, call).json["code"] == "merge-conflict"


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize(
    "make", [alias, own_alias, purchase, own_purchase, clearing, sharing], ids=lambda make: make.__name__
)
def test_what_was_made_is_forgotten_with_its_user(tenant, rows, store, secret, make):
    call = make(tenant, secret)
    assert send(tenant, call).status_code == call.first
    [user] = tenant.find(userId="jane")
    add_former_key(store, tenant.id, user["id"])

    tenant.erase(user["id"])

    assert (rows()["idempotency_keys"], rows()["repeats"]) == ([], [])
    assert send(tenant, call).status_code in (401, 404)


def test_a_repeated_purchase_shows_them_as_they_are_now(tenant, secret):
    call = purchase(tenant, secret)
    first = send(tenant, call).json
    tenant.change(first["user"]["id"], name="Jane")

    again = send(tenant, call).json

    assert again["user"] == first["user"] | {"name": "Jane"}
    assert again["resolution"] == first["resolution"]


@cases("flag", ("clear", clearing), ("share", sharing))
def test_a_repeated_flag_is_set_again(tenant, secret, flag):
    call = flag(tenant, secret)
    answers = [send(tenant, call).json]
    tenant.call("POST", call.path, call.credential, call.other)

    answers.append(send(tenant, call).json)

    assert answers[0] == answers[1]


def test_a_conversation_is_read_again_and_another_is_not_read_with_its_key(tenant):
    token = tenant.session(userId="jane")
    threads = [tenant.begin(token) for _ in range(2)]

    def read(id):
        return tenant.call("POST", f"/v1/conversations/{id}/read", tenant.sk, Idempotency_Key="k-1")

    assert read(threads[0]).status_code == 204
    tenant.write(threads[0], token)
    assert read(threads[0]).status_code == 204
    assert tenant.get(f"/v1/conversations/{threads[0]}").json["unread"] == 0
    assert refused_fields(read(threads[1])) == REUSED


def test_a_repeated_logout_ends_what_there_is_by_then(tenant):
    def log_out(**sent):
        return tenant.call("POST", "/v1/logout", tenant.sk, sent, Idempotency_Key="k-1").status_code

    tokens = []
    for _ in range(2):
        tokens.append(tenant.session(userId="jane"))
        assert log_out(userId="jane") == 204

    assert [tenant.get("/v1/me", token).status_code for token in tokens] == [401, 401]
    assert log_out(userId="mike") == 204


@cases("who", ("a session", "st"), ("a backend", "sk"))
def test_a_logout_with_a_malformed_key_ends_nothing(tenant, who):
    token = tenant.session(userId="jane")
    by, sent = (token, None) if who == "st" else (tenant.sk, {"userId": "jane"})

    refused = tenant.call("POST", "/v1/logout", by, sent, Idempotency_Key="k k")

    assert refused_fields(refused) == [("/Idempotency-Key", "invalid-idempotency-key")]
    assert tenant.get("/v1/me", token).status_code == 200


# --- apps and keys -----------------------------------------------------------------------------------


@cases("make", ("secret", key), ("identity", identity_key))
def test_a_repeated_key_has_another_secret_in_place_of_the_first(tenant, secret, make):
    call = make(tenant, secret)
    first, second = (send(tenant, call).json["key"] for _ in range(2))

    if make is key:
        assert [tenant.get("/v1/users", one).status_code for one in (first, second)] == [401, 200]
    assert first != second


def test_a_key_that_is_in_use_keeps_its_secret(tenant, secret):
    call = key(tenant, secret)
    made = send(tenant, call).json["key"]
    tenant.get("/v1/users", made)

    refused = send(tenant, call)

    assert (refused.status_code, refused.json["code"]) == (409, "key-in-use")
    assert tenant.get("/v1/users", made).status_code == 200


def test_a_key_that_was_deleted_does_not_come_back(tenant, secret):
    call = key(tenant, secret)
    made = send(tenant, call).json
    tenant.call("DELETE", f"{call.path}/{made['id']}", tenant.admin_key)

    assert send(tenant, call).status_code == 404
    assert made["id"] not in [one["id"] for one in tenant.list_keys()]


def test_of_many_at_once_one_makes_an_app(tenant):
    call = app(tenant, None)

    answers = tenant.at_once(*[lambda own: send(own, call, key_of(tenant))] * MANY)

    assert sorted(answer.status_code for answer in answers) == [200] * (MANY - 1) + [201]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_the_key_of_an_app_that_was_erased_is_free(tenant):
    call = app(tenant, None)
    first = send(tenant, call, key_of(tenant)).json["id"]
    tenant.call("DELETE", f"/v1/apps/{first}", tenant.admin_key)

    again = send(tenant, call, key_of(tenant))

    assert (again.status_code, again.json["id"] != first) == (201, True)
