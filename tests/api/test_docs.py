"""The page at /docs: it shows our API, and loads nothing from anybody else."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from tests.support.engines import one_engine
from tests.support.responses import problem_of

# The engine does not matter to any of these.
pytestmark = one_engine

# Where other things of the page would be loaded from, or where it would lead to by itself.
ATTRIBUTES = {"src", "href", "srcset", "action", "data", "poster", "formaction"}
HERE = "http://localhost"


class Page(HTMLParser):
    """What a page of HTML names, and what it runs."""

    def __init__(self, text):
        super().__init__()
        self.urls = []
        self.inline = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.urls += [value for name, value in attributes if name in ATTRIBUTES]
        self.inline += [name for name in named if name.startswith("on") or name == "style"]
        if tag in ("style", "base") or (tag == "script" and "src" not in named):
            self.inline.append(tag)


@pytest.fixture
def get(client):
    """Ask for something, and let go of the file that it may be read from."""
    return lambda path: client.get(path, buffered=True)


@pytest.fixture
def page(get):
    return Page(get("/docs").text)


def test_the_page_is_html_that_anybody_may_read(get):
    response = get("/docs")
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(
        rule.strip().split(" ", 1) for rule in response.headers["Content-Security-Policy"].split(";")
    )
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"


def test_everything_the_page_loads_comes_from_here(get, page):
    urls = [urljoin(f"{HERE}/docs", url) for url in page.urls]
    answers = {url: get(url) for url in urls}
    assert len(urls) >= 3
    for url, answer in answers.items():
        assert url.startswith(f"{HERE}/docs/")
        assert answer.status_code == 200
        assert answer.data


def test_scripts_and_styles_are_served_as_what_they_are(get, page):
    kinds = {url.rpartition(".")[2]: get(url).mimetype for url in page.urls}
    assert kinds == {"png": "image/png", "css": "text/css", "js": "text/javascript"}


def test_the_page_needs_no_inline_script_and_no_inline_style(page):
    assert page.inline == []


def test_the_styles_load_nothing_from_elsewhere(get, page):
    [style] = [url for url in page.urls if url.endswith(".css")]
    text = get(style).text
    loaded = re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]*)", text)
    assert [url for url in loaded if not url.startswith("data:")] == []


def test_the_page_shows_our_document_and_asks_nobody_whether_it_is_valid(get, page):
    scripts = [get(url).text for url in page.urls if url.endswith(".js")]
    [start] = [text for text in scripts if "SwaggerUIBundle({" in text and len(text) < 1000]
    settings = dict(re.findall(r"(\w+): ([^,}]+?)[,\s}]", start))
    assert settings["url"] == '"/openapi.json"'
    # Else it would send the document's address to a validator on the web, and show its badge.
    assert settings["validatorUrl"] == "null"
    assert "http" not in start


def test_what_the_page_shows_is_the_document_that_is_served(get):
    response = get("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert {urlsplit(server["url"]).netloc for server in response.json.get("servers", [])} <= {""}


@pytest.mark.parametrize(
    "path",
    [
        "/docs/", "/docs/nothing.js", "/docs/../wsgi.py", "/docs/..%2f..%2f..%2fetc%2fpasswd",
        "/docs/%2e%2e/__init__.py", "/docs//etc/passwd", "/docs/%2fetc%2fpasswd", "/docs/%00",
        "/docs/" + "a" * 5000, "/docs/swagger-ui.css/x",
    ],
    ids=lambda path: path[:40],
)  # fmt: skip
def test_nothing_but_the_pages_files_is_served_there(get, path):
    assert problem_of(get(path)) == (404, "not-found")
