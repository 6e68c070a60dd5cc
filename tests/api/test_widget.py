"""widget.js: small, cached and checked again, and loaded by pages of any origin."""

import gzip
import re
from pathlib import Path

import pytest

from service.api.widget import ATTACHMENT_BYTES, LIVE_URL, script_for
from tests.support.cases import cases
from tests.support.pages import Page

SCRIPT = script_for("", 10 * 1024 * 1024).plain
LARGEST = 20_000  # bytes, compressed
# What it is built of.
SOURCES = {path.name: path.read_text() for path in Path("widget").glob("*.js")}
SHOP = "https://shop.example.org"


def test_it_is_small(client):
    response = client.get("/widget.js", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(response.data) < LARGEST
    assert gzip.decompress(response.data) == SCRIPT


@pytest.mark.parametrize("encoding", ["", "identity", "br"])
def test_who_reads_nothing_compressed_gets_it_plain(client, encoding):
    response = client.get("/widget.js", headers={"Accept-Encoding": encoding})
    assert "Content-Encoding" not in response.headers
    assert response.data == SCRIPT
    assert "Accept-Encoding" in response.vary


def test_it_is_a_script_that_pages_of_any_origin_may_load(client):
    response = client.get("/widget.js")
    assert (response.status_code, response.content_type) == (200, "text/javascript; charset=utf-8")
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    # A tag with `integrity`, and a module, needs this also where the browser has the script already.
    again = client.get("/widget.js", headers={"If-None-Match": response.headers["ETag"]})
    for each in (response, again):
        assert each.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in each.headers
    assert response.headers["Cache-Control"] == "public, max-age=300"


def test_who_has_it_is_told_that_it_is_the_same(client):
    etag = client.get("/widget.js").headers["ETag"]
    response = client.get("/widget.js", headers={"If-None-Match": etag, "Accept-Encoding": "gzip"})
    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == etag


def test_it_says_where_streams_are_and_that_it_is_another_then(start):
    elsewhere = start(live_url="https://live.example.org").test_client().get("/widget.js")
    nowhere = start(live_url="").test_client().get("/widget.js")

    assert b'"https://live.example.org"' in elsewhere.data
    assert b"live.example.org" not in nowhere.data
    assert LIVE_URL not in elsewhere.data + nowhere.data
    assert elsewhere.headers["ETag"] != nowhere.headers["ETag"]


def test_it_says_how_large_a_file_may_be_and_where_there_is_no_place_that_none_may(start):
    somewhere = start(files_url="file:///nowhere", attachment_bytes=4321).test_client().get("/widget.js")
    nowhere = start(files_url="", attachment_bytes=4321).test_client().get("/widget.js")

    assert b"4321" in somewhere.data
    assert b"4321" not in nowhere.data
    assert ATTACHMENT_BYTES not in somewhere.data + nowhere.data


@pytest.mark.parametrize("word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"])
def test_it_makes_no_markup_and_no_script_of_text(word):
    assert word not in SCRIPT.decode()


def test_it_names_no_address_but_its_own():
    addresses = [
        part.split('"')[0] for part in SCRIPT.decode().split("http")[1:] if part.startswith(("://", "s://"))
    ]
    # The name of SVG's elements.
    assert addresses == ["://www.w3.org/2000/svg"]


def test_its_page_names_each_of_its_calls_and_no_other():
    offered = set(re.findall(r"(\w+): offer\(", SOURCES["main.js"]))
    assert set(re.findall(r"`usher\.(\w+)\(", Page("docs/widget.md").text)) == offered


@pytest.fixture
def check(client, tenant):
    """Ask whether a tag is right, from a page of this origin."""
    tenant.set(origins=[SHOP])
    return lambda key, origin=SHOP: client.get(
        "/widget/check", query_string={"key": key}, headers={"Origin": origin} if origin else {}
    )


def deleted_key(client, tenant):
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "publishable"}).json
    tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{made['id']}", tenant.admin_key)
    return made["key"]


@cases(
    "origin, mistake",
    ("the app's page", SHOP, None),
    ("one of our own pages", "http://localhost", None),
    ("no page", "", None),
    ("another page", "https://shop.example.com", "origin"),
    ("another port", f"{SHOP}:8443", "origin"),
    ("a file", "null", "origin"),
)
def test_any_page_is_told_whether_the_app_names_it(check, tenant, origin, mistake):
    response = check(tenant.pk, origin)

    assert (response.status_code, response.json) == (200, {"mistake": mistake})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Origin" in response.vary


@pytest.mark.parametrize("origin", [SHOP, "https://shop.example.com"])
@pytest.mark.parametrize("kind", ["none", "unknown", "deleted", "secret", "session"])
def test_any_page_is_told_that_a_key_is_none_that_it_may_use(client, check, tenant, kind, origin):
    keys = {
        "none": "",
        "unknown": f"{tenant.pk[:-1]}{'A' if tenant.pk[-1] != 'A' else 'B'}",
        "deleted": deleted_key(client, tenant),
        "secret": tenant.sk,
        "session": tenant.session(),
    }
    assert check(keys[kind], origin).json == {"mistake": "key"}


def test_what_is_right_is_remembered_and_what_is_wrong_is_not(check, tenant):
    assert check(tenant.pk).headers["Cache-Control"] == "private, max-age=600"
    assert check(tenant.pk, "https://shop.example.com").headers["Cache-Control"] == "no-store"
    assert check("").headers["Cache-Control"] == "no-store"
