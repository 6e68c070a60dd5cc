"""Many IDs, one person: one user becomes part of another, and stands again when that is undone.

Everything a user owns remembers its *home*: the user to whom a user ID was given, under whose ID a
session logged in, who began a conversation or brought a store account, of whom an email or a name was said.
A merge changes whose a thing is, and never its home. So the undo needs no copy of what was before: what has
its home with the one who goes, goes along, whenever it came. The ledger holds the rest: user IDs that led
nowhere meanwhile, devices.

Which users may become one, and what of the one counts of the other, is for ``rules/merging.py`` to say.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from service.desk.editing import all_fields, require_part
from service.desk.history import AuditLog
from service.model.callers import EndUser
from service.model.errors import Conflict, InvalidCredential, NotFound, StaleState
from service.model.history import Event
from service.model.identifiers import is_anonymous, is_id, is_of_a_device, new_id, primary_of
from service.model.merges import Filled, Merge, Moved
from service.model.users import Field, User
from service.rules import fields as rules
from service.rules.merging import Act, counts, decide
from service.store import AppStore


def present(store: AppStore, caller: EndUser) -> User:
    """Return who is logged in, as they are by now. Raises InvalidCredential if they are gone."""
    user = store.users.with_id(caller.user.id)
    if user is None or not store.users.is_part(caller.session.home, user.id):
        raise InvalidCredential
    return user


def standing(store: AppStore, id: str) -> User:
    """Find a user who is nobody else's part. Raises NotFound, and Conflict for one who is gone."""
    if not is_id("usr", id):
        raise NotFound
    found = store.users.with_id(id)
    if found is None and store.users.is_gone(id):
        raise Conflict("merge-conflict", "a user was merged away or erased")
    if found is None:
        raise NotFound
    return found


def preview_merge(
    store: AppStore, source: User, target: User, rule: str | None, at: int, home: str | None = None
) -> Merge:
    """Return what a merge would move and fill: by a rule, or as somebody asks for it if there is none.

    Raises Conflict if it may not be.
    """
    decided = decide(source, target, is_asked_for=rule is None)
    match decided.then:
        case Act.REFUSE:
            raise Conflict("merge-conflict", decided.detail)
        case Act.REFUSE_ANONYMOUS:
            raise Conflict("merge-into-anonymous", decided.detail)
        case Act.MERGE:
            return _preview(store, source, target, rule or decided.name, at, home)
        case never:
            assert_never(never)


def _preview(store: AppStore, source: User, target: User, rule: str, at: int, home: str | None) -> Merge:
    parks = not counts(source, target)
    return Merge(
        None,
        source.id,
        home or target.id,
        rule,
        Moved(
            user_ids=() if parks else source.user_ids,
            conversations=store.conversations.ids_of(source.id),
            purchases=tuple(purchase.id for purchase in store.purchases.of_user(source.id)),
            store_accounts=store.purchases.accounts_of(source.id),
        ),
        Filled() if parks else _fills(source, target),
        at,
        parked=source.user_ids if parks else (),
        devices=store.devices.of_anonymous([source.id]),
    )


def _fills(source: User, target: User) -> Filled:
    """Choose what of a user fills what is blank of another."""
    return Filled(
        user_id=primary_of(source.user_ids) if target.user_id is None else None,
        email=source.email if target.email is None else None,
        name=source.name if target.name is None else None,
    )


def merge(
    store: AppStore,
    source: User,
    target: User,
    rule: str | None,
    log: AuditLog,
    home: str | None = None,
) -> tuple[Merge, User]:
    """Make ``source`` part of ``target``, as a rule has it, or somebody who asks for it if there is none;
    return the record, and the target as it is then.

    Whoever came to somebody who is part of the target, ``home``, becomes part of that one, and goes with them
    when they stand apart again.

    Both are locked, so that nothing is written for the one while its things move. Raises Conflict if it
    may not be, and StaleState if one of them is no longer as it was.
    """
    _lock_both(store, source, target)
    preview = preview_merge(store, source, target, rule, log.at, home)
    done = replace(preview, id=new_id("mrg"))
    require_part(store, done.target, target)
    said = _said(store, target), _said(store, source)
    store.fields.put(rules.joined(*said, counts=counts(source, target)))
    if done.parked:
        store.users.remove_user_ids(source)
    store.conversations.move(source.id, target.id)
    store.purchases.move(source.id, target.id)
    store.sessions.end_of_users(source.id)
    store.devices.forget_anonymous([user for _, user in done.devices])
    store.users.absorb(source.id, target, done.target)
    _fill(store, target, done.filled)
    store.merges.add(done)
    log.note(source.id, Event.MERGED, done.rule, after={"merge": done.id, "into": done.target})
    log.note(
        done.target,
        Event.MERGED,
        done.rule,
        after={"merge": done.id, "from": source.id, "aliases": list(done.moved.user_ids)},
    )
    return done, standing(store, target.id)


