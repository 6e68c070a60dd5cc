"""Send one request to a URL that somebody else has chosen, and come back in time, whatever is there.

The name is looked up once. All addresses that it has have to be ones that may be told, and the connection is
made to one of these: so no second look-up can lead elsewhere. The certificate is checked against the name. No
redirect is followed, no proxy is asked, and of the answer no more is read than is kept.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import h11
import httpcore

from service.model.addresses import Address, may_be_told
from service.model.webhooks import Attempt
from service.times import now

# How long an attempt may take, in seconds, and how many bytes of an answer are kept.
TIMEOUT = 15.0
KEPT = 1000

# What is said where nothing was answered: of the other end, and never a word of a library.
TIMED_OUT = "it took longer than 15 seconds"
NOT_FOUND = "its host has no address"
FORBIDDEN = "its host has an address that is not public"
UNREACHABLE = "no connection was made"
NOT_TRUSTED = "its certificate is not trusted"
NOT_HTTP = "its answer is not HTTP"
# What that is counted as.
OUTCOMES = {
    TIMED_OUT: "timeout",
    NOT_FOUND: "no-address",
    FORBIDDEN: "forbidden-address",
    UNREACHABLE: "unreachable",
    NOT_TRUSTED: "not-trusted",
    NOT_HTTP: "not-http",
}


class Failed(Exception):
    """Nothing was answered; the message says why."""


def send(url: str, body: bytes, headers: dict[str, str], *, loopback: bool) -> Attempt:
    """POST a body to a URL, and return what came of it. ``loopback`` allows addresses of this machine."""
    at, begun = now(), time.monotonic()
    status, answer, error = None, None, None
    try:
        status, answer = _post(url, body, headers, begun + TIMEOUT, loopback=loopback)
    except Failed as failed:
        error = str(failed)
    return Attempt(at, int((time.monotonic() - begun) * 1000), status, answer, error)


def _post(url: str, body: bytes, headers: dict[str, str], until: float, *, loopback: bool) -> tuple[int, str]:
    split = urlsplit(url)
    addresses = _looked_up(split.hostname or "", until)
    if not all(may_be_told(address, loopback=loopback) for address in addresses):
        raise Failed(FORBIDDEN)
    try:
        backend = _Backend(addresses, until)
        sent = list(headers.items())
        with (
            httpcore.ConnectionPool(_tls(), network_backend=backend) as pool,
            pool.stream("POST", url, headers=sent, content=body) as response,
        ):
            return response.status, _beginning(response.iter_stream())
    except TimeoutError:
        raise Failed(TIMED_OUT) from None
    except ssl.SSLCertVerificationError:
        raise Failed(NOT_TRUSTED) from None
    except OSError:
        raise Failed(UNREACHABLE) from None
    except (httpcore.ProtocolError, h11.ProtocolError):
        raise Failed(NOT_HTTP) from None


@cache
def _tls() -> ssl.SSLContext:
    """Return whom to trust, as the system has it. To read that takes longer than all else of an attempt."""
    return ssl.create_default_context()


def _beginning(parts: Iterable[bytes]) -> str:
    """Return how an answer begins."""
    begins = b""
    for part in parts:
        begins += part
        if len(begins) >= KEPT:
            break
    return begins[:KEPT].decode("utf-8", "replace").replace("\0", "\ufffd")


def _looked_up(host: str, until: float) -> Sequence[Address]:
    """Return the addresses of a host. A name server that is silent keeps nobody longer than there is time."""
    found: Queue[list[Any]] = Queue()
    Thread(target=_look_up, args=(host, found), daemon=True).start()
    try:
        rows = found.get(timeout=max(until - time.monotonic(), 0.0))
    except Empty:
        raise Failed(TIMED_OUT) from None
    if not rows:
        raise Failed(NOT_FOUND)
    return [ipaddress.ip_address(row[4][0]) for row in rows]


def _look_up(host: str, found: "Queue[list[Any]]") -> None:
    try:
        found.put(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        found.put([])


class _Backend(httpcore.NetworkBackend):
    """Connects to one of some addresses, whatever the host is called, before a time."""

    def __init__(self, addresses: Sequence[Address], until: float) -> None:
        self._addresses = addresses
        self._until = until

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:  # noqa: ARG002
        """Connect to the first address that answers."""
        *others, last = self._addresses
        for tried, address in enumerate(others):
            with suppress(OSError):
                share = _left(self._until) / (len(self._addresses) - tried)
                return _Stream(_connected(address, port, share), self._until)
        return _Stream(_connected(last, port, _left(self._until)), self._until)


def _connected(address: Address, port: int, timeout: float) -> socket.socket:
    """Connect to an address as it is: nothing is looked up any more."""
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
    try:
        connection.settimeout(timeout)
        connection.connect((str(address), port))
    except OSError:
        connection.close()
        raise
    return connection


class _Stream(httpcore.NetworkStream):
    """A connection on which all is done before a time, and not each step within one."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - httpcore's
        """Read what has come."""
        self._connection.settimeout(_left(self._until))
        return self._connection.recv(min(max_bytes, KEPT))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        """Send all of it. Whoever hangs up meanwhile may have answered before."""
        self._connection.settimeout(_left(self._until))
        try:
            self._connection.sendall(buffer)
        except ConnectionError as error:
            raise httpcore.WriteError from error

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.NetworkStream:
        """Go on in TLS, with whoever proves to be the host."""
        self._connection.settimeout(_left(self._until))
        secured = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        return _Stream(secured, self._until)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _left(until: float) -> float:
    """Return how many seconds are left. Raises TimeoutError for none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
