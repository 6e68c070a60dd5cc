"""A full disk, a bucket that is away, a client that vanishes, a server that is killed: nothing that was
acknowledged is lost, and of nothing else bytes are left."""

import http.client
import os
import signal
import socket
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from service.api.transfers import MAX_AT_ONCE
from service.desk.removing import remove_old
from service.files import open_files
from service.store import Store
from service.store.database import Database
from tests.support.attachments import PNG, fetch, name_in_message, send, sent, written
from tests.support.buckets import serve_bucket
from tests.support.marks import LONG
from tests.support.responses import problem_of
from tests.support.servers import serve, wait_until

LARGE, PIECE = bytes(2 * 2**20), 100_000


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "files"


@contextmanager
def shop_on(database_url, files_url, **environment):
    """A server with one worker, an app, and a conversation in it."""
    with serve(database_url, workers=1, FILES_URL=files_url, **environment) as server:
        tenant = server.tenant()
        jane = tenant.session(userId="jane")
        yield server, tenant, jane, tenant.begin(jane)


def kept(folder):
    return [path.name for path in folder.rglob("att_*")]


def begin_to_send(server, id, token, length=LARGE, framing="Content-Length"):
    """Send the head of an upload and a part of its body."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    size = "chunked" if framing == "Transfer-Encoding" else len(length)
    client.sendall(
        f"POST /v1/conversations/{id}/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"{framing}: {size}\r\n\r\n".encode()
    )
    piece = bytes(PIECE)
    client.sendall(b"186a0\r\n" + piece + b"\r\n" if size == "chunked" else piece)
    return client


def nameless(server):
    """Return how many files without a name the server's worker has open: one for each body on its way."""
    (worker,) = psutil.Process(server.process.pid).children()
    found = 0
    for link in Path(f"/proc/{worker.pid}/fd").iterdir():
        with suppress(OSError):
            found += os.readlink(link).endswith("(deleted)")
    return found


@pytest.mark.parametrize("framing", ["Content-Length", "Transfer-Encoding"])
def test_of_a_client_that_vanishes_in_the_middle_nothing_is_left(database_url, folder, framing):
    with shop_on(database_url, f"file://{folder}") as (server, _, jane, id):
        before = nameless(server)
        client = begin_to_send(server, id, jane, framing=framing)
        wait_until(lambda: nameless(server) == before + 1)
        client.close()
        wait_until(lambda: nameless(server) == before)
        assert kept(folder) == []


def test_a_file_of_unknown_length_is_taken_and_one_that_is_too_large_refused(database_url, folder):
    with shop_on(database_url, f"file://{folder}", ATTACHMENT_BYTES="200000") as (server, tenant, jane, id):
        assert sent(tenant, id, jane, iter([PNG] * 5))["size"] == 5 * len(PNG)
        with closing(begin_to_send(server, id, jane, framing="Transfer-Encoding")) as client:
            # It is refused though it goes on.
            client.sendall(b"186a0\r\n" + bytes(100_000) + b"\r\n1\r\n0\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 413 ")
        wait_until(lambda: len(kept(folder)) == 1)


