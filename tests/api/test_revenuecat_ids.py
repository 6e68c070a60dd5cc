"""An ID in a path is that of its bytes: what is no text is refused, and is never another's."""

from urllib.parse import quote, unquote_to_bytes

import pytest

from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.responses import problem_of
from tests.support.servers import serve
from tests.support.subscribers import original

REPLACED = "\ufffd"

# Bytes that are no UTF-8, percent-encoded, which would all be read as U+FFFD.
NO_TEXT = {
    "Latin-1": "M%E5ns", "Latin-1 of somebody else": "M%E4ns", "a byte that is never used": "u%FF",
    "another that is never used": "u%FE1", "an overlong slash": "u%C0%AF1",
    "an overlong letter": "%E0%81%81", "an overlong NUL": "u%C0%80", "a lone continuation": "u%80",
    "two lone continuations": "%BF%BF", "a sequence that is cut off": "u%E2%82",
    "a sequence that is cut off by a letter": "%F0%9F%98a", "an encoded surrogate": "u%ED%A0%80",
    "a pair of encoded surrogates": "%ED%A0%BD%ED%B8%80", "beyond the last code point": "%F4%90%80%80",
    "five bytes": "%F8%88%80%80%80", "Windows-1252 beside UTF-8": "%C3%B6%F6", "UTF-16": "%FE%FFu%001",
    "a letter that is encoded, and half a letter": "%61%C3",
}  # fmt: skip


@pytest.fixture
def send(rc, client, tenant):
    """Call with the bytes of a path as they are; the test client would put U+FFFD for what is no text."""

    def send(method, path, body=None, key=tenant.sk):
        raw = path if isinstance(path, bytes) else unquote_to_bytes(path)
        environ = {"PATH_INFO": "/v1" + raw.decode("latin-1")}
        headers = {"Authorization": f"Bearer {key}"}
        return client.open("/", method=method, json=body, headers=headers, environ_overrides=environ)

    return send


@pytest.fixture
def known(send):
    """Somebody whose ID really holds what such bytes are read as, once and twice."""
    for id in (REPLACED, REPLACED * 2):
        made = send("GET", f"/subscribers/{quote(id)}")
        assert (made.status_code, original(made)) == (201, id)


CALLS = [
    ("GET", "/subscribers/{}", None), ("HEAD", "/subscribers/{}", None),
    ("GET", "/subscribers/{}/offerings", None), ("DELETE", "/subscribers/{}", None),
    ("POST", "/subscribers/{}/alias", {"new_app_user_id": "u-2"}),
]  # fmt: skip


def require_no_id(method, response):
    assert (response.status_code, response.content_type) == (400, "application/json")
    assert method == "HEAD" or response.json["code"] == 7220


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("id", NO_TEXT.values(), ids=NO_TEXT)
def test_bytes_that_are_no_text_are_no_id(send, tenant, rows, id):
    was = rows()
    for method, path, body in CALLS:
        require_no_id(method, send(method, path.format(id), body))
    assert rows() == was


@pytest.mark.parametrize("key", ["pk", "sk"])
@pytest.mark.parametrize("id", ["%FF", "%80", "%FF%FE", "%80%80", "%C0%AF", "%ED%A0"])
def test_to_erase_by_bytes_that_are_no_text_erases_nobody(send, known, tenant, id, key):
    assert problem_of(send("DELETE", f"/subscribers/{id}", key=getattr(tenant, key))) == (400, 7220)
    assert send("GET", f"/subscribers/{quote(REPLACED)}").status_code == 200


@pytest.mark.parametrize("id", [b"M\xe5ns", b"u\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"u\x80"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_raw_bytes_that_are_no_text_are_no_id(send, id, method):
    assert problem_of(send(method, b"/subscribers/" + id)) == (400, 7220)


@cases(
    "path, id",
    ("U+FFFD", "%EF%BF%BD", REPLACED),
    ("å", "M%C3%A5ns", "Måns"),
    ("ä", "M%C3%A4ns", "Mäns"),
    ("encoded twice", "M%25E5ns", "M%E5ns"),
    ("UTF-8 encoded twice", "M%25C3%25A5ns", "M%C3%A5ns"),
    ("an emoji", "%F0%9F%98%80", "\U0001f600"),
    ("ASCII", "%41%2B%20b", "A+ b"),
)
def test_bytes_that_are_text_are_their_own_id(send, path, id):
    response = send("GET", f"/subscribers/{path}")
    assert (response.status_code, original(response)) == (201, id)


@one_engine
@pytest.mark.parametrize("id", NO_TEXT.values(), ids=NO_TEXT)
def test_who_shows_no_key_learns_nothing_of_the_id(send, id):
    assert problem_of(send("GET", f"/subscribers/{id}", key="pk_nothing")) == (401, 7225)


@one_engine
@cases(
    "id",
    ("a line feed behind", "u-9%0A"),
    ("a line feed before", "%0Au-9"),
    ("a line feed inside", "u%0A9"),
    ("a line feed alone", "%0A"),
    ("a carriage return and a line feed", "u-9%0D%0A"),
    ("a line separator", "u-9%E2%80%A8"),
    ("a tab", "u-9%09"),
    ("NUL", "u%00"),
    ("a slash", "a%2Fb"),
    ("a slash as it is", "a/b"),
)
def test_an_id_with_what_ends_a_line_or_a_path_is_refused_as_one(send, id):
    for method, path, body in CALLS:
        require_no_id(method, send(method, path.format(id), body))


def test_by_way_of_the_server_too(database_url):
    with serve(database_url) as server:
        tenant = server.tenant(revenuecat="on")
        told = {
            path: tenant.get(f"/v1/subscribers/{path}", tenant.pk).json.get("code")
            for path in ("M%E5ns", "M%E4ns", "u-9%0A", "u%C0%AF", "%EF%BF%BD", "M%C3%A5ns")
        }
    assert list(told.values()) == [7220, 7220, 7220, 7220, None, None]
