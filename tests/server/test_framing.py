"""What is called unfinished is what gunicorn would wait for, and everything else is gunicorn's to judge."""

import pytest
from gunicorn.config import Config
from gunicorn.http import RequestParser
from gunicorn.http.errors import ParseException
from hypothesis import given
from hypothesis import strategies as st

from service.server.framing import LIMIT, MAX_CHUNKS, is_unfinished

GET = b"GET /v1/me HTTP/1.1\r\nHost: x\r\n"
POST = GET.replace(b"GET", b"POST")
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


class AskedForMoreError(Exception):
    """gunicorn would wait here."""


def what_gunicorn_does(received):
    """Return whether gunicorn's parser waits for more than this, refuses it, or lets it be served."""

    def come():
        if received:
            yield received
        raise AskedForMoreError

    try:
        request = next(RequestParser(Config(), come(), None))
        while request.body.read(1024):
            pass
    except AskedForMoreError:
        return "waits"
    except ParseException:
        return "refuses"
    return "serves"


WHOLE = [
    pytest.param(GET + b"\r\n", id="without a body"),
    pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="without headers"),
    pytest.param(b"\r\n" + GET + b"\r\n", id="after an empty line"),
    pytest.param(POST + b"Content-Length: 5\r\n\r\nhello", id="with a body"),
    pytest.param(POST + b"content-length:5 \t\r\n\r\n\r\n\n\r\n", id="with a body of line ends"),
    pytest.param(POST + b"Content-Length: 0\r\n\r\n", id="with an empty body"),
    pytest.param(CHUNKED + b"5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n", id="with chunks"),
    pytest.param(CHUNKED.replace(b"chunked", b"Chunked") + b"0\r\n\r\n", id="with no chunk"),
]


@pytest.mark.parametrize("request_", WHOLE)
def test_a_request_is_unfinished_until_all_of_it_is_there(request_):
    parts = [request_[:end] for end in range(len(request_))]

    assert [part for part in parts if not is_unfinished(part)] == []
    assert {what_gunicorn_does(part) for part in parts} == {"waits"}
    assert not is_unfinished(request_)
    assert what_gunicorn_does(request_) == "serves"


@pytest.mark.parametrize("next_", [b"G", GET + b"\r\n", b"\x00\n"])
@pytest.mark.parametrize("request_", WHOLE)
def test_what_comes_after_a_request_is_no_part_of_it(request_, next_):
    assert not is_unfinished(request_ + next_)


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"nonsense\r\n", id="no request line"),
        pytest.param(b"get / HTTP/1.1\r\nHost: x", id="a method in small letters"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\n", id="another version"),
        pytest.param(b"\r\n\r\nGET", id="two empty lines"),
        pytest.param(GET[:-2] + b"\n", id="a bare end of a line"),
        pytest.param(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + GET, id="a router's own line"),
        pytest.param(GET + b"X: " + b"x" * LIMIT, id="a large head"),
        pytest.param(b"\x16\x03" * LIMIT, id="large garbage"),
        pytest.param(POST + b"Content-Length: %d\r\n\r\n" % LIMIT, id="a large body"),
        pytest.param(POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", id="a length beyond all"),
        pytest.param(POST + b"Content-Length: -5\r\n\r\n", id="a negative length"),
        pytest.param(POST + b"Content-Length:\r\n 5\r\n\r\n", id="a length on another line"),
        pytest.param(POST + b"Content-Length : 5\r\n\r\n", id="a length after a space"),
        pytest.param(POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", id="two lengths"),
        pytest.param(POST + b"Content-Length: 5\r\n" + CHUNKED[len(POST) :], id="a length and chunks"),
        pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="another coding"),
        pytest.param(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", id="a client that waits"),
        pytest.param(b"nonsense\r\nContent-Length: 5\r\n\r\n", id="no request line before a length"),
        pytest.param(b"nonsense\r\nTransfer-Encoding: chunked\r\n\r\n", id="no request line before chunks"),
        pytest.param(CHUNKED + b"x\r\n", id="a size that is none"),
        pytest.param(CHUNKED + b"000005", id="a long size"),
        pytest.param(CHUNKED + b"5;a=b\r\n", id="a size with an extension"),
        pytest.param(CHUNKED + b"5\r\nhelloworld", id="a chunk without an end"),
        pytest.param(CHUNKED + b"0\r\nX: y", id="fields after the last chunk"),
        pytest.param(CHUNKED + b"%x\r\n" % LIMIT, id="a large chunk"),
        pytest.param(CHUNKED + b"1\r\nx\r\n" * MAX_CHUNKS, id="too many chunks"),
        pytest.param(CHUNKED + b"fff\r\n%b\r\n" % (b"x" * 0xFFF) * 4, id="large chunks"),
    ],
)
def test_what_is_odd_or_too_large_to_keep_is_left_to_gunicorn(received):
    assert not is_unfinished(received)


PIECES = [
    *(b"\r\n", b"\n", b"\r", b" ", b":", b"0", b"5", b"GET", b"POST", b"/", b"HTTP/1.1", b"hello"),
    *(GET, POST, CHUNKED, b"Host: x", b"Content-Length: ", b"Transfer-Encoding: chunked", b"5\r\nhello\r\n"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_nothing_that_gunicorn_would_serve_is_called_unfinished(received):
    assert not is_unfinished(received) or what_gunicorn_does(received) != "serves"
