"""gunicorn's worker with threads, for clients that vanish, stall, or send what is no HTTP."""

import socket
import struct
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors
from gunicorn.util import close_graceful
from gunicorn.workers.gthread import ThreadWorker

from service.api import problems
from service.threads import Threads

# For how many seconds a client may say nothing in the middle of a request, and take to hang up after it.
SILENCE, GOODBYE = 10, 0.5

# The same, as the kernel is told: a number of seconds, and of microseconds.
_SILENCE = struct.pack("ll", SILENCE, 0)

# What gunicorn refuses, where that is not just a bad request.
_REFUSALS: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.ConfigurationProblem: HTTPStatus.INTERNAL_SERVER_ERROR,
    # Of an answer of ours.
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread, with threads that know how long a request has waited for them.

    What it overrides and calls has no underscore, but most of it is not documented either.
    ``tests/server/test_workers.py`` fails by the name of what a later gunicorn lacks.
    """

    def get_thread_pool(self) -> Threads:
        """Make the threads."""
        return Threads(self.cfg.threads)

    def enqueue_req(self, conn: Any) -> None:
        """Serve a request, and give up a client who vanishes or stalls in the middle of it: the thread would
        be kept for good. The kernel counts, as gunicorn takes back what ``settimeout`` says."""
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _SILENCE)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SILENCE)
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Part from a client on one of the threads: on this one all others would wait until it hangs up."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self.nr_conns -= 1
            self.tpool.submit(close_graceful, conn.sock, timeout=GOODBYE)

    def handle_error(self, _req: Any, client: Any, _addr: Any, exc: Exception) -> None:
        """Refuse what is no HTTP in the shape of everything refused; gunicorn's page would quote it."""
        is_theirs = isinstance(exc, errors.ParseException)
        usual = HTTPStatus.BAD_REQUEST if is_theirs else HTTPStatus.INTERNAL_SERVER_ERROR
        status = _REFUSALS.get(type(exc), usual)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.warning("Invalid request")
        else:
            self.log.exception("Error handling request")
        # Who does not read is not waited for.
        with suppress(OSError):
            client.send(problems.as_bytes(status), socket.MSG_DONTWAIT)
