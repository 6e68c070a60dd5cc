"""200 clients that send files byte by byte: everybody else is served as if they were not there, on each
engine, with and without a proxy that reads requests whole."""

import os
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.test_deploys import NGINX, is_ready, proxied
from tests.support.attachments import send
from tests.support.servers import Port, Server, serve, wait_until
from tests.support.tenants import Tenant

COUNT, SIZE = 200, 2**20
# A second passes between two bytes of each.
PAUSE = 1
ROUNDS = 2

BY_PROXY = pytest.mark.skipif(not NGINX, reason="there is no nginx")


class SlowClients(threading.Thread):
    """Clients that each send a byte of a large file again and again."""

    def __init__(self, port, path, token, *, is_chunked):
        super().__init__(daemon=True)
        self._over = threading.Event()
        self._piece = b"1\r\nx\r\n" if is_chunked else b"x"
        framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {SIZE}"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n"
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(COUNT)]
        for client in self.sockets:
            client.sendall(head.encode() + self._piece)
        self.rounds = 0

    def run(self):
        while not self._over.wait(PAUSE):
            for client in self.sockets:
                # Who has taken too long by now is hung up on.
                with suppress(OSError):
                    client.sendall(self._piece)
            self.rounds += 1

    def end(self):
        self._over.set()
        self.join()
        for client in self.sockets:
            client.close()


@contextmanager
def reached(server, folder, way):
    """Return the port by which clients reach the server."""
    if way == "bare":
        yield server.port
        return
    # In memory: a proxy that a superuser starts may not write into our folders.
    settings = f"client_body_buffer_size {2 * SIZE}; client_max_body_size {2 * SIZE};"
    if way == "nginx that passes on what comes":
        settings += "proxy_request_buffering off;"
    with proxied(folder, [server.port], settings) as port:
        wait_until(lambda: is_ready(Port(port)))
        yield port


def sockets_of(worker):
    """Return how many sockets a worker has open."""
    found = 0
    for link in Path(f"/proc/{worker.pid}/fd").iterdir():
        with suppress(OSError):
            found += os.readlink(link).startswith("socket:")
    return found


@pytest.mark.parametrize(
    ("way", "is_chunked"),
    [
        pytest.param("bare", False, id="with a length"),
        pytest.param("bare", True, id="in chunks"),
        pytest.param("nginx", False, id="by a proxy", marks=BY_PROXY),
        pytest.param("nginx that passes on what comes", True, id="in chunks by a proxy", marks=BY_PROXY),
    ],
)
def test_200_clients_that_send_files_byte_by_byte_hold_up_nobody(database_url, tmp_path, way, is_chunked):
    with (
        serve(database_url, workers=1, FILES_URL=f"file://{tmp_path}/files") as server,
        ExitStack() as leaving,
    ):
        (worker,) = psutil.Process(server.process.pid).children()
        port = leaving.enter_context(reached(server, tmp_path, way))
        tenant = Tenant.create(Port(port), Server.admin_key)
        jane = tenant.session(userId="jane")
        id = tenant.begin(jane)
        slow = SlowClients(port, f"/v1/conversations/{id}/attachments", jane, is_chunked=is_chunked)
        slow.start()
        leaving.callback(slow.end)
        if way != "nginx":
            wait_until(lambda: sockets_of(worker) >= COUNT)
        until = slow.rounds + ROUNDS
        while slow.rounds < until:
            tenant.login(userId="ben")
            tenant.write(id, jane)
            assert send(tenant, id, tenant.sk, bytes(SIZE)).status_code == 201
