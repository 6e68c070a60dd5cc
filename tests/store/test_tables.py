"""``app`` leads whatever orders or ties rows, in every table, as the database itself tells it."""

import pytest

from service.store.migrating import migrate
from service.store.tables import TABLES
from tests.conftest import ENGINES, Databases
from tests.support import catalogues

NAMES = [table._meta.table_name for table in TABLES]
OWNED = [name for name in NAMES if name != "apps"]


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
    # The former release adds users, and knows no version.
    expected = {"version": "1"} if name == "users" else {}
    assert {
        column: default for column, (_, _, default) in tables[name].columns.items() if default
    } == expected


@pytest.mark.parametrize("name", OWNED)
def test_app_leads_every_foreign_key_and_is_the_same_app_there(tables, name):
    keys = tables[name].foreign_keys

    assert keys
    assert [key for key in keys if (key.columns[0], key.theirs[0]) != ("app", "app")] == []


@pytest.mark.parametrize("name", OWNED)
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
