"""Undo a merge: both users stand again, each with what has its home there."""

from collections.abc import Iterator
from dataclasses import replace

from service.desk.attributes import show
from service.desk.editing import all_fields
from service.desk.history import AuditLog
from service.desk.merging import standing
from service.desk.users import has_rival
from service.model.errors import Conflict
from service.model.history import Event
from service.model.identifiers import email_key, is_anonymous, is_of_a_device, primary_of
from service.model.merges import Merge
from service.model.users import Field, User
from service.rules import fields as rules
from service.rules.merging import counts
from service.store import AppStore


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
    hidden = [one for one in everyone if not store.users.is_part_of_one_world(one, source.id)]
    goes, stays = _apart(fields, everyone, counted=counts(source, target), hidden=hidden)
    source = _standing_again(store, target, source, goes, everyone, merge)
    after, stays = _without(store, target, stays, everyone)
    store.users.lock_emails(*source.emails, *target.emails, *after.emails)
    store.users.lock(target, to_change=True)
    _require_room(store, source, after, merge)
    _give_back(store, source, after, everyone)
    for said in (goes, stays):
        _keep_fields(store, said)
    show(store, target.id, source.id)
    homes = _homes(store, everyone)
    for user_id in merge.parked:
        store.users.add_user_id(source, user_id, log.at, homes.get(user_id))
    for device, user in _devices_back(store, merge, source, target, after):
        store.devices.return_anonymous(device, user)
    if is_anonymous(after.user_id):
        # They are known by their device alone. Who came by an email, which is theirs no more, did not prove
        # to be on it.
        store.sessions.end_elsewhere(after.id)
    store.merges.mark_undone(merge.id or "", log.at)
    log.note(source.id, Event.UNMERGED, merge.rule, before={"into": merge.target}, after={"merge": merge.id})
    log.note(merge.target, Event.UNMERGED, merge.rule, before={"from": source.id}, after={"merge": merge.id})
    undone = replace(merge, undone_at=log.at)
    log.unmerged(undone, standing(store, target.id), standing(store, source.id))
    return undone


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
    store.contacts.give_back(target.id, source.id, everyone)
    store.duplicates.give_back(target.id, source.id, everyone)
    store.sessions.end_of_homes(target.id, everyone)
    if not target.verified:
        store.sessions.set_verified(target.id, False)


def _apart(
    fields: tuple[Field, ...], everyone: tuple[str, ...], *, counted: bool, hidden: list[str]
) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Divide what was said among those who go, and those who stay."""
    goes = [field for field in fields if field.home in everyone]
    stays = [field for field in fields if field.home not in everyone]
    return rules.parted(goes, counted=counted, hidden=hidden), rules.parted(stays, counted=True)


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
    primary = source.user_id if source.user_id in user_ids else None
    if primary is None or is_anonymous(primary):
        primary = primary_of(user_ids) or _as_nobody(store, source, primary)
    return replace(
        source,
        user_id=primary,
        email=rules.shown(fields, "email"),
        further_emails=rules.further_emails(fields),
        name=rules.shown(fields, "name"),
        verified=source.verified or (primary != source.user_id and target.verified),
    )


def _without(
    store: AppStore, target: User, fields: tuple[Field, ...], everyone: tuple[str, ...]
) -> tuple[User, tuple[Field, ...]]:
    """Return how the survivor is without those who go, and what was said of those who stay."""
    kept = store.users.user_ids_of(target.id, everyone, beside=True)
    primary = target.user_id if target.user_id in kept else primary_of(kept)
    born = store.users.user_ids_of(target.id, (target.id,))
    if (primary is None or is_anonymous(primary)) and born and _as_nobody(store, target, born[0]):
        # Who was anonymous, and was never given an ID of their own, has no email of their own either: it was
        # said of those who were part of them. Without any of those they are anonymous again.
        fields = rules.unsaid(fields, target.id, "email")
        primary = None if rules.shown(fields, "email") else born[0]
    email, name = (rules.shown(fields, member) for member in rules.NAMES)
    after = replace(
        target,
        user_id=primary,
        email=email,
        further_emails=rules.further_emails(fields),
        name=name,
        verified=target.verified and not is_of_a_device(primary),
    )
    return after, fields


def _as_nobody(store: AppStore, user: User, user_id: str | None) -> str | None:
    """Return the ID by which a user is anonymous again, if they may be: who was somebody until their own IDs
    were taken away is not, or the device of then would see what was written under those."""
    return None if user_id is None or store.history.tells_of_a_lost_id(user.id) else user_id


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
    still when other merges were undone, or when the ID of a part was taken away that stays, theirs had to
    wait for it."""
    if is_anonymous(source.user_id):
        yield from (pair for pair in merge.devices if pair[1] == merge.source)
    if is_anonymous(target.user_id) or not is_anonymous(after.user_id):
        return
    goes = (merge.source, *store.users.part_of(merge.source))
    for other in store.merges.of_users((target.id, *goes)):
        waits = other.undone_at is None or other.undone_at >= merge.created_at
        if waits or other.source in goes:
            yield from (pair for pair in other.devices if pair[1] == target.id)


def _require_room(store: AppStore, source: User, target: User, merge: Merge) -> None:
    """Raise Conflict unless both can stand beside everybody else."""
    if any(user.user_id is None and user.email is None for user in (source, target)):
        raise Conflict("undo-conflict", "one of the two would have neither a user ID nor an email")
    for user, other in ((source, target), (target, source)):
        if user.user_id is not None:
            continue
        same = other.user_id is None and other.verified == user.verified and _share_an_email(user, other)
        if same or has_rival(store, user, *user.emails, beside=other):
            raise Conflict("undo-conflict", "an email has another unclaimed user by now")
    for user_id in merge.parked:
        if store.users.with_user_id(user_id, verified=not source.is_unproven) is not None:
            raise Conflict("undo-conflict", "a user ID has another user by now")


def _share_an_email(one: User, other: User) -> bool:
    return not set(map(email_key, one.emails)).isdisjoint(map(email_key, other.emails))
