"""Apps and their keys."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from enum import StrEnum
from functools import lru_cache
from typing import Any

from peewee import IntegrityError

from service.model.apps import ERASED, App, Key, KeyKind, ProofKind, Settings
from service.model.errors import StaleState
from service.model.idempotency_keys import IdempotencyKey
from service.model.revocations import Revoked
from service.model.webhooks import Disabled
from service.store.attachments import AT_ONCE
from service.store.attachments import forget as forget_files
from service.store.database import Database
from service.store.engine.prepared import Prepared, Question, Rows
from service.store.forgetting import USERS, Step, forget, page
from service.store.forgetting import Key as Place
from service.store.indexed import forget_conversations
from service.store.tables import (
    OF_ENGINES,
    TABLES,
    Apps,
    Attachments,
    Conversations,
    Imports,
    Keys,
    Messages,
    Removals,
    Users,
    Webhooks,
)

APP_COLUMNS = (Apps.app, Apps.name, Apps.settings, Apps.created_at)
KEY_COLUMNS = (Keys.id, Keys.kind, Keys.created_at, Keys.last_used_at, Keys.proof)
# What of an app is erased with it, in an order that keeps foreign keys: the bytes of files come later.
ERASED_TABLES: tuple[Any, ...] = tuple(table for table in reversed(TABLES) if table is not Removals)
# … of which an app has one row in some, and any number in others. Conversations go with their messages.
_ONE_ROW = tuple(
    table for table in ERASED_TABLES if table is Apps or len(table._meta.primary_key.field_names) == 1
)
PAGED = tuple(table for table in ERASED_TABLES if table not in (Conversations, Messages, *_ONE_ROW))
# What the columns of an app are called beside those of others, and those of a key with its app.
APP_NAMES = ["app", *(f"app_{column.column_name}" for column in APP_COLUMNS[1:])]
HOLDER = [*(f"key_{column.column_name}" for column in KEY_COLUMNS), *APP_NAMES]


class AllApps:
    """The apps themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[App, ...]:
        """Return every app, oldest first, but for those that are being erased."""
        return tuple(app for app in self._all() if not app.is_erased)

    def with_webhooks(self) -> tuple[str, ...]:
        """Return the apps that have webhooks which are not switched off, by their ids."""
        rows = self._database.rows(
            Webhooks.select(Webhooks.app).where(Webhooks.disabled.is_null()).distinct().order_by(Webhooks.app)
        )
        return tuple(app for (app,) in rows)

    def with_imports(self) -> tuple[str, ...]:
        """Return the apps into which somebody has sent files of people, by their ids."""
        rows = self._database.rows(Imports.select(Imports.app).distinct().order_by(Imports.app))
        return tuple(app for (app,) in rows)

    def untidy(self, at: int) -> tuple[App, ...]:
        """Return the apps that are to be tidied by now, oldest first."""
        query = Apps.select(*APP_COLUMNS, Apps.tidy_at).order_by(Apps.created_at, Apps.app)
        rows = self._database.rows(query)
        return tuple(as_app(tuple(row)) for *row, due in rows if due is None or due <= at)

    def erased(self) -> tuple[App, ...]:
        """Return the apps that are being erased, oldest first."""
        return tuple(app for app in self._all() if app.is_erased)

    def _all(self) -> Iterator[App]:
        return map(as_app, self._database.rows(Apps.select(*APP_COLUMNS).order_by(Apps.created_at, Apps.app)))

    def claim_tidying(self, app: str, at: int, until: int) -> bool:
        """Have nobody else tidy an app until a time; return whether it was due, and nobody was before."""
        is_due = Apps.tidy_at.is_null() | (Apps.tidy_at <= at)
        return self._database.change(Apps.update(tidy_at=until).where((Apps.app == app) & is_due)) > 0

    def tidied(self, app: str, until: int, next_at: int) -> None:
        """Have an app tidied again at a time, which nobody else was to tidy until then; at once, if somebody
        has asked for that meanwhile."""
        is_mine = Apps.tidy_at == until
        self._database.change(Apps.update(tidy_at=next_at).where((Apps.app == app) & is_mine))

    def with_old_files(self, waiting: int, at: int) -> tuple[str, ...]:
        """Return, by their ids, those that have attachments which wait since a time or before, or files whose
        bytes are due; an app that is erased may."""
        is_old = Attachments.message.is_null() & (Attachments.created_at <= waiting)
        old = Attachments.select(Attachments.app).where(is_old).distinct()
        due = Removals.select(Removals.app).where(Removals.due <= at).distinct()
        return tuple(sorted({app for query in (old, due) for (app,) in self._database.rows(query)}))

    def with_id(self, app: str) -> App | None:
        """Find an app."""
        return _unless_erased(self._database.row(_app(app)))

    def lock(self, app: str) -> App | None:
        """Find an app, and keep others from changing it until the transaction ends."""
        query = Apps.select(*APP_COLUMNS).where(Apps.app == app)
        # Every new user and device refers to its app, so under load a lock that waits for those never comes.
        return _unless_erased(self._database.row(self._database.locked(query, "NO KEY UPDATE")))

    def made_with(self, key: IdempotencyKey) -> tuple[str, App] | None:
        """Find the app that the operator made with a key, and the digest of the request that did. Nobody else
        uses the key until the transaction ends. They are few, and looked through."""
        self._database.lock("", "apps")
        query = Apps.select(*APP_COLUMNS, Apps.made_with).order_by(Apps.created_at, Apps.app)
        for *columns, made_with in self._database.rows(query):
            request, _, text = (made_with or "").partition(" ")
            if text == key.text:
                return request, as_app(tuple(columns))
        return None

    def create(self, app: App, key: IdempotencyKey | None = None) -> None:
        """Add an app, made with a key of the operator's, if there is one."""
        self._database.change(
            Apps.insert(
                app=app.id,
                name=app.name,
                settings=_as_json(app.settings),
                made_with=key and f"{key.request} {key.text}",
                created_at=app.created_at,
            )
        )

    def update(self, app: App) -> None:
        """Set an app's name and settings."""
        self._database.change(
            Apps.update(name=app.name, settings=_as_json(app.settings)).where(Apps.app == app.id)
        )

    def shut(self, app: str, until: int) -> None:
        """Have an app be gone for everybody, though what is in it is there still; whoever tidies leaves that
        alone until a time."""
        gone = Apps.update(name="", settings=_as_json(ERASED), made_with=None, tidy_at=until)
        self._database.change(gone.where(Apps.app == app))
        self._database.change(Keys.delete().where(Keys.app == app))
        self._database.change(Webhooks.update(disabled=Disabled.BY_REQUEST.value).where(Webhooks.app == app))
        self._database.revoke(Revoked.APP_ERASED, app, app)

    def separate(self, app: str, after: Place) -> Step:
        """Have nobody on the page of an app's users after a key be part of another: all of them are to be
        erased, and others may be sooner."""
        rows, last = page(self._database, app, [Users.id], after)
        parts = (Users.app == app) & rows & Users.merged_into.is_null(False)
        change = Users.update(merged_into=None, email_key=None).where(parts)
        return Step(self._database.change(change), last)

    def erase_page(self, app: str, table: Any, after: Place) -> Step:
        """Erase what is of an app on the page of a table after a key, one of ``PAGED``."""
        if table is Attachments:
            rows, last = page(self._database, app, [Attachments.id], after)
            return Step(forget_files(self._database, app, rows), last)
        size = USERS if table is Users else None
        return forget(self._database, app, table, table.app == app, after, size)

    def erase(self, app: str) -> None:
        """Erase an app and all that is in it, but for what says which bytes are to be removed. Raises
        StaleState if somebody was about to add to it."""
        self._database.extend_deadline(600)
        forget_files(self._database, app, Attachments.app == app)
        if self._database.is_sqlite:
            conversations = Conversations.select(Conversations.id).where(Conversations.app == app)
            forget_conversations(self._database, app, [id for (id,) in self._database.rows(conversations)])
        for table in (*self._indexes(), *ERASED_TABLES[:-1]):
            self._erase_all_of(app, table)
        self.erase_last(app)

    def erase_last(self, app: str) -> None:
        """Erase what is left of an app that was erased by pages. Raises StaleState if somebody was about to
        add to it."""
        late = (Removals.app == app) & (Removals.due > AT_ONCE)
        self._database.change(Removals.update(due=AT_ONCE).where(late))
        for table in _ONE_ROW:
            self._erase_all_of(app, table)

    def _erase_all_of(self, app: str, table: Any) -> None:
        try:
            self._database.change(table.delete().where(table.app == app))
        except IntegrityError as error:
            raise StaleState from error

    def paged(self) -> tuple[Any, ...]:
        """Return the tables of which an app is erased by pages, in this order, after its conversations."""
        return self._indexes() + PAGED

    def _indexes(self) -> tuple[Any, ...]:
        # SQLite's has no keys, and what is in it goes with its conversation.
        return () if self._database.is_sqlite else OF_ENGINES


