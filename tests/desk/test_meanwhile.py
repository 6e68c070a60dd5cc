"""What a use case rests on may change between its look and its lock: it then looks again, and is right about
what is there. On SQLite nothing can change inside a transaction, so this is about PostgreSQL."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.desk.erasing import tidy
from service.store.checks import CHECKS
from service.store.tables import TABLES, Apps, Rates
from tests.support.signing import identity_key, proof_of
from tests.support.subscribers import exported

ACCOUNT = {"store": "app_store", "account": "apple-1"}


pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def meanwhile(store, monkeypatch) -> Callable[..., list[Any]]:
    """Have something happen once, of another's doing, right before a use case calls a method of the store."""

    def set_up(part: Any, method: str, happen: Callable[[], Any]) -> list[Any]:
        happened, call = [], getattr(part, method)

        def wait_and_call(*args: Any, **kwargs: Any) -> Any:
            if not happened:
                happened.append("not yet")
                # In a thread of its own, and so in a transaction of its own.
                with ThreadPoolExecutor(1) as other:
                    happened[0] = other.submit(happen).result()
            return call(*args, **kwargs)

        monkeypatch.setattr(part, method, wait_and_call)
        return happened

    return set_up


@pytest.fixture(autouse=True)
def sound(store, tenant):
    """The store's invariants hold for the app after the test."""
    yield
    violated = {question.__name__: list(question(store.database, tenant.id)) for question in CHECKS}
    assert violated == dict.fromkeys(violated, [])


def known(tenant, **claim):
    return tenant.login(**claim)["user"]["id"]


def user(tenant, id):
    return tenant.call("GET", f"/v1/users/{id}", tenant.sk).json


def rename(tenant, id):
    return tenant.call("PATCH", f"/v1/users/{id}", tenant.sk, {"name": "Jane"}).status_code


def erase(tenant, id):
    return tenant.call("DELETE", f"/v1/users/{id}", tenant.sk).status_code


def merge(tenant, source, into):
    made = tenant.call("POST", "/v1/merges", tenant.sk, {"from": source, "into": into})
    assert made.status_code == 201, made.text
    return made.json


def test_a_user_who_is_erased_while_they_log_in_is_made_anew(tenant, store, meanwhile):
    jane = known(tenant, userId="u-1")
    happened = meanwhile(store.users, "lock", lambda: erase(tenant, jane))

    login = tenant.login(userId="u-1", name="J.")

    assert happened == [204]
    assert (login["created"], login["user"]["id"] != jane) == (True, True)


def test_a_user_who_changes_while_they_log_in_by_email_is_decided_about_as_they_are(tenant, store, meanwhile):
    jane = known(tenant, userId="u-1", email="jane@example.org")
    happened = meanwhile(store.users, "lock", lambda: known(tenant, userId="u-1", name="Jane"))

    login = tenant.login(email="jane@example.org", name="J.")

    assert happened == [jane]
    assert (login["user"]["id"], login["resolution"]["changes"]) == (jane, ["name"])
    assert user(tenant, jane)["name"] == "J."


@pytest.mark.parametrize("name", ["J.", "Joan"], ids=["changing a name", "changing nothing until then"])
def test_a_user_who_changes_while_they_log_in_is_decided_about_as_they_are(tenant, store, meanwhile, name):
    jane = known(tenant, userId="u-1", name="Joan")
    happened = meanwhile(store.users, "lock", lambda: known(tenant, userId="u-1", name="Jane"))

    login = tenant.login(userId="u-1", name=name)

    assert happened == [jane]
    assert (login["user"]["id"], login["resolution"]["changes"]) == (jane, ["name"])
    assert user(tenant, jane)["name"] == name


def test_an_id_that_goes_back_to_another_while_it_logs_in_logs_in_the_other(tenant, store, meanwhile):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    made = merge(tenant, joan, jane)
    happened = meanwhile(
        store.users, "lock", lambda: tenant.call("DELETE", f"/v1/merges/{made['id']}", tenant.sk)
    )

    login = tenant.login(userId="u-2", name="Joan")

    assert happened[0].status_code == 200
    assert login["user"]["id"] == joan
    assert user(tenant, jane)["name"] is None


