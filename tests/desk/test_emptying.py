"""Of whom there is much is erased a piece at a time, and others log in meanwhile."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.desk import emptying, erasing
from service.desk.erasing import erase, erase_records
from service.model.callers import Actor
from service.model.errors import OutcomeUnknown, StoreUnavailable
from service.model.events import EventType
from service.model.identifiers import digest, new_credential, new_id, new_token, search_key, user_id_digest
from service.model.webhooks import Webhook
from service.store import AppStore
from service.store.checks import CHECKS
from service.store.database import Database
from service.store.purchases import account_digest
from service.store.tables import (
    Attempts,
    Contacts,
    Conversations,
    Deliveries,
    Devices,
    Events,
    History,
    IdempotencyKeys,
    Messages,
    Purchases,
    Sessions,
    StoreAccounts,
    UserIds,
)
from service.times import now
from tests.support.cases import cases
from tests.support.marks import LONG
from tests.support.plans import looking

# Of each: events, lines of the history, deliveries, messages.
MANY = 20_000
AT_ONCE = 500
OPERATOR = Actor("operator", "", proven=True)


@pytest.fixture
def own(store, tenant):
    """The store of the app."""
    return store.of(tenant.id)


def fill(own, tenant, user, hook, many):
    """Have a lot be there of a user: half of the messages in one conversation, and the rest in many."""
    app, at, database = tenant.id, now(), own.database
    token = tenant.session(userId="jane")
    long = tenant.begin(token)
    short = [new_id("cnv") for _ in range(many // 4)]
    whose = {"app": app, "user": user, "home": user, "status": "open", "created_at": at, "updated_at": at}
    counts = {"unread_by_user": 0, "unread_by_agent": 1}
    rows = {
        Conversations: [whose | counts | {"id": id, "messages": 2} for id in short],
        Messages: [message(app, long, number, user, at) for number in range(2, many // 2)]
        + [message(app, id, number, user, at) for id in short for number in (1, 2)],
        Events: [event(app, user, at) for _ in range(many)],
        History: [
            {"app": app, "user": user, "id": new_id("his"), "at": at, "event": "changed"}
            | {"by": "backend", "request": "r", "after": '{"name": "Jane"}'}
            for _ in range(many)
        ],
    }
    rows[Deliveries] = [
        {"app": app, "webhook": hook, "event": one["id"], "type": one["type"], "at": at, "user": user}
        | {"state": "delivered", "attempts": 1, "failures": 0}
        for one in rows[Events]
    ]
    rows[Attempts] = [
        {"app": app, "webhook": hook, "event": one["id"], "number": 1, "at": at, "milliseconds": 1}
        | {"status": 200, "answer": "Thank you, Jane"}
        for one in rows[Events]
    ]
    add(own, rows)
    of_long = (Conversations.app == app) & (Conversations.id == long)
    database.change(Conversations.update(messages=many // 2 - 1).where(of_long))
    return token


def add(own, rows):
    for table, some in rows.items():
        for first in range(0, len(some), AT_ONCE):
            own.database.change(table.insert_many(some[first : first + AT_ONCE]))


def fill_devices(own, tenant, user, many):
    """Have a user be logged in on many devices, where they left a contact each; and have many IDs, store
    accounts and idempotency keys. Return a token of each kind of session."""
    app, at = tenant.id, now()
    names = [f"{user}-{number:05}" for number in range(many)]
    whose = {"app": app, "user": user, "home": user}
    former, last = new_credential("st", app), new_token(app, digest(names[-1]))
    tokens = {names[0]: {"token": digest(former)}, names[-1]: {"secret": digest(last)}}
    neither = {"token": None, "secret": None}
    rows = {
        Devices: [{"app": app, "digest": digest(name), "clears": False, "created_at": at} for name in names],
        Sessions: [
            whose
            | neither
            | {"device": digest(name), "verified": True, "began_at": at, "used_at": at}
            | tokens.get(name, {"secret": digest(name)})
            for name in names
        ],
        UserIds: [
            whose
            | {"verified": True, "digest": user_id_digest(name), "value": name}
            | {"search": search_key(name), "added_at": at}
            for name in names
        ],
        StoreAccounts: [
            whose
            | {"digest": account_digest("app_store", name, True), "verified": True}
            | {"store": "app_store", "account": name, "claimed_at": at}
            for name in names
        ],
        Purchases: [
            {"app": app, "account": account_digest("app_store", name, True), "digest": digest(name)}
            | {"id": new_id("pur"), "product": "pro", "transaction": name, "purchased_at": at}
            for name in names
        ],
        Contacts: [whose | {"device": digest(name), "name": "Jane", "at": at} for name in names],
        IdempotencyKeys: [
            {"app": app, "scope": "key", "key": name, "request": "r", "made": user, "home": user}
            | {"created_at": at}
            for name in names
        ],
    }
    add(own, rows)
    return former, last


def message(app, conversation, number, user, at):
    return {
        "app": app,
        "conversation": conversation,
        "number": number,
        "id": new_id("msg"),
        "side": "user",
        "author": user,
        "body": "Hello",
        "verified": True,
        "created_at": at,
    }


def event(app, user, at):
    return {
        "app": app,
        "id": new_id("evt"),
        "xid": 1,
        "type": EventType.USER_UPDATED.value,
        "at": at,
        "user": user,
        "data": "{}",
    }


@pytest.fixture
def hook(own):
    """A webhook's id."""
    return add_hook(own)