class KeyStore:
    """The keys of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def all(self) -> tuple[Key, ...]:
        """Return an app's keys, oldest first, without what they are."""
        rows = self._database.rows(
            Keys.select(*KEY_COLUMNS).where(Keys.app == self._app).order_by(Keys.created_at, Keys.id)
        )
        return tuple(as_key(row) for row in rows)

    def with_digest(self, digest: str) -> tuple[App, Key] | None:
        """Find a key by the digest of what it is, with its app."""
        return as_holder(self._database.rows(_key_and_app(self._app, digest)))

    def with_digest_and(self, digest: str, *questions: Question) -> tuple[tuple[App, Key] | None, list[Any]]:
        """As ``with_digest``, with the answers to questions that are put in the same round trip."""
        rows, answers = self._database.rows_and(_key_and_app(self._app, digest), *questions)
        return as_holder(rows), answers

    def identity_secrets(self) -> tuple[tuple[Key, str], ...]:
        """Return an app's identity keys with their sealed secrets, the newest first."""
        return _as_secrets(self._database.rows(_identity_secrets(self._app)))

    def asked_identity_secrets(self) -> Question:
        """As ``identity_secrets``, to be asked together with something else."""
        return Question(_identity_secrets(self._app), _as_secrets)

    def create(self, key: Key, digest: str, sealed: str | None) -> None:
        """Add a key."""
        self._database.change(
            Keys.insert(
                app=self._app,
                id=key.id,
                kind=key.kind.value,
                digest=digest,
                sealed=sealed,
                proof=key.proof and key.proof.value,
                created_at=key.created_at,
            )
        )

    def replace(self, id: str, digest: str, sealed: str | None) -> bool:
        """Have another secret stand in a key's place, unless it was used; return whether it does."""
        is_unused = (Keys.app == self._app) & (Keys.id == id) & Keys.last_used_at.is_null()
        former = self._database.row(self._database.locked(Keys.select(Keys.digest).where(is_unused)))
        if former is None:
            return False
        self._database.revoke(Revoked.KEY_REPLACED, self._app, id, former[0])
        return self._database.change(Keys.update(digest=digest, sealed=sealed).where(is_unused)) > 0

    def digest_of(self, id: str) -> str | None:
        """Return the digest of what a key is, by its id."""
        row = self._database.row(Keys.select(Keys.digest).where((Keys.app == self._app) & (Keys.id == id)))
        return None if row is None else str(row[0])

    def touch(self, id: str, at: int) -> None:
        """Note that a key was used."""
        self._database.change(Keys.update(last_used_at=at).where((Keys.app == self._app) & (Keys.id == id)))

    def delete(self, id: str) -> bool:
        """Delete a key, and return whether there was one."""
        self._database.revoke(Revoked.KEY_DELETED, self._app, id)
        return self._database.change(Keys.delete().where((Keys.app == self._app) & (Keys.id == id))) > 0


