"""Who is admitted when more is asked than can be served: what the server has to know of whoever calls before
anything is looked up, and what is made of whom it refuses.

A request says in clear of which app it is, and anybody may say so. So whoever was served has their header
remembered, and waits with their app; all others wait with strangers, also if they name an app. Nothing is
decided by it but who waits where, and no credential is kept: it is Python's hash of the header, which differs
from process to process.
"""

import random
import re
import threading
from collections.abc import Callable
from enum import Enum


class Kind(Enum):
    """What is known of a request before it is served: ``ADMITTED`` is never refused."""

    CALL = "call"
    LOGIN = "login"
    ADMITTED = "admitted"


# For how many seconds a request may be about to wait for a thread when it comes. A login that would make a
# user is no more than any other call: whoever is known goes before.
MAX_WAIT = {Kind.CALL: 0.5, Kind.LOGIN: 1.0, Kind.ADMITTED: float("inf")}

# How many headers are remembered: those that were seen last.
MAX_KNOWN = 20_000
# For how many seconds whoever is refused is to wait at least, and up to how many more: not all come back at
# the same time.
RETRY_AFTER, SPREAD = 2, 5

# What an operator's requests wait with, and strangers', who may name an app.
OPERATOR, STRANGERS = "operator", "?"

AUTHORIZATION, COOKIE = "authorization", "cookie"

_APP = re.compile(r"_([0-9a-f]{32})_")


class Known:
    """Whose requests were served, by the header that says who they are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # The last to be seen last.
        self._apps: dict[int, str] = {}
        # All apps of which somebody was ever served: one text of each.
        self._all: dict[str, str] = {}

    def add(self, header: str, app: str) -> None:
        """Remember that a header is of an app; "" for the operator."""
        number = hash(header)
        with self._lock:
            self._apps.pop(number, None)
            self._apps[number] = self._all.setdefault(app, app)
            if len(self._apps) > MAX_KNOWN:
                del self._apps[next(iter(self._apps))]

    def remove(self, header: str) -> None:
        """Forget a header that opens nothing any more."""
        with self._lock:
            self._apps.pop(hash(header), None)

    def line_of(self, header: str) -> str:
        """Return with whom a request with this header waits."""
        app = self._apps.get(hash(header))
        if app is not None:
            return app or OPERATOR
        named = _APP.search(header)
        app = f"app_{named[1]}" if named else ""
        # Whoever makes up names of apps has one line for all of them.
        return f"{STRANGERS}{app}" if app and app in self._all else STRANGERS


known = Known()


def header_of(path: str) -> str:
    """Return the name of the header by which somebody is known who asks for a path: of the others nothing was
    proved, whatever they hold."""
    return COOKIE if path.startswith("/console") else AUTHORIZATION


def retry_after() -> int:
    """Return for how many seconds somebody who is refused is to wait."""
    return RETRY_AFTER + random.randrange(SPREAD)  # noqa: S311 - no secret


def _count_nothing(_reason: str) -> None:
    """Do nothing: outside of a server nobody is refused."""


# Counts one that was refused, by the reason. The server cannot import what counts before it has forked.
count: Callable[[str], None] = _count_nothing
