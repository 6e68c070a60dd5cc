"""PgBouncer in transaction mode, with deploy/pgbouncer.ini: each transaction is before another server process
than the one before, and nobody who calls notices."""

import configparser
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service.api.context import NAME
from service.config import Config
from service.store.migrating import migrate
from tests.conftest import Databases, patient
from tests.support.servers import ADMIN_KEY, HERE, SECRET_KEY, wait_until
from tests.support.tenants import Tenant

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
# Fewer than there are threads, so that they change places.
SERVERS, THREADS, ROUNDS = 3, 8, 6

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """Have a PgBouncer before a database, as the file says; inside is the URL of both."""
    at = conninfo_to_dict(url)
    with tempfile.TemporaryDirectory(prefix="usher-pgb-") as name:
        directory, ini = Path(name), configparser.ConfigParser()
        ini.read(HERE / "deploy" / "pgbouncer.ini")
        place = " ".join(f"{key}={at[key]}" for key in ("host", "port", "user", "dbname"))
        ini["databases"]["usher"] = re.sub("host=.* dbname=usher", place, ini["databases"]["usher"])
        ours = {"listen_addr": "", "unix_socket_dir": name, "auth_type": "any", "default_pool_size": SERVERS}
        ini["pgbouncer"].update({key: str(value) for key, value in ours.items()})
        del ini["pgbouncer"]["auth_file"]
        with (directory / "pgbouncer.ini").open("w") as file:
            ini.write(file)
        owner = Path(at["host"]).owner() if Path(at["host"]).is_dir() else None
        if os.getuid() == 0:
            # As root it does not run, and the server's socket may be its owner's alone.
            shutil.chown(directory, owner)
        process = subprocess.Popen(
            [str(PGBOUNCER), "--quiet", directory / "pgbouncer.ini"],
            user=owner if os.getuid() == 0 else None,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until((directory / ".s.PGSQL.6432").exists)
            yield f"postgres://{at['user']}@/usher?host={name}&port=6432"
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def url(databases: Databases) -> Iterator[str]:
    url = databases.fresh("postgresql")
    migrate(url)
    with pooled(url) as through:
        yield through


@pytest.fixture
def tenant(url: str) -> Iterator[Tenant]:
    app = patient(Config(ADMIN_KEY, SECRET_KEY, url, login_rate=0, proof_failure_rate=0))
    with closing(app.extensions[NAME].store.database):
        yield Tenant.create(app.test_client(), ADMIN_KEY)


def test_everybody_is_served_though_servers_change_places(tenant):
    def live(number: int) -> list[int]:
        calls = []
        for turn in range(ROUNDS):
            token = tenant.session(userId=f"u-{number}-{turn}", email=f"u-{number}-{turn}@example.org")
            conversation = tenant.begin(token)
            calls += [
                tenant.call("POST", f"/v1/conversations/{conversation}/messages", token, {"body": "Hi"}),
                tenant.call("GET", f"/v1/conversations/{conversation}/messages", token),
                # Everybody locks this one's email.
                tenant.try_login(email="jane@example.org"),
            ]
        return [one.status_code for one in calls]

    with ThreadPoolExecutor(THREADS) as threads:
        answered = [status for statuses in threads.map(live, range(THREADS)) for status in statuses]

    assert set(answered) == {200, 201}
    assert answered.count(201) == THREADS * ROUNDS + 1


def test_it_is_migrated_through_it_too(databases):
    url = databases.fresh("postgresql")
    with pooled(url) as through:
        assert migrate(through)
        assert migrate(through) == []


def test_no_setting_stays_on_a_server(url):
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        found = {connection.execute("SHOW statement_timeout").fetchone() for _ in range(2 * SERVERS)}

    assert found == {("0",)}


def test_each_server_plans_as_usher_asks_for(url):
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        found = {connection.execute("SHOW plan_cache_mode").fetchone() for _ in range(2 * SERVERS)}

    assert found == {("force_generic_plan",)}
