"""Each app is tidied once a day, by one of those who could, and nobody has to wait for it."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.desk import tidying as desk
from service.desk.erasing import Tidied
from service.desk.tidying import Interrupted, Kept, tidy_if_due
from service.model.errors import Contended
from service.store import Store
from service.store.apps import AllApps
from service.store.database import Database
from service.store.limits import IdempotencyKeyStore
from service.store.tables import Apps
from service.work import tidying
from service.work.tidying import Tidier, begin_to_tidy

AT = datetime(2030, 1, 1, tzinfo=UTC)
KEPT = Kept(idle_days=10, empty_days=10, cleared_days=3, event_days=30)


@pytest.fixture(autouse=True)
def _one_app_only(tenant, monkeypatch, time_machine):
    """Leave alone what other tests have left behind."""
    everything = AllApps.untidy
    monkeypatch.setattr(
        AllApps,
        "untidy",
        lambda self, at: tuple(app for app in everything(self, at) if app.id == tenant.id),
    )
    monkeypatch.setattr(tidying, "REST", 0)
    time_machine.move_to(AT, tick=False)


@pytest.fixture
def tidier(store):
    return Tidier(store, KEPT, threading.Event())


@pytest.fixture
def visit(tenant):
    """Log nobody in, and return a question whether they are there still."""

    def visit():
        id = tenant.login()["user"]["id"]
        return lambda: tenant.call("GET", f"/v1/users/{id}", tenant.sk).status_code == 200

    return visit


def pass_days(time_machine, days):
    time_machine.shift(timedelta(days=days, milliseconds=1))


def test_who_did_nothing_for_as_long_as_is_set_is_forgotten(tidier, visit, time_machine):
    is_there = visit()
    tidier.turn()
    assert is_there()

    pass_days(time_machine, KEPT.idle_days)
    tidier.turn()

    assert not is_there()


def test_an_app_is_tidied_once_a_day(tidier, visit, time_machine):
    is_there = visit()
    pass_days(time_machine, KEPT.idle_days - 0.5)
    tidier.turn()
    pass_days(time_machine, 0.9)
    tidier.turn()
    assert is_there()

    pass_days(time_machine, 0.1)
    tidier.turn()

    assert not is_there()


def test_an_app_is_tidied_again_if_somebody_asks_for_it_meanwhile(tidier, tenant, store, monkeypatch):
    tidied = []

    def tidy(of_app, *_, **__):
        tidied.append(of_app.app_id)
        if len(tidied) == 1:
            of_app.newcomers.tidy_soon()
        return Tidied(0, 0, 0, 0, 0, 0)

    monkeypatch.setattr(desk, "tidy", tidy)
    for _ in range(3):
        tidier.turn()

    assert tidied == [tenant.id, tenant.id]


def test_of_two_at_once_one_tidies(tidier, tenant, database_url, monkeypatch):
    begun, go_on, tidied = threading.Event(), threading.Event(), []

    def tidy(store, app, **_):
        tidied.append(app.id)
        begun.set()
        assert go_on.wait(60)
        return Tidied(0, 0, 0, 0, 0, 0)

    monkeypatch.setattr(desk, "tidy", tidy)
    other = Database(database_url)
    app = tidier.store.apps.with_id(tenant.id)
    first = threading.Thread(target=tidier.turn)
    first.start()
    assert begun.wait(60)
    found = Store(other).apps.untidy(0), tidy_if_due(Store(other), app, KEPT, lambda: None)
    go_on.set()
    first.join(60)
    other.close()

    assert found == ((), None)
    assert tidied == [tenant.id]


def test_whoever_comes_too_late_leaves_it_alone(tidier, tenant, store, visit, time_machine, monkeypatch):
    is_there, app = visit(), store.apps.with_id(tenant.id)
    tidier.turn()
    monkeypatch.setattr(AllApps, "untidy", lambda *_: (app,))
    pass_days(time_machine, 0.5)

    tidier.turn()

    assert is_there()


def test_what_somebody_was_killed_over_another_does_some_hours_later(
    tidier, tenant, store, visit, time_machine
):
    is_there = visit()
    pass_days(time_machine, KEPT.idle_days)
    at = int(datetime.now(UTC).timestamp() * 1000)
    assert store.apps.claim_tidying(tenant.id, at, at + desk.CLAIM)
    time_machine.shift(timedelta(milliseconds=desk.CLAIM - 1))
    tidier.turn()
    assert is_there()

    time_machine.shift(timedelta(milliseconds=1))
    tidier.turn()

    assert not is_there()


def test_who_is_asked_to_stop_leaves_the_rest_to_whoever_comes_next(tidier, visit, time_machine):
    is_there = visit()
    pass_days(time_machine, KEPT.idle_days)
    tidier.stopped.set()
    with pytest.raises(Interrupted):
        tidier.turn()
    assert is_there()

    tidier.stopped.clear()
    tidier.turn()

    assert not is_there()


def test_what_fails_is_tried_again_when_it_is_looked_at_next(tidier, visit, time_machine, monkeypatch):
    is_there = visit()
    pass_days(time_machine, KEPT.idle_days)

    def fail(*_):
        raise Contended

    with monkeypatch.context() as patched:
        patched.setattr(IdempotencyKeyStore, "forget_before", fail)
        with pytest.raises(Contended):
            tidier.turn()
    assert not is_there()
    another = visit()
    pass_days(time_machine, KEPT.idle_days)

    tidier.turn()

    assert not another()


def test_it_goes_on_until_it_is_stopped(store, config, tenant, visit, time_machine, monkeypatch):
    is_there = visit()
    pass_days(time_machine, KEPT.idle_days)
    looked, stopped, everything = [], threading.Event(), AllApps.untidy

    def look(self, at):
        looked.append(at)
        if len(looked) == 1:
            raise Contended
        if len(looked) == 3:
            stopped.set()
        return everything(self, at)

    monkeypatch.setattr(AllApps, "untidy", look)
    monkeypatch.setattr(tidying, "EVERY", 0.01)
    days = {"tidy_idle_days": 10, "tidy_empty_days": 10, "tidy_cleared_days": 3}
    begin_to_tidy(store, replace(config, **days), stopped).join(60)

    assert len(looked) == 3
    assert not is_there()


def test_who_is_stopped_in_the_middle_ends(store, visit, time_machine, monkeypatch):
    visit()
    pass_days(time_machine, KEPT.idle_days)
    stopped, everything = threading.Event(), AllApps.untidy

    def look(self, at):
        stopped.set()
        return everything(self, at)

    monkeypatch.setattr(AllApps, "untidy", look)

    Tidier(store, KEPT, stopped).run()

    assert stopped.is_set()


def test_a_new_app_is_due_at_once(store, tenant):
    rows = store.database.rows(Apps.select(Apps.tidy_at).where(Apps.app == tenant.id))

    assert rows == [(None,)]
    assert [app.id for app in store.apps.untidy(0)] == [tenant.id]
