"""Whether a request is whole, so that no thread waits for its rest.

This decides nothing else about HTTP: gunicorn's parser reads the same bytes as if nobody had looked at them.
So a request is called unfinished only where gunicorn would wait for more of it. Of whatever is odd gunicorn
is left to think what it thinks.
"""

import re

# How many bytes of a request are kept in memory: 16 MiB at most in a worker, with the 1,000 connections that
# gunicorn allows. So many are waited for before anybody is asked whether who sends them may.
LIMIT = 16 * 1024
# Into how many pieces a body of that size may be cut: each is looked at again whenever something comes.
MAX_CHUNKS = 100
# How long a head may be, and what comes after the last chunk: a URL of 16 KiB is refused by ourselves.
MAX_HEAD = 64 * 1024
# How long a line with the size of a chunk may be: where gunicorn refuses it.
MAX_SIZE = 8190
# How many bytes are read at a time, of a body that says how long it is.
PIECE = 64 * 1024

_REQUEST_LINE = re.compile(rb"[A-Z-]{3,20} [!-~]+ HTTP/1\.[0-9]")
# What says where a request ends, or that its client waits for us before it sends the body.
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,5}")
_ANY_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,4})\r\n")
_ANY_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})(?:[ \t]*;.*)?", re.DOTALL)


def is_whole(received: bytes) -> bool | None:
    """Return whether all of the first request in ``received`` is there; None where a thread should look at
    what is there of it: it is odd, or too large to be waited for unasked, or its client waits for us."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        has_all = False if len(received) < LIMIT and _has_whole_lines(received) else None
    else:
        fields = _FRAMING.findall(received, 0, head)
        if not fields:
            return True
        # Of two gunicorn refuses at least one.
        has_all = _has_body(received, head + 4, *fields[0]) if len(fields) == 1 else None
    return None if has_all is False and not _is_http(received) else has_all


def end_of(received: bytes) -> int | None:
    """Return where the first request in ``received`` ends, which is whole; None if that is not plain."""
    body = received.find(b"\r\n\r\n") + 4
    fields = _FRAMING.findall(received, 0, body - 4)
    if not fields:
        return body
    name, value = fields[0]
    return body + int(value) if name.lower() == b"content-length" else None


def _has_body(received: bytes, body: int, name: bytes, value: bytes) -> bool | None:
    name, value = name.lower(), value.rstrip(b" \t")
    if name == b"content-length" and _LENGTH.fullmatch(value):
        end = body + int(value)
        if end <= len(received):
            return True
        return False if end <= LIMIT else None
    if name == b"transfer-encoding" and value.lower() == b"chunked":
        has_all = _has_chunks(received, body)
        return None if has_all is False and len(received) >= LIMIT else has_all
    return None


def _has_whole_lines(received: bytes | bytearray) -> bool:
    # A head in which another line ends otherwise is refused, however it goes on.
    return received.count(b"\n") == received.count(b"\r\n")


def _is_http(received: bytes) -> bool:
    """Return whether the first line, as far as it is there, is one of a request. An empty one may precede."""
    line, end, _ = received.removeprefix(b"\r\n").partition(b"\r\n")
    return not end or _REQUEST_LINE.fullmatch(line) is not None


def _has_chunks(received: bytes, at: int) -> bool | None:
    """Return whether the chunks that begin ``at`` are all there; None for odd ones."""
    for _ in range(MAX_CHUNKS):
        if received.find(b"\n", at) < 0:
            # As long as a size may be, with its end.
            return False if len(received) - at < len("ffff\r\n") else None
        size = _CHUNK_SIZE.match(received, at)
        if not size:
            return None
        at = size.end() + int(size[1], 16)
        if at == size.end():
            # The last. Between it and the empty line after it more may stand.
            rest = received[at : at + 2]
            return True if rest == b"\r\n" else False if rest in (b"", b"\r") else None
        if len(received) < at + 2:
            # Of what cannot be kept in memory a thread looks at as much as there is.
            return False if at + 2 < LIMIT else None
        if received[at : at + 2] != b"\r\n":
            return None
        at += 2
    return None


class Rest:
    """What is still to come of a request, however large and odd: it is told what comes, piece by piece.

    ``is_over`` when nothing is: the request is whole, or gunicorn refuses it as it is, or a head is
    ``too_large``, maybe as it ``lacks_line``, the end of its first. ``body`` is how many bytes of the body
    have come.
    """

    def __init__(self) -> None:
        self.is_over = self.too_large = self.lacks_line = False
        self.body = 0
        # What has come of a head, of the size of a chunk, or of what follows the last chunk.
        self._line = bytearray()
        # How much of a head, or of what follows the last chunk, was looked through.
        self._seen = 0
        # How many bytes of the body, or of this chunk, are still to come.
        self._lacks = 0
        self._step = self._read_head
        self._is_chunked = False

    @property
    def size(self) -> int:
        """How many bytes should be read next: little beyond the end of the request."""
        return min(self._lacks, PIECE) if self._lacks and not self._is_chunked else LIMIT

    def add(self, data: bytes) -> None:
        """Take what came."""
        self._line += data
        while not self.is_over and self._step():
            pass

    # Each returns whether there may be more to read in what has come.

    def _read_head(self) -> bool:
        head = self._find_empty_line()
        if head < 0:
            self.too_large = len(self._line) > MAX_HEAD
            self.lacks_line = b"\r\n" not in self._line[2:]
            self.is_over |= self.too_large
            return False
        fields = [
            (name.lower(), value.rstrip(b" \t"))
            for name, value in _FRAMING.findall(self._line, 0, head)
            if name.lower() != b"expect"
        ]
        del self._line[: head + 4]
        self._seen = 0
        # Without either there is no body; of two gunicorn refuses at least one.
        name, value = fields[0] if len(fields) == 1 else (b"", b"")
        if name == b"content-length" and _ANY_LENGTH.fullmatch(value):
            self._lacks, self._step = int(value), self._read_body
        elif value.lower() == b"chunked":
            self._is_chunked, self._step = True, self._read_size
        else:
            self.is_over = True
        return True

    def _read_body(self) -> bool:
        self._take()
        self.is_over = not self._lacks
        return False

    def _take(self) -> None:
        came = min(self._lacks, len(self._line))
        del self._line[:came]
        self._lacks -= came
        self.body += came

    def _read_size(self) -> bool:
        line, end, _ = self._line.partition(b"\r\n")
        if not end:
            self.is_over = len(self._line) > MAX_SIZE
            return False
        size = _ANY_SIZE.fullmatch(line)
        if not size:
            self.is_over = True
            return False
        del self._line[: len(line) + 2]
        self._lacks = int(size[1], 16)
        self._step = self._read_chunk if self._lacks else self._read_trailers
        return True

    def _read_chunk(self) -> bool:
        self._take()
        if self._lacks or len(self._line) < 2:
            return False
        self.is_over = self._line[:2] != b"\r\n"
        del self._line[:2]
        self._step = self._read_size
        return True

    def _read_trailers(self) -> bool:
        is_there = self._line.startswith(b"\r\n") or self._find_empty_line() >= 0
        self.is_over |= is_there or len(self._line) > MAX_HEAD
        return False

    def _find_empty_line(self) -> int:
        """Return where the line before an empty one ends, or -1. It is over where a line ends otherwise."""
        found = self._line.find(b"\r\n\r\n", max(self._seen - 3, 0))
        if found < 0:
            at = self._seen - self._line.startswith(b"\r", max(self._seen - 1, 0), self._seen)
            self.is_over = not _has_whole_lines(self._line[at:])
            self._seen = len(self._line)
        return found
