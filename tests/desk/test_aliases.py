"""Linking a user ID, where somebody else does so at the same time."""

from service.desk.aliases import alias
from service.desk.history import AuditLog
from service.model.callers import Actor
from service.times import now


def test_an_id_that_was_linked_meanwhile_is_shown_with_its_user(tenant, store):
    id = tenant.login(userId="u-1")["user"]["id"]
    own = store.of(tenant.id)
    before = own.users.with_id(id)
    tenant.alias(id, "u-2")

    with own.transaction():
        shown, is_new = alias(own, AuditLog(own, Actor("key", "request"), now()), before, id, "u-2")

    assert (shown, is_new) == (own.users.with_id(id), False)
