"""Whoever works removes files that nothing shows any more."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from service.model.errors import NotFound
from service.store.apps import AllApps
from service.work.tidying import Kept, Tidier
from tests.support.attachments import sent


def test_what_waited_for_a_day_is_removed(tenant, store, time_machine, monkeypatch):
    # What other tests have left behind is left alone.
    monkeypatch.setattr(AllApps, "untidy", lambda self, _: (self.with_id(tenant.id),))
    jane = tenant.session(userId="jane")
    waiting = sent(tenant, tenant.begin(jane), jane)["id"]
    time_machine.move_to(datetime.now(UTC) + timedelta(days=1, minutes=1), tick=False)
    Tidier(store, Kept(180, 30, 30, 30), threading.Event()).turn()
    with pytest.raises(NotFound):
        store.of(tenant.id).files.read(waiting, 0, 1)
