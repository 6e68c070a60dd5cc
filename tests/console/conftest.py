"""An agent at the console, without a browser: what is read is looked at, and forms are sent as shown."""

import html
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.servers import ADMIN_KEY
from tests.support.tenants import Tenant

NOBODY = "0" * 32
HOOK_URL = "https://shop.example.org/usher"
# How a page has a script of ours.
SCRIPT = '<script src="/console/assets/{}" type="module"></script>'


@dataclass
class Agent:
    """Somebody with a browser of their own."""

    client: FlaskClient
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def sign_in(self, key: str, name: str = "", first: str = "") -> TestResponse:
        """Sign in, and keep the token of the forms; of another page than the first, if one is given."""
        answer = self.client.post("/console/sign-in", data={"key": key, "name": name})
        if answer.status_code == 303:
            self.token = field_of(self.get(first or answer.headers["Location"]), "token")
        return answer

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, **fields: str) -> TestResponse:
        """Send a form; a field's name may end in _, which is left out."""
        sent = {"token": self.token} | {name.rstrip("_"): value for name, value in fields.items()}
        return self.client.post(path, data=sent, headers=self.headers)

    def follow(self, answer: TestResponse) -> TestResponse:
        """Go where an answer leads."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["Location"])


def field_of(page: TestResponse, name: str) -> str:
    """What a hidden field of a page holds."""
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page.text)
    assert found, page.text
    return html.unescape(found[1])


def text_of(page: TestResponse) -> str:
    """What a page says, without its marks."""
    body = page.text.partition("<main")[2].partition(">")[2]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", body).split()))


def without_ours(text: str) -> str:
    """A page without the scripts that are ours."""
    return re.sub(SCRIPT.format("(keys|times|drafts|looking|attachments|people)[.]js"), "", text)


def require_words(page: TestResponse, *words: str) -> None:
    """Assert that a page says all of this."""
    text = text_of(page)
    assert [word for word in words if word not in text] == [], text


def more_of(page: TestResponse) -> str:
    """Where a page leads that shows more of its list."""
    return html.unescape(page.text.partition('<a class="more" href="')[2].partition('"')[0])


@pytest.fixture
def browser(app: Flask) -> Agent:
    """A browser in which nobody is signed in."""
    return Agent(app.test_client())


@pytest.fixture
def agent(browser: Agent, tenant: Tenant) -> Agent:
    """An agent of the tenant, signed in."""
    assert browser.sign_in(tenant.sk, "Ann").status_code == 303
    return browser


@pytest.fixture
def operator(app: Flask, tenant: Tenant) -> Agent:
    """The operator, signed in. The page of all apps takes long, as each test has one."""
    operator = Agent(app.test_client())
    assert operator.sign_in(ADMIN_KEY, first=f"/console/apps/{tenant.id}").status_code == 303
    return operator


@pytest.fixture
def other_agent(app: Flask, other_tenant: Tenant) -> Agent:
    """An agent of another app, signed in."""
    other = Agent(app.test_client())
    assert other.sign_in(other_tenant.sk).status_code == 303
    return other


@dataclass(frozen=True)
class Scene:
    """Kim, who wrote, and Lee, who did not; both are of the tenant."""

    kim: str
    lee: str
    thread: str


@pytest.fixture
def scene(tenant: Tenant) -> Scene:
    """Two users and a conversation."""
    token = tenant.session(userId="u-kim", email="kim@example.org", name="Kim")
    thread = tenant.begin(token, "Where is it?", subject="Parcel")
    return Scene(of(tenant, "u-kim"), of_new(tenant, "u-lee", "Lee"), thread)


@dataclass(frozen=True)
class Hook:
    """A webhook of the tenant's: its id, the page of it, and its first secret."""

    id: str
    page: str
    secret: str


def make_hook(tenant: Tenant, url: str, **members: Any) -> Hook:
    """Make a webhook as the backend does."""
    made = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": url, **members})
    assert made.status_code == 201, made.text
    id = made.json["webhook"]["id"]
    return Hook(id, f"/console/webhooks/{id}", made.json["secret"]["secret"])


@pytest.fixture
def hook(tenant: Tenant) -> Hook:
    """A webhook that nobody delivers to."""
    return make_hook(tenant, HOOK_URL)


def settings_of(tenant: Tenant) -> dict[str, Any]:
    """The settings of the tenant, as the operator reads them."""
    settings: dict[str, Any] = tenant.get(f"/v1/apps/{tenant.id}", tenant.admin_key).json["settings"]
    return settings


def of(tenant: Tenant, user_id: str) -> str:
    """Our id of a user who is there."""
    found: list[dict[str, Any]] = tenant.find(userId=user_id)
    return str(found[0]["id"])


def of_new(tenant: Tenant, user_id: str, name: str) -> str:
    """Our id of a user who logs in."""
    return str(tenant.known(userId=user_id, name=name))


# Where nobody has to be signed in.
DOOR = {"/console/sign-in", "/console/assets/<name>"}


def guarded_routes(app: Flask) -> list[tuple[str, str]]:
    """Every page and form that is for agents only, with the id of nobody."""
    return sorted(
        (method, _with_nobody(rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("console.") and rule.rule not in DOOR
        for method in rule.methods - {"HEAD", "OPTIONS"}
    )


def _with_nobody(rule: str) -> str:
    kinds = {"id": "usr", "event": "evt", "secret": "whs", "app": "app", "key": "key"}
    for name, kind in kinds.items():
        rule = rule.replace(f"<{name}>", f"{kind}_{NOBODY}")
    return rule


def held_by(browser: Agent) -> str | None:
    """What a browser holds to be signed in."""
    cookie = browser.client.get_cookie("usher_console", path="/console")
    return cookie and cookie.value


def status_with(app: Flask, held: str) -> int:
    """How the console answers somebody who holds this."""
    client = app.test_client()
    client.set_cookie("usher_console", held, path="/console")
    return client.get("/console").status_code
