"""A network that can fail: it stands between a client and a PostgreSQL, and falls silent when told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict


class Network:
    """Carries bytes between TCP clients and a server.

    Silent, it takes what is sent and delivers nothing of it until it recovers; with lost answers the
    server hears everything and nobody hears the server.
    """

    def __init__(self, server_url: str) -> None:
        self._server = conninfo_to_dict(server_url)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._last_words = b""
        self._doomed: set[socket.socket] = set()
        self._requests, self._answers = threading.Event(), threading.Event()
        self.recover()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """The URL of the same database, by way of this network."""
        user, name = self._server.get("user", "postgres"), self._server["dbname"]
        return f"postgres://{user}:{self._server.get('password', '')}@127.0.0.1:{self._port}/{name}"

    def fall_silent(self) -> None:
        """Deliver nothing any more."""
        self._requests.clear()
        self._answers.clear()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Deliver nothing inside."""
        self.fall_silent()
        try:
            yield
        finally:
            self.recover()

    def lose_answers(self) -> None:
        """Deliver what clients send, and nothing that is answered."""
        self._answers.clear()

    def recover(self) -> None:
        """Deliver everything, also what was kept back."""
        self._requests.set()
        self._answers.set()

    def cut_answer_to(self, words: bytes) -> None:
        """Break the next connection over which a client sends these, when the server has answered."""
        self._last_words = words

    def cut(self) -> None:
        """Break every connection that there is."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.cut()
        self.recover()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                self._open += [client, server]
                for way in ((client, server, self._requests), (server, client, self._answers)):
                    threading.Thread(target=self._carry, args=way, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, flowing: threading.Event) -> None:
        with source:
            try:
                while (sent := source.recv(65536)) and source not in self._doomed:
                    flowing.wait()
                    if self._last_words and self._last_words in sent:
                        self._last_words = b""
                        self._doomed.add(target)
                    target.sendall(sent)
                way = socket.SHUT_WR
            except OSError:
                # A server that crashes resets what it had not read.
                way = socket.SHUT_RDWR
            with suppress(OSError):
                target.shutdown(way)

    def _connect(self) -> socket.socket:
        host, port = self._server.get("host", "localhost"), self._server.get("port", "5432")
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(f"{host}/.s.PGSQL.{port}")
        except OSError:
            server.close()
            raise
        return server


@contextmanager
def silent_address() -> Iterator[int]:
    """Have a port where connecting succeeds, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
