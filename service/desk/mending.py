"""Mend what servers of a former release leave behind while a deploy rolls: each part in a transaction."""

from collections.abc import Callable, Iterable, Iterator

from service.desk.attributes import show
from service.desk.comparing import AT_ONCE, look_again
from service.desk.editing import all_fields
from service.desk.removing import at_once
from service.desk.transactions import one_transaction
from service.desk.users import has_rival
from service.store import AppStore

# How long it may take to compare some, in seconds.
TIMEOUT = 60


def mend(store: AppStore, rest: Callable[[], None] = at_once) -> None:
    """Mend all that is left behind of an app's users. It does nothing where nothing is.

    Each step is a transaction. ``rest`` is called before each; what it raises ends it all.
    """
    for id in store.leftovers.of_erased():
        rest()
        _clear(store, id)
    for id in store.leftovers.described():
        rest()
        _show(store, id)
    for home, user in store.leftovers.elsewhere():
        now = store.users.survivor(home)
        if now is not None and now.id != user:
            rest()
            _bring(store, home, user)
    for home in store.leftovers.emails():
        rest()
        _find_by_emails(store, home)
    for found in store.leftovers.unseen():
        for ids in in_parts(found):
            rest()
            _compare(store, ids)
    for conversations in store.leftovers.indexed():
        rest()
        store.leftovers.unindex(conversations)


def in_parts(users: Iterable[tuple[str, int]]) -> Iterator[list[str]]:
    """Part users, each with how much they are compared by, into as many as one transaction compares."""
    part, much = list[str](), 0
    for id, amount in users:
        if part and much + amount > AT_ONCE:
            yield part
            part, much = [], 0
        part.append(id)
        much += amount
    yield part


@one_transaction
def _clear(store: AppStore, id: str) -> None:
    """Forget what is kept of somebody who was erased."""
    store.attributes.erase((id,))
    store.contacts.erase((id,))
    store.fields.forget((id,))
    store.duplicates.erase((id,))
    store.attachments.forget_unnamed((id,))
    look_again(store, (id,))
    store.leftovers.clear(id)
    told = store.merges.ever_one_with((id,))
    store.events.scrub(told)
    store.webhooks.blank(store.webhooks.answered(told))


@one_transaction
def _compare(store: AppStore, ids: list[str]) -> None:
    """Compare users with others who were not compared yet."""
    store.extend_deadline(TIMEOUT)
    look_again(store, store.comparing.lock_unseen(ids))


@one_transaction
def _show(store: AppStore, id: str) -> None:
    """Have a user show what was said of them by name."""
    if store.users.find_and_lock(id, to_change=True) is not None:
        show(store, id)


@one_transaction
def _bring(store: AppStore, home: str, former: str) -> None:
    """Make what is somebody's theirs, or that of whom they are part of: their contacts, and what they are
    compared by."""
    user = store.users.survivor(home)
    if user is not None:
        store.users.lock(user, to_change=False)
        store.contacts.bring(home, user.id)
        store.duplicates.bring(home, user.id)
        look_again(store, (home, former))


@one_transaction
def _find_by_emails(store: AppStore, home: str) -> None:
    """Have whoever somebody is part of be found by each of their emails; unless another is unclaimed by now,
    with one of the emails of who is: a person has to decide whether they are two."""
    user = store.users.survivor(home)
    if user is None:
        return
    store.users.lock_emails(*user.emails)
    store.users.lock(user, to_change=True)
    fields = all_fields(store, user.id)
    if fields and (user.user_id is not None or not has_rival(store, user, *user.emails)):
        store.fields.put(fields)
