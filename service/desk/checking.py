"""The self-test: walk a store, and prove that nobody can read what is another's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from service.store import Store
from service.store.checks import CHECKS, DECISIONS, every_row_has_its_app


class Verdict(StrEnum):
    """What is found about a question."""

    HOLDS = "holds"
    VIOLATED = "violated"
    DECIDE = "decide"


@dataclass(frozen=True)
class Finding:
    """One question, in words, and where it does not hold: a violation, or something for a person to
    decide."""

    name: str
    says: str
    places: tuple[str, ...]
    verdict: Verdict


def check(store: Store) -> Iterator[Finding]:
    """Ask every question of every app; only reads, so it may be put to a store in use."""
    apps = [app.id for app in store.apps.all()]
    for question in (*CHECKS, *DECISIONS):
        found = [f"{where} in {app}" for app in apps for where in _twice(partial(question, store.of(app)))]
        yield _finding(question, tuple(found), Verdict.DECIDE if question in DECISIONS else Verdict.VIOLATED)
    orphans = _twice(partial(every_row_has_its_app, store.database))
    yield _finding(every_row_has_its_app, orphans, Verdict.VIOLATED)


def _finding(question: Callable[..., Iterator[str]], places: tuple[str, ...], otherwise: Verdict) -> Finding:
    says = " ".join((question.__doc__ or "").split())
    return Finding(question.__name__, says, places, otherwise if places else Verdict.HOLDS)


def _twice(ask: Callable[[], Iterator[str]]) -> tuple[str, ...]:
    """Return what is found both times: what was on its way between two statements is there once only."""
    found = tuple(ask())
    again = set(ask()) if found else set()
    return tuple(where for where in found if where in again)
