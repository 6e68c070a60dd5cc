"""Take a user ID away, or correct the primary one.

The ID that goes is unknown from then on: no row leads from it to anybody, the record that it was given to
forgets it, and the sessions that began under it end, so that no login that has seen it begins another in
their place. What was said, written and bought under it stays with the user.
"""

from typing import assert_never

from service.desk.editing import give_user_id
from service.desk.history import AuditLog
from service.desk.transactions import one_transaction
from service.desk.users import has_rival, show
from service.model.callers import Actor, Backend
from service.model.corrections import Change, Correction, Removal
from service.model.errors import Conflict, NotFound
from service.model.history import Event
from service.model.users import User
from service.rules.correcting import (
    Correct,
    Remove,
    decide_correction,
    decide_removal,
    primary_without,
)
from service.rules.table import Rule
from service.store import AppStore
from service.times import now

Decided = Rule[Remove] | Rule[Correct]

# The code of the error that is made of what is refused.
REFUSALS: dict[Remove | Correct, str] = {
    Remove.NOT_FOUND: NotFound.code,
    Remove.NOTHING_LEFT: "nothing-left",
    Remove.UNCLAIMED_EMAIL: "unclaimed-email",
    Correct.TAKEN: "alias-taken",
    Correct.CLEARED: "user-cleared",
}


@one_transaction
def remove_user_id(store: AppStore, caller: Backend, id: str, user_id: str) -> User:
    """Take a user ID away from a user, and return them.

    Raises NotFound, also for an ID that is not theirs, and Conflict where they would be left with neither
    user ID nor email, or as the second unclaimed user of an email.
    """
    return change(store, caller.actor, id, Removal(user_id))


@one_transaction
def correct_user_id(store: AppStore, caller: Backend, id: str, user_id: str, *, keep: bool) -> User:
    """Make a user ID the primary one of a user, and return them. The former one is theirs no more, unless it
    is to be kept as an alias.

    Raises NotFound, and Conflict for the ID of another user.
    """
    return change(store, caller.actor, id, Correction(user_id, keep))


def change(store: AppStore, actor: Actor, id: str, wanted: Change) -> User:
    """Change a user's IDs, in a transaction, and return them. Raises NotFound and Conflict."""
    user = show_and_lock(store, id, to_change=True)
    return carry_out(store, actor, id, user, wanted, decide(store, user, wanted))


def show_and_lock(store: AppStore, id: str, *, to_change: bool) -> User:
    """Return a user, or whoever that user became part of, and lock what is decided by. Raises NotFound."""
    user = show(store, id)
    store.users.lock_emails(*user.emails)
    store.users.lock(user, to_change=to_change)
    return user


def decide(store: AppStore, user: User, change: Change) -> Decided:
    """Return which rule decides a change of a locked user's IDs."""
    match change:
        case Removal(user_id):
            return decide_removal(user, user_id, has_rival=has_rival(store, user, *user.emails))
        case Correction(user_id, keep):
            owner = store.users.with_user_id(user_id, verified=not user.is_unproven)
            return decide_correction(user, owner, user_id, keep=keep)
        case never:
            assert_never(never)


def carry_out(store: AppStore, actor: Actor, id: str, user: User, change: Change, rule: Decided) -> User:
    """Do what was decided of a locked user's IDs, and return them as they are then. A first ID is given to
    ``id``, who is the user or part of them.

    Raises NotFound and Conflict for what is refused.
    """
    log = AuditLog(store, actor, now())
    match rule.then:
        case Remove.NOT_FOUND:
            raise NotFound
        case Remove.NOTHING_LEFT | Remove.UNCLAIMED_EMAIL | Correct.TAKEN | Correct.CLEARED:
            raise Conflict(REFUSALS[rule.then], rule.detail)
        case Remove.REMOVE | Remove.SUCCEED | Remove.UNCLAIM:
            return _remove(store, user, change.user_id, log, rule.name)
        case Correct.NOTHING:
            return user
        case Correct.GIVE:
            return give_user_id(store, user, id, change.user_id, log, rule.name)
        case Correct.REPLACE | Correct.DEMOTE:
            return _correct(
                store, user, change.user_id, log, rule.name, replaces=rule.then is Correct.REPLACE
            )
        case never:
            assert_never(never)


def _remove(store: AppStore, user: User, user_id: str, log: AuditLog, rule: str) -> User:
    primary = primary_without(user, user_id)
    home = _take_away(store, user, user_id, primary, None)
    log.note(home, Event.USER_ID_REMOVED, rule, before={"userId": user_id})
    if primary is None and user.user_id is not None and home != user.id:
        # Who was known by an ID of their part's is known by none, and not as somebody anonymous.
        log.note(user.id, Event.USER_ID_REMOVED, rule, after={"userId": None})
    return show(store, user.id)


def _correct(store: AppStore, user: User, user_id: str, log: AuditLog, rule: str, *, replaces: bool) -> User:
    """Make an ID the primary one of a locked user. One that is new belongs to the same record as the one
    whose place it takes, and stands apart with it."""
    former, is_new = user.user_id or "", user_id not in user.user_ids
    home = store.users.home_of(user, former)
    if is_new:
        store.users.add_user_id(user, user_id, log.at, home)
    if replaces:
        _take_away(store, user, former, user_id, user_id if is_new else None)
    else:
        store.users.set_primary(user, user_id, verified=user.verified)
    # Of a part's history an ID of the other's is no business.
    is_theirs = is_new or store.users.home_of(user, user_id) == home
    after = {"userId": user_id if is_theirs else None}
    log.note(home, Event.USER_ID_CHANGED, rule, before={"userId": former}, after=after)
    return show(store, user.id)


def _take_away(store: AppStore, user: User, user_id: str, primary: str | None, instead: str | None) -> str:
    """Take an ID away from a locked user, and end the sessions that began under it. Return to whom it was
    given, who is known by another ``instead`` where that was theirs, if by any."""
    home = store.users.home_of(user, user_id)
    store.sessions.end_of_user_id(user.id, home, user_id)
    if primary != user.user_id:
        store.users.set_primary(user, primary, verified=user.verified)
    store.users.remove_user_id(user, home, user_id)
    store.users.rename_part(home, user_id, instead)
    return home
