"""After a restore: nobody is logged in, and what was revoked since is revoked again, as the journal has it.

It is done again by the use cases that did it first, in the order in which they did. What can't be is left for
a person, and named: a merge that was undone where the backup has no room for both, say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import assert_never

from service.desk.correcting import change
from service.desk.editing import all_fields, say
from service.desk.erasing import erase_records
from service.desk.history import AuditLog
from service.desk.merging import clear_again
from service.desk.transactions import one_transaction
from service.desk.undoing import undo
from service.desk.webhooks import replace_secret
from service.encryption import Encryption
from service.model.callers import Actor
from service.model.corrections import Removal
from service.model.errors import Conflict
from service.model.identifiers import email_key, is_anonymous
from service.model.revocations import Revocation, Revoked
from service.store import AppStore, Store, backups, journal
from service.store.backups import Backup
from service.times import now

ACTOR = Actor("recovery", "", proven=True)


class _Done(Enum):
    """What became of a line of the journal."""

    AGAIN = auto()
    NOTHING = auto()
    LEFT = auto()


@dataclass
class Recovered:
    """What a restore came to: which migrations it took; of each file how many lines say what was revoked, and
    the numbers of those that are damaged; how much was revoked again, and what was not and has to be; and
    of how many secrets nobody can read what they are, under this SECRET_KEY."""

    migrated: list[str] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)
    damaged: dict[Path, list[int]] = field(default_factory=dict)
    again: int = 0
    left: list[Revocation] = field(default_factory=list)
    unreadable: int = 0


@one_transaction
def restore(
    store: Store, secrets: Sequence[Encryption], file: Path, backup: Backup, journals: Sequence[Path]
) -> Recovered:
    """Have a backup take the place of all that is in a store, and then as ``recover``."""
    # What is revoked from now on waits until this is over, so no line of the journal is missed.
    migrated = backups.load(store.database, file, backup)
    recovered = _recover(store, secrets, journals)
    recovered.migrated = migrated
    return recovered


@one_transaction
def recover(store: Store, secrets: Sequence[Encryption], journals: Sequence[Path]) -> Recovered:
    """End every session, have events be numbered by this server, and revoke again what these files say,
    which may be journals or logs. Raises OSError for a file that can't be read."""
    store.database.extend_deadline(backups.TIMEOUT)
    return _recover(store, secrets, journals)


def _recover(store: Store, secrets: Sequence[Encryption], journals: Sequence[Path]) -> Recovered:
    recovered = Recovered()
    store.operator_sessions.end_before(now() + 1)
    for app in store.apps.all():
        own = store.of(app.id)
        own.sessions.end_all()
        own.console_sessions.end_before(now() + 1)
        own.feed.renumber()
        recovered.unreadable += _unreadable(own, secrets)
    left = []
    for path in journal.in_order(journals):
        recovered.lines[path], recovered.damaged[path] = 0, []
        for line in journal.read(path):
            if line.is_damaged:
                recovered.damaged[path].append(line.number)
            if line.says is not None:
                recovered.lines[path] += 1
                left += _repeat(store, secrets, line.says, recovered)
    # What another file says may have been in the way.
    recovered.left = [one for was in left for one in _repeat(store, secrets, was, recovered)]
    return recovered


def _unreadable(store: AppStore, secrets: Sequence[Encryption]) -> int:
    identity, of_webhooks = secrets
    sealed = [(identity, one) for _, one in store.keys.identity_secrets()]
    for webhook in store.webhooks.all():
        sealed += [(of_webhooks, one) for _, one in store.webhooks.sealed(webhook.id)]
    return sum(encryption.decrypt(one) is None for encryption, one in sealed)


def _repeat(
    store: Store, secrets: Sequence[Encryption], one: Revocation, recovered: Recovered
) -> list[Revocation]:
    """Revoke something again; return it if that can't be done."""
    if store.apps.with_id(one.app) is None:
        return []
    try:
        done = _revoke(store, secrets[1], one)
    except Conflict:
        done = _Done.LEFT
    if done is _Done.AGAIN:
        recovered.again += 1
        # Whoever erases has a shorter one.
        store.database.extend_deadline(backups.TIMEOUT)
    return [one] if done is _Done.LEFT else []


