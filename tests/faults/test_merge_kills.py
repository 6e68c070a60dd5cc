"""Killed at any statement of a merge or of its undo, a process leaves all of it behind or nothing."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from service.api.context import NAME
from service.app import create_app
from service.config import Config
from service.desk.checking import check
from service.store import Store
from service.store.database import Database
from service.store.migrating import migrate
from service.store.tables import TABLES
from tests.conftest import ENGINES, Databases
from tests.support.kills import do, killed_at
from tests.support.servers import ADMIN_KEY, SECRET_KEY
from tests.support.tenants import Tenant

# Of a merge and of its undo; fewer would mean that they are not what is counted.
FEWEST = 20


@dataclass(frozen=True)
class Place:
    """A store with one app, in which nothing else happens; ``operators`` is the same store, as the one
    sees it who may ask of all apps at once."""

    url: str
    store: Store
    operators: Store
    tenant: Tenant


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Place]:
    url = databases.fresh(request.param)
    migrate(url)
    app = create_app(Config(ADMIN_KEY, SECRET_KEY, url, login_rate=0, proof_failure_rate=0))
    store, operators = app.extensions[NAME].store, Store(Database(url))
    operators.database.peewee.query_hooks.clear()
    yield Place(url, store, operators, Tenant.create(app.test_client(), ADMIN_KEY))
    store.database.close()
    operators.database.close()


def somebody_with_everything(tenant: Tenant) -> str:
    """Make a user with aliases, conversations, purchases and sessions, in whom others are already."""
    joan = tenant.login(userId="u-2", email="joan@example.org", name="Joan")
    id, token = joan["user"]["id"], joan["session"]["token"]
    former, visitor = tenant.login(userId="u-3", email="joan@old.example"), tenant.login()
    for number, key in enumerate([token, former["session"]["token"], visitor["session"]["token"]]):
        thread = tenant.begin(key, f"Message {number}")
        call(tenant, f"conversations/{thread}/messages", {"body": f"Answer {number}"})
    for number, user_id in enumerate(["u-2", "u-3", visitor["user"]["userId"]]):
        account = {"store": "app_store", "account": f"apple-{number}"}
        bought = {"userId": user_id, "storeAccount": account, "product": "pro", "transaction": f"t-{number}"}
        call(tenant, "purchases", bought)
    call(tenant, "merges", {"from": former["user"]["id"], "into": id})
    for user_id in ("u-4", visitor["user"]["userId"]):
        call(tenant, f"users/{id}/aliases", {"userId": user_id})
    tenant.login(userId="u-3"), tenant.login(email="joan@example.org")
    tenant.begin(tenant.sk, "From us", user=id)
    return id


def somebody_new(tenant: Tenant) -> str:
    """Make a user of whom nothing is known but an ID, with a conversation and a purchase."""
    new = tenant.login(userId="u-9")
    tenant.begin(new["session"]["token"], "Hello?")
    account = {"store": "play_store", "account": "google-1"}
    bought = {"storeAccount": account, "product": "basic", "transaction": "t-9"}
    call(tenant, "purchases", bought | {"userId": "u-9"})
    id: str = new["user"]["id"]
    return id


def call(tenant: Tenant, path: str, body: Any) -> Any:
    made = tenant.call("POST", f"/v1/{path}", tenant.sk, body)
    assert made.status_code in (200, 201), made.text
    return made.json


def rows(store: Store, app: str) -> list[list[str]]:
    """Read all that the app owns, in an order that does not depend on how the store finds it."""
    return [
        sorted(map(repr, store.database.rows(table.select().where(table.app == app)))) for table in TABLES
    ]


class NotMeant(Exception):
    """Takes back what was only tried."""


def tried(store: Store, app: str, deed: str, *ids: str) -> list[list[str]]:
    """Answer what there would be, had somebody done something."""
    found = []
    with suppress(NotMeant), store.transaction():
        do(store, app, deed, *ids)
        found = rows(store, app)
        raise NotMeant
    return found


def in_outline(found: list[list[str]], before: list[list[str]]) -> list[list[str]]:
    """Leave out what is made up anew each time: ids, and when it was."""
    known = set(re.findall(r"\w+", repr(before)))

    def outlined(text: str) -> str:
        made_up = r"\b(?:(?:mrg|hst)_[0-9a-f]{32}|\d{13})\b"
        return re.sub(made_up, lambda found: found[0] if found[0] in known else "new", text)

    return [sorted(map(outlined, table)) for table in found]


@pytest.mark.parametrize("deed", ["merge", "undo"])
def test_a_process_killed_at_any_statement_leaves_all_or_nothing(place, deed):
    tenant, store, app = place.tenant, place.store, place.tenant.id
    ids = [somebody_with_everything(tenant), somebody_new(tenant)]
    if deed == "undo":
        ids = [call(tenant, "merges", {"from": ids[0], "into": ids[1]})["id"]]
    before = rows(store, app)
    complete = in_outline(tried(store, app, deed, *ids), before)
    assert rows(store, app) == before

    for moment in count(1):
        assert killed_at(moment, place.url, app, deed, *ids)
        left = rows(store, app)

        assert [finding for finding in check(place.operators) if finding.places] == []
        if left != before:
            break

    assert in_outline(left, before) == complete
    assert moment > FEWEST
