"""How to reach somebody who is nobody yet: they say it, agents see it, and no login looks at it.

It answers nothing but what was said: not who else left the same, nor what another device did.
"""

from dataclasses import replace

from service.desk.history import AuditLog
from service.desk.merging import present
from service.desk.transactions import one_transaction
from service.model.callers import EndUser
from service.model.contacts import Contact
from service.store import AppStore
from service.times import now


@one_transaction
def leave_contact(store: AppStore, caller: EndUser, contact: Contact) -> Contact:
    """Keep how whoever is logged in can be reached, in place of what they said before; nothing forgets it.

    Anybody can claim to be somebody of whom nobody asks a proof, so there each device has its own. Raises
    InvalidCredential for a session whose user is gone by now.
    """
    user = present(store, caller)
    # Whoever erases them, makes them one with another, or leaves another contact sees it, or is seen here.
    store.users.lock(user, to_change=True)
    home, device = caller.session.home, caller.session.device if user.is_unproven else ""
    before = store.contacts.left(home, device)
    if contact.says_something:
        store.contacts.put(user, replace(contact, home=home, at=now()), device)
    else:
        store.contacts.remove(home, device)
    if contact.said != before.said:
        AuditLog(store, caller.actor, now()).changed(user.id)
    return contact
