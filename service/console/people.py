"""Who somebody is, for the place beside what they wrote."""

from contextlib import suppress
from typing import Any

from service.api.context import store_of
from service.console.duplicates import likely
from service.desk import users
from service.model.callers import Backend
from service.model.errors import NotFound
from service.times import now


def beside(caller: Backend, id: str | None) -> dict[str, Any]:
    """Return what ``person.html`` shows of a user, or of whoever that user became part of; of who was erased
    meanwhile, nothing."""
    person = None
    with suppress(NotFound):
        person = users.panel(store_of(caller), id or "")
    user = person and person.user
    return {
        "person": person,
        "user": user,
        "likely": likely(store_of(caller), user) if user else [],
        "shown": users.SHOWN,
        "settings": caller.app.settings,
        "now": now(),
    }
