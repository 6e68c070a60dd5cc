"""Whether a request is whole, so that the thread that serves it does not wait for its rest.

This decides nothing else about HTTP: gunicorn's parser reads the same bytes as if nobody had looked at them.
So a request is called unfinished only where gunicorn would wait for more of it. Of whatever is odd gunicorn
is left to think what it thinks: it refuses it, or waits by itself.
"""

import re

# How many bytes of a request are kept while no thread serves it: 16 MiB at most in a worker, with the 1,000
# connections that gunicorn allows. What is larger is served from the beginning.
LIMIT = 16 * 1024
# Into how many pieces a body of that size may be cut: each is looked at again whenever something comes.
MAX_CHUNKS = 100

_REQUEST_LINE = re.compile(rb"[A-Z-]{3,20} [!-~]+ HTTP/1\.[0-9]")
# What says where a request ends, or that its client waits for us before it sends the body.
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,5}")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,4})\r\n")


def is_unfinished(received: bytes) -> bool:
    """Return whether more of the first request in ``received`` has to come, and is worth waiting for."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return len(received) < LIMIT and _has_whole_lines(received) and _is_http(received)
    fields = _FRAMING.findall(received, 0, head)
    # Of two gunicorn refuses at least one.
    if len(fields) != 1:
        return False
    name, value = fields[0][0].lower(), fields[0][1].rstrip(b" \t")
    body = head + 4
    if name == b"content-length" and _LENGTH.fullmatch(value):
        return len(received) < body + int(value) <= LIMIT and _is_http(received)
    if name == b"transfer-encoding" and value.lower() == b"chunked":
        return len(received) < LIMIT and _lacks_chunks(received, body) and _is_http(received)
    return False


def _has_whole_lines(received: bytes) -> bool:
    # A head in which another line ends otherwise is refused, however it goes on.
    return received.count(b"\n") == received.count(b"\r\n")


def _is_http(received: bytes) -> bool:
    """Return whether the first line, as far as it is there, is one of a request. An empty one may precede."""
    line, end, _ = received.removeprefix(b"\r\n").partition(b"\r\n")
    return not end or _REQUEST_LINE.fullmatch(line) is not None


def _lacks_chunks(received: bytes, at: int) -> bool:
    """Return whether the chunks that begin ``at`` go on, after what is there of them."""
    for _ in range(MAX_CHUNKS):
        if received.find(b"\n", at) < 0:
            # As long as a size may be, with its end.
            return len(received) - at < len("ffff\r\n")
        size = _CHUNK_SIZE.match(received, at)
        if not size:
            return False
        at = size.end() + int(size[1], 16)
        if at == size.end():
            # The last. What may stand between it and the empty line after it is waited for in the thread.
            return received[at:] in (b"", b"\r")
        if len(received) < at + 2:
            # Of what cannot be kept gunicorn reads as much as there is.
            return at + 2 < LIMIT
        if received[at : at + 2] != b"\r\n":
            return False
        at += 2
    return False
