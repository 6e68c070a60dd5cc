"""Servers behind a proxy that retries are stopped and started again, one after the other: nobody sees it.

Once each is a part of every run where there is an nginx; USHER_DEPLOYS says for how many seconds to go on, as
60.
"""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from itertools import count
from pathlib import Path

import pytest

from service.store.migrating import migrate
from tests.support.servers import Connection, Port, Server, free_port, start, wait_until
from tests.support.tenants import Tenant

SECONDS = float(os.environ.get("USHER_DEPLOYS", "0"))
# How long a server is left alone, in seconds.
PAUSE = 5.0 if SECONDS else 0.5
CLIENTS, SERVERS = 4, 2

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
# As it comes, it tries the next server where one could not be reached, and never sends a message again that
# one may have got.
CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi; uwsgi_temp_path {folder}/uwsgi;
    upstream usher {{ {servers} keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://usher; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_next_upstream error timeout; proxy_connect_timeout 2s; {more}
        }}
    }}
}}
"""


@contextmanager
def proxied(folder: Path, ports: list[int], more: str = "") -> Iterator[int]:
    """Have an nginx before these ports, with more settings, and return its own."""
    port = free_port()
    servers = " ".join(f"server 127.0.0.1:{one} max_fails=0;" for one in ports)
    (folder / "conf").write_text(CONFIG.format(folder=folder, port=port, servers=servers, more=more))
    assert NGINX is not None
    with subprocess.Popen([NGINX, "-c", folder / "conf", "-p", folder, "-e", folder / "log"]) as nginx:
        try:
            yield port
        finally:
            nginx.terminate()


class Client(threading.Thread):
    """Writes one message after the other, and notes whatever is no success; never tries anything again."""

    def __init__(self, tenant: Tenant, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._over = threading.Event()
        self._token = tenant.session(userId=f"u-{number}")
        self._conversation = tenant.begin(self._token)
        self.written = 0
        self.failures: list[object] = []

    def run(self) -> None:
        path = f"/v1/conversations/{self._conversation}/messages"
        headers = {"Authorization": f"Bearer {self._token}"}
        for turn in count():
            if self._over.is_set():
                return
            try:
                with closing(Connection(self._port)) as connection:
                    answer = connection.open(path, method="POST", json={"body": f"{turn}"}, headers=headers)
            except (OSError, HTTPException) as error:
                self.failures.append(error)
            else:
                if answer.status_code == 201:
                    self.written += 1
                else:
                    self.failures.append((answer.status_code, answer.data))

    def end(self) -> None:
        self._over.set()
        self.join()


def serving(url: str, port: int) -> Server:
    """Start a server on a port, and wait until it is ready."""
    server = Server(start(url, PORT=str(port), WEB_CONCURRENCY="2"), port)
    server.wait_until("/readyz")
    return server


@pytest.mark.skipif(not NGINX, reason="there is no nginx")
def test_while_servers_are_replaced_behind_a_proxy_no_request_fails(databases, tmp_path):
    url = databases.fresh("postgresql")
    migrate(url)
    ports = [free_port() for _ in range(SERVERS)]
    servers = [serving(url, port) for port in ports]
    try:
        with proxied(tmp_path, ports) as port:
            front = Port(port)
            wait_until(lambda: is_ready(front))
            tenant = Tenant.create(front, Server.admin_key)
            clients = [Client(tenant, port, number) for number in range(CLIENTS)]
            for client in clients:
                client.start()
            until = time.monotonic() + SECONDS
            for turn in count():
                if turn >= SERVERS and time.monotonic() > until:
                    break
                time.sleep(PAUSE)
                servers[turn % SERVERS].stop()
                servers[turn % SERVERS] = serving(url, ports[turn % SERVERS])
            for client in clients:
                client.end()
    finally:
        for server in servers:
            server.kill()
    assert [failure for client in clients for failure in client.failures] == []
    assert all(client.written for client in clients)


def is_ready(server: Server) -> bool:
    with suppress(OSError, HTTPException):
        return server.get("/readyz").status_code == 200
    return False
