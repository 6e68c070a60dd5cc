"""What a request is that was only looked at, and how it is refused: before anybody parses it, which would
take longer than all of that.

Where this takes a request for another than it is, it waits with others or is refused where others are. What
it is, gunicorn's parser and Usher decide.
"""

import re
import threading
import time
from collections import Counter

from uuid_utils import uuid7

from service import admission
from service.admission import Kind
from service.api import problems
from service.api.headers import TOLD_HEADERS
from service.api.revenuecat_format import is_spoken_at
from service.logs import get_logger
from service.model.errors import Overloaded

_START = re.compile(rb"(?:\r\n)?([A-Z]+) ([^ ?\r\n]*)[^\r\n]*")
_FIELDS = re.compile(rb"\r\n(origin|connection):[ \t]*([^\r\n]*)", re.IGNORECASE)
_ORIGIN = re.compile(rb"[!-~]+")
# As nearly all write it, which is found in no time, and as anybody may.
_USUAL = {name: b"\r\n%b: " % name.title().encode() for name in (admission.AUTHORIZATION, admission.COOKIE)}
_UNUSUAL = {name: re.compile(rb"\r\n%b:[ \t]*([^\r\n]*)" % name.encode(), re.IGNORECASE) for name in _USUAL}

# With whom those wait that are asked whether all is well, whoever asks.
CHECKS = frozenset({b"/healthz", b"/readyz", b"/metrics"})
CHECKS_LINE = "checks"
LOGIN = b"/v1/login"

# How many seconds pass at least between two lines of the log.
QUIET = 1.0

_ID = b"0" * 32


def read(received: bytes) -> tuple[str, Kind]:
    """Return with whom a request waits, and of which kind it is."""
    start = _START.match(received)
    if not start:
        return admission.STRANGERS, Kind.CALL
    method, path = start.groups()
    if path in CHECKS:
        return CHECKS_LINE, Kind.ADMITTED
    kind = Kind.LOGIN if path == LOGIN and method == b"POST" else Kind.CALL
    return admission.known.line_of(_credential(received, path).decode("latin-1")), kind


def _credential(received: bytes, path: bytes) -> bytes:
    name, head = admission.header_of(path.decode("latin-1")), _end_of_head(received)
    at = received.find(_USUAL[name], 0, head)
    if at >= 0:
        return received[at + len(_USUAL[name]) : head].partition(b"\r\n")[0].strip(b" \t")
    found = _UNUSUAL[name].search(received, 0, head)
    return found[1].rstrip(b" \t") if found else b""


def _end_of_head(received: bytes) -> int:
    """Return where the last line of the head ends, as far as that is there."""
    end = received.find(b"\r\n\r\n")
    return len(received) if end < 0 else end + len(b"\r\n")


def _templates(path: str) -> dict[bool, bytes]:
    text = problems.as_bytes(503, Overloaded.code, ("Retry-After", "0"), request_id=_ID.decode(), path=path)
    return {False: text, True: text.replace(b"Connection: close\r\n", b"Connection: keep-alive\r\n")}


_PROBLEM, _REVENUECAT = _templates("/"), _templates("/v1/subscribers")


class Refusal:
    """How a request is refused; ``closes`` says whether no other answer is to come on its connection, as the
    client wants none, or gets none with a body."""

    def __init__(self, received: bytes) -> None:
        start = _START.match(received)
        found = _FIELDS.findall(received, 0, _end_of_head(received))
        fields = {name.lower(): value for name, value in found}
        self._path = start[2].decode("latin-1") if start else ""
        self._origin = fields.get(b"origin", b"")
        self.closes = (
            not start
            or start[1] == b"HEAD"
            or not start[0].endswith(b" HTTP/1.1")
            or b"close" in fields.get(b"connection", b"").lower()
        )

    def answer(self, *, keeps: bool) -> bytes:
        """Return what to send. Any page may read it, as it tells nothing else."""
        text = (_REVENUECAT if is_spoken_at(self._path) else _PROBLEM)[keeps]
        more = b"Retry-After: %d\r\n" % admission.retry_after()
        if _ORIGIN.fullmatch(self._origin):
            more += b"Access-Control-Allow-Origin: %b\r\n" % self._origin
            more += b"Access-Control-Expose-Headers: %b\r\nVary: Origin\r\n" % TOLD_HEADERS.encode()
        return text.replace(_ID, uuid7().hex.encode()).replace(b"Retry-After: 0\r\n", more)


class Refusals:
    """How many were refused: counted one by one, and told in the log now and then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: Counter[str] = Counter()
        self._told = 0.0

    def add(self, line: str, kind: Kind) -> None:
        """Count a request that was refused."""
        admission.count("unknown" if line.startswith(admission.STRANGERS) else kind.value)
        with self._lock:
            self._refused[line] += 1

    def tell(self) -> None:
        """Write into the log of which apps how many were refused, if it was long enough ago."""
        now = time.monotonic()
        if not self._refused or now < self._told + QUIET:
            return
        with self._lock:
            refused, self._refused = self._refused, Counter()
        self._told = now
        for line, count in refused.items():
            is_known = not line.startswith(admission.STRANGERS)
            app = line.removeprefix(admission.STRANGERS) or None
            get_logger().warning("overloaded", app=app, known=is_known, refused=count)
