"""Connections are never used on the other side of a fork, and nobody queues for a silent store."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.model.errors import StoreUnavailable
from tests.support.marks import LONG, mark

HERE = Path(__file__).parents[2]

# A temporary table belongs to one connection, so it tells who uses it.
FORK = """
import os, sys
from service.store.database import Database

def mine(database):
    return database.ask(lambda: database.peewee.execute_sql(sys.argv[2]).fetchone()[0])

database = Database(sys.argv[1], float(sys.argv[3]))
database.ask(lambda: database.peewee.execute_sql("CREATE TEMPORARY TABLE mine (a TEXT)"))
child = os.fork()
if not child:
    found = mine(database)
    database.close()
    sys.exit(found)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), mine(database))
database.close()
"""
TEMPORARY_TABLES = {
    "sqlite": "SELECT count(*) FROM sqlite_temp_master",
    "postgresql": "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname = 'mine'"
    " AND relnamespace = pg_my_temp_schema()",
}


def test_a_child_opens_its_own_connection_and_leaves_its_parents_alone(empty_url, engine):
    # From 3.12 on Python warns of any fork beside threads, as that of the watch over connections.
    quiet = ["-W", "ignore:This process:DeprecationWarning"]
    arguments = [sys.executable, *quiet, "-c", FORK, empty_url, TEMPORARY_TABLES[engine], str(LONG)]

    ran = subprocess.run(arguments, cwd=HERE, capture_output=True, text=True, check=False)

    # So many did the child find, and so many its parent after that.
    assert (ran.stdout, ran.stderr) == ("0 1\n", "")


def test_a_connection_that_was_left_in_a_transaction_serves_nobody_else(database, app_id):
    with database.connected():
        database.peewee.execute_sql("BEGIN")
        database.peewee.execute(mark(app_id))

    assert database.change(mark(app_id)) == 1


def test_while_the_store_is_silent_time_in_the_queue_counts(database, app_id):
    database.peewee.silent = True
    database.start_deadline(waited=LONG)

    with pytest.raises(StoreUnavailable):
        database.change(mark(app_id))


def test_who_has_not_waited_too_long_asks_a_silent_store_and_an_answer_ends_the_silence(database, app_id):
    database.peewee.silent = True
    database.start_deadline(waited=LONG / 2)
    assert database.change(mark(app_id, "first")) == 1

    database.start_deadline(waited=LONG)
    assert database.change(mark(app_id, "second")) == 1


def test_while_the_store_answers_time_in_the_queue_does_not_count(database, app_id):
    database.start_deadline(waited=LONG)

    assert database.change(mark(app_id)) == 1
