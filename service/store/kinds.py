"""What is moved with an app: each table's rows are lines of a kind, and a line's members are the columns.

A column that is added is moved too, under its name, unless it is declared here as left out, or as worked out.
A table that is added has to be declared, as a kind or with why it is left out; a test says so.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any

import orjson
from peewee import BigIntegerField, BooleanField, IntegerField, Model

from service.model.attachments import MAX_OF_MESSAGE, Attachment
from service.model.contacts import phone_key
from service.model.conversations import Side, Status
from service.model.history import Event
from service.model.identifiers import email_key, search_key, user_id_digest
from service.model.moving import BadLine
from service.store.attachments import as_text
from service.store.merges import as_merge
from service.store.purchases import account_digest
from service.store.tables import (
    Attachments,
    Attempts,
    Attributes,
    ConsoleSessions,
    Contacts,
    Conversations,
    Deliveries,
    Devices,
    Dismissals,
    DuplicateKeys,
    DuplicateProgress,
    Duplicates,
    Events,
    Fields,
    FormerKeys,
    History,
    IdempotencyKeys,
    Imports,
    Keys,
    Merges,
    Messages,
    OperatorSessions,
    Purchases,
    Rates,
    Removals,
    SearchProgress,
    Sessions,
    StoreAccounts,
    UserIds,
    Users,
    Webhooks,
    WebhookSecrets,
)
from service.times import rfc3339

# Of the columns of one row, by name, what is worked out of it.
Working = Callable[[Mapping[str, Any]], Any]

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
# Of RFC 3339 in UTC with milliseconds, as times are written here.
_TIME = len("1970-01-01T00:00:00.000Z")
# The largest whole number of PostgreSQL's integer.
_MAX_NUMBER = 2**31 - 1

# What stays behind, and why.
LEFT_OUT: dict[type[Model], str] = {
    Events: "they tell what changed in the former app; an import tells nobody",
    Webhooks: "two installations would call one URL: add them again",
    WebhookSecrets: "they are encrypted under SECRET_KEY",
    Deliveries: "they are of webhooks",
    Attempts: "they are of webhooks",
    Keys: "they name their app in clear, and identity secrets are encrypted under SECRET_KEY: make new ones",
    Sessions: "their tokens name their app in clear",
    IdempotencyKeys: "they are kept for some hours, for calls to the former app",
    FormerKeys: "as idempotency keys",
    Rates: "they are of the last minute",
    Attachments: "messages name theirs; what none names is kept for a day",
    Removals: "they are of the former app's files",
    DuplicateKeys: "they follow from emails, contacts and store accounts; of devices they are noted anew",
    Duplicates: "they follow from those",
    ConsoleSessions: "they were begun with a key that stays behind",
    OperatorSessions: "they are of no app",
    Imports: "they are kept for a day, and encrypted under SECRET_KEY",
    SearchProgress: "the index of searches is filled anew",
    DuplicateProgress: "it is of the former app's events",
}


def _keyed(column: str, key: Callable[[str], str]) -> Working:
    return lambda row: row[column] and key(row[column])


def _found_by(row: Mapping[str, Any]) -> str | None:
    counts = row["name"] == "email" and row["rank"] >= 0 and row["value"]
    return email_key(row["value"]) if counts else None


@dataclass(frozen=True)
class Kind:
    """A kind of line: the rows of a table, each of which names by its column ``of`` whose it is.

    ``names`` are the members that are called otherwise than their columns, ``worked_out`` the columns that
    follow from others, ``from_other_lines`` those that follow from other rows, ``left_out`` those that stay
    behind, with why; ``as_json`` are columns of JSON, with what reads them, and ``choices`` the
    texts that there may be in some.
    ``order`` is in which order the rows of one person stand.
    """

    name: str
    table: type[Model]
    of: str
    order: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    worked_out: Mapping[str, Working] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    from_other_lines: tuple[str, ...] = ()
    as_json: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    choices: Mapping[str, type[StrEnum]] = field(default_factory=dict)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that are members of its lines."""
        beside = {"app", *self.worked_out, *self.left_out, *self.from_other_lines}
        return tuple(name for name in self.table._meta.columns if name not in beside)

    @cached_property
    def members(self) -> tuple[str, ...]:
        """What these columns are called in a line."""
        return tuple(self.names.get(column) or _in_camel_case(column) for column in self.columns)

    @cached_property
    def fields(self) -> list[Any]:
        """These columns, as a query selects them."""
        return [self.table._meta.columns[name] for name in self.columns]

    @cached_property
    def written(self) -> tuple[str, ...]:
        """The columns that are written into the table."""
        return ("app", *self.columns, *self.worked_out)

    def place(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return by what the rows of one person are sorted."""
        return tuple(values[place] for place in self._order)

    def new(self, **values: Any) -> tuple[Any, ...]:
        """Return the values of a row of which only these are known."""
        return tuple(values.get(name) for name in self.columns)

    def row(self, app: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values of ``written`` for the values of a line."""
        if not self.worked_out:
            return (app, *values)
        row = dict(zip(self.columns, values, strict=True))
        return (app, *values, *(work_out(row) for work_out in self.worked_out.values()))

    def line(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return a line that says the values of a row."""
        said = zip(self.members, self._writing, values, strict=True)
        line = {name: write(value) if write and value is not None else value for name, write, value in said}
        return {"kind": self.name} | line

    def values(self, line: dict[str, Any]) -> tuple[Any, ...]:
        """Return the values of ``columns`` that a line says. Raises BadLine."""
        if len(line) != len(self.members) + 1:
            unknown = sorted(line.keys() - {"kind", *self.members})
            missing = sorted({*self.members} - line.keys())
            raise BadLine(f"{self.name}: unknown members {unknown}, missing members {missing}")
        try:
            return tuple(
                [
                    None if (value := line[name]) is None and is_optional else read(value)
                    for name, is_optional, read in self._reading
                ]
            )
        except (TypeError, ValueError, KeyError):
            raise BadLine(f"{self.name}: {self._misfit(line)} is not what it has to be") from None

    def _misfit(self, line: dict[str, Any]) -> str:
        def fits(name: str, is_optional: bool, read: Callable[[Any], Any]) -> bool:
            try:
                return (line[name] is None and is_optional) or read(line[name]) is not None
            except (TypeError, ValueError, KeyError):
                return False

        return next(one[0] for one in self._reading if not fits(*one))

    @cached_property
    def _order(self) -> tuple[int, ...]:
        return tuple(map(self.columns.index, self.order))

    @cached_property
    def _writing(self) -> list[Callable[[Any], Any] | None]:
        return [self._writer(self.table._meta.columns[name]) for name in self.columns]

    def _writer(self, column: Any) -> Callable[[Any], Any] | None:
        if column.column_name in self.as_json:
            return orjson.loads
        if isinstance(column, BigIntegerField):
            return rfc3339
        # SQLite knows numbers only.
        return bool if isinstance(column, BooleanField) else None

    @cached_property
    def _reading(self) -> list[tuple[str, bool, Callable[[Any], Any]]]:
        columns = [self.table._meta.columns[name] for name in self.columns]
        return [
            (name, column.null, self._reader(column))
            for name, column in zip(self.members, columns, strict=True)
        ]

    def _reader(self, column: Any) -> Callable[[Any], Any]:
        if column.column_name in self.as_json:
            return self.as_json[column.column_name]
        if column.column_name in self.choices:
            allowed = {choice.value: choice.value for choice in self.choices[column.column_name]}
            return allowed.__getitem__
        for kind, read in ((BigIntegerField, _time), (BooleanField, _boolean), (IntegerField, _number)):
            if isinstance(column, kind):
                return read
        return _text


def _in_camel_case(column: str) -> str:
    first, *others = column.split("_")
    return first + "".join(word.capitalize() for word in others)


def _text(value: Any) -> str:
    # PostgreSQL keeps no NUL.
    if type(value) is not str or "\0" in value:
        raise ValueError
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError
    return value


def _number(value: Any) -> int:
    if type(value) is not int or abs(value) > _MAX_NUMBER:
        raise ValueError
    return value


# Of one person many are the same.
@lru_cache(maxsize=4096)
def _time(value: Any) -> int:
    if type(value) is not str or len(value) != _TIME or value[-1] != "Z":
        raise ValueError
    since = datetime.fromisoformat(value) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _json(value: Any) -> str:
    # As it is written everywhere else, so that it is the same text again.
    text = json.dumps(value)
    if "\\u0000" in text:
        raise ValueError
    return text


def _value(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise ValueError
    return _json(value)


def _members(value: Any) -> str:
    if not isinstance(value, dict):
        raise ValueError
    return _json(value)


def _ledger(value: Any) -> str:
    text = _members(value)
    as_merge(("", "", "", "", text, 0, None))
    return text


def _attachments(value: Any) -> str:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_OF_MESSAGE:
        raise ValueError
    found = [Attachment(**members) for members in value]
    for one in found:
        _number(one.size)
        for text in (one.id, one.name, one.type, one.sha256):
            _text(text)
    return as_text(found) or ""


DEVICE = Kind(
    "device",
    Devices,
    "digest",
    ("digest",),
    left_out={
        "anonymous": "it stands with its user, as a line of its own",
        "last_user": "users come later; the next login notes it",
    },
)
USER = Kind(
    "user",
    Users,
    "id",
    (),
    worked_out={
        "email_key": _keyed("email", email_key),
        "name_key": _keyed("name", search_key),
        # It counts changes in this store.
        "version": lambda _: 1,
    },
    from_other_lines=("attributes",),
)
USER_ID = Kind(
    "userId",
    UserIds,
    "user",
    ("added_at", "value", "verified"),
    names={"value": "userId"},
    worked_out={
        "digest": _keyed("value", user_id_digest),
        "search": _keyed("value", search_key),
    },
)
STORE_ACCOUNT = Kind(
    "storeAccount",
    StoreAccounts,
    "user",
    ("claimed_at", "store", "account", "verified"),
    worked_out={"digest": lambda row: account_digest(row["store"], row["account"], row["verified"])},
)
PURCHASE = Kind(
    "purchase",
    Purchases,
    "account",
    ("account", "purchased_at", "id"),
    worked_out={"digest": lambda row: hashlib.sha256(row["transaction"].encode()).hexdigest()},
)
CONVERSATION = Kind("conversation", Conversations, "user", ("id",), choices={"status": Status})
MESSAGE = Kind(
    "message",
    Messages,
    "conversation",
    ("conversation", "number"),
    as_json={"attachments": _attachments},
    choices={"side": Side},
)
ATTRIBUTE = Kind("attribute", Attributes, "home", ("home", "name"), as_json={"value": _value})
CONTACT = Kind(
    "contact",
    Contacts,
    "home",
    ("home", "device"),
    worked_out={"email_key": _keyed("email", email_key), "phone_key": _keyed("phone", phone_key)},
)
DISMISSAL = Kind("dismissal", Dismissals, "home", ("home", "other_home"))
FIELD = Kind("field", Fields, "home", ("home", "name"), worked_out={"key": _found_by})
MERGE = Kind(
    "merge",
    Merges,
    "source",
    ("id",),
    names={"source": "from", "target": "into"},
    as_json={"ledger": _ledger},
)
HISTORY = Kind(
    "history",
    History,
    "user",
    ("id",),
    as_json={"before": _members, "after": _members},
    choices={"event": Event},
)

# Of a line that says whose anonymous user somebody is: a device, and a user.
ANONYMOUS = "anonymous"
# What is a person's, in the order in which it stands in a file, and may be written.
OF_A_PERSON = (
    USER,
    USER_ID,
    STORE_ACCOUNT,
    PURCHASE,
    CONVERSATION,
    MESSAGE,
    ATTRIBUTE,
    CONTACT,
    DISMISSAL,
    FIELD,
    MERGE,
    HISTORY,
)
# Of an app, the members of the first line, and what stays behind.
OF_AN_APP = {"app": "id", "name": "name", "settings": "settings", "created_at": "createdAt"}
LEFT_OUT_OF_AN_APP = {
    "made_with": "it is of the call that made the former app",
    "tidy_at": "each installation tidies by itself",
}
