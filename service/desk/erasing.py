"""Forget: a user when asked, and by and by those whom nobody will ask about."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from service.desk.emptying import each_page, empty, is_much
from service.desk.following import forget_some_deliveries, forget_some_events
from service.desk.history import AuditLog
from service.desk.mending import mend
from service.desk.removing import at_once, remove_soon
from service.desk.sessions import tell_ended
from service.desk.transactions import one_transaction, partly_done
from service.desk.users import show
from service.model.apps import App
from service.model.callers import Actor
from service.model.errors import NotFound
from service.model.events import Ended, EventType
from service.model.history import Event
from service.model.users import User
from service.store import AppStore
from service.store.forgetting import Key, Step
from service.store.idle import BY, Idle
from service.times import DAY, MINUTE, now

# How long erasing one user may take, in seconds.
TIMEOUT = 60

# Idempotency keys are kept for at least 24 hours.
IDEMPOTENCY_KEYS_KEPT = 2 * DAY


def erase(store: AppStore, actor: Actor, id: str) -> None:
    """Erase a user: messages, attachments, identifiers, sessions. A tombstone without personal data stays.

    Those who became part of the user are the same person, and go too. Raises NotFound.

    It is one transaction. Of whom there is much, that goes first, a piece at a time: their sessions, and then
    the rest. Whoever is cut off in the midst goes on when asked again. Raises OutcomeUnknown then.
    """
    # Each piece has the time of an answer.
    with store.database.aside():
        much = is_much(store, id)
    if much:
        with partly_done():
            with store.database.aside():
                empty(store, id)
            erase_records(store, actor, id)
    else:
        erase_records(store, actor, id)
    remove_soon(store)


@one_transaction
def erase_records(store: AppStore, actor: Actor, id: str) -> None:
    """As ``erase``, however much there is, and but for the bytes of attachments: those are removed later, by
    whoever tidies. A restore, before which nobody is served, is one transaction with all that it does."""
    store.extend_deadline(TIMEOUT)
    user = show(store, id)
    # A login locks its device first, then emails, then users; in this order nobody waits in a circle.
    store.devices.lock_of(user.id)
    store.users.lock_emails(*user.emails)
    store.users.lock(user, to_change=True)
    _forget(store, AuditLog(store, actor, now()), user)


def _forget(store: AppStore, log: AuditLog, user: User) -> None:
    everyone = (user.id, *store.users.part_of(user.id))
    store.conversations.erase(everyone)
    store.attachments.forget_unnamed(everyone)
    undone = [merge for merge in store.merges.of_users(everyone) if merge.undone_at is not None]
    if undone:
        others = store.merges.ever_one_with(everyone)
        store.conversations.blank(store.conversations.written_with(everyone, others))
        ids = [(merge.target, merge.id or "") for merge in undone]
        store.history.forget_aliases(ids)
        store.idempotency_keys.forget_merges(ids)
    ended = store.sessions.end_of_users(*everyone)
    store.devices.forget_anonymous(everyone)
    store.idempotency_keys.forget(everyone)
    store.purchases.erase(everyone)
    store.attributes.erase(everyone)
    store.contacts.erase(everyone)
    store.duplicates.erase(everyone)
    store.fields.forget(everyone)
    store.merges.forget(everyone)
    store.users.erase(everyone, log.at)
    store.history.forget(everyone)
    # After all that makes whoever writes about them wait, so that nothing is missed.
    told = store.merges.ever_one_with(everyone)
    store.events.scrub(told)
    store.webhooks.blank(store.webhooks.answered(told))
    for one in everyone:
        log.note(one, Event.ERASED)
    tell_ended(store, ended, Ended.ERASE, log.at)
    log.tell(EventType.USER_ERASED, user.id, mergedUsers=everyone[1:])


@dataclass(frozen=True)
class Tidied:
    """What was forgotten: anonymous users, those of them of whom nothing is left any more, sessions,
    idempotency keys, rates and events."""

    users: int
    tombstones: int
    sessions: int
    keys: int
    rates: int
    events: int


def tidy(
    store: AppStore,
    app: App,
    *,
    idle_days: int,
    empty_days: int,
    cleared_days: int,
    event_days: int,
    rest: Callable[[], None] = at_once,
) -> Tidied:
    """Erase the anonymous users who did nothing for so many days and have no store account, of whom there is
    nothing for so many, or who were cleared so many days ago; forget sessions that ended long ago, old
    idempotency keys, rates and events; and mend what servers of a former release left behind.

    A device that was used once goes with that, and of whom was idle nothing is left once no event tells of
    them.

    Each step is a transaction. ``rest`` is called before each; what it raises ends it all.
    """
    at = now()
    # Until then their session holds, if they have one.
    empty_days = max(empty_days, app.settings.idle_days)
    idle = Idle(at - idle_days * DAY, at - empty_days * DAY, at - cleared_days * DAY)
    users = _erase_all_idle(store, idle, rest)
    rest()
    mend(store, rest)
    tombstones = each_page(rest, _forget_tombstones, store, at - event_days * DAY)
    expired = at - app.settings.session_days * DAY
    # One used since then tells, though it has expired, that its device's anonymous user is not idle.
    sessions = each_page(rest, _end_old, store, expired, idle.since)
    keys = each_page(rest, _forget_keys, store, at - IDEMPOTENCY_KEYS_KEPT)
    keys += each_page(rest, _forget_former_keys, store, at - IDEMPOTENCY_KEYS_KEPT)
    rates = each_page(rest, _forget_rates, store, at // MINUTE - 1)
    events = _all(rest, forget_some_events, store, at - event_days * DAY)
    _all(rest, forget_some_deliveries, store, at - event_days * DAY)
    _all(rest, _forget_deleted, store)
    return Tidied(users, tombstones, sessions, keys, rates, events)


def _all(rest: Callable[[], None], step: Callable[..., int], *about: object) -> int:
    """Forget some until there are no more, and return how many there were."""
    total = 0
    rest()
    while some := step(*about):
        total += some
        rest()
    return total


def _erase_all_idle(store: AppStore, idle: Idle, rest: Callable[[], None]) -> int:
    """Erase who is idle, each in a transaction, and return how many that were."""
    users = 0
    after: Key | None = ()
    while after is not None:
        rest()
        found, after = store.idle.users(idle, after)
        for id in found:
            rest()
            # Whoever else erases them meanwhile leaves nothing to do.
            with suppress(NotFound):
                if is_much(store, id) and _close(store, id, idle):
                    empty(store, id, rest)
            users += _erase_idle(store, id, idle)
    return users


@one_transaction
def _close(store: AppStore, id: str, idle: Idle) -> bool:
    """Clear a user if it is idle still, so that nobody can wake it while it is erased a piece at a time, and
    whoever tidies next goes on."""
    found = _lock_idle(store, id, idle)
    if found is None:
        return False
    user, once = found
    if not user.cleared:
        store.users.clear(user, idle.cleared_before - 1)
    tell_ended(store, store.sessions.end_of_users(id), Ended.ERASE, now())
    store.devices.forget_anonymous([id])
    store.idle.forget_devices(once)
    return True


@one_transaction
def _erase_idle(store: AppStore, id: str, idle: Idle) -> bool:
    """Erase a user if it is idle still, now that nobody else can wake it."""
    store.extend_deadline(TIMEOUT)
    found = _lock_idle(store, id, idle)
    if found is None:
        return False
    user, once = found
    _forget(store, AuditLog(store, Actor(BY, "", proven=True), now()), user)
    store.idle.forget_devices(once)
    return True


def _lock_idle(store: AppStore, id: str, idle: Idle) -> tuple[User, tuple[str, ...]] | None:
    """Lock a user that is idle still, and return it with its devices that were used once; None if it is not,
    or somebody else has erased it."""
    store.devices.lock_of(id)
    user = store.users.find_and_lock(id, to_change=True)
    if user is None:
        return None
    store.conversations.lock_all((id,))
    if not store.idle.is_idle(idle, id):
        return None
    return user, store.idle.used_once([device for device, _ in store.devices.of_anonymous((id,))])


@one_transaction
def _forget_deleted(store: AppStore) -> int:
    return store.search.forget_deleted()


@one_transaction
def _forget_tombstones(store: AppStore, before: int, after: Key) -> Step:
    return store.idle.forget_tombstones(before, after)


@one_transaction
def _end_old(store: AppStore, begun_before: int, used_before: int, after: Key) -> Step:
    devices, last = store.sessions.old(begun_before=begun_before, used_before=used_before, after=after)
    if not devices:
        return Step(0, last)
    # A login locks its device first.
    store.devices.lock_all(devices)
    once = store.idle.used_once(devices)
    ended = store.sessions.end_old(devices, begun_before=begun_before, used_before=used_before)
    store.idle.forget_devices(once)
    return Step(ended, last)


@one_transaction
def _forget_keys(store: AppStore, before: int, after: Key) -> Step:
    return store.idempotency_keys.forget_before(before, after)


@one_transaction
def _forget_former_keys(store: AppStore, before: int, after: Key) -> Step:
    return store.idempotency_keys.forget_former_before(before, after)


@one_transaction
def _forget_rates(store: AppStore, before: int, after: Key) -> Step:
    return store.rates.forget_before(before, after)
