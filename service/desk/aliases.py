"""Further user IDs, and merges that somebody asks for."""

from dataclasses import replace
from typing import assert_never

from service.desk.editing import give_user_id
from service.desk.fingerprints import Parts, fingerprint
from service.desk.history import AuditLog
from service.desk.idempotency_keys import made_before, note_made
from service.desk.limits import Limits
from service.desk.merging import lock_both, merge, present, preview_merge, standing
from service.desk.proving import require_may_prove, require_proof
from service.desk.transactions import one_transaction
from service.desk.undoing import undo
from service.desk.users import show
from service.encryption import Encryption
from service.model.callers import Backend, EndUser
from service.model.errors import Conflict, NotFound, Refused
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import is_id
from service.model.merges import Merge
from service.model.users import User
from service.rules.aliasing import Act, decide
from service.rules.sessions import Asks
from service.store import AppStore
from service.times import now


@one_transaction
def add_alias(
    store: AppStore, caller: Backend, id: str, user_id: str, key: IdempotencyKey | None = None
) -> tuple[User, bool]:
    """Link a user ID to a user; return the user, and whether the ID is new. A repeat returns the user as they
    are now.

    Raises NotFound, Refused for the ID of an anonymous user that is none and for an idempotency key that was
    used for something else, and Conflict for the ID of another identified user.
    """
    log = AuditLog(store, caller.actor, now())
    if made_before(store, key, log.at) is not None:
        return show(store, id), False
    return _alias_once(store, log, show(store, id), id, user_id, key)


def add_own_alias(
    store: AppStore,
    encryption: Encryption,
    caller: EndUser,
    user_id: str,
    proof: str | None,
    limits: Limits,
    key: IdempotencyKey | None = None,
) -> tuple[User, bool]:
    """Link a user ID that a proof covers to whoever is logged in; as ``add_alias``.

    Who was anonymous is somebody from then on. Raises NotAllowed for a session of somebody unproven, whatever
    its proof is, else ProofRequired, ProofInvalid and TooMany.
    """
    require_may_prove(caller, Asks.ALIAS)
    require_proof(store, encryption, caller, user_id, proof, limits)
    return _add_proven_alias(store, caller, user_id, key)


@one_transaction
def _add_proven_alias(
    store: AppStore, caller: EndUser, user_id: str, key: IdempotencyKey | None
) -> tuple[User, bool]:
    log = AuditLog(store, replace(caller.actor, proven=True), now())
    if made_before(store, key, log.at) is not None:
        return present(store, caller), False
    return _alias_once(store, log, present(store, caller), caller.session.home, user_id, key)


def _alias_once(
    store: AppStore, log: AuditLog, user: User, home: str, user_id: str, key: IdempotencyKey | None
) -> tuple[User, bool]:
    user, is_new = alias(store, log, user, home, user_id)
    note_made(store, key, home, user.id, home)
    return user, is_new


def alias(store: AppStore, log: AuditLog, user: User, home: str, user_id: str) -> tuple[User, bool]:
    """Link a user ID to a user, inside a transaction; as ``add_alias``. It is given to ``home``, who is
    that user or part of them, and goes with them when they stand apart again."""
    # Whoever has it in the other world is somebody else.
    owner = store.users.with_user_id(user_id, verified=not user.is_unproven)
    rule = decide(user, owner, user_id)
    if rule.then in {Act.TAKEN, Act.CLEARED}:
        # Who has it may be part of the user by now, who was looked at before.
        store.users.lock(user, to_change=False)
    match rule.then:
        case Act.NOTHING:
            # As they are now: whoever linked it meanwhile may have committed since they were shown.
            return owner or user, False
        case Act.REFUSE:
            raise Refused.member("userId", "reserved", rule.because)
        case Act.TAKEN:
            raise Conflict("alias-taken", rule.detail)
        case Act.CLEARED:
            raise Conflict("user-cleared", rule.detail)
        case Act.LINK if owner is not None:
            return merge(store, owner, user, rule.name, log, home)[1], False
        case Act.LINK:
            store.users.lock_emails(*user.emails)
            store.users.lock(user, to_change=True)
            return give_user_id(store, user, home, user_id, log, rule.name), True
        case never:
            assert_never(never)


def answer_merge(
    store: AppStore,
    caller: Backend,
    source: str,
    target: str,
    *,
    dry_run: bool,
    key: IdempotencyKey | None = None,
) -> tuple[Merge, bool]:
    """Make one user part of another, or only say what that would do; return it, and whether it is new."""
    if dry_run:
        both = _both(store, source, target)
        return preview_merge(store, *both, None, now()), False
    return merge_users(store, caller, source, target, key)


@one_transaction
def merge_users(
    store: AppStore, caller: Backend, source: str, target: str, key: IdempotencyKey | None = None
) -> tuple[Merge, bool]:
    """Make one user part of another; return the record, and whether it is new. A repeat returns it as it is
    now: it may be undone.

    Raises NotFound, Conflict where it may not be, and Refused for an idempotency key that was used for
    something else.
    """
    log = AuditLog(store, caller.actor, now())
    before = made_before(store, key, log.at)
    if before is not None:
        return show_merge(store, before), False
    done, into = merge(store, *_both(store, source, target), None, log)
    note_made(store, key, done.id or "", into.id)
    return done, True


@one_transaction
def merge_as_previewed(
    store: AppStore, caller: Backend, source: str, target: str, seen: str
) -> tuple[Merge, bool]:
    """As ``merge_users``, and only if it does what somebody has seen that it would; return what it does, and
    whether it was done.

    ``seen`` is the fingerprint of that.
    """
    log = AuditLog(store, caller.actor, now())
    both = _both(store, source, target)
    lock_both(store, *both)
    preview = preview_merge(store, *both, None, log.at)
    if fingerprint(parts_of(preview)) != seen:
        return preview, False
    return merge(store, *both, None, log)[0], True


def parts_of(merge: Merge) -> Parts:
    """Return what a merge does, or would do, by parts."""
    return {
        "users": (merge.source, merge.target),
        "ids": (merge.moved.user_ids, merge.parked),
        "conversations": merge.moved.conversations,
        "purchases": (merge.moved.purchases, merge.moved.store_accounts),
        "filled": merge.filled,
        "devices": merge.devices,
    }


def show_merge(store: AppStore, id: str) -> Merge:
    """Return the record of a merge. Raises NotFound."""
    found = store.merges.with_id(id) if is_id("mrg", id) else None
    if found is None:
        raise NotFound
    return found


@one_transaction
def undo_merge(store: AppStore, caller: Backend, id: str) -> Merge:
    """Undo a merge, and return its record. Raises NotFound, and Conflict where it may not be."""
    found = store.merges.lock(id) if is_id("mrg", id) else None
    if found is None:
        raise NotFound
    return undo(store, found, AuditLog(store, caller.actor, now()))


def _both(store: AppStore, source: str, target: str) -> tuple[User, User]:
    return standing(store, source), standing(store, target)