def _fill(store: AppStore, target: User, filled: Filled) -> None:
    if filled.user_id is not None:
        store.users.set_primary(target, filled.user_id, verified=target.verified)
    if filled.email is not None:
        store.users.set_email(target, filled.email)
    if filled.name is not None:
        store.users.set_name(target, filled.name)


def _said(store: AppStore, user: User) -> tuple[Field, ...]:
    return all_fields(store, user.id) or rules.own(user)


def undo(store: AppStore, merge: Merge, log: AuditLog) -> Merge:
    """Undo a merge: both users stand again, with what they had and what came to each of them since.

    Raises Conflict, with nothing changed, if it was undone, if a later merge stands on it, if a user
    was erased, or if the email has another unclaimed user since.
    """
    if merge.undone_at is not None:
        raise Conflict("already-undone", "this merge was undone")
    target = _undone_from(store, merge)
    source = store.users.merged(merge.source, merge.target)
    if target is None or source is None:
        raise Conflict("undo-conflict", "a later merge stands on this one, or a user was erased")
    everyone = (source.id, *store.users.part_of(source.id))
    fields = all_fields(store, target.id)
    goes, stays = _apart(fields, everyone, counted=counts(source, target))
    source = _standing_again(store, target, source, goes, everyone, merge)
    after = _without(store, target, stays, everyone)
    store.users.lock_emails(source.email, target.email, after.email)
    store.users.lock(target, to_change=True)
    if all_fields(store, target.id) != fields:
        raise StaleState
    _require_room(store, source, after, merge)
    _give_back(store, source, after, everyone)
    for said in (goes, stays):
        _keep_fields(store, said)
    homes = _homes(store, everyone)
    for user_id in merge.parked:
        store.users.add_user_id(source, user_id, log.at, homes.get(user_id))
    for device, user in _devices_back(store, merge, source, target, after):
        store.devices.return_anonymous(device, user)
    store.merges.mark_undone(merge.id or "", log.at)
    log.note(source.id, Event.UNMERGED, merge.rule, before={"into": merge.target}, after={"merge": merge.id})
    log.note(merge.target, Event.UNMERGED, merge.rule, before={"from": source.id}, after={"merge": merge.id})
    return replace(merge, undone_at=log.at)


def _undone_from(store: AppStore, merge: Merge) -> User | None:
    """Find of whom somebody is part by a merge: of its target, or of whom that one had become part before."""
    id, later = merge.target, False
    while into := next(
        (one for one in store.merges.of_users((id,)) if one.source == id and one.undone_at is None), None
    ):
        later = later or (into.created_at, into.id or "") > (merge.created_at, merge.id or "")
        id = into.target
    return None if later else store.users.with_id(id)


def _give_back(store: AppStore, source: User, target: User, everyone: tuple[str, ...]) -> None:
    """Write both as they are to stand, each with what has its home there."""
    store.users.set_email(target, target.email)
    store.users.set_name(target, target.name)
    store.users.release(source, target.id, everyone)
    store.users.set_primary(target, target.user_id, verified=target.verified)
    store.conversations.give_back(target.id, source.id, everyone)
    store.purchases.give_back(target.id, source.id, everyone)
    store.sessions.end_of_homes(target.id, everyone)
    if not target.verified:
        store.sessions.set_verified(target.id, False)


