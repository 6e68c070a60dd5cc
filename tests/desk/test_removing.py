"""Bytes are removed when nothing is left that shows them, at once or later, and never before."""

import pytest

from service.api.context import NAME
from service.desk import attachments, removing
from service.desk.removing import remove_now, remove_old
from service.model.errors import NotFound
from tests.support.attachments import PNG, fetch, send, sent, written
from tests.support.responses import problem_of


@pytest.fixture
def jane(tenant):
    return tenant.session(userId="jane")


@pytest.fixture
def id(tenant, jane):
    return tenant.begin(jane)


@pytest.fixture
def own(store, tenant):
    """The store of the app."""
    return store.of(tenant.id)


def test_of_what_was_added_after_all_nothing_is_removed(tenant, own, jane, id):
    attachment = sent(tenant, id, jane)["id"]
    # The answer that it was committed may have been lost.
    remove_now(own, attachment)
    assert fetch(tenant, attachment, jane).data == PNG


def test_what_takes_too_long_to_be_sent_is_not_added_while_it_is_removed(tenant, own, jane, id, monkeypatch):
    monkeypatch.setattr(attachments, "EXPECTED", attachments.MARGIN - 1)
    assert problem_of(send(tenant, id, jane)) == (503, "files-unavailable")
    assert own.attachments.due(2**62, 10) == ()


def test_what_an_answer_cannot_wait_for_is_removed_later(store, tenant, own, jane, id, monkeypatch):
    ids = [written(tenant, id, jane) for _ in range(3)]
    monkeypatch.setattr(removing, "PATIENCE", -1)
    [user] = tenant.find(userId="jane")
    assert tenant.erase(user["id"]).status_code == 204
    left = own.attachments.due(0, 10)
    assert len(left) == 2
    assert remove_old(store) >= 2
    for one in ids:
        with pytest.raises(NotFound):
            own.files.read(one, 0, 1)


def test_without_a_place_for_files_it_is_kept_in_mind_what_is_to_be_removed(
    store, tenant, start, own, jane, id
):
    written(tenant, id, jane)
    elsewhere = start(files_url="")
    [user] = tenant.find(userId="jane")
    assert tenant.on(elsewhere).erase(user["id"]).status_code == 204
    assert remove_old(elsewhere.extensions[NAME].store) == 0
    assert len(own.attachments.due(0, 10)) == 1
    assert remove_old(store) >= 1
    assert own.attachments.due(0, 10) == ()
