"""Forget: a user when asked, and by and by those whom nobody will ask about."""

from dataclasses import dataclass

from service.desk.history import AuditLog
from service.desk.transactions import one_transaction
from service.desk.users import show
from service.model.apps import App
from service.model.callers import Actor, Backend
from service.model.history import Event
from service.model.users import User
from service.store import Store
from service.times import DAY, MINUTE, now

# How long erasing one user may take, in seconds.
TIMEOUT = 60

# Idempotency keys are kept for at least 24 hours.
IDEMPOTENCY_KEYS_KEPT = 2 * DAY


@one_transaction
def erase(store: Store, caller: Backend, id: str) -> None:
    """Erase a user: messages, identifiers, sessions. A tombstone without personal data stays.

    Those who became part of the user are the same person, and go too. Raises NotFound.
    """
    store.extend_deadline(TIMEOUT)
    user = show(store, caller.app, id)
    # A login locks its device first, then emails, then users; in this order nobody waits in a circle.
    store.devices.lock_of(caller.app.id, user.id)
    store.users.lock_emails(caller.app.id, user.email)
    store.users.lock(caller.app.id, user, to_change=True)
    _forget(store, AuditLog(store, caller.app.id, caller.actor, now()), caller.app.id, user)


def _forget(store: Store, log: AuditLog, app: str, user: User) -> None:
    everyone = (user.id, *store.users.part_of(app, user.id))
    store.conversations.erase(app, everyone)
    undone = [merge for merge in store.merges.of_users(app, everyone) if merge.undone_at is not None]
    if undone:
        store.conversations.blank(app, everyone)
        store.history.forget_aliases(app, [(merge.target, merge.id or "") for merge in undone])
    store.sessions.end_of_users(app, *everyone)
    store.devices.forget_anonymous(app, everyone)
    store.idempotency_keys.forget(app, everyone)
    store.purchases.erase(app, everyone)
    store.attributes.erase(app, everyone)
    store.fields.forget(app, everyone)
    store.merges.forget(app, everyone)
    store.users.erase(app, everyone, log.at)
    store.history.forget(app, everyone)
    for one in everyone:
        log.note(one, Event.ERASED)


@dataclass(frozen=True)
class Tidied:
    """What was forgotten: anonymous users, sessions, idempotency keys and rates."""

    users: int
    sessions: int
    keys: int
    rates: int


def tidy(store: Store, app: App, *, idle_days: int, cleared_days: int) -> Tidied:
    """Erase the anonymous users who did nothing for so many days and have no store account, or who were
    cleared so many days ago; forget sessions that ended long ago, old idempotency keys and rates."""
    at = now()
    since, cleared_before = at - idle_days * DAY, at - cleared_days * DAY
    users, after = 0, ""
    while found := store.users.idle_anonymous(
        app.id, since=since, cleared_before=cleared_before, after=after
    ):
        users += sum(_erase_idle(store, app, id, since, cleared_before) for id in found)
        after = found[-1]
    return Tidied(users, *_forget_old(store, app, at, since))


@one_transaction
def _erase_idle(store: Store, app: App, id: str, since: int, cleared_before: int) -> bool:
    """Erase a user if it is idle still, now that nobody else can wake it."""
    store.extend_deadline(TIMEOUT)
    store.devices.lock_of(app.id, id)
    user = store.users.find_and_lock(app.id, id, to_change=True)
    if user is None:
        return False
    store.conversations.lock_all(app.id, (id,))
    if not store.users.idle_anonymous(app.id, since=since, cleared_before=cleared_before, ids=(id,)):
        return False
    _forget(store, AuditLog(store, app.id, Actor("retention", "", proven=True), now()), app.id, user)
    return True


@one_transaction
def _forget_old(store: Store, app: App, at: int, since: int) -> tuple[int, int, int]:
    expired = at - app.settings.session_days * DAY
    return (
        # One used since then tells, though it has expired, that its device's anonymous user is not idle.
        store.sessions.end_old(app.id, begun_before=expired, used_before=since),
        store.idempotency_keys.forget_before(app.id, at - IDEMPOTENCY_KEYS_KEPT),
        store.rates.forget_before(app.id, at // MINUTE - 1),
    )
