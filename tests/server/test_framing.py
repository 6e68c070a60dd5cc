"""What is called unfinished is what gunicorn would wait for, and everything else is gunicorn's to judge."""

import pytest
from gunicorn.config import Config
from gunicorn.http import RequestParser
from gunicorn.http.errors import ParseException
from hypothesis import given
from hypothesis import strategies as st

from service.server.framing import LIMIT, MAX_CHUNKS, MAX_HEAD, MAX_SIZE, Rest, is_whole

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

    assert [part for part in parts if is_whole(part) is not False] == []
    assert [part for part in parts if looked_at(part).is_over] == []
    assert {what_gunicorn_does(part) for part in parts} == {"waits"}
    assert is_whole(request_)
    assert looked_at(request_).is_over
    assert what_gunicorn_does(request_) == "serves"


@pytest.mark.parametrize("next_", [b"G", GET + b"\r\n", b"\x00\n"])
@pytest.mark.parametrize("request_", WHOLE)
def test_what_comes_after_a_request_is_no_part_of_it(request_, next_):
    assert is_whole(request_ + next_)
    assert looked_at(request_ + next_).is_over


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
def test_what_is_odd_or_too_large_to_keep_is_left_to_a_thread(received):
    assert is_whole(received) is not False


PIECES = [
    *(b"\r\n", b"\n", b"\r", b" ", b":", b"0", b"5", b"GET", b"POST", b"/", b"HTTP/1.1", b"hello"),
    *(GET, POST, CHUNKED, b"Host: x", b"Content-Length: ", b"Transfer-Encoding: chunked", b"5\r\nhello\r\n"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_nothing_that_gunicorn_would_serve_is_called_unfinished(received):
    assert is_whole(received) is not False or what_gunicorn_does(received) != "serves"


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_nothing_for_which_gunicorn_would_wait_is_called_whole(received):
    assert not is_whole(received) or what_gunicorn_does(received) != "waits"


# --- what a thread has looked at before it was there ------------------------------------------------


def looked_at(received, size=None):
    """Return what is still to come, when this came in pieces of a size."""
    rest = Rest()
    size = size or max(len(received), 1)
    for at in range(0, len(received), size):
        rest.add(received[at : at + size])
    return rest


ODD = [
    pytest.param(
        POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello", 5, id="with a client that waits"
    ),
    pytest.param(
        POST + b"Content-Length: %d\r\n\r\n" % (3 * LIMIT) + b"x" * 3 * LIMIT, 3 * LIMIT, id="large"
    ),
    pytest.param(GET + (b"X: %b\r\n" % (b"x" * 8000)) * 7 + b"\r\n", 0, id="with a large head"),
    pytest.param(CHUNKED + b"000005\r\nhello\r\n0\r\n\r\n", 5, id="with a long size"),
    pytest.param(CHUNKED + b"5 ; a=b\r\nhello\r\n0;c\r\n\r\n", 5, id="with extensions"),
    pytest.param(
        CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\nZ: z\r\n\r\n", 5, id="with fields after the last chunk"
    ),
    pytest.param(
        CHUNKED + b"1\r\nx\r\n" * 2 * MAX_CHUNKS + b"0\r\n\r\n", 2 * MAX_CHUNKS, id="of many chunks"
    ),
    pytest.param(CHUNKED + b"c000\r\n%b\r\n0\r\n\r\n" % (b"x" * 3 * LIMIT), 3 * LIMIT, id="of large chunks"),
]


@pytest.mark.parametrize("size", [1, 7, 5000])
@pytest.mark.parametrize(("request_", "body"), ODD)
def test_however_odd_and_large_a_request_is_its_end_is_found(request_, body, size):
    rest = looked_at(request_[:-1], size)

    assert what_gunicorn_does(request_[:-1]) == "waits"
    assert not rest.is_over
    rest.add(request_[-1:])
    assert (rest.is_over, rest.body) == (True, body)
    assert what_gunicorn_does(request_) == "serves"


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(GET[:-2] + b"\n", id="a bare end of a line"),
        pytest.param(POST + b"Content-Length: x\r\n\r\n", id="a length that is none"),
        pytest.param(POST + b"Content-Length: 5\r\n" + CHUNKED[len(POST) :], id="a length and chunks"),
        pytest.param(POST + b"Transfer-Encoding: gzip\r\n\r\n", id="another coding"),
        pytest.param(CHUNKED + b"x\r\n", id="a size that is none"),
        pytest.param(CHUNKED + b"5" * (MAX_SIZE + 1), id="a size without an end"),
        pytest.param(CHUNKED + b"5\r\nhelloworld", id="a chunk without an end"),
        pytest.param(CHUNKED + b"0\r\nX: y\n", id="a bare end of a line after the last chunk"),
    ],
)
def test_no_more_is_waited_for_of_what_gunicorn_refuses_as_it_is(received):
    assert looked_at(received).is_over
    assert what_gunicorn_does(received) == "refuses"


def test_a_head_has_a_limit_and_what_comes_after_the_last_chunk_too():
    assert looked_at(GET + b"x" * MAX_HEAD).too_large
    assert looked_at(CHUNKED + b"0\r\n" + b"x" * (MAX_HEAD + 1)).is_over


def test_of_a_body_that_says_its_length_no_byte_beyond_is_read():
    rest = looked_at(POST + b"Content-Length: 5\r\n\r\nhe")
    assert rest.size == 3


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.integers(1, 50))
def test_nothing_is_called_over_for_which_gunicorn_would_wait_nor_the_other_way_round(received, size):
    does = what_gunicorn_does(received)

    assert does != "waits" or not looked_at(received, size).is_over
    assert does != "serves" or looked_at(received, size).is_over
