"""Of whom there is much is erased a piece at a time, and others log in meanwhile."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.desk import emptying
from service.desk.erasing import erase, erase_records
from service.model.callers import Actor
from service.model.errors import StoreUnavailable
from service.model.events import EventType
from service.model.identifiers import new_id
from service.model.webhooks import Webhook
from service.store.checks import messages_are_numbered
from service.store.database import Database
from service.store.tables import Attempts, Conversations, Deliveries, Events, History, Messages
from service.times import now

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
    for table, some in rows.items():
        for first in range(0, len(some), AT_ONCE):
            database.change(table.insert_many(some[first : first + AT_ONCE]))
    of_long = (Conversations.app == app) & (Conversations.id == long)
    database.change(Conversations.update(messages=many // 2 - 1).where(of_long))
    return token


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


def test_whoever_is_cut_off_has_a_store_in_which_all_holds_and_goes_on(own, store, tenant, hook):
    id, token = filled(own, tenant, hook, 3 * emptying.PIECE)

    def give_up():
        raise StoreUnavailable

    pieces = 0
    while True:
        try:
            emptying.empty(own, id, give_up)
        except StoreUnavailable:
            pieces += 1
            assert tenant.call("get", "/v1/me", token).status_code == 200
            assert list(messages_are_numbered(own)) == []
        else:
            break
    assert pieces > 3
    erase_records(own, OPERATOR, id)
    assert tenant.find(userId="jane") == []


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
