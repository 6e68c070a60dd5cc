"""Whoever works follows what changes: fills the indexes of what was written, and compares who was added; and
all are told how far that goes."""

import threading

import pytest

from service.desk import indexing
from service.desk.searching import search
from service.model.errors import Contended
from service.store.comparing import AllComparing
from service.store.search import AllSearches
from service.work import following
from service.work.following import PURPOSES, Follower, begin_to_follow
from tests.support.following import all_told
from tests.support.measuring import listed
from tests.support.servers import ADMIN_KEY


@pytest.fixture(autouse=True)
def _one_app_only(tenant, monkeypatch):
    """Leave alone what other tests have left behind, and wait for nothing."""
    states, behind = AllSearches.states, AllComparing.behind
    monkeypatch.setattr(
        AllSearches, "states", lambda self: tuple(one for one in states(self) if one.app == tenant.id)
    )
    monkeypatch.setattr(
        AllComparing, "behind", lambda self: {app: at for app, at in behind(self).items() if app == tenant.id}
    )
    monkeypatch.setattr(following, "REST", 0)
    monkeypatch.setattr(following, "PAUSE", 0)


@pytest.fixture(params=PURPOSES)
def follower(request, store):
    return Follower(store, threading.Event(), *PURPOSES[request.param])


@pytest.fixture
def written(tenant):
    """Two of one mailbox were added and something was written, and other transactions are over."""
    tenant.begin(tenant.session(userId="u-kim", email="kim@gmail.com"), "Where is my parcel?")
    tenant.known(email="k.im@gmail.com")
    all_told(tenant)


@pytest.mark.usefixtures("written")
def test_it_goes_on_until_there_is_nothing_to_do(follower, store, tenant):
    while follower.apps(store):
        follower.turn()
    assert not follower.turn()
    if follower.step is indexing.index_some:
        assert len(search(store.of(tenant.id), "parcel", cursor=None, limit=50).data) == 1
    else:
        assert len(store.of(tenant.id).duplicates.page(None, 9)) == 1


@pytest.mark.usefixtures("written")
def test_who_is_asked_to_stop_begins_nothing(follower, store, tenant):
    before = follower.apps(store)
    follower.stopped.set()
    assert not follower.turn()
    assert follower.apps(store) == before == [tenant.id]


@pytest.mark.usefixtures("written")
def test_it_works_until_it_is_stopped_whatever_fails(store, tenant, monkeypatch):
    stopped, states, looked = threading.Event(), AllSearches.states, []

    def look(self):
        looked.append(self)
        if len(looked) == 1:
            raise Contended
        if not stopped.is_set() and states(self)[0].is_whole and not store.comparing.behind():
            stopped.set()
        return states(self)

    monkeypatch.setattr(AllSearches, "states", look)
    for thread in begin_to_follow(store, stopped):
        thread.join(60)
    assert stopped.is_set()
    assert len([*listed(tenant)]) == 1


@pytest.mark.usefixtures("written")
def test_metrics_tell_how_far_it_goes(store, client, monkeypatch):
    monkeypatch.setattr(indexing, "CONVERSATIONS", 1)
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}

    def told():
        text = client.get("/metrics", headers=key).text
        return [
            float(line.rpartition(" ")[2])
            for name in ("search_behind_seconds", "search_unfinished", "duplicates_behind_seconds")
            for line in text.splitlines()
            if line.startswith(f"usher_{name} ")
        ]

    search_behind, unfinished, duplicates_behind = told()
    assert (search_behind > 0, unfinished, duplicates_behind > 0) == (True, 1, True)
    for purpose in PURPOSES.values():
        follower = Follower(store, threading.Event(), *purpose)
        while follower.apps(store):
            follower.turn()
    assert told() == [0, 0, 0]