def _apart(
    fields: tuple[Field, ...], everyone: tuple[str, ...], *, counted: bool
) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Divide what was said among those who go, and those who stay."""
    goes = [field for field in fields if field.home in everyone]
    stays = [field for field in fields if field.home not in everyone]
    return rules.parted(goes, counted=counted), rules.parted(stays, counted=True)


def _keep_fields(store: AppStore, fields: tuple[Field, ...]) -> None:
    """Keep what was said of each while there are several; of one it is what is shown."""
    homes = {field.home for field in fields}
    if len(homes) > 1:
        store.fields.put(fields)
    else:
        store.fields.forget(tuple(homes))


def _standing_again(
    store: AppStore,
    target: User,
    source: User,
    fields: tuple[Field, ...],
    everyone: tuple[str, ...],
    merge: Merge,
) -> User:
    """Return how the one who goes is, with the IDs that were given to them since."""
    user_ids = (*store.users.user_ids_of(target.id, everyone), *merge.parked)
    primary = source.user_id
    if primary is None or is_anonymous(primary):
        primary = primary_of(user_ids) or primary
    return replace(
        source,
        user_id=primary,
        email=rules.shown(fields, "email"),
        name=rules.shown(fields, "name"),
        verified=source.verified or (primary != source.user_id and target.verified),
    )


def _without(store: AppStore, target: User, fields: tuple[Field, ...], everyone: tuple[str, ...]) -> User:
    """Return how the survivor is without those who go."""
    kept = store.users.user_ids_of(target.id, everyone, beside=True)
    email, name = (rules.shown(fields, member) for member in rules.NAMES)
    primary = target.user_id if target.user_id in kept else primary_of(kept)
    born = store.users.user_ids_of(target.id, (target.id,))
    if primary is None and born:
        # Who was anonymous, and was never given an ID of their own, has no email of their own either: it was
        # said of those who were part of them. Without any of those they are anonymous again.
        email = rules.shown([field for field in fields if field.home != target.id], "email")
        primary = None if email else born[0]
    verified = target.verified and not is_of_a_device(primary)
    return replace(target, user_id=primary, email=email, name=name, verified=verified)


def _homes(store: AppStore, everyone: tuple[str, ...]) -> dict[str, str]:
    """Return to whom of those who are part of somebody each user ID was given: whose merge moved it first."""
    merges = [one for one in store.merges.of_users(everyone) if one.undone_at is None]
    return {
        user_id: one.source
        for one in reversed(merges)
        if one.source in everyone
        for user_id in one.moved.user_ids
    }


def _devices_back(
    store: AppStore, merge: Merge, source: User, target: User, after: User
) -> Iterator[tuple[str, str]]:
    """Return the devices whose anonymous user somebody is again by this undo. Where the survivor was somebody
    still when other merges were undone, theirs had to wait for it."""
    if is_anonymous(source.user_id):
        yield from (pair for pair in merge.devices if pair[1] == merge.source)
    if is_anonymous(target.user_id) or not is_anonymous(after.user_id):
        return
    goes = (merge.source, *store.users.part_of(merge.source))
    for other in store.merges.of_users((target.id, *goes)):
        if other.source in goes or (other.undone_at or 0) >= merge.created_at:
            yield from (pair for pair in other.devices if pair[1] == target.id)


def _require_room(store: AppStore, source: User, target: User, merge: Merge) -> None:
    """Raise Conflict unless both can stand beside everybody else."""
    if target.user_id is None and target.email is None:
        raise Conflict("undo-conflict", "the survivor would have neither a user ID nor an email")
    for user, other in ((source, target), (target, source)):
        if user.user_id is not None or user.email is None:
            continue
        having = store.users.with_email(user.email, verified=user.verified)
        others = [one for one in having if one.user_id is None and one.id not in (source.id, target.id)]
        same = other.user_id is None and other.verified == user.verified and _same_email(user, other)
        if others or same:
            raise Conflict("undo-conflict", "the email has another unclaimed user by now")
    for user_id in merge.parked:
        if store.users.with_user_id(user_id, verified=not source.is_unproven) is not None:
            raise Conflict("undo-conflict", "a user ID has another user by now")


def _same_email(one: User, other: User) -> bool:
    return (one.email or "").lower() == (other.email or "").lower()


def clear(store: AppStore, device: str, anonymous: User, rule: str, log: AuditLog) -> None:
    """Let no end user reach a device's anonymous user again; agents still see the conversations."""
    store.users.lock(anonymous, to_change=True)
    store.users.clear(anonymous, log.at)
    store.sessions.end_of_users(anonymous.id)
    store.devices.set_anonymous(device, None)
    log.note(anonymous.id, Event.CLEARED, rule)


def _lock_both(store: AppStore, source: User, target: User) -> None:
    """Lock two users, and the email that one brings. Raises StaleState if one of them has changed."""
    store.users.lock_emails(source.email)
    for user in sorted((source, target), key=lambda user: user.id):
        store.users.lock(user, to_change=True)
