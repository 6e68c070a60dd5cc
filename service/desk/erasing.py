"""Forget: a user when asked, and by and by those whom nobody will ask about."""

from dataclasses import dataclass

from service.desk.history import AuditLog
from service.desk.transactions import one_transaction
from service.desk.users import show
from service.model.apps import App
from service.model.callers import Actor, Backend
from service.model.history import Event
from service.model.users import User
from service.store import AppStore
from service.times import DAY, MINUTE, now

# How long erasing one user may take, in seconds.
TIMEOUT = 60

# Idempotency keys are kept for at least 24 hours.
IDEMPOTENCY_KEYS_KEPT = 2 * DAY


@one_transaction
def erase(store: AppStore, caller: Backend, id: str) -> None:
    """Erase a user: messages, identifiers, sessions. A tombstone without personal data stays.

    Those who became part of the user are the same person, and go too. Raises NotFound.
    """
    store.extend_deadline(TIMEOUT)
    user = show(store, id)
    # A login locks its device first, then emails, then users; in this order nobody waits in a circle.
    store.devices.lock_of(user.id)
    store.users.lock_emails(user.email)
    store.users.lock(user, to_change=True)
    _forget(store, AuditLog(store, caller.actor, now()), user)


def _forget(store: AppStore, log: AuditLog, user: User) -> None:
    everyone = (user.id, *store.users.part_of(user.id))
    store.conversations.erase(everyone)
    undone = [merge for merge in store.merges.of_users(everyone) if merge.undone_at is not None]
    if undone:
        store.conversations.blank(everyone)
        ids = [(merge.target, merge.id or "") for merge in undone]
        store.history.forget_aliases(ids)
        store.idempotency_keys.forget_merges(ids)
    store.sessions.end_of_users(*everyone)
    store.devices.forget_anonymous(everyone)
    store.idempotency_keys.forget(everyone)
    store.purchases.erase(everyone)
    store.attributes.erase(everyone)
    store.fields.forget(everyone)
    store.merges.forget(everyone)
    store.users.erase(everyone, log.at)
    store.history.forget(everyone)
    for one in everyone:
        log.note(one, Event.ERASED)


@dataclass(frozen=True)
class Tidied:
    """What was forgotten: anonymous users, sessions, idempotency keys and rates."""

    users: int
    sessions: int
    keys: int
    rates: int


def tidy(store: AppStore, app: App, *, idle_days: int, cleared_days: int) -> Tidied:
    """Erase the anonymous users who did nothing for so many days and have no store account, or who were
    cleared so many days ago; forget sessions that ended long ago, old idempotency keys and rates."""
    at = now()
    since, cleared_before = at - idle_days * DAY, at - cleared_days * DAY
    users, after = 0, ""
    while found := store.users.idle_anonymous(since=since, cleared_before=cleared_before, after=after):
        users += sum(_erase_idle(store, id, since, cleared_before) for id in found)
        after = found[-1]
    return Tidied(users, *_forget_old(store, app, at, since))


@one_transaction
def _erase_idle(store: AppStore, id: str, since: int, cleared_before: int) -> bool:
    """Erase a user if it is idle still, now that nobody else can wake it."""
    store.extend_deadline(TIMEOUT)
    store.devices.lock_of(id)
    user = store.users.find_and_lock(id, to_change=True)
    if user is None:
        return False
    store.conversations.lock_all((id,))
    if not store.users.idle_anonymous(since=since, cleared_before=cleared_before, ids=(id,)):
        return False
    _forget(store, AuditLog(store, Actor("retention", "", proven=True), now()), user)
    return True


@one_transaction
def _forget_old(store: AppStore, app: App, at: int, since: int) -> tuple[int, int, int]:
    expired = at - app.settings.session_days * DAY
    return (
        # One used since then tells, though it has expired, that its device's anonymous user is not idle.
        store.sessions.end_old(begun_before=expired, used_before=since),
        store.idempotency_keys.forget_before(at - IDEMPOTENCY_KEYS_KEPT),
        store.rates.forget_before(at // MINUTE - 1),
    )