def test_an_alias_is_given_to_a_user_who_changes(tenant, store, meanwhile):
    jane = known(tenant, userId="u-1")
    happened = meanwhile(store.users, "lock", lambda: rename(tenant, jane))

    given = tenant.call("POST", f"/v1/users/{jane}/aliases", tenant.sk, {"userId": "u-2"})

    assert happened == [200]
    assert given.status_code == 201
    assert (user(tenant, jane)["aliases"], user(tenant, jane)["name"]) == (["u-2"], "Jane")


def test_a_merge_is_of_users_as_they_are(tenant, store, meanwhile):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    happened = meanwhile(store.users, "lock", lambda: rename(tenant, joan))

    merge(tenant, joan, jane)

    assert happened == [200]
    assert user(tenant, jane)["name"] == "Jane"


def test_a_conversation_that_an_agent_begins_is_the_survivors(tenant, store, meanwhile):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    happened = meanwhile(store.users, "find_and_lock", lambda: merge(tenant, joan, jane))

    begun = tenant.begin(tenant.sk, user=joan)

    assert [made["into"] for made in happened] == [jane]
    assert tenant.conversations(tenant.session(userId="u-1")) == [begun]


def test_what_is_said_of_a_user_by_name_is_kept_with_one_who_changes(tenant, store, meanwhile):
    tenant.set(revenuecat="on")
    jane = known(tenant, userId="u-1")
    happened = meanwhile(store.users, "lock", lambda: rename(tenant, jane))
    body = {"attributes": {"color": {"value": "red"}}}

    said = tenant.call("POST", "/v1/subscribers/u-1/attributes", tenant.sk, body)

    assert (said.status_code, happened) == (200, [200])
    told = tenant.call("GET", f"/v1/users/{jane}/export", tenant.sk).json
    assert [(one["name"], one["value"]) for one in told["attributes"]] == [("color", "red")]
    assert told["user"]["name"] == "Jane"


def test_a_purchase_is_of_a_user_who_changes(tenant, store, meanwhile):
    jane = known(tenant, userId="u-1")
    happened = meanwhile(store.users, "lock", lambda: rename(tenant, jane))
    body = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1", "userId": "u-1"}

    bought = tenant.call("POST", "/v1/purchases", tenant.sk, body)

    assert happened == [200]
    assert bought.json["resolution"]["rule"] == "first-claim"
    assert [purchase["product"] for purchase in user(tenant, jane)["purchases"]] == ["pro"]


def test_who_is_erased_while_they_restore_is_nobody(tenant, store, meanwhile):
    tenant.set(clientPurchases="on")
    jane = known(tenant, userId="u-1")
    token = tenant.session(userId="u-1")
    proof = proof_of(tenant, identity_key(tenant)[1], sub="u-1", storeAccount=ACCOUNT)
    happened = meanwhile(store.users, "with_id", lambda: erase(tenant, jane))

    restored = tenant.call("POST", "/v1/restore", token, {"storeAccount": ACCOUNT, "proof": proof})

    assert happened == [204]
    assert (restored.status_code, restored.json["code"]) == (401, "invalid-credential")


def test_an_id_that_goes_back_while_it_proves_an_account_proves_nothing(tenant, store, meanwhile):
    tenant.set(clientPurchases="on")
    token, jane = tenant.session(userId="u-1"), known(tenant, userId="u-1")
    undone = f"/v1/merges/{merge(tenant, known(tenant, userId='u-2'), jane)['id']}"
    proof = proof_of(tenant, identity_key(tenant)[1], sub="u-2", storeAccount=ACCOUNT)
    happened = meanwhile(
        store.users, "with_user_id_and_home", lambda: tenant.call("DELETE", undone, tenant.sk).status_code
    )

    restored = tenant.call("POST", "/v1/restore", token, {"storeAccount": ACCOUNT, "proof": proof})

    assert happened == [200]
    assert (restored.status_code, restored.json["code"]) == (401, "proof-invalid")
    assert exported(tenant, jane)["storeAccounts"] == []


def test_an_email_that_is_corrected_while_it_proves_an_account_proves_nothing(tenant, store, meanwhile):
    tenant.set(clientPurchases="on")
    token, jane = tenant.session(email="jane@example.org"), known(tenant, email="jane@example.org")
    proof = proof_of(tenant, identity_key(tenant)[1], email="jane@example.org", storeAccount=ACCOUNT)
    corrected = {"email": "joan@example.org"}
    happened = meanwhile(
        store.users,
        "with_id",
        lambda: tenant.call("PATCH", f"/v1/users/{jane}", tenant.sk, corrected).status_code,
    )

    restored = tenant.call("POST", "/v1/restore", token, {"storeAccount": ACCOUNT, "proof": proof})

    assert happened == [200]
    assert (restored.status_code, restored.json["code"]) == (401, "proof-invalid")
    assert exported(tenant, jane)["storeAccounts"] == []