@one_transaction
def _revoke(everything: Store, encryption: Encryption, one: Revocation) -> _Done:
    store = everything.of(one.app)
    match one.what:
        case Revoked.KEY_DELETED | Revoked.KEY_REPLACED:
            done = _delete_key(store, one)
        case Revoked.WEBHOOK_DELETED:
            done = _delete_webhook(store, one.id)
        case Revoked.WEBHOOK_SECRET_DELETED:
            done = _again(replace_secret(store, encryption, one.id))
        case Revoked.USER_ERASED:
            done = _erase_user(store, one.id)
        case Revoked.USER_CLEARED:
            done = _clear(store, one.id)
        case Revoked.USER_ID_REMOVED:
            done = _remove_user_id(store, one)
        case Revoked.EMAIL_REMOVED:
            done = _remove_email(store, one)
        case Revoked.MERGE_UNDONE:
            done = _undo(store, one.id)
        case Revoked.APP_ERASED:
            everything.apps.erase(one.app)
            done = _Done.AGAIN
        case never:
            assert_never(never)
    return done


def _again(done: bool) -> _Done:
    return _Done.AGAIN if done else _Done.NOTHING


def _is(store: AppStore, one: Revocation, text: str) -> bool:
    return store.database.journal.digest(one.app, one.id, text) == one.which


def _delete_key(store: AppStore, one: Revocation) -> _Done:
    digest = store.keys.digest_of(one.id)
    if digest is None or (one.which is not None and not _is(store, one, digest)):
        return _Done.NOTHING
    store.keys.delete(one.id)
    return _Done.AGAIN


def _delete_webhook(store: AppStore, id: str) -> _Done:
    found = store.webhooks.lock(id)
    if found is not None:
        store.webhooks.delete(id)
    return _again(found is not None)


def _erase_user(store: AppStore, id: str) -> _Done:
    user = store.users.survivor(id)
    if user is None:
        return _Done.NOTHING
    if user.id != id:
        # To erase them would be to erase whom they are part of as well, who may have stood apart by then.
        return _Done.LEFT
    erase_records(store, ACTOR, id)
    return _Done.AGAIN


def _clear(store: AppStore, id: str) -> _Done:
    user = store.users.survivor(id)
    if user is None or (user.id == id and user.cleared):
        return _Done.NOTHING
    if user.id != id or not is_anonymous(user.user_id):
        return _Done.LEFT
    clear_again(store, user, AuditLog(store, ACTOR, now()))
    return _Done.AGAIN


def _remove_user_id(store: AppStore, one: Revocation) -> _Done:
    user = store.users.survivor(one.id)
    # One that was given again since is theirs.
    given = [] if user is None else store.users.ids_given_to(user, one.id)
    removed = [value for value, at in given if at <= one.at and _is(store, one, value)]
    for value in removed:
        change(store, ACTOR, one.id, Removal(value))
    return _again(bool(removed))


def _remove_email(store: AppStore, one: Revocation) -> _Done:
    user = store.users.survivor(one.id)
    if user is None:
        return _Done.NOTHING
    store.users.lock_emails(*user.emails)
    store.users.lock(user, to_change=True)
    said = {field.home: field.value for field in all_fields(store, user.id) if field.name == "email"}
    email = (said or {user.id: user.email}).get(one.id)
    # One that was given again since is theirs.
    since = store.history.emails_since(one.id, one.at)
    if not email or not _is(store, one, email_key(email)) or email_key(email) in map(email_key, since):
        return _Done.NOTHING
    if user.user_id is None:
        return _Done.LEFT
    say(store, user, one.id, {"email": None}, AuditLog(store, ACTOR, now()))
    return _Done.AGAIN


def _undo(store: AppStore, id: str) -> _Done:
    merge = store.merges.with_id(id)
    if merge is None or merge.undone_at is not None:
        return _Done.NOTHING
    undo(store, merge, AuditLog(store, ACTOR, now()))
    return _Done.AGAIN
