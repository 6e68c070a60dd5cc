"""A worker whose threads wait for connections themselves.

What is overridden and called of gunicorn's has no underscore, but most of it is not documented either.
``tests/server/test_workers.py`` fails by the name of what a later gunicorn lacks.
"""

import os
import select
import time
from functools import partial
from threading import Thread
from typing import Any

from service import threads
from service.server.client import Client
from service.server.connections import Connections
from service.server.turns import Turns
from service.server.workers import Worker

# For how many seconds a client whose connection was idle when the server was asked to stop may send one more
# request on it: it may be on its way.
LINGER = 2
# How many seconds pass between two looks of the main thread at most.
TICK = 0.25


class EpollWorker(Worker):
    """Threads that each serve the connection for which they are woken; ``connections`` says why.

    The main thread serves nobody. Some times a second it tells the master that it lives, closes what has been
    idle or unfinished for too long, and where all others are busy refuses who would wait for too long.
    """

    def init_process(self) -> None:
        """Begin in the new process: an epoll made before the fork would be shared by all workers."""
        # gunicorn asks for each setting by two functions, fifty times a request.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        self.connections = Connections(self.cfg, self.sockets, self.worker_connections)
        self.turns = Turns(self.connections, self.cfg.threads)
        # gunicorn counts them: where there are too many, an answer is the last on its connection.
        self.keepalived_conns = self.connections.idle
        super().init_process()

    def run(self) -> None:
        """Serve until asked to stop, or until nobody is left who would ask."""
        # A thread that is in the middle of a request at SIGQUIT, or for too long, ends with the process.
        serving = [Thread(target=self._serve, daemon=True) for _ in range(self.cfg.threads)]
        for thread in serving:
            thread.start()
        # With a thread less, the worker ends, and the master replaces it by a whole one.
        while self.alive and self.is_parent_alive() and all(thread.is_alive() for thread in serving):
            self.notify()
            self.connections.listen()
            self.connections.close_idle()
            self.connections.close_begun()
            self.turns.relieve()
            self._wait(TICK)
        self._stop(serving)

    def handle_quit(self, sig: Any, frame: Any) -> None:
        """End at once at SIGQUIT or SIGINT. A thread that writes a line meanwhile could spoil the end."""
        self.connections.end()
        super().handle_quit(sig, frame)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request; what nobody read of it may never come, so the answer does not wait for that."""
        if not conn.sock.is_whole:
            # Who is answered without the body may still send it.
            req.force_close()
            threads.ask_for_body(partial(_has_body, req, conn.sock))
        is_kept = super().handle_request(req, conn)
        conn.sock.flush()
        return is_kept

    def _serve(self) -> None:
        with threads.in_turn():
            while connection := self.turns.next():
                self._answer(connection)

    def _answer(self, connection: Any) -> None:
        """Serve a connection, and wait for what comes on it next: another request, the rest of this one, or
        the end."""
        is_kept = False
        try:
            is_kept = bool(self.handle(connection))
        except threads.BodyAwaited:
            self.turns.end(connection)
            self.connections.wait_for_body(connection)
            return
        except BaseException:  # whatever it is, others are served
            self.log.exception("Error handling request")
        self.turns.end(connection)
        if is_kept:
            self.connections.keep(connection)
        else:
            self.connections.part(connection)

    def _stop(self, serving: list[Thread]) -> None:
        """Accept nobody any more, and answer whose request is served, has begun, or is on its way."""
        self.connections.refuse()
        now = time.monotonic()
        linger, until = now + LINGER, now + self.cfg.graceful_timeout
        while len(self.connections) and time.monotonic() < until:
            self.notify()
            self.connections.close_idle(linger)
            self.connections.close_begun()
            self.turns.relieve()
            self._wait(0.05)
        self.connections.end()
        for thread in serving:
            thread.join(max(0, until - time.monotonic()))
        self.connections.close_idle(until=0)
        self.connections.close_begun(until=0)

    def _wait(self, seconds: float) -> None:
        """Wait, but for no longer than until the next signal, which writes into this pipe."""
        if select.select(self.PIPE[:1], [], [], seconds)[0]:
            os.read(self.PIPE[0], select.PIPE_BUF)


def _has_body(req: Any, client: Client, most: int) -> bool:
    has_body = client.has_body(most)
    req.must_close = not client.is_whole
    return has_body
