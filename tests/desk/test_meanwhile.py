"""What a use case rests on may change between its look and its lock: it then looks again, and is right about
what is there. On SQLite nothing can change inside a transaction, so this is about PostgreSQL."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from service.desk.editing import require_part
from service.desk.erasing import tidy
from service.model.errors import StaleState
from service.store import limits, users
from service.store.devices import DeviceStore
from service.store.tables import TABLES, Apps, IdempotencyKeys, Rates
from service.store.users import UserStore
from tests.support.signing import identity_key, proof_of
from tests.support.subscribers import exported

ACCOUNT = {"store": "app_store", "account": "apple-1"}


pytestmark = [
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
    pytest.mark.usefixtures("sound"),
]


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


def known(tenant, **claim):
    return tenant.login(**claim)["user"]["id"]


def user(tenant, id):
    return tenant.call("GET", f"/v1/users/{id}", tenant.sk).json


def rename(tenant, id):
    return tenant.call("PATCH", f"/v1/users/{id}", tenant.sk, {"name": "Jane"}).status_code


def erase(tenant, id):
    return tenant.call("DELETE", f"/v1/users/{id}", tenant.sk).status_code


def undo(tenant, merge):
    return tenant.call("DELETE", f"/v1/merges/{merge}", tenant.sk).status_code


def test_a_user_who_is_erased_while_they_log_in_is_made_anew(tenant, meanwhile):
    jane = known(tenant, userId="u-1")
    happened = meanwhile(UserStore, "lock", lambda: erase(tenant, jane))

    login = tenant.login(userId="u-1", name="J.")

    assert happened == [204]
    assert (login["created"], login["user"]["id"] != jane) == (True, True)


@pytest.mark.parametrize(
    ("claim", "name"),
    [({"userId": "u-1"}, "J."), ({"userId": "u-1"}, "Joan"), ({"email": "jane@example.org"}, "J.")],
    ids=["changing a name", "changing nothing until then", "by email"],
)
def test_a_user_who_changes_while_they_log_in_is_decided_about_as_they_are(tenant, meanwhile, claim, name):
    jane = known(tenant, userId="u-1", email="jane@example.org", name="Joan")
    happened = meanwhile(UserStore, "lock", lambda: known(tenant, userId="u-1", name="Jane"))

    login = tenant.login(**claim, name=name)

    assert happened == [jane]
    assert (login["user"]["id"], login["resolution"]["changes"]) == (jane, ["name"])
    assert user(tenant, jane)["name"] == name


def test_a_user_who_stands_apart_while_they_are_shown_is_shown_as_they_are_then(tenant, meanwhile):
    jane, joan = (
        known(tenant, userId="u-1", email="jane@example.org"),
        known(tenant, email="joan@example.org"),
    )
    merge = tenant.merge(joan, jane)
    happened = meanwhile(users, "further", lambda: undo(tenant, merge))

    shown = user(tenant, jane)

    assert happened == [200]
    assert shown["emails"] == ["jane@example.org"]


def test_an_id_that_goes_back_to_another_while_it_logs_in_logs_in_the_other(tenant, meanwhile):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    made = tenant.merge(joan, jane)
    happened = meanwhile(UserStore, "lock", lambda: undo(tenant, made))

    login = tenant.login(userId="u-2", name="Joan")

    assert (happened, login["user"]["id"], user(tenant, jane)["name"]) == ([200], joan, None)


@pytest.mark.parametrize(
    "go",
    [
        lambda tenant, jane: tenant.remove_id(jane, "u-1").status_code,
        lambda tenant, jane: tenant.correct_id(jane, "u-2").status_code,
    ],
    ids=["taken away", "corrected"],
)
def test_who_logs_in_by_an_id_that_goes_meanwhile_is_somebody_new(tenant, meanwhile, go):
    jane = known(tenant, userId="u-1", email="jane@example.org")
    happened = meanwhile(UserStore, "lock", lambda: go(tenant, jane))

    login = tenant.login(userId="u-1", name="J.")

    assert happened == [200]
    assert (login["created"], login["user"]["id"] != jane) == (True, True)
    assert user(tenant, jane)["name"] is None


def test_an_id_that_somebody_else_has_by_then_is_no_correction(tenant, meanwhile):
    jane = known(tenant, userId="u-1")
    happened = meanwhile(UserStore, "add_user_id", lambda: known(tenant, userId="u-2"))

    answer = tenant.correct_id(jane, "u-2")

    assert (len(happened), answer.status_code, user(tenant, jane)["userId"]) == (1, 409, "u-1")


def test_an_id_goes_from_who_has_it_by_then(tenant, meanwhile):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    tenant.alias(jane, "u-3")
    happened = meanwhile(UserStore, "lock_emails", lambda: tenant.merge(jane, joan))

    answer = tenant.remove_id(jane, "u-3")

    assert (len(happened), answer.status_code, answer.json["id"]) == (1, 200, joan)
    assert (answer.json["userId"], answer.json["aliases"]) == ("u-2", ["u-1"])


def test_a_conversation_that_an_agent_begins_is_the_survivors(tenant, meanwhile):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    happened = meanwhile(UserStore, "find_and_lock", lambda: tenant.merge(joan, jane))

    begun = tenant.begin(tenant.sk, user=joan)

    assert happened[0].startswith("mrg_")
    assert tenant.conversations(tenant.session(userId="u-1")) == [begun]


COLORS = {"attributes": {"color": {"value": "red"}}}
BOUGHT = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1", "userId": "u-1"}
ABOUT = {
    "an alias": (lambda jane, joan: (f"users/{jane}/aliases", {"userId": "u-3"})),
    "a merge": (lambda jane, joan: ("merges", {"from": joan, "into": jane})),
    "an attribute": (lambda jane, joan: ("subscribers/u-1/attributes", COLORS)),
    "a purchase": (lambda jane, joan: ("purchases", BOUGHT)),
}


@pytest.mark.parametrize("about", ABOUT.values(), ids=ABOUT)
def test_what_is_about_a_user_who_changes_is_done_to_them_as_they_are(tenant, meanwhile, about):
    tenant.set(revenuecat="on")
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    path, body = about(jane, joan)
    happened = meanwhile(UserStore, "lock", lambda: rename(tenant, joan if path == "merges" else jane))

    done = tenant.call("POST", f"/v1/{path}", tenant.sk, body)

    assert (happened, done.status_code in (200, 201), user(tenant, jane)["name"]) == ([200], True, "Jane")
    shown, kept = user(tenant, jane), exported(tenant, jane)["attributes"]
    found = shown["aliases"], [one["value"] for one in kept], [one["product"] for one in shown["purchases"]]
    assert found == {
        "merges": (["u-2"], [], []),
        "purchases": ([], [], ["pro"]),
        "subscribers/u-1/attributes": ([], ["red"], []),
    }.get(path, (["u-3"], [], []))


def test_who_is_erased_while_they_restore_is_nobody(tenant, meanwhile):
    tenant.set(clientPurchases="on")
    jane = known(tenant, userId="u-1")
    token = tenant.session(userId="u-1")
    proof = proof_of(tenant, identity_key(tenant)[1], sub="u-1", storeAccount=ACCOUNT)
    happened = meanwhile(UserStore, "with_id", lambda: erase(tenant, jane))

    restored = tenant.call("POST", "/v1/restore", token, {"storeAccount": ACCOUNT, "proof": proof})

    assert happened == [204]
    assert (restored.status_code, restored.json["code"]) == (401, "invalid-credential")


def an_id_goes_back(tenant):
    jane = known(tenant, userId="u-1")
    merge = tenant.merge(known(tenant, userId="u-2"), jane)
    return jane, {"userId": "u-1"}, {"sub": "u-2"}, "with_user_id_and_home", lambda: undo(tenant, merge)


def an_email_is_corrected(tenant):
    jane = known(tenant, email="jane@example.org")
    corrected = ("PATCH", f"/v1/users/{jane}", tenant.sk, {"email": "joan@example.org"})
    who = {"email": "jane@example.org"}
    return jane, who, who, "with_id", lambda: tenant.call(*corrected).status_code


@pytest.mark.parametrize("change", [an_id_goes_back, an_email_is_corrected])
def test_what_changes_while_it_proves_an_account_proves_nothing(tenant, meanwhile, change):
    tenant.set(clientPurchases="on")
    jane, who, claims, method, happen = change(tenant)
    token = tenant.session(**who)
    proof = proof_of(tenant, identity_key(tenant)[1], **claims, storeAccount=ACCOUNT)
    happened = meanwhile(UserStore, method, happen)

    restored = tenant.call("POST", "/v1/restore", token, {"storeAccount": ACCOUNT, "proof": proof})

    assert (happened, restored.status_code, restored.json["code"]) == ([200], 401, "proof-invalid")
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
    happened = meanwhile(DeviceStore, "lock_of", lambda: erase(tenant, visitor))

    app = store.apps.with_id(tenant.id)
    done = tidy(store.of(app.id), app, idle_days=10, empty_days=10, cleared_days=10, event_days=30)

    assert happened == [204]
    assert done.users == 0


# --- parts of another, who stand apart meanwhile ----------------------------------------------------------


@pytest.fixture
def part(tenant):
    """Make one who is part of another by a merge, with an email alone; return both, and how to undo it."""
    one, two = known(tenant, userId="u-1", email="one@example.org"), known(tenant, email="two@example.org")
    merge = tenant.merge(two, one)
    return one, two, lambda: undo(tenant, merge)


def test_an_id_goes_to_who_stands_apart_by_then(tenant, meanwhile, part):
    one, two, undo_it = part
    happened = meanwhile(UserStore, "lock_emails", undo_it)

    given = tenant.call("POST", f"/v1/users/{two}/aliases", tenant.sk, {"userId": "u-2"})

    assert (happened, given.status_code, given.json["id"]) == ([200], 201, two)
    assert user(tenant, one)["aliases"] == []


def test_an_agents_words_go_to_who_stands_apart_by_then(tenant, meanwhile, part):
    one, two, undo_it = part
    happened = meanwhile(UserStore, "find_and_lock", undo_it)

    thread = tenant.begin(tenant.sk, "To you", user=two)

    assert happened == [200]
    assert tenant.call("GET", f"/v1/conversations/{thread}", tenant.sk).json["user"] == two
    assert tenant.conversations(tenant.session(userId="u-1")) == []


def test_a_session_that_an_undo_ends_begins_nothing(tenant, meanwhile, part):
    one, _, undo_first = part
    tenant.call("PATCH", f"/v1/users/{one}", tenant.sk, {"email": None})
    assert undo_first() == 200
    made = tenant.merge(known(tenant, email="two@example.org"), one)
    token = tenant.session(email="two@example.org")
    happened = meanwhile(UserStore, "find_and_lock", lambda: undo(tenant, made))

    refused = tenant.call("POST", "/v1/conversations", token, {"message": "of two"})

    assert (happened, refused.status_code) == ([200], 401)
    assert tenant.conversations(tenant.session(userId="u-1")) == []


def test_what_is_said_of_a_part_during_an_undo_is_theirs(tenant, meanwhile):
    one, two = known(tenant, userId="u-1", email="one@example.org"), known(tenant, userId="u-2")
    made = tenant.merge(two, one)
    news = {"userId": "u-2", "email": "one@example.org"}
    happened = meanwhile(UserStore, "lock_emails", lambda: known(tenant, **news))

    assert (undo(tenant, made), happened) == (200, [one])
    assert [user(tenant, id)["email"] for id in (one, two)] == ["one@example.org"] * 2


def test_who_is_no_part_of_a_user_by_now_is_given_nothing(tenant, store):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    app = store.of(tenant.id)

    with pytest.raises(StaleState):
        require_part(app, joan, app.users.with_id(jane))


def test_who_is_found_gone_and_stands_again_is_merged(tenant, one_person, meanwhile):
    part, merge, jane = one_person
    happened = meanwhile(UserStore, "is_gone", lambda: undo(tenant, merge))

    done = tenant.call("POST", "/v1/merges", tenant.sk, {"from": part, "into": jane})

    assert (done.status_code, happened) == (201, [200])


def test_an_id_is_not_taken_of_whom_its_user_becomes_part_of_meanwhile(tenant, meanwhile):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    happened = meanwhile(UserStore, "with_user_id", lambda: tenant.merge(joan, jane))

    linked = tenant.call("POST", f"/v1/users/{joan}/aliases", tenant.sk, {"userId": "u-2"})

    assert (linked.status_code, len(happened)) == (200, 1)
    assert linked.json["id"] == jane


def test_a_key_that_is_forgotten_while_it_is_looked_for_was_never_used(tenant, meanwhile):
    jane = known(tenant, userId="u-1")
    call = ("POST", f"/v1/users/{jane}/aliases", tenant.sk, {"userId": "u-2"})
    assert tenant.call(*call, Idempotency_Key="key-1").status_code == 201
    happened = meanwhile(limits, "_remembered", lambda: erase(tenant, jane))

    again = tenant.call(*call, Idempotency_Key="key-1")

    assert (happened, again.status_code) == ([204], 404)


def test_no_key_is_remembered_of_somebody_who_is_erased_meanwhile(tenant, store, meanwhile):
    login = tenant.login(userId="u-1")
    happened = meanwhile(UserStore, "find_and_lock", lambda: erase(tenant, login["user"]["id"]))

    answer = tenant.call(
        "POST", "/v1/clearAnonymousUser", login["session"]["token"], {}, Idempotency_Key="key-1"
    )

    assert (happened, answer.status_code) == ([204], 401)
    assert store.database.rows(IdempotencyKeys.select().where(IdempotencyKeys.app == tenant.id)) == []


@pytest.fixture
def one_person(tenant):
    """Somebody who is part of Jane, with the merge, and Jane."""
    jane = known(tenant, userId="u-1", email="jane@example.org")
    part = known(tenant, userId="u-2", email="joan@example.org")
    return part, tenant.merge(part, jane), jane


def require_untouched(tenant, jane):
    shown = {"userId": "u-1", "aliases": [], "name": None, "attributes": {}, "email": "jane@example.org"}
    assert user(tenant, jane) == user(tenant, jane) | shown


done_to_a_user = pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"name": "Jane"}),
        ("PATCH", "", {"attributes": {"plan": "pro"}}),
        ("PUT", "/userId", {"userId": "u-3"}),
        ("DELETE", "/aliases", {"userId": "u-2"}),
        ("DELETE", "", None),
    ],
)


@pytest.fixture
def parted_when_found(tenant, one_person, monkeypatch):
    """Have the two stand apart when it was found whom they are part of, and before that one is looked at."""
    find, looks = UserStore.survivor, count()

    def find_and_wait(self, id):
        if next(looks) == 1:
            with ThreadPoolExecutor(1) as other:
                assert other.submit(undo, tenant, one_person[1]).result() == 200
        return find(self, id)

    monkeypatch.setattr(UserStore, "survivor", find_and_wait)
    return one_person


@done_to_a_user
def test_what_is_done_to_who_stands_again_is_not_done_to_whom_they_were_part_of(
    tenant, parted_when_found, method, path, body
):
    id, _, jane = parted_when_found

    done = tenant.call(method, f"/v1/users/{id}{path}", tenant.sk, body)

    assert done.status_code in (200, 204)
    require_untouched(tenant, jane)


@done_to_a_user
def test_nor_is_it_when_they_stand_again_before_the_lock(tenant, one_person, meanwhile, method, path, body):
    id, merge, jane = one_person
    happened = meanwhile(UserStore, "lock", lambda: undo(tenant, merge))

    done = tenant.call(method, f"/v1/users/{id}{path}", tenant.sk, body)

    assert (done.status_code, happened) == (204 if (method, path) == ("DELETE", "") else 200, [200])
    require_untouched(tenant, jane)


def test_who_is_shown_by_an_id_is_who_it_means(tenant, parted_when_found):
    id, *_ = parted_when_found

    assert user(tenant, id)["id"] == id
