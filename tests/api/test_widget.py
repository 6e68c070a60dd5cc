"""widget.js: small, cached and checked again, and loaded by pages of any origin."""

import gzip
import re

import pytest

from service.api.widget import SCRIPT
from tests.support.pages import Page

LARGEST = 15_000  # bytes, compressed


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
    assert response.headers["Cache-Control"] == "public, max-age=300"


def test_who_has_it_is_told_that_it_is_the_same(client):
    etag = client.get("/widget.js").headers["ETag"]
    response = client.get("/widget.js", headers={"If-None-Match": etag, "Accept-Encoding": "gzip"})
    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == etag


@pytest.mark.parametrize("word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"])
def test_it_makes_no_markup_and_no_script_of_text(word):
    assert word not in SCRIPT.decode()


def test_it_names_no_address_but_its_own():
    addresses = [
        part.split('"')[0] for part in SCRIPT.decode().split("http")[1:] if part.startswith(("://", "s://"))
    ]
    # The example in its first lines, and the name of SVG's elements.
    assert sorted(addresses) == ["://www.w3.org/2000/svg", "s://desk.example.org/widget.js"]


def test_its_page_names_each_of_its_calls_and_no_other():
    offered = set(re.findall(r"(\w+): offer\(", SCRIPT.decode()))
    assert set(re.findall(r"`usher\.(\w+)\(", Page("docs/widget.md").text)) == offered