def _unless_erased(row: tuple[Any, ...] | None) -> App | None:
    app = None if row is None else as_app(row)
    return None if app is None or app.is_erased else app


def _as_secrets(rows: Rows) -> tuple[tuple[Key, str], ...]:
    return tuple((as_key(row[:-1]), row[-1]) for row in rows)


@Prepared
def _app(app: Any) -> Any:
    return Apps.select(*APP_COLUMNS).where(Apps.app == app)


def key_and_app(app: Any, digest: Any) -> Any:
    """Select a key by its digest, with its app, under HOLDER's names."""
    columns: list[Any] = [*KEY_COLUMNS, *APP_COLUMNS]
    return (
        Keys.select(*(column.alias(name) for name, column in zip(HOLDER, columns, strict=True)))
        .join(Apps, on=(Apps.app == Keys.app))
        .where((Keys.app == app) & (Keys.digest == digest))
    )


_key_and_app = Prepared(key_and_app)


@Prepared
def _identity_secrets(app: Any) -> Any:
    return (
        Keys.select(*KEY_COLUMNS, Keys.sealed)
        .where((Keys.app == app) & (Keys.kind == KeyKind.IDENTITY.value))
        .order_by(Keys.created_at.desc(), Keys.id.desc())
    )


def as_holder(rows: Rows) -> tuple[App, Key] | None:
    """Make a key and its app of the columns of HOLDER, with which the first row begins, if there is one."""
    first = len(KEY_COLUMNS)
    return (as_app(rows[0][first : len(HOLDER)]), as_key(rows[0][:first])) if rows else None


def as_app(row: tuple[Any, ...]) -> App:
    """Make an app of its columns."""
    id, name, settings, created_at = row
    return App(id, name, _from_json(settings), created_at)


def as_key(row: tuple[Any, ...]) -> Key:
    """Make a key of its columns."""
    id, kind, created_at, last_used_at, proof = row
    if kind != KeyKind.IDENTITY.value:
        return Key(id, KeyKind(kind), created_at, last_used_at)
    # A server of the version before, which may run beside this one for a while, makes keys without it.
    return Key(id, KeyKind.IDENTITY, created_at, last_used_at, ProofKind(proof or ProofKind.JWT))


def _as_json(settings: Settings) -> str:
    defaults = asdict(Settings())
    return json.dumps({name: value for name, value in asdict(settings).items() if value != defaults[name]})


@lru_cache(maxsize=1000)
def _from_json(text: str) -> Settings:
    """Read settings; it takes as long as to find them, and most apps have the same."""
    stored = json.loads(text)
    for field in fields(Settings):
        value = stored.get(field.name)
        if isinstance(value, list):
            stored[field.name] = tuple(value)
        elif value is not None and isinstance(field.default, StrEnum):
            stored[field.name] = type(field.default)(value)
    return Settings(**stored)
