"""While the store is away streams stay open; when it is back, whoever followed has to read all anew."""

import asyncio
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.desk.apps import create_app, create_key
from service.encryption import Encryption
from service.live.app import joined
from service.live.streams import Streams
from service.live.telling import Teller
from service.model.apps import KeyKind, Settings
from service.model.errors import StoreUnavailable
from service.model.identifiers import digest
from service.model.streams import KeyListener
from service.store import Store
from service.store.database import Database
from service.store.migrating import migrate
from tests.support.live import live
from tests.support.postgresql import postgres
from tests.support.servers import SECRET_KEY, serve, wait_until


@contextmanager
def file_away(path):
    away = path.with_suffix(".away")
    shutil.move(path, away)
    try:
        yield
    finally:
        shutil.move(away, path)


@contextmanager
def on_sqlite(databases):
    url = databases.fresh("sqlite")
    migrate(url)
    yield url, lambda: file_away(Path(url.removeprefix("sqlite:///")))


@contextmanager
def on_a_server(how):
    with postgres() as server:
        migrate(server.url)
        yield server.url, getattr(server, how)


@pytest.fixture(params=["sqlite", "stopped", "frozen"])
def outage(request, databases):
    """The URL of a store, and what has it be away."""
    way = on_sqlite(databases) if request.param == "sqlite" else on_a_server(request.param)
    with way as found:
        yield found


def test_streams_stay_open_while_the_store_is_away_and_end_when_it_is_back(outage):
    url, away = outage
    with serve(url) as web, live(url, module="service") as streams:
        tenant = web.tenant()
        token = tenant.session(userId="jane")
        follower = streams.follow(token)
        with away():
            began = time.monotonic()
            refused = streams.try_follow(token)
            assert (refused.status, refused.body["code"]) == (503, "store-unavailable")
            assert refused.headers["Retry-After"]
            assert time.monotonic() - began < 10
            assert streams.get("/readyz").status_code == 503
            assert streams.get("/healthz").status_code == 200
            # Whoever tells what is new has noticed it, and looks again.
            wait_until(lambda: any(line["event"] == "unavailable" for line in streams.log))
            time.sleep(0.5)
            assert not follower.over.is_set()

        follower.wait_over()
        streams.wait_until("/readyz")
        follower = streams.follow(token)
        web.wait_until("/readyz")
        follower.wait_told(tenant.begin(token))
        reasons = [line["reason"] for line in streams.log if line["event"] == "ended"]
        assert "stale" in reasons


def test_whoever_would_join_while_the_store_is_away_is_refused(databases):
    url = databases.fresh("sqlite")
    migrate(url)
    store, open_streams = Store(Database(url)), Streams(9)
    app, _ = create_app(store, "Shop", Settings())
    key, _ = create_key(store, Encryption(SECRET_KEY), app.id, KeyKind.SECRET)
    who = app.id, KeyListener(digest(key.plain))

    async def follow():
        telling = asyncio.create_task(Teller(store, open_streams).run())
        with open_streams.opened(*who) as early:
            await joined(early)
            with (
                file_away(Path(url.removeprefix("sqlite:///"))),
                open_streams.opened(*who) as late,
            ):
                with pytest.raises(StoreUnavailable):
                    await joined(late)
                assert early.over is None
            while early.over is None:
                await early.news()
        telling.cancel()
        await asyncio.wait([telling])

    asyncio.run(follow())
    store.database.close()
    assert open_streams.apps() == []


def test_it_starts_while_the_store_is_away(databases):
    url = databases.fresh("sqlite")
    with live(url, ready="/healthz") as streams:
        assert streams.get("/readyz").status_code == 503
        assert streams.try_follow("").status == 503

        migrate(url)
        streams.wait_until("/readyz")
