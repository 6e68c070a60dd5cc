"""Fill a database with more than a plan could read by the way: many apps, and two of them large."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.bulk import Rows, write
from service.model.identifiers import digest, new_credential, new_id, user_id_digest
from service.store.tables import TABLES
from service.times import now

# Of each kind of row in each large app.
MANY = 2_000
# So that even of their table a database would not rather read all.
SMALL_APPS = 1_500

Row = dict[str, Any]


@dataclass(frozen=True)
class Crowd:
    """One large app: its keys, and what its people are called by their number."""

    app: str
    sk: str
    pk: str

    @classmethod
    def gather(cls) -> "Crowd":
        """Name an app and its keys."""
        app = new_id("app")
        return cls(app, new_credential("sk", app), new_credential("pk", app))

    def id(self, kind: str, number: int) -> str:
        """Our id of a user, a conversation or another thing."""
        return f"{kind}_{self.app[4:12]}{number:024x}"

    def rows(self, settings: str, many: int) -> dict[str, list[Row]]:
        """Answer the rows of each table, of most of them ``many``."""
        at = now()
        keys = (("secret", self.sk), ("publishable", self.pk))
        return {
            "apps": [{"name": "Large", "settings": settings, "created_at": at}],
            "keys": [
                {"id": new_id("key"), "kind": kind, "digest": digest(key), "created_at": at}
                for kind, key in keys
            ],
        } | {table: [row(self, number, at) for number in range(many)] for table, row in EACH.items()}


def device_id(number: int) -> str:
    """Answer the ID of a device."""
    return f"device-{number:012}"


def _became(n: int) -> int:
    """Answer whom a user is part of: some in the second half each of another in the first."""
    return n - MANY // 2 if n % 10 == 9 and n >= MANY // 2 else n


def _user(crowd: Crowd, n: int, at: int) -> Row:
    into = _became(n)
    email, name = f"user-{n}@example.org", f"User {n}"
    return {
        "id": crowd.id("usr", n),
        "verified": True,
        "user_id": f"user-{n}",
        "email": email,
        "email_key": email,
        "name": name,
        "name_key": name.lower(),
        "merged_into": None if into == n else crowd.id("usr", into),
        "created_at": at,
    }


def _user_id(crowd: Crowd, n: int, at: int) -> Row:
    value = f"user-{n}"
    return {
        "verified": True,
        "digest": user_id_digest(value),
        "user": crowd.id("usr", _became(n)),
        "home": crowd.id("usr", n),
        "value": value,
        "search": value,
        "added_at": at,
    }


def _device(crowd: Crowd, n: int, at: int) -> Row:
    anonymous = crowd.id("usr", n) if n > MANY // 2 else None
    return {"digest": digest(device_id(n)), "anonymous": anonymous, "clears": False, "created_at": at}


def _session(crowd: Crowd, n: int, at: int) -> Row:
    user = crowd.id("usr", _became(n))
    return {
        "device": digest(device_id(n)),
        "token": digest(f"{crowd.app} {n}"),
        "user": user,
        "home": user,
        "verified": True,
        "began_at": at,
        "used_at": at,
    }


def _conversation(crowd: Crowd, n: int, at: int) -> Row:
    # Every third is of one user, who wrote a lot.
    user = crowd.id("usr", n if n % 3 else 0)
    return {
        "id": crowd.id("cnv", n),
        "user": user,
        "home": user,
        "device": digest(device_id(n)),
        "status": "resolved" if n % 5 == 0 else "open",
        "messages": MANY,
        "unread_by_user": 0,
        "unread_by_agent": 1,
        "created_at": at - n,
        "updated_at": at - n,
    }


def _message(crowd: Crowd, n: int, at: int) -> Row:
    # Every other is of one conversation.
    within = 0 if n % 2 else n
    return {
        "conversation": crowd.id("cnv", within),
        "number": n,
        "id": crowd.id("msg", n),
        "side": "user",
        "author": crowd.id("usr", within if within % 3 else 0),
        "body": "Hello",
        "verified": True,
        "created_at": at,
    }


def _account(crowd: Crowd, n: int, at: int) -> Row:
    user = crowd.id("usr", n)
    return {
        "digest": digest(str(n)),
        "verified": True,
        "user": user,
        "home": user,
        "store": "play",
        "account": str(n),
        "claimed_at": at,
    }


def _purchase(crowd: Crowd, n: int, at: int) -> Row:
    return {
        "account": digest(str(n)),
        "digest": digest(f"t{n}"),
        "id": crowd.id("pur", n),
        "product": "gold",
        "transaction": f"t{n}",
        "purchased_at": at,
    }


def _attribute(crowd: Crowd, n: int, at: int) -> Row:
    # Every other is of one user.
    home = crowd.id("usr", 0 if n % 2 else n)
    return {"home": home, "name": f"name-{n}", "value": '"blue"', "at": at}


def _field(crowd: Crowd, n: int, at: int) -> Row:
    # Of every other user both are kept.
    who, name, value = (n - 1, "email", f"user-{n - 1}@example.org") if n % 2 else (n, "name", f"User {n}")
    return {"home": crowd.id("usr", who), "name": name, "value": value, "rank": 0}


def _merge(crowd: Crowd, n: int, at: int) -> Row:
    return {
        "id": crowd.id("mrg", n),
        "source": crowd.id("usr", n),
        "target": crowd.id("usr", n // 2),
        "rule": "merged",
        "ledger": "{}",
        "created_at": at,
    }


def _entry(crowd: Crowd, n: int, at: int) -> Row:
    return {
        "user": crowd.id("usr", n // 2),
        "id": crowd.id("hst", n),
        "at": at,
        "event": "created",
        "by": "session",
        "request": "-",
    }


def _repeat(crowd: Crowd, n: int, at: int) -> Row:
    return {
        "user": crowd.id("usr", n),
        "by": "user",
        "key": str(n),
        "request": digest(str(n)),
        "made": crowd.id("msg", n),
        "created_at": at,
    }


def _rate(crowd: Crowd, n: int, at: int) -> Row:
    return {"kind": "login", "address": digest(str(n)), "minute": at // 60_000, "count": 1}


def _sign_in(crowd: Crowd, n: int, at: int) -> Row:
    return {"digest": digest(f"si {n}"), "key": crowd.id("key", n), "began_at": at}


EACH: dict[str, Callable[[Crowd, int, int], Row]] = {
    "users": _user,
    "user_ids": _user_id,
    "devices": _device,
    "sessions": _session,
    "conversations": _conversation,
    "messages": _message,
    "store_accounts": _account,
    "purchases": _purchase,
    "attributes": _attribute,
    "fields": _field,
    "merges": _merge,
    "history": _entry,
    "repeats": _repeat,
    "rates": _rate,
    "sign_ins": _sign_in,
}


def fill(url: str, crowds: dict[Crowd, str]) -> None:
    """Fill a migrated database that nobody has open with crowds and their settings, and with small apps."""
    small = [Crowd.gather() for _ in range(SMALL_APPS)]
    write(url, _by_table(crowds, small))
    if not url.startswith("sqlite:"):
        # In time the server does so by itself; SQLite never does.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")


def _by_table(crowds: dict[Crowd, str], small: list[Crowd]) -> Iterator[Rows]:
    """Answer the rows of each table in the order in which they may be inserted, as one width."""
    made = {crowd: crowd.rows(settings, MANY) for crowd, settings in crowds.items()}
    made |= {crowd: crowd.rows("{}", 0) for crowd in small}
    for table in (table._meta.table_name for table in TABLES):
        rows = [{"app": crowd.app} | row for crowd, tables in made.items() for row in tables.get(table, ())]
        yield table, list(rows[0]), [tuple(row.values()) for row in rows]
