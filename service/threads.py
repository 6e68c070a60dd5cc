"""How long the request that a thread serves had waited for the thread."""

import socket
import sys
import threading
from contextlib import suppress

# Where in Linux's `struct tcp_info` is `tcpi_last_data_recv`, a number of milliseconds, and where it ends.
_BEGINS, _ENDS = 52, 56


class _Here(threading.local):
    waited = 0.0


_here = _Here()


def begin(connection: socket.socket) -> None:
    """Begin to serve the request that came in on a connection: only the kernel knows when.

    Of what did not come over TCP it does not tell.
    """
    _here.waited = 0.0
    with suppress(OSError):
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ENDS)
        _here.waited = int.from_bytes(told[_BEGINS:_ENDS], sys.byteorder) / 1000


def waited() -> float:
    """Return for how many seconds the request that this thread serves had waited for a thread."""
    return _here.waited
