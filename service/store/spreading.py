"""Spread a store's tables over the machines of a Citus cluster, by ``app``.

All rows of an app are on one machine then, and whatever is said of an app is asked there, whichever node a
server is connected to: that machine numbers its events, tells which transactions run, and keeps its locks.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from service.model.errors import NoCluster
from service.store.apps import AllApps
from service.store.database import Database
from service.store.engine.postgres import Postgres
from service.store.feed import FeedStore
from service.store.tables import ON_EVERY_NODE, SPREAD

# One that migrations do not know of themselves: the runner makes it.
_CREATED = re.compile(r'\s*CREATE TABLE "(\w+)"')

_HAS_CITUS = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
_IS_COORDINATOR = "SELECT groupid = 0 FROM pg_dist_local_group"
_KNOWN = "SELECT relname FROM pg_dist_partition JOIN pg_class ON pg_class.oid = logicalrelid"
_THERE = "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid)"
_FOREIGN_KEYS = """
SELECT ours.relname, conname, pg_get_constraintdef(pg_constraint.oid)
FROM pg_constraint
    JOIN pg_class AS ours ON ours.oid = conrelid
    JOIN pg_class AS theirs ON theirs.oid = confrelid
WHERE contype = 'f' AND (ours.relname = ANY(%s) OR theirs.relname = ANY(%s)) ORDER BY 1, 2
"""
# All of one transaction has to go over one connection to each machine, or Citus refuses what comes later.
_ONE_CONNECTION = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
# A node that has an app itself would keep a plan more each time that a statement of it is run, and never drop
# one: until that is mended, it asks itself as it asks others. It is set for this role, on all nodes.
_ASK_ITSELF = """
SELECT format('ALTER ROLE %%I IN DATABASE %%I SET citus.enable_local_execution = off',
              current_user, current_database())
"""
# An event's number is that of the transaction of the machine that has it, and Citus would ask the node that
# a server is connected to. Citus calls triggers unsafe, as one may change other rows; this one changes none.
_NUMBERING = """
CREATE OR REPLACE FUNCTION usher_number_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xid := CAST(CAST(pg_current_xact_id() AS text) AS bigint);
    RETURN NEW;
END
$$
"""
_IS_NUMBERED = """
SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgname = 'usher_number_event')
"""
_TO_NUMBER = """
CREATE TRIGGER usher_number_event BEFORE INSERT ON "events"
FOR EACH ROW EXECUTE FUNCTION usher_number_event()
"""


def spread(database: Database) -> list[str]:
    """Spread what is not, all or nothing, and return the names of those tables. Raises NoCluster unless it is
    a coordinator of Citus.

    Events whose numbers are of another machine, as after their app has moved, are numbered anew.
    """
    with database.transaction():
        database.lock_here("migrations")
        _require_coordinator(database)
        _rows(database, _ONE_CONNECTION)
        done = _spread(database, [table._meta.table_name for table in SPREAD])
        done += _copy_to_every_node(database)
        _number_by_machine(database)
        _rows(database, _rows(database, _ASK_ITSELF)[0][0])
        for app in AllApps(database).all():
            FeedStore(database, app.id).renumber_if_ahead()
        return done


@contextmanager
def spreading_new_tables(database: Database) -> Iterator[None]:
    """Have each table that is created inside spread at once, where the store's tables are.

    What refers to a table that is spread can't be made otherwise.
    """
    if database.is_sqlite or "apps" not in _known(database):
        yield
        return
    _rows(database, _ONE_CONNECTION)
    peewee, execute = database.peewee, database.peewee.execute_sql

    def execute_and_spread(sql: str, params: Any = None) -> Any:
        created = _CREATED.match(sql)
        if not created:
            return execute(sql, params)
        execute("SET LOCAL citus.enable_ddl_propagation = off")
        done = execute(sql, params)
        execute("SET LOCAL citus.enable_ddl_propagation = on")
        _spread(database, [created[1]])
        return done

    peewee.execute_sql = execute_and_spread  # type: ignore[method-assign]
    try:
        yield
    finally:
        del peewee.execute_sql


def keep_plans(database: Database) -> None:
    """Have statements be from now on as Citus keeps their plans, if the store is spread."""
    if isinstance(database.peewee, Postgres) and "apps" in _known(database):
        database.peewee.spread.set()


def _require_coordinator(database: Database) -> None:
    if database.is_sqlite or not _rows(database, _HAS_CITUS)[0][0]:
        raise NoCluster("DATABASE_URL is no database with the extension citus: see docs/growing.md")
    if _rows(database, _IS_COORDINATOR) != [(True,)]:
        raise NoCluster("DATABASE_URL is a worker of Citus: spread the tables at the coordinator")


def _known(database: Database) -> set[str]:
    """Return the tables that Citus keeps."""
    has_citus = _rows(database, _HAS_CITUS)[0][0]
    return {name for (name,) in _rows(database, _KNOWN)} if has_citus else set()


def _spread(database: Database, tables: Sequence[str]) -> list[str]:
    """Spread those of these tables that are not, without their foreign keys, and put those back."""
    known, there = _known(database), {name for (name,) in _rows(database, _THERE)}
    new = [name for name in tables if name in there - known]
    keys = _rows(database, _FOREIGN_KEYS, [new, new])
    for table, key, _ in keys:
        _rows(database, f'ALTER TABLE "{table}" DROP CONSTRAINT "{key}"')
    for name in new:
        beside = "none" if name == "apps" else "apps"
        _rows(database, "SELECT create_distributed_table(%s, 'app', colocate_with => %s)", [name, beside])
        # Its rows stay with the coordinator else, unseen, and nothing that is erased would go there.
        _rows(database, "SELECT truncate_local_data_after_distributing_table(%s)", [name])
    for table, key, definition in keys:
        _rows(database, f'ALTER TABLE "{table}" ADD CONSTRAINT "{key}" {definition}')
    return new


def _copy_to_every_node(database: Database) -> list[str]:
    new = [name for name in ON_EVERY_NODE if name not in _known(database)]
    for name in new:
        _rows(database, "SELECT create_reference_table(%s)", [name])
        _rows(database, "SELECT truncate_local_data_after_distributing_table(%s)", [name])
    return new


def _number_by_machine(database: Database) -> None:
    if not _rows(database, _IS_NUMBERED)[0][0]:
        for statement in ("SET LOCAL citus.enable_unsafe_triggers = on", _NUMBERING, _TO_NUMBER):
            _rows(database, statement)


def _rows(database: Database, sql: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    cursor = database.peewee.execute_sql(sql, values)
    return list(cursor.fetchall()) if cursor.description else []
