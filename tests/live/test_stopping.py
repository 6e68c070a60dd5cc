"""Asked to stop, it ends all streams and then itself; several processes serve one store."""

import time

from tests.support.live import live
from tests.support.servers import TIMEOUT


def test_streams_end_and_then_the_process(database_url, tenant):
    with live(database_url) as streams:
        followers = [streams.follow(tenant.sk) for _ in range(20)]
        began = time.monotonic()
        # Its exit code is looked at.
        streams.stop()

    assert time.monotonic() - began < TIMEOUT / 2
    for follower in followers:
        follower.wait_over()


def test_several_processes_tell_the_same(database_url, streams, tenant):
    with live(database_url) as others:
        followers = [streams.follow(tenant.sk), others.follow(tenant.sk)]
        conversation = tenant.begin(tenant.session(userId="jane"))
        for follower in followers:
            follower.wait_told(conversation)
