"""Prepared queries: made once for each kind of database, and what peewee would make each time."""

import pytest

from service.store.engine.prepared import Prepared
from service.store.tables import Apps, Rates
from tests.support.marks import mark


@pytest.fixture
def built():
    """Count how often a query is built."""
    return []


@pytest.fixture
def counts(built):
    def build(app, kind):
        built.append(kind)
        return Rates.select(Rates.count).where(Rates.app == app, Rates.kind == kind, Rates.minute == 0)

    return Prepared(build)


def test_a_prepared_query_finds_what_its_values_ask_for(database, app_id, counts):
    database.change(mark(app_id, "one"))

    assert [database.rows(counts(app_id, kind)) for kind in ("one", "other")] == [[(1,)], []]


def test_its_sql_is_made_when_it_is_first_run(database, app_id, built, counts):
    made = [counts(app_id, kind).query.compiled(database.peewee, None) for kind in ("one", "other")]

    assert made[0] is made[1]
    assert len(built) == 1


def test_it_changes_rows_as_well(database, app_id):
    rename = Prepared(lambda app, name: Apps.update(name=name).where(Apps.app == app))
    # One value is enough.
    name = Prepared(lambda app: Apps.select(Apps.name).where(Apps.app == app))

    assert database.change(rename(app_id, "Other")) == 1
    assert database.rows(name(app_id)) == [("Other",)]


def test_it_locks_its_rows_where_rows_are_locked(database, app_id, counts):
    sql, values = database.locked(counts(app_id, "one"), "SHARE").sql(database.peewee)

    assert sql.endswith("FOR SHARE") != database.is_sqlite
    assert values == [app_id, "one", 0]


def test_one_that_depends_on_its_values_is_found(database, app_id):
    def build(app, kind):
        counted = Rates.select(Rates.count).where(Rates.app == app)
        return counted if kind is None else counted.where(Rates.kind == kind)

    counts = Prepared(build)
    database.rows(counts(app_id, "one"))

    with pytest.raises(AssertionError):
        database.rows(counts(app_id, None))
