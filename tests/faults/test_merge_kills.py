"""Killed at any statement of a merge or of its undo, a process leaves all of it behind or nothing."""

import re
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from service.api.context import NAME
from service.config import Config
from service.desk.checking import check
from service.store import Store
from service.store.database import Database
from service.store.migrating import migrate
from service.store.tables import TABLES
from tests.conftest import ENGINES, Databases, patient
from tests.support.kills import do, killed_at
from tests.support.marks import LONG
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
    app = patient(Config(ADMIN_KEY, SECRET_KEY, url, login_rate=0, proof_failure_rate=0))
    store = app.extensions[NAME].store
    with closing(store.database), closing(Database(url, LONG)) as seeing_all:
        seeing_all.peewee.query_hooks.clear()
        yield Place(url, store, Store(seeing_all), Tenant.create(app.test_client(), ADMIN_KEY))


def buy(tenant: Tenant, user_id: str, account: str) -> None:
    store_account = {"store": "app_store", "account": account}
    bought = {"storeAccount": store_account, "product": "pro", "transaction": f"of {account}"}
    call(tenant, "purchases", bought | {"userId": user_id})


def somebody_with_everything(tenant: Tenant) -> str:
    """Make a user with aliases, conversations, purchases and sessions, in whom others are already."""
    joan = tenant.login(userId="u-2", email="joan@example.org", name="Joan")
    former, visitor = tenant.login(userId="u-3", email="joan@old.example"), tenant.login()
    id, anonymous = joan["user"]["id"], visitor["user"]["userId"]
    for login, user_id in ((joan, "u-2"), (former, "u-3"), (visitor, anonymous)):
        thread = tenant.begin(login["session"]["token"], f"Message of {user_id}")
        call(tenant, f"conversations/{thread}/messages", {"body": f"Answer to {user_id}"})
        buy(tenant, user_id, f"account of {user_id}")
    tenant.merge(former["user"]["id"], id)
    for user_id in ("u-4", anonymous):
        call(tenant, f"users/{id}/aliases", {"userId": user_id})
    tenant.login(userId="u-3"), tenant.login(email="joan@example.org")
    tenant.begin(tenant.sk, "From us", user=id)
    return id


def somebody_new(tenant: Tenant) -> str:
    """Make a user of whom nothing is known but an ID, with a conversation and a purchase."""
    new = tenant.login(userId="u-9")
    tenant.begin(new["session"]["token"], "Hello?")
    buy(tenant, "u-9", "google-1")
    return new["user"]["id"]


def call(tenant: Tenant, path: str, body: Any) -> None:
    made = tenant.call("POST", f"/v1/{path}", tenant.sk, body)
    assert made.status_code in (200, 201), made.text


def rows(store: Store, app: str) -> list[list[str]]:
    """Read all that the app owns, in an order that does not depend on how the store finds it."""
    # The number of a transaction is another each time.
    columns = [[one for one in table._meta.sorted_fields if one.name != "xid"] for table in TABLES]
    queries = [table.select(*of).where(table.app == app) for table, of in zip(TABLES, columns, strict=True)]
    return [sorted(map(repr, store.database.rows(query))) for query in queries]


class NotMeant(Exception):
    """Takes back what was only tried."""


def tried(store: Store, app: str, deed: str, *ids: str) -> list[list[str]]:
    """Return what there would be, had somebody done something."""
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
        made_up = r"\b(?:(?:mrg|hst|evt)_[0-9a-f]{32}|\d{13})\b"
        return re.sub(made_up, lambda found: found[0] if found[0] in known else "new", text)

    return [sorted(map(outlined, table)) for table in found]


@pytest.mark.parametrize("deed", ["merge", "undo"])
def test_a_process_killed_at_any_statement_leaves_all_or_nothing(place, deed):
    tenant, store, app = place.tenant, place.store, place.tenant.id
    ids = [somebody_with_everything(tenant), somebody_new(tenant)]
    if deed == "undo":
        ids = [tenant.merge(*ids)]
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
