"""Log lines: JSON on standard output, without personal data, from Usher and its libraries alike.

An exception's message may quote what somebody sent, and so may the arguments of a library's log line.
Neither is written: of an exception the classes and frames, of a line its constant text.
"""

import json
import logging
import logging.config
import sys
import traceback
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from service.model.errors import NotReady
from service.times import now, rfc3339

MAX_CAUSES = 10
MAX_FRAMES = 40

# The only lines of gunicorn's that hold what a client sent, or an exception's message.
_QUOTING_LINES = ("Invalid request", "Error handling request", "Exception during worker exit")


# The id of the request that is served where a line is written, if one is.
REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


def get_logger() -> FilteringBoundLogger:
    """Return the logger of Usher itself."""
    return _Loggers.usher


class _Loggers:
    # Made once, when it is known how: to make one takes as long as to write a line.
    usher: FilteringBoundLogger = structlog.get_logger("usher")


class Output:
    """Writes to what ``sys.stdout`` is at the moment of writing, or ``elsewhere``; a line that cannot be
    written is lost, and never fails a request."""

    elsewhere: TextIO | None = None

    def write(self, text: str) -> None:
        """Write a line, now."""
        with suppress(OSError, ValueError):  # A closed pipe, a closed file: there is no place left to say so.
            output = self.elsewhere or sys.stdout
            output.write(text)
            output.flush()

    def flush(self) -> None:
        """Do nothing: it is written."""


OUTPUT = Output()


def configure() -> None:
    """Send the lines of structlog and of the standard library to standard output; may be called again."""
    structlog.configure(
        processors=[*_EVERY_LINE, _render],
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, OUTPUT)),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    _Loggers.usher = structlog.get_logger("usher").bind()
    logging.config.dictConfig(LOGGING)


def formatter() -> logging.Formatter:
    """Make the formatter of the libraries' lines: each one JSON object, as ours are."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_constant_text, *_EVERY_LINE],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        use_get_message=False,
        pass_foreign_args=True,
    )


# Also gunicorn's `logconfig_dict`.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "service.logs.formatter"}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://service.logs.OUTPUT",
            "formatter": "json",
        }
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        # Without its arguments a line for each migration says nothing; the command that migrates says which.
        "peewee.migrations": {"level": "WARNING"},
    },
}


def _constant_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the library, and keep only gunicorn's arguments, which speak of processes and sockets."""
    record: logging.LogRecord = event["_record"]
    arguments = event.pop("positional_args")
    event["logger"] = record.name
    if isinstance(record.msg, BaseException):
        event["event"] = _class_name(record.msg)
    elif record.name == "gunicorn.error":
        quoting = [line for line in _QUOTING_LINES if event["event"].startswith(line)]
        event["event"] = quoting[0] if quoting else _with_arguments(event["event"], arguments)
    return event


def _with_arguments(text: str, arguments: Any) -> str:
    return text % arguments if arguments else text


def _without_messages(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its class and frames, and those of its causes."""
    error = _exception(event.pop("exc_info", None))
    causes: list[dict[str, Any]] = []
    while error is not None and len(causes) < MAX_CAUSES:
        causes.append(_described(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if causes:
        event["exception"] = causes
    return event


def _exception(exc_info: Any) -> BaseException | None:
    """Return the exception that any of the forms of ``exc_info`` stands for."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return cast(BaseException | None, exc_info[1])
    return sys.exception() if exc_info else None


def _described(error: BaseException) -> dict[str, Any]:
    frames = [
        f"{frame.f_code.co_filename}:{line}:{frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    described: dict[str, Any] = {"class": _class_name(error), "frames": frames[-MAX_FRAMES:]}
    # These words are our own and hold no value; without them nobody learns why the server does not start.
    if isinstance(error, NotReady):
        described["message"] = str(error)
    return described


def _class_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _head(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Begin with the time, the level and the event, and the request that is served, if one is."""
    head = {"timestamp": rfc3339(now()), "level": method, "event": event.pop("event")}
    if request := REQUEST.get():
        head["requestId"] = request
    return {**head, **event}


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Write JSON; of an object that JSON does not know, only its class."""
    try:
        return orjson.dumps(event, _class_only, orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except orjson.JSONEncodeError:
        # A library's text is not always Unicode: a file's name may be any bytes.
        return json.dumps(event, default=_class_only)


def _class_only(value: object) -> str:
    return f"<{type(value).__name__}>"


_EVERY_LINE: list[structlog.typing.Processor] = [_without_messages, _head]
