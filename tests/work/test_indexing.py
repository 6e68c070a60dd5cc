"""Whoever works fills the indexes of what was written, and all are told how far these go."""

import threading

import pytest

from service.desk import indexing as desk
from service.desk.searching import search
from service.model.errors import Contended
from service.store.search import AllSearches
from service.work import indexing
from service.work.indexing import Indexer, begin_to_index
from tests.support.following import all_told
from tests.support.servers import ADMIN_KEY


@pytest.fixture(autouse=True)
def _one_app_only(tenant, monkeypatch):
    """Leave alone what other tests have left behind, and wait for nothing."""
    everything = AllSearches.states
    monkeypatch.setattr(
        AllSearches, "states", lambda self: tuple(one for one in everything(self) if one.app == tenant.id)
    )
    monkeypatch.setattr(indexing, "REST", 0)
    monkeypatch.setattr(indexing, "PAUSE", 0)


@pytest.fixture
def indexer(store):
    return Indexer(store, threading.Event())


@pytest.fixture
def written(tenant):
    """Something was written, and other transactions are over."""
    tenant.begin(tenant.session(userId="u-kim"), "Where is my parcel?")
    all_told(tenant)


@pytest.mark.usefixtures("written")
def test_it_goes_on_until_there_is_nothing_to_do(indexer, store, tenant):
    while indexer.turn():
        pass
    [state] = store.searches.states()
    assert state.is_whole
    assert state.oldest is None
    assert len(search(store.of(tenant.id), "parcel", cursor=None, limit=50).data) == 1
    assert not indexer.turn()


@pytest.mark.usefixtures("written")
def test_who_is_asked_to_stop_begins_nothing(indexer, store, tenant):
    indexer.stopped.set()
    assert not indexer.turn()
    assert store.of(tenant.id).search.progress() is None


@pytest.mark.usefixtures("written")
def test_it_works_until_it_is_stopped_whatever_fails(store, tenant, monkeypatch):
    stopped, everything, looked = threading.Event(), AllSearches.states, []

    def look(self):
        looked.append(self)
        if len(looked) == 1:
            raise Contended
        found = everything(self)
        if found[0].is_whole:
            stopped.set()
        return found

    monkeypatch.setattr(AllSearches, "states", look)
    begin_to_index(store, stopped).join(60)
    assert stopped.is_set()


@pytest.mark.usefixtures("written")
def test_metrics_tell_how_far_the_indexes_go(indexer, client, monkeypatch):
    monkeypatch.setattr(desk, "CONVERSATIONS", 1)
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}

    def told():
        text = client.get("/metrics", headers=key).text
        return [
            float(line.rpartition(" ")[2])
            for name in ("behind_seconds", "unfinished")
            for line in text.splitlines()
            if line.startswith(f"usher_search_{name} ")
        ]

    behind, unfinished = told()
    assert (behind > 0, unfinished) == (True, 1)
    while indexer.turn():
        pass
    assert told() == [0, 0]
