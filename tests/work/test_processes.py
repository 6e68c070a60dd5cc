"""Who works: a process of its own, and on SQLite the web server beside its requests."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from service.config import Config
from service.desk.imports import begin, receive, show_import
from service.encryption import IMPORTS, Encryption
from service.model.imports import ImportState, Options
from service.store import Store
from service.store.database import Database
from service.store.migrating import migrate
from service.store.opening import open_store
from service.times import now
from service.work.beside import work_beside
from tests.conftest import ENGINES
from tests.support.following import all_told
from tests.support.metrics import samples
from tests.support.receivers import receiver
from tests.support.servers import (
    ADMIN_KEY,
    SECRET_KEY,
    SETTINGS,
    Port,
    command,
    free_port,
    serve,
    wait_until,
    working,
)

HERE = Path(__file__).parents[2]


@pytest.fixture(params=ENGINES)
def url(request, databases):
    url = databases.fresh(request.param)
    migrate(url)
    return url


def told(server, found):
    """Make a webhook, and change something; return the app."""
    tenant = server.tenant()
    jane = tenant.known(userId="jane")
    all_told(tenant)
    made = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": found.url, "types": ["user.updated"]})
    assert made.status_code == 201, made.text
    tenant.change(jane, name="Jane")
    return tenant


def test_a_worker_delivers_and_says_so_until_it_is_asked_to_stop(url):
    port = free_port()
    with receiver() as found, serve(url, WEBHOOK_LOOPBACK="on") as server, working(url, port):
        told(server, found)
        wait_until(lambda: found.requests)
        assert Port(port).get("/healthz").status_code == 200
        # On SQLite the web server may have been faster.
        wait_until(lambda: delivered(port) + delivered(server.port) == 1)


def delivered(port):
    counted = samples(Port(port))
    return counted.get(("usher_webhook_attempts_total", ("outcome", "delivered")), 0)


def test_whoever_works_tidies(url):
    assert command("apps", "create", "Shop", DATABASE_URL=url).returncode == 0
    database = Database(url)
    works = serve(url) if database.is_sqlite else working(url)
    with works:
        wait_until(lambda: not Store(database).apps.untidy(now()))
    database.close()


def test_whoever_works_takes_people_in(url, tmp_path, monkeypatch):
    monkeypatch.setenv("FILES_URL", f"file://{tmp_path}")
    created = command("apps", "create", "Shop", DATABASE_URL=url)
    app = created.stdout.partition("APP=")[2].split()[0]
    store = open_store(Config(ADMIN_KEY, SECRET_KEY, url, files_url=f"file://{tmp_path}"))
    own = store.of(app)
    one = receive(own, Encryption(SECRET_KEY, IMPORTS), Options("csv"), [b"user_id\nu-1\n"])
    works = serve(url) if store.database.is_sqlite else working(url)
    with works:
        wait_until(lambda: show_import(own, one.id).state is ImportState.READ)
        begin(own, one.id)
        wait_until(lambda: show_import(own, one.id).state is ImportState.DONE)
    assert own.users.with_user_ids(["u-1"], verified=True).keys() == {"u-1"}
    store.database.close()


def test_on_sqlite_the_web_server_delivers_by_itself(databases):
    url = databases.fresh("sqlite")
    migrate(url)
    with receiver() as found, serve(url, WEBHOOK_LOOPBACK="on") as server:
        told(server, found)
        wait_until(lambda: found.requests)

    assert len(found.requests) == 1


def test_on_postgresql_the_web_server_has_nothing_of_a_worker_in_memory(url):
    lists = "import sys, wsgi; print(*sys.modules)"
    environment = os.environ | SETTINGS | {"DATABASE_URL": url}
    listed = subprocess.run(
        [sys.executable, "-c", lists], cwd=HERE, env=environment, capture_output=True, text=True, check=True
    )

    has_a_worker = {"service.work.loop", "httpcore"} & set(listed.stdout.split())
    assert bool(has_a_worker) is url.startswith("sqlite:")


def test_what_works_in_the_web_server_can_be_stopped(databases):
    url = databases.fresh("sqlite")
    migrate(url)
    before = set(threading.enumerate())

    worker = work_beside(Config(ADMIN_KEY, SECRET_KEY, url))
    begun = set(threading.enumerate()) - before
    assert {thread.name for thread in begun} == {"work", "tidy", "import", "index", "compare"}

    worker.stopped.set()
    wait_until(lambda: not any(thread.is_alive() for thread in begun))
