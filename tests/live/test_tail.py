"""What changed is told soon, in whatever order it is committed, and whatever else runs in the store."""

import threading
from contextlib import closing, contextmanager

import psycopg
import pytest

from service.model.errors import StoreUnavailable
from service.model.events import EventType
from service.model.identifiers import new_id
from service.model.streams import Change
from service.store.tables import Events
from service.store.tail import Tail

INSERT = """
INSERT INTO events (app, id, xid, type, at, "user", conversation)
VALUES (%s, %s, pg_current_xact_id()::text::bigint, 'conversation.resolved', 0, %s, %s)
"""


# On SQLite transactions come one after the other.
on_a_server = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True, scope="session")


@contextmanager
def begun(url, tenant, conversation):
    """Have a transaction of which an event of a conversation is a part, to be committed inside."""
    with closing(psycopg.connect(url)) as connection:
        connection.execute(INSERT, (tenant.id, new_id("evt"), "usr_x", conversation))
        yield connection


@on_a_server
def test_what_is_committed_late_is_told_and_delays_nobody(database_url, agent, tenant, settle):
    token = tenant.session(userId="jane")
    late, early = tenant.begin(token), tenant.begin(token)
    agent.wait_told(late, early)
    settle()
    agent.told.clear()
    with begun(database_url, tenant, late) as slow:
        tenant.write(early)
        agent.wait_told(early)
        # Some are told meanwhile, so that it is of a transaction that began long before.
        for conversation in [tenant.begin(token) for _ in range(3)]:
            agent.wait_told(conversation)
        assert late not in agent.told

        slow.commit()
        agent.wait_told(late)


@on_a_server
def test_what_is_rolled_back_is_not_told(database_url, agent, tenant, settle):
    conversation = tenant.begin(tenant.session(userId="jane"))
    agent.wait_told(conversation)
    settle()
    agent.told.clear()
    with begun(database_url, tenant, conversation) as given_up:
        given_up.rollback()

    other = tenant.begin(tenant.session(userId="jane"))
    agent.wait_told(other)
    assert conversation not in agent.told


# --- reading it ----------------------------------------------------------------------------------


@pytest.fixture
def tail(store):
    return Tail(store.database)


def conversations(changes, tenant):
    return {change.conversation for change in changes.get(tenant.id, []) if change.conversation}


def test_each_change_is_read_once(tail, tenant):
    token = tenant.session(userId="jane")
    tail.read([tenant.id])
    jane = tenant.known(userId="jane", deviceId="e" * 20)
    one = tenant.begin(token)

    read = tail.read([tenant.id])

    assert conversations(read, tenant) == {one}
    assert Change(EventType.MESSAGE_CREATED, jane, one) in read[tenant.id]
    assert tail.read([tenant.id]) == {}
    two = tenant.begin(token)
    assert conversations(tail.read([tenant.id]), tenant) == {two}


def test_only_the_apps_that_are_asked_for_are_read(tail, tenant, other_tenant):
    apps = [tenant.id, other_tenant.id]
    tail.read(apps)
    mine = tenant.begin(tenant.session(userId="jane"))
    theirs = other_tenant.begin(other_tenant.session(userId="jane"))

    read = tail.read(apps)

    assert (conversations(read, tenant), conversations(read, other_tenant)) == ({mine}, {theirs})
    assert tail.read([]) == {}


def test_what_changes_while_nobody_follows_is_not_read(tail, tenant):
    tail.read([tenant.id])
    tail.read([])
    tenant.begin(tenant.session(userId="jane"))

    assert tail.read([tenant.id]) == {}


def test_a_store_that_holds_less_than_before_is_another(tail, tenant, store, monkeypatch):
    tenant.begin(tenant.session(userId="jane"))
    tail.read([tenant.id])
    if store.database.is_sqlite:
        store.database.change(Events.delete().where(Events.app == tenant.id))
    else:
        former = tail._snapshots[tenant.id]
        later = type(former)(former.end + 10**9, former.running)
        monkeypatch.setitem(tail._snapshots, tenant.id, later)

    with pytest.raises(StoreUnavailable):
        tail.read([tenant.id])


def test_nothing_is_missed_of_what_many_write_at_once(tail, tenant):
    tokens = [tenant.session(userId=f"jane-{number}") for number in range(4)]
    begun, over = [], threading.Event()
    tail.read([tenant.id])

    def write(own, token):
        begun.extend(own.begin(token) for _ in range(10))

    def read():
        found = set()
        while not over.is_set():
            found |= conversations(tail.read([tenant.id]), tenant)
        return found | conversations(tail.read([tenant.id]), tenant)

    found = []
    reader = threading.Thread(target=lambda: found.append(read()))
    reader.start()
    tenant.at_once(*[lambda own, token=token: write(own, token) for token in tokens])
    over.set()
    reader.join()

    assert found == [set(begun)]
