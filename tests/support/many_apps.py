"""Fill a database with more than a plan could read by the way: many apps, and two of them large."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.bulk import Rows, write
from service.model.identifiers import digest, new_credential, new_id, user_id_digest
from service.store.merges import EMPTY
from service.store.tables import TABLES
from service.times import now

# Of each kind of row in each large app.
MANY = 2_000
# So that even of their table a database would not rather read all.
SMALL_APPS = 1_500

Row = tuple[Any, ...]
# Returns our id of a thing, by its kind and its number.
Id = Callable[[str, int], str]


@dataclass(frozen=True)
class LargeApp:
    """One large app: its keys, and what its people are called by their number."""

    app: str
    sk: str
    pk: str

    @classmethod
    def gather(cls) -> "LargeApp":
        """Name an app and its keys."""
        app = new_id("app")
        return cls(app, new_credential("sk", app), new_credential("pk", app))

    def id(self, kind: str, number: int) -> str:
        """Our id of a user, a conversation or another thing."""
        return f"{kind}_{self.app[4:12]}{number:024x}"

    def rows(self, settings: str, many: int) -> dict[str, list[Row]]:
        """Return the rows of each table, of most of them ``many``."""
        at = now()
        keys = (("secret", self.sk), ("publishable", self.pk))
        return {
            "apps": [("Large", settings, at)],
            "keys": [(new_id("key"), kind, digest(key), at) for kind, key in keys],
            "search_progress": [(1, self.id("evt", 1))],
            "duplicate_progress": [(1, self.id("evt", 1))],
        } | {table: [row(self.id, n, at) for n in range(many)] for table, row in EACH.items()}


def device_id(number: int) -> str:
    """Return the ID of a device."""
    return f"device-{number:012}"


def _became(n: int) -> int:
    """Return whom a user is part of: some in the second half each of another in the first."""
    return n - MANY // 2 if n % 10 == 9 and n >= MANY // 2 else n


def _user(id: Id, n: int, at: int) -> Row:
    into = None if _became(n) == n else id("usr", _became(n))
    email, name = f"user-{n}@example.org", f"User {n}"
    return id("usr", n), True, f"user-{n}", email, email, name, name.lower(), into, at


def _conversation(id: Id, n: int, at: int) -> Row:
    # Every third is of one user, who wrote a lot.
    user, status = id("usr", n if n % 3 else 0), "resolved" if n % 5 == 0 else "open"
    return id("cnv", n), user, user, digest(device_id(n)), status, MANY, 0, 1, at - n, at - n


def _message(id: Id, n: int, at: int) -> Row:
    # Every other is of one conversation.
    within = 0 if n % 2 else n
    author = id("usr", within if within % 3 else 0)
    return id("cnv", within), n, id("msg", n), "user", author, "Hello", True, at


def _attachment(id: Id, n: int, at: int) -> Row:
    # One of each message, and some wait for one.
    conversation, _, message, side, author, *_ = _message(id, n, at)
    named = None if n % 100 == 0 else message
    return id("att", n), conversation, side, author, named, "parcel.png", "image/png", 9, "0" * 64, at


def _field(id: Id, n: int, at: int) -> Row:
    # Of every other user both are kept.
    who, name, value = (n - 1, "email", f"user-{n - 1}@example.org") if n % 2 else (n, "name", f"User {n}")
    return id("usr", who), name, value, 0


COLUMNS = {
    "apps": "name settings created_at",
    "events": "id xid type at user",
    "removals": "file due",
    "webhooks": "id url types xid event leased_until failures rests_until milliseconds created_at",
    "webhook_secrets": "webhook id sealed created_at",
    "deliveries": "webhook event type at user state due attempts failures",
    "attempts": "webhook event number at milliseconds status",
    "keys": "id kind digest created_at",
    "users": "id verified user_id email email_key name name_key merged_into created_at",
    "user_ids": "verified digest user home value search added_at",
    "devices": "digest anonymous clears created_at",
    "sessions": "device token user home verified began_at used_at",
    "conversations": "id user home device status messages unread_by_user unread_by_agent created_at "
    "updated_at",
    "messages": "conversation number id side author body verified created_at",
    "attachments": "id conversation side author message name type size sha256 created_at",
    "store_accounts": "digest verified user home store account claimed_at",
    "purchases": "account digest id product transaction purchased_at",
    "attributes": "home name value at",
    "contacts": "home device user email email_key phone phone_key at",
    "fields": "home name value rank",
    "duplicate_keys": "key home user source value",
    "duplicates": "first second doubt signals",
    "dismissals": "home other_home user other_user at",
    "search_progress": "xid event",
    "duplicate_progress": "xid event",
    "merges": "id source target rule ledger created_at",
    "history": "user id at event by request",
    "idempotency_keys": "scope key request made home created_at",
    "repeats": "user by key request made created_at",
    "rates": "kind address minute count",
    "sign_ins": "digest key began_at",
    "operator_sessions": "digest began_at",
    "imports": "id state key size stored sha256 options created_at until people steps rejects_size"
    " leased_until tries",
}
EACH: dict[str, Callable[[Id, int, int], Row]] = {
    # All are at the last event, and to one most was delivered.
    "webhooks": lambda id, n, at: (
        (id("whk", n), "https://a.example/", "", MANY, id("evt", MANY), 0, 0, 0, 0, at)
    ),
    "webhook_secrets": lambda id, n, at: (id("whk", n), id("whs", n), "sealed", at),
    "deliveries": lambda id, n, at: (
        (id("whk", 0), id("evt", n), "user.updated", at, id("usr", n), "delivered", None, 1, 0)
    ),
    "attempts": lambda id, n, at: (id("whk", 0), id("evt", n), 1, at, 9, 204),
    "events": lambda id, n, at: (id("evt", n), n, "user.updated" if n else "user.cleared", at, id("usr", n)),
    "removals": lambda id, n, at: (id("att", MANY + n), at - n),
    "users": _user,
    "user_ids": lambda id, n, at: (
        (True, user_id_digest(f"user-{n}"), id("usr", _became(n)), id("usr", n), f"user-{n}", f"user-{n}", at)
    ),
    "devices": lambda id, n, at: (digest(device_id(n)), id("usr", n) if n > MANY // 2 else None, False, at),
    "sessions": lambda id, n, at: (
        (digest(device_id(n)), digest(id("tok", n)), *[id("usr", _became(n))] * 2, True, at, at)
    ),
    "conversations": _conversation,
    "messages": _message,
    "attachments": _attachment,
    "store_accounts": lambda id, n, at: (digest(str(n)), True, *[id("usr", n)] * 2, "play", str(n), at),
    "purchases": lambda id, n, at: (digest(str(n)), digest(f"t{n}"), id("pur", n), "gold", f"t{n}", at),
    # Fifty are of one user, as many as are shown.
    "attributes": lambda id, n, at: (id("usr", 0 if n % 2 and n < 100 else n), f"name-{n}", '"blue"', at),
    "contacts": lambda id, n, at: (
        (id("usr", n), "", id("usr", _became(n)), *[f"c-{n}@example.org"] * 2, f"+49 {n:06}", f"49{n:06}", at)
    ),
    "fields": _field,
    # Every other pair has one mailbox, and one is a crowd's.
    "duplicate_keys": lambda id, n, at: (
        (f"email box-{n // 2 if n % 50 else 0}", id("usr", n), id("usr", _became(n)), "email", f"v-{n}")
    ),
    "duplicates": lambda id, n, at: (id("usr", n), id("usr", n // 2), n % 50, "same-email"),
    "dismissals": lambda id, n, at: (*(id("usr", one) for one in (n, n // 2, n, n // 2)), at),
    "merges": lambda id, n, at: (id("mrg", n), id("usr", n), id("usr", n // 2), "merged", EMPTY, at),
    "history": lambda id, n, at: (id("usr", n // 2), id("hst", n), at, "created", "session", "-"),
    "idempotency_keys": lambda id, n, at: (
        (id("usr", n), str(n), digest(str(n)), id("msg", n), id("usr", n), at)
    ),
    "repeats": lambda id, n, at: (id("usr", n), "user", str(n), digest(str(n)), id("msg", n), at),
    "rates": lambda id, n, at: ("login", digest(str(n)), at // 60_000, 1),
    "sign_ins": lambda id, n, at: (digest(id("si", n)), id("key", n), at),
    "operator_sessions": lambda id, n, at: (digest(id("so", n)), at),
    "imports": lambda id, n, at: (id("imp", n), "done", "key", 1, 1, "", "", at, at, *[0] * 5),
}


def fill(url: str, apps: dict[LargeApp, str]) -> None:
    """Fill a migrated database, which nobody has open, with large apps of these settings and small ones. On
    PostgreSQL they are there since the server last looked at its tables."""
    small = [LargeApp.gather() for _ in range(SMALL_APPS)]
    if not url.startswith("sqlite:"):
        write(url, _by_table({LargeApp.gather(): "{}"}, []))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")
    write(url, _by_table(apps, small))


def _by_table(apps: dict[LargeApp, str], small: list[LargeApp]) -> Iterator[Rows]:
    """Return the rows of each table, in the order in which they may be inserted."""
    made = {app: app.rows(settings, MANY) for app, settings in apps.items()}
    made |= {app: app.rows("{}", 0) for app in small}
    for table in (table._meta.table_name for table in TABLES):
        rows = [(app.app, *row) for app, tables in made.items() for row in tables.get(table, ())]
        yield table, ["app", *COLUMNS[table].split()], rows
