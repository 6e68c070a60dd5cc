"""The self-test: walk a store, and prove that nobody can read what is another's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from service.store import Store
from service.store.checks import CHECKS, every_row_has_its_app


@dataclass(frozen=True)
class Finding:
    """One invariant, in words, and where it does not hold."""

    name: str
    says: str
    violations: tuple[str, ...]


def check(store: Store) -> Iterator[Finding]:
    """Ask every question of every app; only reads, so it may be put to a store in use."""
    apps = [app.id for app in store.apps.all()]
    for question in CHECKS:
        found = [
            f"{where} in {app}" for app in apps for where in _twice(partial(question, store.database, app))
        ]
        yield Finding(question.__name__, _says(question), tuple(found))
    orphans = _twice(partial(every_row_has_its_app, store.database))
    yield Finding(every_row_has_its_app.__name__, _says(every_row_has_its_app), orphans)


def _twice(ask: Callable[[], Iterator[str]]) -> tuple[str, ...]:
    """Answer what is found both times: what was on its way between two statements is there once only."""
    found = tuple(ask())
    again = set(ask()) if found else set()
    return tuple(where for where in found if where in again)


def _says(question: object) -> str:
    return " ".join((question.__doc__ or "").split())
