"""A process that is killed at a chosen statement of what it does.

Killed is it before a statement, and also after the one that commits: between two statements nothing
reaches the store, so there is no other moment that it could tell from these.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

import psycopg

from service.desk.aliases import merge_users, undo_merge
from service.model.callers import Actor, Backend
from service.store import Store
from service.store.database import Database
from service.store.engine.libpq import Bounded
from service.store.engine.sqlite import Sqlite
from tests.support.marks import LONG
from tests.support.processes import processes
from tests.support.servers import TIMEOUT, wait_until

DOOMED = "usher-doomed"
# By which statements reach PostgreSQL, one or several at once.
ROUND_TRIPS = "wait", "ask", "ask_all"
DEEDS: dict[str, Callable[..., Any]] = {"merge": merge_users, "undo": undo_merge}


def do(store: Store, app: str, deed: str, *ids: str) -> None:
    """Merge two users, or undo a merge, as the app's backend."""
    (found,) = (one for one in store.apps.all() if one.id == app)
    DEEDS[deed](store.of(app), Backend(found, Actor("backend", "request", proven=True)), *ids)


def killed_at(moment: int, url: str, app: str, deed: str, *ids: str) -> bool:
    """Have another process do something, and return whether it was killed; if not, it is done."""
    doomed = processes.Process(target=_do_and_die, args=(moment, url, app, deed, *ids))
    doomed.start()
    doomed.join(TIMEOUT)
    assert doomed.exitcode in (0, -signal.SIGKILL)
    if url.startswith("postgres"):
        _wait_until_buried(url)
    return doomed.exitcode != 0


def _do_and_die(moment: int, url: str, app: str, deed: str, *ids: str) -> None:
    name = f"&application_name={DOOMED}" if url.startswith("postgres") else ""
    store = Store(Database(url + name, LONG))
    _die_at(moment, store.database.peewee)
    do(store, app, deed, *ids)


def _die_at(moment: int, database: Any) -> None:
    """Kill this process at a moment, counted from 1; what begins and commits are statements as well."""
    passed = 0

    def pass_by() -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(run: Callable[..., Any]) -> Callable[..., Any]:
        def run_or_die(*args: Any, **how: Any) -> Any:
            pass_by()
            answer = run(*args, **how)
            if any(one in ("COMMIT", ("COMMIT",)) for one in args):
                pass_by()
            return answer

        return run_or_die

    class Watched:
        def __init__(self, cursor: Any) -> None:
            self._cursor = cursor
            self.execute = watched(cursor.execute)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._cursor, name)

    if isinstance(database, Sqlite):
        opened = database.cursor
        database.cursor = lambda *args, **kwargs: Watched(opened(*args, **kwargs))
    else:
        for name in ROUND_TRIPS:
            setattr(Bounded, name, watched(getattr(Bounded, name)))


def _wait_until_buried(url: str) -> None:
    """Wait until PostgreSQL has noticed that nobody is there any more, and let go of what it held."""
    there = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    with psycopg.connect(url, autocommit=True) as connection:
        wait_until(lambda: not connection.execute(there, (DOOMED,)).fetchall())