def add_hook(own):
    webhook = Webhook(new_id("whk"), "https://hooks.example.org/", (), now())
    own.webhooks.create(webhook, own.feed.end())
    return webhook.id


def filled(own, tenant, hook, many):
    tenant.session(userId="jane")
    [user] = tenant.find(userId="jane")
    return user["id"], fill(own, tenant, user["id"], hook, many)


@pytest.fixture
def changed(monkeypatch):
    """How many rows each transaction changed, by table."""
    each, count, begin = [], Database._count, Database.transaction

    def counted(self, query):
        rows = count(self, query)
        table = getattr(query, "model", getattr(query, "table", None))
        if each:
            each[-1][getattr(table, "__name__", "")] += rows
        return rows

    def begun(self):
        each.append(Counter())
        return begin(self)

    monkeypatch.setattr(Database, "_count", counted)
    monkeypatch.setattr(Database, "transaction", begun)
    return each


def test_no_transaction_erases_more_rows_of_a_kind_than_a_piece(own, tenant, hook, changed):
    id, _ = filled(own, tenant, hook, MANY)
    changed.clear()

    erase(own, OPERATOR, id)

    bulky = {"Messages", "Conversations", "Events", "History", "Attempts", "SearchIndex"}
    most = max(one[name] for one in changed for name in bulky)
    assert most <= emptying.PIECE
    assert sum(one["Messages"] for one in changed) >= MANY - 2
    assert sum(one["Attempts"] for one in changed) == MANY


def test_nothing_is_left_of_whom_there_was_much(own, store, tenant, hook):
    id, token = filled(own, tenant, hook, 3 * emptying.PIECE)

    erase(own, OPERATOR, id)

    assert tenant.call("get", "/v1/me", token).status_code == 401
    for table in (Messages, Conversations):
        assert own.database.rows(table.select().where(table.app == tenant.id)) == []
    told = Events.select(Events.id).where((Events.app == tenant.id) & (Events.user == id))
    kept = own.database.rows(told.where(Events.data.is_null(False) & (Events.type == "user.updated")))
    assert kept == []
    answers = Attempts.select(Attempts.event).where(Attempts.app == tenant.id)
    assert own.database.rows(answers.where(Attempts.answer.is_null(False))) == []


def test_of_an_app_that_the_server_has_not_looked_at_all_is_found_by_indexes(
    store, own, tenant, other_tenant, hook
):
    other = store.of(other_tenant.id)
    filled(other, other_tenant, add_hook(other), AT_ONCE)
    own.database.look_at([Attempts, Conversations, Deliveries, Events, History, Messages])
    id, _ = filled(own, tenant, hook, MANY)
    own.database.timeout = LONG

    with looking(own.database.peewee) as plans:
        assert own.amounts.exceeds(1, [id], [id])
        assert len(own.webhooks.answered([id])) == MANY
        assert own.conversations.written_with([id], [id])

    assert [plan.statement for plan in plans if plan.read > 100 * MANY] == []


def test_the_usual_erase_is_one_transaction(own, tenant, changed):
    token = tenant.session(userId="jane")
    tenant.begin(token)
    [user] = tenant.find(userId="jane")
    changed.clear()

    erase(own, OPERATOR, user["id"])

    assert [one["Users"] for one in changed] == [1]


def test_of_whom_there_is_much_sessions_end_before_anything_else_goes(own, tenant, changed):
    tenant.session(userId="jane")
    [user] = tenant.find(userId="jane")
    tokens = fill_devices(own, tenant, user["id"], many := 3 * emptying.PIECE)
    assert [tenant.call("get", "/v1/me", token).status_code for token in tokens] == [200, 200]
    changed.clear()
    pieces = []

    def look():
        pieces.append(len(events_of(own, EventType.SESSION_ENDED.value)))
        if pieces[-1] <= many:
            assert sum(sum(one.values()) for one in changed) == 0
            return
        assert {tenant.call("get", "/v1/me", token).status_code for token in tokens} == {401}
        raise StoreUnavailable

    with pytest.raises(StoreUnavailable):
        emptying.empty(own, user["id"], look)

    assert pieces == [*range(emptying.PIECE, many + 1, emptying.PIECE), many + 1]


