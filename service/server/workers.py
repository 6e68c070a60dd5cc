"""gunicorn's worker with threads, for clients that vanish, stall, or send what is no HTTP."""

from typing import Any

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.workers import gthread

from service.api import problems
from service.api.headers import HEADERS
from service.threads import Threads

# For how many seconds a client may say nothing in the middle of a request, and take to hang up after it.
SILENCE, GOODBYE = 10, 0.5


class Connection(gthread.TConn):  # type: ignore[misc]
    """A connection that gives up: who vanishes in the middle of a request would keep a thread for good."""

    def init(self) -> None:
        """Get ready for a request."""
        super().init()
        self.sock.settimeout(SILENCE)


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread, with threads that know how long a request has waited for them."""

    def get_thread_pool(self) -> Threads:
        """Make the threads."""
        return Threads(self.cfg.threads)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Part from a client on one of the threads: on this one all others would wait until it hangs up."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self.nr_conns -= 1
            self.tpool.submit(util.close_graceful, conn.sock, timeout=GOODBYE)


class Response(wsgi.Response):  # type: ignore[misc]
    """An answer that takes the headers that are on all of ours as they are: gunicorn reads each of them anew
    to see whether it is one."""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Take the headers of an answer."""
        others = headers[: -len(HEADERS)]
        if others + HEADERS == headers:
            super().process_headers(others)
            self.headers += HEADERS
        else:
            super().process_headers(headers)


def _write_problem(sock: Any, status: int, _reason: str, _message: str) -> None:
    """Refuse what is no HTTP in the shape of everything refused; gunicorn's page would quote it."""
    util.write_nonblock(sock, problems.as_bytes(status))


gthread.TConn = Connection
wsgi.Response = Response
util.write_error = _write_problem
