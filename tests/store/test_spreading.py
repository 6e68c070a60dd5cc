"""Tables are spread over a cluster by app, with all that ties them; later migrations spread theirs.

``tests/support/citus.py`` stands in for Citus.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from peewee import Context

from service.cli import main
from service.model.errors import NoCluster
from service.model.events import Event, EventType
from service.model.identifiers import new_id
from service.store import Store
from service.store.database import Database
from service.store.deliveries import DeliveryStore
from service.store.engine import libpq
from service.store.engine.citus import with_app
from service.store.engine.postgres import Postgres
from service.store.engine.prepared import Prepared, inserting
from service.store.migrating import DIRECTORY, Schema, migrate
from service.store.spreading import spread
from service.store.tables import OF_ENGINES, TABLES, Events, Rates, Users
from service.store.users import user_columns
from tests.conftest import Databases
from tests.store.conftest import an_app
from tests.support import catalogues, citus
from tests.support.marks import LONG
from tests.support.servers import ADMIN_KEY, SECRET_KEY

NAMES = [table._meta.table_name for table in (*TABLES, *OF_ENGINES)]
# More transactions than any server here has had.
FAR_AHEAD = 2**40

LATER = '''
"""What a later release may do."""

def up(migrator, db):
    db.execute_sql("""
        CREATE TABLE "notes" ("app" TEXT NOT NULL, "id" TEXT NOT NULL, "user" TEXT, PRIMARY KEY ("app", "id"),
            FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id"))
    """)
    db.execute_sql('CREATE INDEX "notes_user" ON "notes" ("app", "user")')
    db.execute_sql('ALTER TABLE "users" ADD COLUMN "nickname" TEXT')
    db.execute_sql('CREATE TABLE "remarks" ("app" TEXT NOT NULL, "note" TEXT NOT NULL, '
                   'FOREIGN KEY ("app", "note") REFERENCES "notes" ("app", "id"))')
'''


@pytest.fixture
def url(databases: Databases) -> str:
    """The URL of a store at a coordinator."""
    url = databases.fresh("postgresql")
    migrate(url)
    citus.make(url)
    return url


@pytest.fixture
def coordinator(open_database: Callable[..., Database], url: str) -> Database:
    return open_database(url, timeout=LONG)


def test_all_tables_are_spread_by_app_beside_the_apps(url, coordinator):
    done = spread(coordinator)

    assert done == [*NAMES, "schema_migration"]
    apps, *others, migrations = citus.spread_tables(url)
    assert apps == ("apps", "app", "none", True)
    assert others == [(name, "app", "apps", True) for name in NAMES[1:]]
    assert migrations == ("schema_migration", None, None, True)


def test_the_foreign_keys_are_back(url, coordinator):
    before = catalogues.tables(url)

    spread(coordinator)

    after = catalogues.tables(url)
    assert {name: after[name] for name in before} == before


def test_what_is_spread_is_left_alone(url, coordinator):
    spread(coordinator)
    before = citus.spread_tables(url)

    assert spread(coordinator) == []
    assert citus.spread_tables(url) == before


def test_nothing_is_spread_if_something_cannot_be(url, coordinator):
    with psycopg.connect(url) as connection:
        connection.execute('CREATE UNIQUE INDEX odd ON "purchases" ("digest")')

    with pytest.raises(Exception, match="unique index without app"):
        spread(coordinator)

    assert citus.spread_tables(url) == []


def test_a_store_is_served_as_before(url, coordinator):
    spread(coordinator)

    Schema(coordinator).require()
    assert migrate(url) == []


# --- later migrations


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a later release."""
    directory = shutil.copytree(DIRECTORY, tmp_path / "migrations")
    (directory / "9000_later.py").write_text(LATER)
    return directory


def test_a_later_migration_spreads_its_tables(url, coordinator, later):
    spread(coordinator)

    assert migrate(url, later) == ["9000_later"]

    assert [row[0] for row in citus.spread_tables(url)][-2:] == ["notes", "remarks"]
    assert {key.table for key in catalogues.tables(url)["notes"].foreign_keys} == {"users"}
    assert {key.table for key in catalogues.tables(url)["remarks"].foreign_keys} == {"notes"}
    assert spread(coordinator) == []


def test_a_later_migration_spreads_nothing_where_nothing_is(url, later):
    migrate(url, later)

    assert citus.spread_tables(url) == []


def test_no_statement_of_a_migration_makes_another_table_than_it_begins_with(databases, monkeypatch):
    # That would not be spread.
    sent, execute = [], Postgres.execute_sql

    def keep(self, sql, params=None):
        sent.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(Postgres, "execute_sql", keep)
    migrate(databases.fresh("postgresql"))

    makes = [
        sql for sql in sent if re.search(r"\bCREATE\s+(UNLOGGED\s+)?TABLE\b|\bINTO\s+TABLE\b", sql, re.I)
    ]
    assert [sql for sql in makes if not re.match(r'\s*CREATE TABLE (IF NOT EXISTS )?"\w+"', sql)] == []
    assert [sql for sql in makes if len(re.findall("CREATE", sql)) != 1] == []


# --- events


def in_order(store: Store, app: str) -> list[str]:
    """Return the events of an app, in the order in which they are told."""
    events = Events.select(Events.id).where(Events.app == app)
    return [id for (id,) in store.database.rows(events.order_by(Events.xid, Events.id))]


def write(store: Store, app: str) -> str:
    """Write an event down."""
    event = Event(new_id("evt"), EventType.USER_CREATED, 1, "usr_x", None, None, None)
    with store.transaction():
        store.of(app).events.add(event)
    return event.id


def test_events_that_were_numbered_elsewhere_come_before_those_that_are_written_from_now_on(url, coordinator):
    app, store = an_app(url), Store(coordinator)
    first, second = write(store, app), write(store, app)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE events SET xid = xid + %s", [FAR_AHEAD])

    spread(coordinator)
    third = write(store, app)

    assert in_order(store, app) == [first, second, third]


def test_events_are_numbered_by_the_transaction_of_the_server_that_has_them(url, coordinator):
    app, store = an_app(url), Store(coordinator)
    spread(coordinator)

    with psycopg.connect(url) as connection:
        connection.execute(
            'INSERT INTO events (app, id, xid, type, at, "user")'
            " VALUES (%s, 'evt_1', %s, 'user.created', 1, 'x')",
            [app, FAR_AHEAD],
        )
        [(number, own)] = connection.execute(
            "SELECT xid, pg_current_xact_id()::text::bigint FROM events"
        ).fetchall()

    assert number == own
    event = write(store, app)
    assert in_order(store, app) == ["evt_1", event]


def test_events_that_this_server_has_numbered_stay_as_they_are(url, coordinator):
    app, store = an_app(url), Store(coordinator)
    write(store, app)
    with psycopg.connect(url) as connection:
        before = connection.execute("SELECT xid FROM events").fetchall()

        spread(coordinator)

        assert connection.execute("SELECT xid FROM events").fetchall() == before


# --- statements


def test_each_part_of_the_columns_of_a_user_names_the_app_by_itself():
    # Citus finds the machine of a subquery among the columns by that alone.
    sql, _ = Context().sql(Users.select(*user_columns("app_1")).where(Users.app == "app_1")).query()

    inner = sql[sql.index("EXISTS(") : sql.index("FROM", sql.index("WHERE"))]
    assert re.search(r'"t\d"\."app" = \?', inner)


def test_each_part_of_the_search_for_what_is_to_be_delivered_names_the_app_by_itself(
    url, coordinator, monkeypatch
):
    # Citus refuses to lock the rows else.
    sent, execute = [], Postgres.execute_sql

    def keep(self, sql, params=None):
        sent.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(Postgres, "execute_sql", keep)
    with coordinator.transaction():
        assert DeliveryStore(coordinator, an_app(url)).lease("lease", 1, 2, quick=True) is None

    [locking] = [sql for sql in sent if "SKIP LOCKED" in sql]
    assert locking.count('"app" = %s') == locking.count("FROM") == 3


# --- statements of a store that is spread


PREPARED = "SELECT statement FROM pg_prepared_statements ORDER BY prepare_time"
NAMED = Prepared(lambda app, id: Users.select(Users.name).where((Users.app == app) & (Users.id == id)))


def prepared(database: Database) -> list[str]:
    """Return what the server keeps prepared for the one connection that there is."""
    rows = database.ask(lambda: database.peewee.execute_sql(PREPARED).fetchall())
    return [statement for (statement,) in rows]


def test_an_app_stands_in_what_is_prepared_so_that_citus_keeps_its_plan(url, coordinator):
    first, second = an_app(url), an_app(url)
    spread(coordinator)
    Schema(coordinator).require()

    for app in (first, second, first):
        assert coordinator.rows(NAMED(app, "usr_x")) == []

    told = prepared(coordinator)
    assert [statement.partition(" WHERE ")[2] for statement in told] == [
        f"""(("t1"."app" = '{app}') AND ("t1"."id" = $1))""" for app in (first, second)
    ]


def test_a_store_that_is_not_spread_is_asked_as_ever(url, coordinator):
    app = an_app(url)
    Schema(coordinator).require()

    coordinator.rows(NAMED(app, "usr_x"))

    assert [statement.partition(" WHERE ")[2] for statement in prepared(coordinator)] == [
        '(("t1"."app" = $1) AND ("t1"."id" = $2))'
    ]


@pytest.mark.parametrize(
    "app",
    ["", "app_1", "app_" + "0" * 31 + "'", "x' OR true --", None],
    ids=["none", "short", "quoted", "other", "null"],
)
def test_what_is_no_id_of_an_app_is_never_written_into_a_statement(app):
    sql = 'SELECT 1 FROM "users" WHERE ("app" = %s) AND ("id" = %s)'

    assert with_app(sql, [app, "x"]) == (sql, [app, "x"])


def test_only_what_an_app_is_compared_with_is_written_out():
    one, other = new_id("app"), new_id("app")
    sql = 'SELECT \'%%s\', %s FROM t WHERE ("t"."app" = %s) AND ("id" = %s)'

    assert with_app(sql, [other, one, one]) == (sql.replace('"app" = %s', f"\"app\" = '{one}'"), [other, one])
    twice = 'SELECT 1 FROM t, s WHERE ("t"."app" = %s) AND ("s"."app" = %s)'
    assert with_app(twice, [one, other]) == (twice, [one, other])
    assert with_app("SELECT %s", [one]) == ("SELECT %s", [one])


def test_a_connection_keeps_so_many_statements_those_that_were_used_last(url, coordinator, monkeypatch):
    monkeypatch.setattr(libpq, "KEPT", 2)
    apps = [an_app(url) for _ in range(3)]
    spread(coordinator)
    Schema(coordinator).require()

    for app in (apps[0], apps[1], apps[0], apps[2], apps[0]):
        coordinator.rows(NAMED(app, "usr_x"))

    told = prepared(coordinator)
    assert [[app in statement for app in apps] for statement in told] == [
        [True, False, False],
        [False, False, True],
    ]


def test_rows_are_added_by_statements_of_their_own(url, coordinator):
    app, store = an_app(url), Store(coordinator)
    spread(coordinator)
    Schema(coordinator).require()

    with store.transaction():
        for kind in ("one", "other"):
            coordinator.add(
                inserting(Rates.app, Rates.kind, Rates.address, Rates.minute, Rates.count)(
                    app, kind, "", 0, 1
                )
            )

    assert len(coordinator.rows(Rates.select(Rates.kind).where(Rates.app == app))) == 2
    assert [statement.count("INSERT") for statement in prepared(coordinator) if "INSERT" in statement] == [1]


def test_a_node_asks_itself_as_it_asks_others(url, coordinator):
    spread(coordinator)

    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW citus.enable_local_execution").fetchone() == ("off",)


# --- where it cannot be done


def test_a_store_without_citus_is_refused(database):
    with pytest.raises(NoCluster, match="no database with the extension citus"):
        spread(database)


def test_a_worker_is_refused(databases, open_database):
    url = databases.fresh("postgresql")
    migrate(url)
    citus.make(url, citus.WORKER)

    with pytest.raises(NoCluster, match="is a worker of Citus"):
        spread(open_database(url))


def test_the_command_says_what_it_has_done(url, monkeypatch, capsys):
    for name, value in {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY, "DATABASE_URL": url}.items():
        monkeypatch.setenv(name, value)

    main(["spread"])
    first = capsys.readouterr().out.splitlines()
    main(["spread"])

    assert first == [f"spread {name}" for name in (*NAMES, "schema_migration")]
    assert capsys.readouterr().out == "all tables are spread\n"
