"""gunicorn's worker with threads, for clients that send what is no HTTP."""

import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from service.api import problems
from service.model.errors import Busy
from service.server.client import NoDisk, NoRoom, TooSlow

# What gunicorn refuses, where that is not just a bad request.
_REFUSALS: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    NoRoom: HTTPStatus.SERVICE_UNAVAILABLE,
    NoDisk: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ConfigurationProblem: HTTPStatus.INTERNAL_SERVER_ERROR,
    # Of an answer of ours.
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread, as it serves where there is no epoll: on a developer's macOS. There a client who
    stalls keeps a thread, and no request knows how long it has waited for one."""

    def handle_error(self, _req: Any, client: Any, _addr: Any, exc: Exception) -> None:
        """Refuse what is no HTTP in the shape of everything refused; gunicorn's page would quote it."""
        is_theirs = isinstance(exc, errors.ParseException)
        usual = HTTPStatus.BAD_REQUEST if is_theirs else HTTPStatus.INTERNAL_SERVER_ERROR
        status = _REFUSALS.get(type(exc), usual)
        answer = problems.as_bytes(status)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            answer = problems.as_bytes(status, Busy.code, ("Retry-After", str(problems.RETRY_AFTER)))
            self.log.warning("Busy")
        elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.warning("Invalid request")
        else:
            self.log.exception("Error handling request")
        # Who does not read is not waited for.
        with suppress(OSError):
            client.send(answer, socket.MSG_DONTWAIT)