def events_of(own, type):
    told = Events.select(Events.user, Events.data).where((Events.app == own.app_id) & (Events.type == type))
    return own.database.rows(told)


def test_of_many_devices_ids_and_purchases_a_piece_goes_at_a_time(own, tenant, changed):
    tenant.session(userId="jane")
    [user] = tenant.find(userId="jane")
    fill_devices(own, tenant, user["id"], many := 3 * emptying.PIECE + 1)
    changed.clear()

    erase(own, OPERATOR, user["id"])

    bulky = {"UserIds": many + 1, "StoreAccounts": many, "Purchases": many, "Contacts": many}
    for name, all_of_them in (bulky | {"IdempotencyKeys": many}).items():
        each = [one[name] for one in changed]
        assert (sum(each), max(each)) == (all_of_them, emptying.PIECE), name
    ended = events_of(own, EventType.SESSION_ENDED.value)
    assert ended == [(user["id"], '{"reason":"erase"}')] * (many + 1)


def written_apart(tenant, times):
    """Have somebody write in a conversation of another with whom they are one for a while; return them and
    the conversation."""
    mike, jane = tenant.known(userId="mike"), tenant.known(userId="jane")
    conversation = tenant.begin(tenant.session(userId="mike"))
    merge = tenant.call("POST", "/v1/merges", tenant.sk, {"from": jane, "into": mike}).json["id"]
    token = tenant.session(userId="jane")
    for _ in range(times):
        tenant.write(conversation, token)
    assert tenant.call("DELETE", f"/v1/merges/{merge}", tenant.sk).status_code == 200
    return jane, conversation


def test_what_somebody_wrote_in_anothers_conversation_goes_a_piece_at_a_time(
    own, tenant, changed, monkeypatch
):
    monkeypatch.setattr(emptying, "PIECE", 2)
    jane, conversation = written_apart(tenant, 5)
    changed.clear()

    erase(own, OPERATOR, jane)

    each = [one["Messages"] for one in changed]
    assert (sum(each), max(each)) == (5, 2)
    shown = tenant.get(f"/v1/conversations/{conversation}/messages").json["data"]
    assert [one["body"] for one in shown] == ["Hello"] + [None] * 5


def test_whoever_is_cut_off_has_a_store_in_which_all_holds_and_goes_on(own, tenant, hook, monkeypatch):
    monkeypatch.setattr(emptying, "PIECE", 8)
    id, _ = filled(own, tenant, hook, 20)
    fill_devices(own, tenant, id, 20)

    def give_up():
        raise StoreUnavailable

    pieces = 0
    while True:
        assert [check.__name__ for check in CHECKS if list(check(own))] == []
        try:
            emptying.empty(own, id, give_up)
        except StoreUnavailable:
            pieces += 1
        else:
            break
    assert pieces > 20
    erase_records(own, OPERATOR, id)
    assert tenant.find(userId="jane") == []


def test_each_piece_has_the_time_of_an_answer(own, tenant, monkeypatch):
    tenant.session(userId="jane")
    [user] = tenant.find(userId="jane")
    own.database.start_deadline()
    monkeypatch.setattr(erasing, "is_much", lambda *_: True)
    monkeypatch.setattr(erasing, "empty", lambda *_: seen.append(own.database._here.until))
    seen = []

    erase(own, OPERATOR, user["id"])

    assert own.database._here.until is not None
    own.database.end_deadline()
    assert seen == [None]


def test_others_log_in_while_somebody_is_erased(own, tenant, hook):
    id, _ = filled(own, tenant, hook, MANY // 4)
    with ThreadPoolExecutor(1) as pool:
        erasing = pool.submit(erase, own, OPERATOR, id)
        answers = []
        while not erasing.done():
            answers.append(tenant.try_login(userId=f"u-{len(answers)}").status_code)
            time.sleep(0)
        erasing.result()

    assert set(answers) == {201}
    assert len(answers) > 1


@cases(
    "devices, taken, error",
    ("of whom there is little", 0, 0, StoreUnavailable),
    ("of whom there is much", 20, 3, OutcomeUnknown),
)
def test_an_erase_that_is_cut_off_says_whether_some_of_it_may_stand(
    own, tenant, monkeypatch, devices, taken, error
):
    monkeypatch.setattr(emptying, "PIECE", 8)
    id = tenant.known(userId="jane")
    if devices:
        fill_devices(own, tenant, id, devices)
    begin, begun = AppStore.transaction, []

    def fail(store):
        begun.append(True)
        if len(begun) > taken:
            raise StoreUnavailable
        return begin(store)

    monkeypatch.setattr(AppStore, "transaction", fail)
    with pytest.raises(StoreUnavailable) as raised:
        erase(own, OPERATOR, id)
    assert type(raised.value) is error
    monkeypatch.undo()
    erase(own, OPERATOR, id)
    assert tenant.find(userId="jane") == []
