"""Tidy each app once a day, though several could."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from service.desk.emptying import empty_app
from service.desk.erasing import Tidied, tidy
from service.model.apps import App
from service.store import Store
from service.times import DAY, MINUTE, now

# Whoever was killed over an app keeps others from it for so long.
CLAIM = 6 * 60 * MINUTE


class Interrupted(Exception):
    """Whoever tidies is asked to stop."""


@dataclass(frozen=True, slots=True)
class Kept:
    """For how many days what is kept: anonymous users who do nothing, those of whom there is nothing, those
    who were cleared, and events."""

    idle_days: int
    empty_days: int
    cleared_days: int
    event_days: int


def tidy_if_due(store: Store, app: App, kept: Kept, rest: Callable[[], None]) -> Tidied | None:
    """Tidy an app, if it was not for a day and nobody else does; return what was forgotten. One that is being
    erased is erased, and nothing is returned.

    ``rest`` is called before each step, and may raise Interrupted. Whoever looks next goes on then, as after
    an error.
    """
    at = now()
    until = at + CLAIM
    if not store.apps.claim_tidying(app.id, at, until):
        return None
    next_at = at
    try:
        if app.is_erased:
            empty_app(store, app.id, rest)
            return None
        done = tidy(store.of(app.id), app, **asdict(kept), rest=rest)
        next_at = at + DAY
        return done
    finally:
        store.apps.tidied(app.id, until, next_at)
