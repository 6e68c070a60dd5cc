"""Sign in with a secret key, and be signed out by oneself, by time, or with the key."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from service.desk import console_sessions
from service.model.errors import InvalidCredential, StaleState
from service.model.identifiers import digest, new_credential
from service.model.sessions import ConsoleSession
from service.store.tables import ConsoleSessions
from tests.console.conftest import NOBODY, Agent, held_by, status_with, text_of
from tests.support.cases import cases
from tests.support.servers import ADMIN_KEY
from tests.support.tenants import Tenant

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def set_cookie(answer):
    (header,) = answer.headers.getlist("Set-Cookie")
    value, *attributes = header.split("; ")
    return value.partition("=")[2], {part.partition("=")[0]: part.partition("=")[2] for part in attributes}


def test_a_secret_key_opens_the_console(browser, tenant):
    answer = browser.sign_in(tenant.sk)
    page = browser.follow(answer)
    assert page.status_code == 200
    assert "You are signed in." in text_of(page)


def test_white_space_around_a_pasted_key_does_not_matter(browser, tenant):
    assert browser.sign_in(f" {tenant.sk}\r\n").status_code == 303


def test_the_cookie_is_for_our_pages_only_and_for_no_script(browser, tenant):
    _, attributes = set_cookie(browser.sign_in(tenant.sk))
    assert attributes.pop("Expires")
    assert attributes == {"HttpOnly": "", "Max-Age": "28800", "Path": "/console", "SameSite": "Strict"}


@cases(
    "request_",
    ("https", {"base_url": "https://usher.example.org"}),
    ("https as far as the router", {"headers": {"X-Forwarded-Proto": "https"}}),
)
def test_over_https_the_cookie_never_goes_in_clear(browser, tenant, request_):
    answer = browser.client.post("/console/sign-in", data={"key": tenant.sk}, **request_)
    assert "Secure" in set_cookie(answer)[1]


def test_the_browser_holds_no_key_and_the_store_holds_only_a_digest(agent, tenant, store):
    held = held_by(agent)
    rows = store.database.rows(
        ConsoleSessions.select(ConsoleSessions.digest, ConsoleSessions.key, ConsoleSessions.name).where(
            ConsoleSessions.app == tenant.id
        )
    )
    assert tenant.sk.split("_", 2)[2] not in held
    assert [(row[0], row[2]) for row in rows] == [(digest(held), "Ann")]
    assert held not in str(rows)


def test_what_a_browser_holds_is_no_credential_of_the_api(agent, tenant):
    assert tenant.get("/v1/users", held_by(agent)).status_code == 401


def test_to_sign_in_again_ends_what_the_browser_held(agent, tenant, app):
    former = held_by(agent)
    agent.sign_in(tenant.sk)
    assert agent.get("/console").status_code == 200
    assert status_with(app, former) == 401


@pytest.mark.parametrize(
    ("kind", "status"),
    [*[(kind, 401) for kind in ("unknown", "none", "malformed", "of no app", "no admin")],
     *[(kind, 403) for kind in ("publishable", "session")]],
)  # fmt: skip
def test_any_other_key_is_refused_in_words_and_opens_nothing(browser, tenant, kind, status):
    key = {
        "unknown": new_credential("sk", tenant.id), "none": "", "malformed": "<script>alert(1)</script>",
        "of no app": new_credential("sk", f"app_{NOBODY}"), "publishable": tenant.pk,
        "session": tenant.session(userId="u-1"), "no admin": ADMIN_KEY[:-1],
    }[kind]  # fmt: skip
    answer = browser.sign_in(key)

    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert "sk_" in text_of(answer)
    assert not key or key not in answer.text
    assert held_by(browser) is None


@cases(
    "name, shown",
    ("control", "Ann\x00Lee", "Ann Lee"),
    ("line", "Ann\r\n", "Ann "),
    ("unseen", "\u200b \u3164", None),
)
def test_a_name_is_what_users_can_see_of_it(browser, tenant, store, name, shown):
    assert browser.sign_in(tenant.sk, name).status_code == 303
    [row] = store.database.rows(
        ConsoleSessions.select(ConsoleSessions.name).where(ConsoleSessions.app == tenant.id)
    )
    assert row == (shown,)


@pytest.fixture
def limited(start):
    """A tenant of a server that lets two keys fail in a minute, and a browser."""
    app = start(proof_failure_rate=2)
    with time_machine.travel(NOON, tick=False) as clock:
        yield Tenant.create(app.test_client(), ADMIN_KEY), Agent(app.test_client()), clock


def test_after_a_few_keys_that_failed_an_address_waits(limited):
    tenant, browser, clock = limited
    wrong = [browser.sign_in(new_credential("sk", tenant.id)).status_code for _ in range(3)]
    answer = browser.sign_in(tenant.sk)
    assert wrong == [401, 401, 429]
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "Wait a minute" in text_of(answer)
    clock.shift(timedelta(seconds=60))
    assert browser.sign_in(tenant.sk).status_code == 303


def test_a_key_deleted_while_somebody_signs_in_opens_nothing(app, tenant, store):
    with pytest.raises(InvalidCredential):
        console_sessions._begin(store.of(tenant.id), digest(new_credential("sk", tenant.id)), None)


def test_an_app_that_is_gone_by_now_signs_nobody_in(store):
    with pytest.raises(StaleState), store.transaction():
        store.of(f"app_{NOBODY}").console_sessions.add("0" * 64, "key_1", ConsoleSession(None, 0))