def test_who_waits_to_be_told_to_go_on_is_told(database_url, folder):
    with (
        shop_on(database_url, f"file://{folder}") as (server, _, jane, id),
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=60)) as client,
    ):
        client.sendall(
            f"POST /v1/conversations/{id}/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {jane}\r\n"
            f"Content-Length: {len(PNG)}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(PNG)
        with closing(http.client.HTTPResponse(client)) as response:
            response.begin()
            assert response.status == 201


def test_uploads_that_take_long_hold_up_nobody_else(database_url, folder):
    with shop_on(database_url, f"file://{folder}") as (server, tenant, jane, id):
        before = nameless(server)
        with ExitStack() as clients:
            slow = [clients.enter_context(begin_to_send(server, id, jane)) for _ in range(5 * MAX_AT_ONCE)]
            wait_until(lambda: nameless(server) == before + len(slow))
            for _ in range(5):
                tenant.login(userId="ben")
                assert send(tenant, id, jane).status_code == 201
            for client in slow[:5]:
                client.sendall(bytes(len(LARGE) - PIECE))
                assert client.recv(100).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize(
    ("token", "conversation", "length", "status"),
    [
        pytest.param("st_nobody", None, len(LARGE), 401, id="by nobody"),
        pytest.param(None, "cnv_nowhere", len(LARGE), 404, id="into another's conversation"),
        pytest.param(None, None, 2**30, 413, id="that are too large"),
    ],
)
def test_files_are_refused_before_they_come(database_url, folder, token, conversation, length, status):
    with shop_on(database_url, f"file://{folder}") as (server, _, jane, id):
        answers = []
        for expects in ("", "Expect: 100-continue\r\n"):
            with closing(socket.create_connection(("127.0.0.1", server.port), timeout=60)) as client:
                client.sendall(
                    f"POST /v1/conversations/{conversation or id}/attachments HTTP/1.1\r\nHost: x\r\n"
                    f"{expects}Authorization: Bearer {token or jane}\r\n"
                    f"Content-Length: {length}\r\n\r\n".encode()
                )
                answers.append(client.makefile("rb").read())
    assert [answer.startswith(b"HTTP/1.1 %d " % status) for answer in answers] == [True, True]
    assert all(b"\r\nConnection: close\r\n" in answer for answer in answers)


def test_a_full_disk_refuses_files_and_nothing_else(database_url, folder):
    with shop_on(database_url, f"file://{folder}") as (server, tenant, jane, id):
        before = written(tenant, id, jane)
        for worker in psutil.Process(server.process.pid).children():
            worker.rlimit(psutil.RLIMIT_FSIZE, (8 * 2**20, 8 * 2**20))
        assert problem_of(send(tenant, id, jane, bytes(9 * 2**20))) == (503, "files-unavailable")
        assert kept(folder) == [before]
        assert tenant.write(id, jane)
        assert fetch(tenant, before, jane).data == PNG
        assert written(tenant, id, jane)


def test_a_bucket_that_is_away_holds_up_nothing_else(database_url):
    with serve_bucket() as bucket, shop_on(database_url, bucket.url) as (server, tenant, jane, id):
        before, waiting = written(tenant, id, jane), sent(tenant, id, jane)["id"]
        bucket.stop()
        for response in (send(tenant, id, jane), fetch(tenant, before, jane)):
            assert problem_of(response) == (503, "files-unavailable")
        assert server.get("/readyz").status_code == 200
        assert name_in_message(tenant, id, jane, waiting).status_code == 201
        [user] = tenant.find(userId="jane")
        assert tenant.erase(user["id"]).status_code == 204
        assert fetch(tenant, before, tenant.sk).status_code == 404
        bucket.go_on()
        with closing(Database(database_url, LONG)) as database:
            removed = remove_old(Store(database, open_files(bucket.url)))
        assert removed >= 2
        assert bucket.names() == []


def test_what_was_acknowledged_is_there_after_the_server_was_killed(database_url, folder):
    with pytest.raises(AssertionError, match="ended with"), shop_on(database_url, f"file://{folder}") as shop:
        server, tenant, jane, id = shop
        before = nameless(server)
        client = begin_to_send(server, id, jane)
        wait_until(lambda: nameless(server) == before + 1)
        acknowledged = written(tenant, id, jane)
        for process in (server.process, *psutil.Process(server.process.pid).children()):
            process.send_signal(signal.SIGKILL)
    client.close()
    assert len(kept(folder)) == 1
    with shop_on(database_url, f"file://{folder}") as (server, tenant_2, _, _):
        again = tenant.__class__(server, tenant.admin_key, tenant.id, tenant.sk, tenant.pk)
        assert fetch(again, acknowledged, jane).data == PNG
