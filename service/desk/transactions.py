"""Run a use case as one transaction, and decide again when another was first."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from service import metrics, threads
from service.model.errors import Contended, OutcomeUnknown, StaleState, StoreUnavailable
from service.store import AppStore, Store

ATTEMPTS = 12
# Seconds at most before the second attempt; doubled for each one after, up to the longest.
PAUSE, MAX_PAUSE = 0.005, 0.32

AnyStore = TypeVar("AnyStore", Store, AppStore)
Params = ParamSpec("Params")
Result = TypeVar("Result")


def one_transaction(
    use_case: Callable[Concatenate[AnyStore, Params], Result],
) -> Callable[Concatenate[AnyStore, Params], Result]:
    """Run a use case as one transaction: all of it, or nothing.

    A lost race leaves nothing behind, so the use case looks again and decides anew, a few times.
    Raises Contended after that, and StoreUnavailable if the store is away.
    """

    @wraps(use_case)
    def run(store: AnyStore, /, *args: Params.args, **kwargs: Params.kwargs) -> Result:
        for attempt in range(ATTEMPTS):
            if attempt:
                pause = min(PAUSE * 2**attempt, MAX_PAUSE)
                with threads.waiting:
                    time.sleep(random.uniform(0, pause))  # noqa: S311 - spreads attempts, hides nothing
            try:
                with store.transaction():
                    return use_case(store, *args, **kwargs)
            except StaleState:
                metrics.RACES_LOST.inc()
        raise Contended

    return run


@contextmanager
def partly_done() -> Iterator[None]:
    """Take inside several transactions for one call. Raises OutcomeUnknown if the store fails: some of them
    may stand."""
    try:
        yield
    except StoreUnavailable as error:
        raise OutcomeUnknown from error
