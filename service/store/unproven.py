"""What lasts of what happened to somebody and nobody vouched for: neither the app's backend nor a proof.

Each line of the history says whether somebody did. In the proven world nothing may last of one that nobody
vouched for; of an old one it may not be known.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from peewee import fn

from service.model.history import Event
from service.model.identifiers import DEVICE_PREFIX
from service.store import AppStore
from service.store.engine.prepared import Prepared
from service.store.questions import BATCH, batches, rows, same
from service.store.tables import History, Purchases, StoreAccounts, UserIds, Users

# What happens to somebody and lasts.
LASTING = [
    event.value
    for event in (
        Event.CREATED,
        Event.USER_ID_ATTACHED,
        Event.USER_ID_CHANGED,
        Event.ALIAS_ADDED,
        Event.EMAIL_CHANGED,
        Event.NAME_CHANGED,
        Event.MERGED,
        Event.PURCHASE,
        Event.ATTRIBUTES_CHANGED,
    )
]


# How a line of the history begins that tells of a visitor's ID.
VISITORS_ID = json.dumps({"userId": DEVICE_PREFIX})[:-2]


def nobody_proven_rests_on_a_claim(store: AppStore) -> Iterator[str]:
    """Nobody of the proven world was made, named or joined, or given a user ID, an email, a purchase or an
    attribute, by an act that neither the backend nor a proof vouched for."""
    yield from _lasting(store, _unproven)


def nobody_proven_rests_on_what_is_not_known(store: AppStore) -> Iterator[str]:
    """Nothing lasts of anybody of the proven world of which it is not known, as it is old, who vouched for
    it, or of whom it was said. Undo a merge if the two are two people, and make it again if they are one."""
    yield from _lasting(store, _unknown)


def _lasting(store: AppStore, acts: Prepared) -> Iterator[str]:
    for _, user, event, text, *shown in batches(store, acts):
        lasts = _what_lasts(store, user, Event(event), json.loads(text or "{}"), shown)
        if lasts:
            yield f"{event} of {user}: {lasts}"


def _what_lasts(
    store: AppStore, user: str, event: Event, after: Mapping[str, Any], shown: list[str | None]
) -> str | None:
    """Return what lasts of what happened to somebody, if anything does."""
    match event:
        case Event.CREATED:
            return ", ".join(["proven"] + [f"undo {id}" for id in _merges(store, user)])
        case Event.USER_ID_ATTACHED | Event.USER_ID_CHANGED | Event.ALIAS_ADDED:
            found = store.users.with_user_id_and_home(after.get("userId") or "", verified=True)
            return "a user ID" if found and found[1] == user else None
        case Event.MERGED:
            standing = [id for id in _merges(store, user) if id == after.get("merge")]
            return f"undo {standing[0]}" if standing else None
        case Event.PURCHASE:
            return "a purchase" if rows(store, _purchase, after.get("purchase", "")) else None
        case Event.ATTRIBUTES_CHANGED:
            kept = {one.name for one in store.attributes.of_homes((user,))}
            return "an attribute" if kept & {*after.get("set", ()), *after.get("removed", ())} else None
        case _:
            email, name = shown
            return "shown" if after in ({"email": email}, {"name": name}) else None


def _merges(store: AppStore, user: str) -> list[str]:
    """Return the merges into somebody that stand."""
    found = store.merges.of_users((user,))
    return [merge.id or "" for merge in found if merge.target == user and merge.undone_at is None]


@Prepared
def _purchase(app: Any, id: Any) -> Any:
    """Ask for a purchase, if it is one of the proven world."""
    return (
        Purchases.select(Purchases.id)
        .join(StoreAccounts, on=same(StoreAccounts, Purchases, digest="account"))
        .where((Purchases.app == app) & (Purchases.id == id) & StoreAccounts.verified)
    )


@Prepared
def _unproven(app: Any, after: Any) -> Any:
    return _acts(app, ~History.proven, after)


@Prepared
def _unknown(app: Any, after: Any) -> Any:
    return _acts(app, History.proven.is_null(), after)


def _acts(app: Any, of_which: Any, after: Any) -> Any:
    """Ask what happened to those who are proven and were not given a user ID, as they were nobody, since."""
    since = History.alias()
    is_later = same(since, History, user="user") & (since.id > History.id)
    visitors = same(UserIds, History, home="user") & (
        fn.SUBSTR(UserIds.value, 1, len(DEVICE_PREFIX)) == DEVICE_PREFIX
    )
    # Or their ID was taken away since.
    gone = History.alias()
    taken = same(gone, History, user="user") & (gone.event == Event.USER_ID_REMOVED.value)
    begins = fn.SUBSTR(gone.before, 1, len(VISITORS_ID)) == VISITORS_ID
    is_visitor = fn.EXISTS(UserIds.select(UserIds.user).where(visitors)) | fn.EXISTS(
        gone.select(gone.id).where(taken & begins)
    )
    # A visitor who was part of another when they were given an ID has it as an alias.
    naming = (since.event == Event.USER_ID_ATTACHED.value) | (
        (since.event == Event.ALIAS_ADDED.value) & is_visitor
    )
    # One of which that is not known is asked about itself.
    may_be_proven = since.proven | since.proven.is_null()
    named = since.select(since.id).where(is_later & may_be_proven & naming)
    return (
        History.select(History.id, History.user, History.event, History.after, Users.email, Users.name)
        .join(Users, on=same(Users, History, id="user"))
        .where((History.app == app) & of_which & (History.id > after) & History.event.in_(LASTING))
        .where(Users.verified & Users.erased_at.is_null() & ~fn.EXISTS(named))
        .order_by(History.id)
        .limit(BATCH)
    )
