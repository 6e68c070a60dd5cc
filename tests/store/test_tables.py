"""``app`` leads whatever orders or ties rows, in every table, as the database itself tells it."""

from collections.abc import Iterator

import psycopg
import pytest

from service.store.migrating import migrate
from service.store.tables import ON_EVERY_NODE, SPREAD, TABLES
from tests.conftest import ENGINES, Databases
from tests.support import catalogues

NAMES = [table._meta.table_name for table in TABLES]
OWNED = [name for name in NAMES if name != "apps"]
# The first is written with a row of another table that belongs to its app; the second outlives its app, and
# operators are of none.
OF_ITS_OWN = {"events", "removals", "operator_sessions"}


@pytest.fixture(scope="module", params=ENGINES)
def tables(request: pytest.FixtureRequest, databases: Databases) -> dict[str, catalogues.Table]:
    url = databases.fresh(request.param)
    migrate(url)
    return catalogues.tables(url)


def test_every_table_of_the_database_is_one_that_we_know(tables):
    assert sorted(tables) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_app_leads_the_primary_key_and_every_index_and_is_never_null(tables, name):
    _, null, _ = tables[name].columns["app"]

    assert not null
    assert {tables[name].primary_key[0], *(index.columns[0] for index in tables[name].indexes.values())} == {
        "app"
    }


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_made_by_the_application(tables, name):
    # The former release adds users, what is said of them, and sign-ins, and knows none of these columns.
    unknown = {"users": {"version": "1"}, "attributes": {"rank": "0"}, "sign_ins": {"writes": "false"}}
    expected = unknown.get(name, {})
    assert {
        column: default.lower() for column, (_, _, default) in tables[name].columns.items() if default
    } == expected


@pytest.mark.parametrize("name", OWNED)
def test_app_leads_every_foreign_key_and_is_the_same_app_there(tables, name):
    keys = tables[name].foreign_keys

    assert bool(keys) is (name not in OF_ITS_OWN)
    assert [key for key in keys if (key.columns[0], key.theirs[0]) != ("app", "app")] == []


@pytest.mark.parametrize("name", OWNED)
def test_both_sides_of_a_foreign_key_are_of_the_same_types(tables, name):
    for key in tables[name].foreign_keys:
        ours, theirs = tables[name].columns, tables[key.table].columns
        assert [ours[one][0] for one in key.columns] == [theirs[one][0] for one in key.theirs]


@pytest.mark.parametrize("name", NAMES)
def test_app_is_of_one_type_everywhere_and_part_of_whatever_is_unique(tables, name):
    assert tables[name].columns["app"][0].upper() == "TEXT"
    assert all("app" in index.columns for index in tables[name].indexes.values() if index.unique)


def test_of_each_table_it_is_said_how_a_cluster_keeps_it(postgresql):
    there = {
        name
        for (name,) in postgresql.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    }

    by_app = [table._meta.table_name for table in SPREAD]
    assert sorted([*by_app, *ON_EVERY_NODE]) == sorted(there)
    # Who is named is spread first, and no row of what is spread names one that is not.
    assert by_app[0] == "apps"


@pytest.mark.parametrize("name", [name for name in OWNED if name not in OF_ITS_OWN])
def test_every_row_belongs_to_an_app_that_is_there(tables, name):
    reached, at = set(), {name}

    while at:
        reached |= at
        at = {key.table for table in at for key in required(tables[table])} - reached

    assert "apps" in reached


@pytest.mark.parametrize("name", OWNED)
def test_an_index_leads_to_the_rows_of_every_foreign_key(tables, name):
    table = tables[name]
    # One that leaves out the rows without a reference leads to all the others.
    leading = [index for index in table.indexes.values() if "NOT NULL" in (index.where or "NOT NULL").upper()]
    leads = [table.primary_key] + [index.columns for index in leading]

    # It can look for these columns in whatever order they stand.
    unled = [
        columns
        for columns in (key.columns for key in table.foreign_keys)
        if not any(set(lead[: len(columns)]) == set(columns) for lead in leads)
    ]

    assert unled == []


def required(table: catalogues.Table) -> list[catalogues.ForeignKey]:
    """Return the foreign keys that every row has."""
    return [key for key in table.foreign_keys if not any(table.columns[column][1] for column in key.columns)]


# What Citus refuses of a table that it spreads, but what other tests here look at.
REFUSED = {
    "triggers": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    "sequences of ours": """
        SELECT relname FROM pg_class WHERE relkind = 'S' AND NOT EXISTS (
            SELECT 1 FROM pg_depend WHERE objid = pg_class.oid AND refobjid = 'schema_migration'::regclass)
    """,
    "generated columns": """
        SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND (attidentity != '' OR attgenerated != '')
            AND relname NOT LIKE 'schema_migration%'
    """,
    "constraints that exclude rows": "SELECT conname FROM pg_constraint WHERE contype = 'x'",
    "foreign keys that wait, or change rows": """
        SELECT conname FROM pg_constraint
        WHERE contype = 'f' AND (condeferrable OR confdeltype != 'a' OR confupdtype != 'a')
    """,
    "parts of tables": "SELECT inhrelid::regclass::text FROM pg_inherits",
    "views, and tables of other kinds": """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'i', 'S', 't')
    """,
    "functions": "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
}


@pytest.fixture(scope="module")
def postgresql(databases: Databases) -> Iterator[psycopg.Connection]:
    url = databases.fresh("postgresql")
    migrate(url)
    with psycopg.connect(url) as connection:
        yield connection


@pytest.mark.parametrize("query", REFUSED.values(), ids=REFUSED)
def test_nothing_is_there_that_cannot_be_spread_over_machines(postgresql, query):
    assert postgresql.execute(query).fetchall() == []
