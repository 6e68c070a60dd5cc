"""What a worker of its own answers over HTTP, on a port of its own: whether it works, and what it counted."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from service import metrics
from service.api import problems
from service.config import Config
from service.desk.credentials import bearer_of, is_operator
from service.logs import get_logger
from service.model.errors import InvalidCredential
from service.work.loop import Worker

log = get_logger()

# How long a client may take, in seconds.
TIMEOUT = 10


@contextmanager
def status_served(worker: Worker, config: Config) -> Iterator[int | None]:
    """Answer at ``work_port`` meanwhile, if there is one; yield the port."""
    if not config.work_port:
        yield None
        return
    with _Server(worker, config) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True, name="status").start()
        yield server.server_address[1]
        server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, worker: Worker, config: Config) -> None:
        super().__init__(("0.0.0.0", config.work_port), _Handler)  # noqa: S104 - as the web server does
        self.worker = worker
        self.admin_key = config.admin_key

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the standard library's
        """Say what went wrong, and go on: mostly a client hung up."""
        log.warning("status", exc_info=sys.exception())


class _Handler(BaseHTTPRequestHandler):
    timeout = TIMEOUT
    server: _Server

    def do_GET(self) -> None:
        """Answer, and hang up."""
        if self.path == "/healthz" and self.server.worker.is_turning():
            self._send("application/json", b'{"status":"ok"}')
        elif self.path == "/healthz":
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        elif self.path != "/metrics":
            self._refuse(HTTPStatus.NOT_FOUND)
        elif not self._is_operator():
            self._refuse(
                HTTPStatus.UNAUTHORIZED, InvalidCredential.code, ("WWW-Authenticate", 'Bearer realm="usher"')
            )
        else:
            body, content_type = metrics.exposition()
            self._send(content_type, body)

    def _is_operator(self) -> bool:
        try:
            return is_operator(bearer_of(self.headers.get("Authorization", "")), self.server.admin_key)
        except InvalidCredential:
            return False

    def _send(self, content_type: str, body: bytes) -> None:
        head = (
            f"HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: {content_type}"
        )
        self.wfile.write(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def _refuse(self, status: int, code: str | None = None, *headers: tuple[str, str]) -> None:
        self.wfile.write(problems.as_bytes(status, code, *headers))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a line could quote what was sent."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - as above
        """Refuse what is no such request in the shape of everything refused."""
        self._refuse(code)
