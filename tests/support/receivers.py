"""Whoever is told by webhooks: a server on this machine that keeps what it was sent."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Request"], int | tuple[int, bytes]]


@dataclass(frozen=True)
class Request:
    """What was sent."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server that answers as it is told to."""

    answer: Answer = lambda _: 204
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    @property
    def ids(self) -> list[str]:
        """The ids of what was delivered, in order."""
        return [request.headers["webhook-id"] for request in self.requests]


@contextmanager
def receiver(answer: Answer = lambda _: 204) -> Iterator[Receiver]:
    """Receive what is sent."""
    found = Receiver(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, body)
            found.requests.append(request)
            answered = found.answer(request)
            status, text = answered if isinstance(answered, tuple) else (answered, b"")
            self.send_response(status)
            self.send_header("Location", found.url)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


# --- who answers badly -------------------------------------------------------------------------------

# Serves one connection, until it is told that all is over.
Serve = Callable[[socket.socket, threading.Event], None]


def send_repeatedly(part: bytes, pause: float = 0.0, begin: bytes = b"") -> Serve:
    """Answer with a beginning, and then with the same over and over."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(begin)
        while not over.wait(pause):
            connection.sendall(part)

    return serve


def _silent(_: socket.socket, over: threading.Event) -> None:
    over.wait()


def _late(connection: socket.socket, over: threading.Event) -> None:
    over.wait(3)
    _answer("200 OK")(connection, over)


def _answer(status: str) -> Serve:
    head = f"HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    return lambda connection, _: connection.sendall(head.encode())


BAD: dict[str, Serve] = {
    "silent": _silent,
    "late": _late,
    "broken": _answer("500 Internal Server Error"),
    "gone": _answer("410 Gone"),
    "elsewhere": _answer("302 Found"),
    "a byte of its head a second": send_repeatedly(b"X", 1.0, b"HTTP/1.1 200 OK\r\nX-A: "),
    "a byte of its body a second": send_repeatedly(
        b"X", 1.0, b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n"
    ),
    "a gigabyte": send_repeatedly(
        b"X" * 65536, begin=b"HTTP/1.1 500 No\r\nContent-Length: 1000000000\r\n\r\n"
    ),
    "endless headers": send_repeatedly(b"X-A: " + b"a" * 8000 + b"\r\n", begin=b"HTTP/1.1 200 OK\r\n"),
    "an endless header": send_repeatedly(b"a" * 8000, begin=b"HTTP/1.1 200 OK\r\nX-A: "),
}


@dataclass
class Bad:
    """A server that answers badly: its URL, and how often somebody came."""

    url: str
    came: int = 0


@contextmanager
def bad_receiver(serve: Serve) -> Iterator[Bad]:
    """Serve any number of connections at once, each by a function of the socket."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        found = Bad(f"http://127.0.0.1:{listening.getsockname()[1]}/")

        def handle(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                serve(connection, over)

        def accept() -> None:
            with suppress(OSError):
                while not over.is_set():
                    connection, _ = listening.accept()
                    found.came += 1
                    threading.Thread(target=handle, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            over.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@contextmanager
def dead_receiver() -> Iterator[Bad]:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    yield Bad(url)


@contextmanager
def black_hole() -> Iterator[Bad]:
    """What is sent there is lost: nobody takes the connections that wait, and no more may."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        try:
            yield Bad(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        finally:
            for client in waiting:
                client.close()
