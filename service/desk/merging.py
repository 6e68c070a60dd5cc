"""Many IDs, one person: one user becomes part of another; ``undoing`` has them stand again.

Everything a user owns remembers its *home*: the user to whom a user ID was given, under whose ID a
session logged in, who began a conversation, brought a store account or left a contact, of whom an email, a
name or an attribute was said. A merge changes whose a thing is, and never its home. So the undo needs no copy
of what was before: what has its home with the one who goes, goes along, whenever it came. The ledger holds
the rest: user IDs that led nowhere meanwhile, devices.

Which users may become one, and what of the one counts of the other, is for ``rules/merging.py`` to say.
"""

from dataclasses import replace
from typing import assert_never

from service.desk.attributes import rank_both
from service.desk.editing import all_fields, require_part
from service.desk.history import AuditLog
from service.model.callers import EndUser
from service.model.errors import Conflict, InvalidCredential, NotFound
from service.model.history import Event
from service.model.identifiers import is_id, new_id, primary_of
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
    # Who is there and was not found at first stands again since then.
    while (found := store.users.with_id(id)) is None:
        gone = store.users.is_gone(id)
        if gone is None:
            raise NotFound
        if gone:
            raise Conflict("merge-conflict", "a user was merged away or erased")
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
        case Act.REFUSE_CLEARED:
            raise Conflict("user-cleared", decided.detail)
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
            emails=() if parks else source.emails,
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
    lock_both(store, source, target)
    preview = preview_merge(store, source, target, rule, log.at, home)
    done = replace(preview, id=new_id("mrg"))
    require_part(store, done.target, target)
    said = _said(store, target), _said(store, source)
    store.fields.put(rules.joined(*said, counts=counts(source, target)))
    if done.parked:
        store.users.remove_user_ids(source)
    store.conversations.move(source.id, target.id)
    store.purchases.move(source.id, target.id)
    store.contacts.move(source.id, target.id)
    store.duplicates.move(source.id, target.id)
    store.sessions.end_of_users(source.id)
    store.devices.forget_anonymous([user for _, user in done.devices])
    store.users.absorb(source.id, target, done.target)
    _fill(store, target, done.filled)
    if counts(source, target):
        stay, go = ({field.home for field in fields if field.rank >= 0} for fields in said)
        rank_both(store, stay, go)
    store.merges.add(done)
    into = standing(store, target.id)
    log.merged(done, into)
    log.note(source.id, Event.MERGED, done.rule, after={"merge": done.id, "into": done.target})
    log.note(
        done.target,
        Event.MERGED,
        done.rule,
        after={"merge": done.id, "from": source.id, "aliases": list(done.moved.user_ids)},
    )
    return done, into


def _fill(store: AppStore, target: User, filled: Filled) -> None:
    if filled.user_id is not None:
        store.users.set_primary(target, filled.user_id, verified=target.verified)
    if filled.email is not None:
        store.users.set_email(target, filled.email)
    if filled.name is not None:
        store.users.set_name(target, filled.name)


def _said(store: AppStore, user: User) -> tuple[Field, ...]:
    return all_fields(store, user.id) or rules.own(user)


def clear(store: AppStore, device: str, anonymous: User, rule: str, log: AuditLog) -> None:
    """Let no end user reach a device's anonymous user again; agents still see the conversations."""
    store.users.lock(anonymous, to_change=True)
    store.users.clear(anonymous, log.at)
    store.sessions.end_of_users(anonymous.id)
    store.devices.set_anonymous(device, None)
    log.note(anonymous.id, Event.CLEARED, rule)


def clear_again(store: AppStore, anonymous: User, log: AuditLog) -> None:
    """As ``clear``, of a user of any devices."""
    store.users.lock(anonymous, to_change=True)
    store.users.clear(anonymous, log.at)
    store.devices.forget_anonymous([anonymous.id])
    log.note(anonymous.id, Event.CLEARED)


def lock_both(store: AppStore, source: User, target: User) -> None:
    """Lock two users, and the emails that one brings. Raises StaleState if one of them has changed."""
    store.users.lock_emails(*source.emails)
    for user in sorted((source, target), key=lambda user: user.id):
        store.users.lock(user, to_change=True)
