"""No hot call reads more than it has to: every statement finds its rows by an index, however many there
are."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from service.api.context import NAME
from service.config import Config
from service.desk.comparing import look_at_new
from service.desk.credentials import read_token
from service.desk.erasing import _erase_idle as erase_idle
from service.desk.streams import living, news
from service.desk.users import panel
from service.model.events import EventType
from service.model.identifiers import digest
from service.model.streams import Change, KeyListener, SessionListener
from service.store import Store, tail
from service.store.database import Database
from service.store.idle import Idle
from service.store.migrating import migrate
from service.store.tables import Conversations, Deliveries, Events, Keys, Messages, Users, Webhooks
from service.times import DAY, now
from tests.conftest import ENGINES, Databases, patient
from tests.support.many_apps import MANY, SMALL_APPS, LargeApp, device_id, fill
from tests.support.plans import Plan, looking, plans_of
from tests.support.servers import ADMIN_KEY, SECRET_KEY
from tests.support.signing import identity_key, proof_of
from tests.support.tenants import Tenant

# More than a page takes, and less than a walk through a table: rows on PostgreSQL, steps on SQLite.
ROWS = 100
STEPS = MANY // 2


Call = Callable[["Shop"], TestResponse]


class Undone(Exception):
    """Nothing is to be left behind."""


@dataclass
class Shop:
    """A large app that asks for proofs, another that asks for none, and who is logged in to each."""

    database: Database
    proving: Tenant
    trusting: Tenant
    large: LargeApp
    secret: str
    visitor: str
    claimant: str

    def plans(self, act: Callable[[], Any]) -> list[Plan]:
        with looking(self.database.peewee) as plans:
            act()
        assert plans
        return plans

    def slow(self, plans: list[Plan]) -> list[str]:
        """Return the plans that read more than they have to."""
        most = STEPS if self.database.is_sqlite else ROWS
        return [f"{plan.read} {plan.statement}" for plan in plans if plan.scanned or plan.read > most]


@pytest.fixture(scope="module", params=ENGINES)
def shop(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Shop]:
    url = databases.fresh(request.param)
    migrate(url)
    proving, trusting = LargeApp.gather(), LargeApp.gather()
    settings = {proving: "{}", trusting: json.dumps({"identity_verification": "off", "revenuecat": "on"})}
    fill(url, settings)
    app = patient(Config(ADMIN_KEY, SECRET_KEY, url, login_rate=10_000))
    store: Store = app.extensions[NAME].store
    yield opened(app, store, proving, trusting)
    store.database.close()


def opened(app: Flask, store: Store, proving: LargeApp, trusting: LargeApp) -> Shop:
    """Have somebody log in to each app."""
    one, other = (
        Tenant(app.test_client(), ADMIN_KEY, large.app, large.sk, large.pk) for large in (proving, trusting)
    )
    _, secret = identity_key(one)
    visitor = one.session(userId="user-0")
    claimant = other.try_login(key=other.pk, userId="user-0").json["session"]["token"]
    other.begin(claimant)
    return Shop(store.database, one, other, proving, secret, visitor, claimant)


def succeed(response: TestResponse) -> TestResponse:
    assert response.status_code < 300, response.text
    return response


def log_in(**claim: Any) -> Call:
    return lambda shop: shop.proving.try_login(**claim)


def claim(**claim: Any) -> Call:
    return lambda shop: shop.trusting.try_login(key=shop.trusting.pk, **claim)


def prove(shop: Shop) -> TestResponse:
    proof = proof_of(shop.proving, shop.secret, sub="user-7", email="user-7@example.org")
    return shop.proving.try_login(key=shop.proving.pk, proof=proof)


def visit(shop: Shop, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
    return shop.proving.call(method, f"/v1/{path}", shop.visitor, body, **headers)


def as_agent(shop: Shop, method: str, path: str, body: Any = None) -> TestResponse:
    return shop.proving.call(method, f"/v1/{path}", shop.proving.sk, body)


def subscribe(shop: Shop, method: str, path: str, body: Any = None) -> TestResponse:
    return shop.trusting.call(method, f"/v1/subscribers/{path}", shop.trusting.pk, body)


def a_tokens_logout(shop: Shop) -> TestResponse:
    return shop.proving.call("POST", "/v1/logout", shop.proving.session(userId="user-77"))


def a_message_with_a_key(shop: Shop) -> TestResponse:
    return visit(shop, "POST", f"{thread(shop)}/messages", {"body": "Hello"}, Idempotency_Key="k")


def a_claimants_conversations(shop: Shop) -> TestResponse:
    return shop.trusting.call("GET", "/v1/conversations", shop.claimant)


def a_later_page_of_users(shop: Shop) -> TestResponse:
    page = "users?q=user-123&limit=2"
    return as_agent(shop, "GET", f"{page}&cursor={as_agent(shop, 'GET', page).json['nextCursor']}")


def user(shop: Shop, number: int) -> str:
    return shop.large.id("usr", number)


def thread(shop: Shop) -> str:
    """A conversation with many messages, of a user who has many conversations."""
    return f"conversations/{shop.large.id('cnv', 0)}"


# What a backend says of whoever logs in, and how others do.
LOGINS = {
    "known user": log_in(userId="user-1", deviceId=device_id(1)),
    "known user with email": log_in(userId="user-2", email="user-2@example.org", deviceId=device_id(2)),
    "known user with a new email": log_in(userId="user-3", email="3@example.org"),
    "known user with a new name": log_in(userId="user-4", name="Jane"),
    "known user where somebody was anonymous": log_in(userId="user-5", deviceId=device_id(MANY - 2)),
    "known user with attributes": log_in(userId="user-10", attributes={"seats": 7}),
    "merged user with attributes": log_in(userId=f"user-{MANY - 2}", attributes={"seats": 7}),
    "merged user": log_in(userId=f"user-{MANY - 1}"),
    "new user": log_in(userId="new"),
    "new user with email": log_in(userId="newer", email="newer@example.org", name="Jane"),
    "known email": log_in(email="user-6@example.org"),
    "new email": log_in(email="somebody@example.org"),
    "email that a user ID takes": log_in(userId="newest", email="somebody@example.org"),
    "proven user": prove,
    "claimed user": claim(userId="user-8", email="user-8@example.org"),
    "claimed user again": claim(userId="user-0"),
    "nobody": lambda shop: shop.proving.try_login(key=shop.proving.pk),
}

PAGES = {
    "conversations": (visit, "conversations?limit=20"),
    "open conversations": (visit, "conversations?limit=20&status=open"),
    "agent's conversations": (as_agent, "conversations?limit=20"),
    "agent's open conversations": (as_agent, "conversations?limit=20&status=open"),
    "agent's resolved conversations": (as_agent, "conversations?limit=20&status=resolved"),
    "agent's conversations of a user": (as_agent, "conversations?limit=20&user={user}"),
    "agent's open conversations of a user": (as_agent, "conversations?limit=20&user={user}&status=open"),
    "messages": (visit, "{thread}/messages?limit=20"),
    "agent's messages": (as_agent, "{thread}/messages?limit=20"),
}

COLORS = {"attributes": {"color": {"value": "red"}}}
NO_NAME = {"attributes": {"name-38": {"value": None}}}
OTHERS = {
    "me": lambda shop: visit(shop, "GET", "me"),
    "new messages": lambda shop: visit(
        shop, "GET", f"{thread(shop)}/messages?after={shop.large.id('msg', 1)}"
    ),
    "one conversation": lambda shop: visit(shop, "GET", thread(shop)),
    "a message": lambda shop: visit(shop, "POST", f"{thread(shop)}/messages", {"body": "Hello"}),
    "agent's message": lambda shop: as_agent(shop, "POST", f"{thread(shop)}/messages", {"body": "Hello"}),
    "a conversation": lambda shop: visit(shop, "POST", "conversations", {"message": "Hello"}),
    "agent's conversation": lambda shop: as_agent(
        shop, "POST", "conversations", {"message": "Hello", "user": user(shop, 9)}
    ),
    "a conversation is read": lambda shop: visit(shop, "POST", f"{thread(shop)}/read"),
    "a conversation is resolved": lambda shop: visit(shop, "PATCH", thread(shop), {"status": "resolved"}),
    "a device's logout": lambda shop: as_agent(shop, "POST", "logout", {"deviceId": device_id(20)}),
    "a user ID's logout": lambda shop: as_agent(shop, "POST", "logout", {"userId": "user-21"}),
    "a user's logout": lambda shop: as_agent(shop, "POST", "logout", {"user": user(shop, 22)}),
    "a flag": lambda shop: visit(shop, "POST", "clearAnonymousUser"),
    "a user": lambda shop: as_agent(shop, "GET", f"users/{user(shop, 30)}"),
    "a merged user": lambda shop: as_agent(shop, "GET", f"users/{user(shop, MANY - 1)}"),
    "users by email": lambda shop: as_agent(shop, "GET", "users?email=user-31@example.org"),
    "users by user ID": lambda shop: as_agent(shop, "GET", "users?userId=user-32"),
    "users by an email that they left": lambda shop: as_agent(shop, "GET", "users?contact=c-31@example.org"),
    "users by a phone that they left": lambda shop: as_agent(shop, "GET", "users?contact=%2B49000032"),
    "a contact": lambda shop: visit(shop, "PUT", "me/contact", {"phone": "112"}),
    "attributes that are corrected": lambda shop: as_agent(
        shop, "PATCH", f"users/{user(shop, 39)}", {"attributes": {"seats": 7}}
    ),
    "users by what they begin with": lambda shop: as_agent(shop, "GET", "users?q=user-1234"),
    "events": lambda shop: as_agent(shop, "GET", f"events?limit=20&after={shop.large.id('evt', 7)}"),
    "the last events": lambda shop: as_agent(
        shop, "GET", f"events?limit=20&after={shop.large.id('evt', MANY - 1)}"
    ),
    "a webhook": lambda shop: as_agent(shop, "GET", f"webhooks/{shop.large.id('whk', 7)}"),
    "deliveries": lambda shop: as_agent(shop, "GET", f"webhooks/{shop.large.id('whk', 0)}/deliveries"),
    "an event that is sent again": lambda shop: as_agent(
        shop, "POST", f"webhooks/{shop.large.id('whk', 0)}/deliveries/{shop.large.id('evt', 3)}"
    ),
    "a user's history": lambda shop: as_agent(shop, "GET", f"users/{user(shop, 33)}/history"),
    "a subscriber": lambda shop: subscribe(shop, "GET", "user-35"),
    "a subscriber's attribute": lambda shop: subscribe(shop, "POST", "user-36/attributes", COLORS),
    "an attribute that is removed": lambda shop: subscribe(shop, "POST", "user-38/attributes", NO_NAME),
    "an explanation": lambda shop: as_agent(
        shop, "POST", "resolve", {"userId": "user-34", "email": "user-34@example.org"}
    ),
} | {
    call.__name__.replace("_", " "): call
    for call in (a_tokens_logout, a_message_with_a_key, a_claimants_conversations, a_later_page_of_users)
}


@pytest.mark.parametrize("call", [*LOGINS.values(), *OTHERS.values()], ids=[*LOGINS, *OTHERS])
def test_a_hot_call_finds_what_it_reads(shop, call):
    assert shop.slow(shop.plans(lambda: succeed(call(shop)))) == []


@pytest.mark.parametrize(("call", "path"), PAGES.values(), ids=PAGES)
def test_a_page_is_read_in_its_order_and_no_further(shop, call, path):
    path = path.format(user=user(shop, 0), thread=thread(shop))
    cursor = succeed(call(shop, "GET", path)).json["nextCursor"]

    paths = (path, f"{path}&cursor={cursor}")
    plans = shop.plans(lambda: [succeed(call(shop, "GET", page)) for page in paths])

    assert shop.slow(plans) == []
    pages = [plan for plan in plans if "LIMIT" in plan.statement]
    assert pages
    assert [plan for plan in pages if plan.sorts] == []


def test_what_streams_tell_is_found_by_indexes(shop):
    store, app = Store(shop.database).of(shop.large.app), shop.large.app
    token = read_token(store, shop.visitor)
    listeners = [SessionListener(token, user(shop, 0)), KeyListener(digest(shop.proving.sk))]
    change = Change(EventType.MESSAGE_CREATED, user(shop, 0), shop.large.id("cnv", 0))

    def follow() -> None:
        if shop.database.is_sqlite:
            looks = tail._last(app), tail._since(app, MANY)
        else:
            # The rows that were written here have numbers that are still to come.
            looks = tail._later(app, 10 * MANY), tail._ran(app, "{7,8}")
        for look in looks:
            shop.database.rows(look)
        assert [*store.streams.sign_ins([digest("")], 0)] == []
        assert set(news(store, listeners, [change]).told) == living(store, listeners) == set(listeners)

    assert shop.slow(shop.plans(follow)) == []


def test_who_somebody_is_is_told_by_indexes(shop):
    own = Store(shop.database).of(shop.large.app)

    assert shop.slow(shop.plans(lambda: panel(own, user(shop, 0)))) == []


def test_who_was_added_is_compared_by_indexes(shop):
    own = Store(shop.database).of(shop.large.app)
    ids = [shop.proving.known(userId=name, email="twins@example.org") for name in ("twin-1", "twin-2")]

    def compare():
        own.comparing.added_after((0, shop.large.id("evt", MANY - 9)), 5)
        with own.transaction():
            look_at_new(own, ids)

    assert shop.slow(shop.plans(compare)) == []
    assert [pair[0] for pair in own.duplicates.of_user(ids[0], 1)] == [tuple(ids)]


def newcomer(shop: Shop, name: str) -> str:
    """Somebody who has come and written since; others were one with half of the app."""
    shop.proving.begin(shop.proving.session(userId=name))
    return shop.proving.known(userId=name)


def test_what_is_done_to_one_of_many_users_reads_nothing_of_others(shop):
    jane, mike = newcomer(shop, "jane"), newcomer(shop, "mike")

    def merge_and_undo() -> None:
        merge = succeed(as_agent(shop, "POST", "merges", {"from": jane, "into": mike})).json["id"]
        succeed(as_agent(shop, "DELETE", f"merges/{merge}"))

    plans = shop.plans(merge_and_undo)
    for method, path in (("GET", "/export"), ("DELETE", "")):
        plans += shop.plans(lambda: succeed(as_agent(shop, method, f"users/{jane}{path}")))  # noqa: B023

    # Files that are due are removed with whatever is erased, a hundred at a time; and nobody has gathered
    # words, so there is no index to use.
    others = '"removals"', '"search_index"'
    assert [plan for plan in shop.slow(plans) if not any(name in plan for name in others)] == []


def test_who_is_idle_is_erased_by_indexes(shop):
    own = Store(shop.database).of(shop.large.app)
    id = shop.proving.login(deviceId=device_id(10 * MANY))["user"]["id"]
    in_a_while = now() + DAY

    plans = shop.plans(lambda: erase_idle(own, id, Idle(in_a_while, in_a_while, 0)))

    assert shop.slow(plans) == []
    assert shop.proving.get(f"/v1/users/{id}").status_code == 404


def test_an_unknown_credential_is_looked_for_by_an_index(shop):
    unknown = [f"{key[:-4]}0000" for key in (shop.proving.sk, shop.visitor)]

    plans = shop.plans(
        lambda: [shop.proving.call("GET", "/v1/conversations", credential) for credential in unknown]
    )

    assert shop.slow(plans) == []


def test_how_all_webhooks_do_is_told_by_two_looks_for_each(shop):
    """Whatever they have not taken: thousands of events each, and one of them as many deliveries."""
    looks = 2 * MANY
    with suppress(Undone), shop.database.transaction():
        for table, change in ((Webhooks, {"xid": 0, "event": ""}), (Deliveries, {"due": 1})):
            shop.database.change(table.update(**change).where(table.app == shop.large.app))
        plans = shop.plans(Store(shop.database).webhooks.health)
        raise Undone

    assert [set(plan.scanned) - {"webhooks"} for plan in plans if set(plan.scanned) - {"webhooks"}] == []
    # On PostgreSQL there is another large app, with as many webhooks.
    most = 100 * looks if shop.database.is_sqlite else looks + MANY + SMALL_APPS
    assert [plan.statement for plan in plans if plan.read > most] == []


def test_what_follows_an_event_is_found_though_all_are_of_one_transaction(shop):
    with suppress(Undone), shop.database.transaction():
        shop.database.change(Events.update(xid=0).where(Events.app == shop.large.app))
        feed = Store(shop.database).of(shop.large.app).feed
        plans = shop.plans(lambda: feed.after((0, shop.large.id("evt", MANY - 9)), (), 5))
        raise Undone

    assert shop.slow(plans) == []


NAMED = Users.select(Users.id).where(Users.name == "User 1999")
OF_NO_INDEX = {
    "a column that no index holds": lambda app: NAMED.where(Users.app == app),
    "the first of those": lambda app: NAMED.where(Users.app == app).order_by(Users.id).limit(1),
    "a join by such a column": lambda app: (
        Messages.select(Messages.id)
        .join(Users, on=((Users.app == Messages.app) & (Users.name == Messages.agent_name)))
        .where((Messages.app == app) & (Messages.agent_name == "Jane"))
    ),
    "an order of no index": lambda app: (
        Conversations.select().where(Conversations.app == app).order_by(Conversations.created_at).limit(20)
    ),
    "a change": lambda app: Users.update(name="").where((Users.app == app) & (Users.name == "User 7")),
    "a removal": lambda app: Keys.delete().where(Keys.id == "key_1"),
}


@pytest.mark.parametrize("query", OF_NO_INDEX.values(), ids=OF_NO_INDEX)
def test_a_statement_that_no_index_serves_is_found(shop, query):
    sql = shop.database.peewee.get_sql_context().sql(query(shop.large.app)).query()
    with shop.database.connected():
        plans = plans_of(shop.database.peewee, *sql)

    assert plans
    assert len(shop.slow(plans)) == len(plans)