def test_an_app_that_is_added_to_while_it_is_erased_is_erased_all_the_same(tenant, store, monkeypatch):
    change, added = store.database.change, []
    row = Rates.insert(app=tenant.id, kind="late", address="somebody", minute=1, count=1)

    def add_before_the_app_itself_goes(query):
        if query.model is Apps and not added:
            with ThreadPoolExecutor(1) as other:
                added.append(other.submit(change, row).result())
        return change(query)

    monkeypatch.setattr(store.database, "change", add_before_the_app_itself_goes)
    erased = tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key)

    assert (erased.status_code, added) == (204, [1])
    left = {table: store.database.rows(table.select().where(table.app == tenant.id)) for table in TABLES}
    assert not any(list(rows) for rows in left.values())


def test_who_is_erased_while_others_are_forgotten_is_not_counted(tenant, store, meanwhile, time_machine):
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    visitor = known(tenant)
    time_machine.move_to("2030-03-01T00:00:00Z", tick=False)
    happened = meanwhile(store.devices, "lock_of", lambda: erase(tenant, visitor))

    done = tidy(store, store.apps.with_id(tenant.id), idle_days=10, cleared_days=10)

    assert happened == [204]
    assert done.users == 0


# --- parts of another, who stand apart meanwhile ----------------------------------------------------------


@pytest.fixture
def part(tenant):
    """Make one who is part of another by a merge, with an email alone; answer both, and how to undo it."""
    one = known(tenant, userId="u-1", email="one@example.org")
    two = known(tenant, email="two@example.org")
    made = merge(tenant, two, one)
    return one, two, lambda: tenant.call("DELETE", f"/v1/merges/{made['id']}", tenant.sk).status_code


def test_an_id_goes_to_who_stands_apart_by_then(tenant, store, meanwhile, part):
    one, two, undo = part
    happened = meanwhile(store.users, "lock_emails", undo)

    given = tenant.call("POST", f"/v1/users/{two}/aliases", tenant.sk, {"userId": "u-2"})

    assert (happened, given.status_code, given.json["id"]) == ([200], 201, two)
    assert user(tenant, one)["aliases"] == []


def test_an_agents_words_go_to_who_stands_apart_by_then(tenant, store, meanwhile, part):
    one, two, undo = part
    happened = meanwhile(store.users, "find_and_lock", undo)

    thread = tenant.begin(tenant.sk, "To you", user=two)

    assert happened == [200]
    assert tenant.call("GET", f"/v1/conversations/{thread}", tenant.sk).json["user"] == two
    assert tenant.conversations(tenant.session(userId="u-1")) == []


def test_a_session_that_an_undo_ends_begins_nothing(tenant, store, meanwhile, part):
    one, _, undo = part
    tenant.call("PATCH", f"/v1/users/{one}", tenant.sk, {"email": None})
    assert undo() == 200
    made = merge(tenant, known(tenant, email="two@example.org"), one)
    token = tenant.session(email="two@example.org")
    happened = meanwhile(
        store.users,
        "find_and_lock",
        lambda: tenant.call("DELETE", f"/v1/merges/{made['id']}", tenant.sk).status_code,
    )

    refused = tenant.call("POST", "/v1/conversations", token, {"message": "of two"})

    assert (happened, refused.status_code) == ([200], 401)
    assert tenant.conversations(tenant.session(userId="u-1")) == []


def test_what_is_said_of_a_part_during_an_undo_is_theirs(tenant, store, meanwhile):
    one, two = known(tenant, userId="u-1", email="one@example.org"), known(tenant, userId="u-2")
    made = merge(tenant, two, one)
    happened = meanwhile(
        store.users, "lock_emails", lambda: known(tenant, userId="u-2", email="one@example.org")
    )

    undone = tenant.call("DELETE", f"/v1/merges/{made['id']}", tenant.sk)

    assert (happened, undone.status_code) == ([one], 200)
    assert [user(tenant, id)["email"] for id in (one, two)] == ["one@example.org"] * 2
