"""What the operator does: apps, their settings and their keys."""

import time
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from service.desk.emptying import empty_app
from service.desk.fingerprints import Parts, fingerprint
from service.desk.idempotency_keys import made_before, require_same
from service.desk.removing import PATIENCE, remove_soon
from service.desk.tidying import Interrupted
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.model.apps import App, Key, KeyKind, ProofKind, Settings
from service.model.errors import Conflict, NotFound, Refused, UsherError
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import digest, is_id, new_credential, new_id
from service.store import AppStore, Store
from service.times import MINUTE, now

PREFIXES = {KeyKind.SECRET: "sk", KeyKind.PUBLISHABLE: "pk", KeyKind.IDENTITY: "ik"}


@one_transaction
def create_app(
    store: Store, name: str, settings: Settings, key: IdempotencyKey | None = None
) -> tuple[App, bool]:
    """Make an app without keys; return it, and whether it is new. Raises Refused for an idempotency key that
    made another."""
    before = store.apps.made_with(key) if key else None
    if key is not None and before is not None:
        request, app = before
        require_same(key, request)
        return app, False
    app = App(new_id("app"), name, settings, now())
    store.apps.create(app, key)
    return app, True


def list_apps(store: Store) -> tuple[App, ...]:
    """Return every app, oldest first."""
    return store.apps.all()


def show_app(store: Store, id: str) -> App:
    """Return an app. Raises NotFound."""
    return _there(store, id)


@one_transaction
def change_app(store: Store, id: str, name: str | None, settings: dict[str, Any]) -> App:
    """Set an app's name if it is given, and those settings that are. Raises NotFound."""
    return _change(store, _there(store, id, lock=True), name, settings)


@one_transaction
def change_app_as_seen(
    store: Store, id: str, name: str, settings: dict[str, Any], seen: str
) -> tuple[App, bool]:
    """As ``change_app``, if the app is as somebody has seen it; return it, and whether it was changed.
    ``seen`` is the fingerprint of that. Raises NotFound."""
    app = _there(store, id, lock=True)
    if fingerprint(parts_of(app)) != seen:
        return app, False
    return _change(store, app, name, settings), True


def parts_of(app: App) -> Parts:
    """Return what somebody sees who changes an app, by parts. Origins are changed by themselves."""
    parts = {"name": app.name} | asdict(app.settings)
    del parts["origins"]
    return parts


@one_transaction
def add_origin(store: Store, id: str, origin: str) -> App:
    """Let the pages of a web origin call. Raises NotFound."""
    app = _there(store, id, lock=True)
    return _change(store, app, None, {"origins": (*_without(app, origin), origin)})


@one_transaction
def remove_origin(store: Store, id: str, origin: str) -> App:
    """Let the pages of a web origin call no more, if they may. Raises NotFound."""
    app = _there(store, id, lock=True)
    return _change(store, app, None, {"origins": _without(app, origin)})


def _without(app: App, origin: str) -> tuple[str, ...]:
    return tuple(one for one in app.settings.origins if one != origin)


def _change(store: Store, app: App, name: str | None, settings: dict[str, Any]) -> App:
    changed = replace(app, name=name or app.name, settings=replace(app.settings, **settings))
    store.apps.update(changed)
    return changed


def erase_app(store: Store, id: str) -> None:
    """Erase an app and all that is in it. Raises NotFound.

    The first transaction has it be gone for everybody. All that is in it goes after that, a piece at a time:
    what fails, or would take longer than an answer may wait for, is done later by whoever tidies.
    """
    _shut(store, id)
    until = time.monotonic() + PATIENCE

    def rest() -> None:
        if time.monotonic() > until:
            raise Interrupted

    # Each piece has the time of an answer.
    with store.database.aside(), suppress(Interrupted, UsherError):
        empty_app(store, id, rest)
    remove_soon(store.of(id))


@one_transaction
def _shut(store: Store, id: str) -> None:
    _there(store, id, lock=True)
    store.apps.shut(id, now() + MINUTE)


@one_transaction
def create_key(
    store: Store,
    encryption: Encryption,
    app: str,
    kind: KeyKind,
    proof: ProofKind | None = None,
    key: IdempotencyKey | None = None,
) -> tuple[Key, bool]:
    """Make a key of an app, and return it with what it is, for the only time, and whether it is new; an
    identity key for JWTs, unless ``proof`` says otherwise.

    Nothing that is stored tells what a key was. So for an idempotency key that made one before, another
    secret takes the place of the first. Raises Conflict if that was used, NotFound, and Refused for a
    ``proof`` with a key of another kind and for an idempotency key that made something else.
    """
    is_identity = kind is KeyKind.IDENTITY
    if proof is not None and not is_identity:
        raise Refused.member("proof", "identity-only", "Proofs are made with identity keys only.")
    _there(store, app, lock=True)
    own, at = store.of(app), now()
    plain = new_credential(PREFIXES[kind], app)
    # An identity secret checks what others sign with it, so it has to stay readable.
    secret = digest(plain), encryption.encrypt(plain) if is_identity else None
    id = new_id("key")
    before = made_before(own, key, at, makes=id)
    if before is not None:
        return _with_another_secret(own, before, plain, *secret), False
    made = Key(id, kind, at, proof=(proof or ProofKind.JWT) if is_identity else None, plain=plain)
    own.keys.create(made, *secret)
    return made, True


def _with_another_secret(store: AppStore, id: str, plain: str, hashed: str, sealed: str | None) -> Key:
    found = next((key for key in store.keys.all() if key.id == id), None)
    if found is None:
        raise NotFound
    if not store.keys.replace(id, hashed, sealed):
        raise Conflict("key-in-use", "the key that this made is in use")
    return replace(found, plain=plain)


def list_keys(store: Store, app: str) -> tuple[Key, ...]:
    """Return an app's keys, oldest first, without what they are. Raises NotFound."""
    _there(store, app)
    return store.of(app).keys.all()


def show_key(store: Store, app: str, id: str) -> Key:
    """Return a key of an app, without what it is. Raises NotFound."""
    found = next((key for key in list_keys(store, app) if key.id == id), None)
    if found is None:
        raise NotFound
    return found


def keys_to_rotate(store: AppStore) -> tuple[Key, ...]:
    """Return an app's identity keys that prove in both ways, oldest first."""
    return tuple(key for key in store.keys.all() if key.proof is ProofKind.BOTH)


@one_transaction
def delete_key(store: Store, app: str, id: str) -> None:
    """Delete a key; it opens nothing from now on. Raises NotFound."""
    if not (is_id("app", app) and is_id("key", id) and store.of(app).keys.delete(id)):
        raise NotFound


def _there(store: Store, id: str, *, lock: bool = False) -> App:
    """Find an app. Raises NotFound."""
    find = store.apps.lock if lock else store.apps.with_id
    app = find(id) if is_id("app", id) else None
    if app is None:
        raise NotFound
    return app
