"""Webhooks at the console: where events go, which secrets there are, and what became of each delivery."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Verifier

from service.model.events import EventType
from service.model.identifiers import new_id
from service.model.webhooks import Disabled
from service.store.apps import AllApps
from service.work.loop import Worker
from tests.console.conftest import (
    HOOK_URL,
    field_of,
    make_hook,
    more_of,
    require_words,
    text_of,
    without_ours,
)
from tests.support.cases import cases
from tests.support.following import all_told
from tests.support.receivers import receiver
from tests.support.servers import SECRET_KEY

PAGE = "/console/webhooks"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def work(store, tenant, time_machine, monkeypatch):
    """Deliver all that there is by now. The clock stands still, so that nothing is tried again meanwhile, and
    what other tests have left behind is left alone."""
    time_machine.move_to(datetime.now(UTC), tick=False)
    monkeypatch.setattr(AllApps, "with_webhooks", lambda _: (tenant.id,))
    worker = Worker(store, SECRET_KEY, loopback=True)

    def work():
        all_told(tenant)
        while worker.turn():
            worker.join()

    return work


def hooks(tenant):
    return tenant.get("/v1/webhooks").json["data"]


def fill_in(agent, path, url=HOOK_URL, types=(), **fields):
    """Send a form in which boxes are ticked."""
    return agent.client.post(path, data={"token": agent.token, "url": url, "types": list(types), **fields})


def secret_on(page):
    found = re.search(r'<code class="secret">([^<]*)</code>', page.text)
    return found and found[1]


# --- where events go -----------------------------------------------------------------------------


def test_where_there_is_none_the_page_says_what_one_does(agent):
    require_words(agent.get(PAGE), "Nobody is told yet.", "Add a webhook …")


def test_what_is_added_is_told_and_its_secret_is_shown_once(agent, tenant, work):
    with receiver() as received:
        made = fill_in(agent, PAGE, received.url, ["user.created", "message.created"])
        secret = secret_on(made)
        work()

    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    [hook] = hooks(tenant)
    assert (hook["url"], hook["types"]) == (received.url, ["user.created", "message.created"])
    [told] = received.requests
    assert Verifier(secret).verify(told.body, told.headers)["type"] == "user.created"
    for path in (PAGE, f"{PAGE}/{hook['id']}", f"{PAGE}/{hook['id']}/change"):
        assert "whsec_" not in agent.get(path).text


def test_a_form_that_is_sent_twice_adds_one_and_shows_its_secret_once(agent, tenant):
    key = field_of(agent.get(f"{PAGE}/new"), "key")
    first, again = (fill_in(agent, PAGE, key=key) for _ in range(2))

    assert len(hooks(tenant)) == 1
    assert secret_on(first)
    require_words(agent.follow(again), "This form was sent before.", "its secret was shown then")
    assert "whsec_" not in agent.follow(again).text


@cases(
    "url, types, words",
    ("nothing", "", [], "This member is required. url"),
    ("no URL", f"x{SCRIPT}", [], "This is an https URL"),
    ("a private address", "https://10.0.0.1/", [], "Events go to public addresses"),
    ("no type", HOOK_URL, ["user.eaten"], "types/0"),
)
@pytest.mark.parametrize("path", ["", "/{id}/change"], ids=["added", "changed"])
def test_what_is_no_webhook_is_asked_for_again_with_what_was_typed(
    agent, tenant, hook, path, url, types, words
):
    before = hooks(tenant)
    answer = fill_in(agent, PAGE + path.format(id=hook.id), url, [*types, "user.merged"])

    assert answer.status_code == 422
    require_words(answer, words)
    assert 'value="user.merged" checked' in answer.text
    assert "<script" not in without_ours(answer.text)
    assert field_named(answer, "url") == url.replace("<", "&lt;").replace(">", "&gt;")
    assert hooks(tenant) == before


def field_named(page, name):
    return re.search(rf'<input name="{name}" value="([^"]*)"', page.text)[1]


def test_all_events_can_be_ticked_at_once(agent, tenant):
    assert fill_in(agent, PAGE, types=[*EventType], key="k").status_code == 201
    assert hooks(tenant)[0]["types"] == [*EventType]


def test_white_space_around_a_typed_url_is_none_of_it(agent, tenant):
    assert fill_in(agent, PAGE, f" {HOOK_URL}\n").status_code == 201
    assert hooks(tenant)[0]["url"] == HOOK_URL


def test_it_is_changed_and_to_tick_no_event_is_to_have_all(agent, tenant, hook):
    asked = agent.get(f"{hook.page}/change")
    assert field_named(asked, "url") == HOOK_URL
    assert " checked" not in asked.text

    changed = fill_in(agent, f"{hook.page}/change", f"{HOOK_URL}/2", ["user.merged", "user.created"])
    require_words(agent.follow(changed), "The webhook was changed.", f"{HOOK_URL}/2", "user.merged")
    assert hooks(tenant)[0]["types"] == ["user.merged", "user.created"]
    assert agent.get(f"{hook.page}/change").text.count(" checked") == 2

    fill_in(agent, f"{hook.page}/change")
    require_words(agent.get(hook.page), "all events")
    assert (hooks(tenant)[0]["url"], hooks(tenant)[0]["types"]) == (HOOK_URL, [])


def test_it_is_switched_off_and_on(agent, tenant, hook):
    agent.post(f"{hook.page}/test")
    off = agent.follow(agent.post(f"{hook.page}/switch", to="off"))
    require_words(off, "The webhook is off", "Off, as somebody switched it off.", "Switch on")
    assert (hooks(tenant)[0]["disabled"], "Send a test" in off.text) == ("request", False)
    assert "Send again" not in off.text

    on = agent.follow(agent.post(f"{hook.page}/switch", to="on"))
    require_words(on, "The webhook is on", "Switch off", "Send a test", "Send again")
    assert hooks(tenant)[0]["enabled"] is True


def test_one_that_failed_for_days_says_why_it_is_off(agent, tenant, hook, store):
    webhooks = store.of(tenant.id).webhooks
    with store.transaction():
        webhooks.update(replace(webhooks.with_id(hook.id), disabled=Disabled.FAILING))

    require_words(agent.get(hook.page), "Off, as nothing could be delivered for five days.")
    require_words(agent.get(PAGE), f"{HOOK_URL} off all events")


def test_it_is_removed_after_one_more_question(agent, tenant, hook):
    require_words(agent.get(f"{hook.page}/remove"), "Remove a webhook?", HOOK_URL, "Keep")
    assert len(hooks(tenant)) == 1

    require_words(agent.follow(agent.post(f"{hook.page}/remove")), "The webhook was removed.")
    assert hooks(tenant) == []
    assert agent.get(hook.page).status_code == 404


# --- secrets -------------------------------------------------------------------------------------


def test_a_second_secret_is_shown_once_and_takes_the_place_of_the_first(agent, tenant, hook, work):
    key = field_of_secrets(agent.get(hook.page))
    made, again = (agent.post(f"{hook.page}/secrets", key=key) for _ in range(2))
    second = secret_on(made)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    require_words(made, "It is shown this once.", "all is signed with both")
    assert "whsec_" not in agent.follow(again).text
    assert "Add a second secret" not in agent.get(hook.page).text

    first = hooks(tenant)[0]["secrets"][0]["id"]
    require_words(agent.get(f"{hook.page}/secrets/{first}/remove"), "Remove a secret?", first, HOOK_URL)
    removed = agent.follow(agent.post(f"{hook.page}/secrets/{first}/remove"))
    require_words(removed, "The secret was removed.", "Add a second secret")
    with receiver() as received:
        fill_in(agent, f"{hook.page}/change", received.url)
        work()
    assert received.requests
    for told in received.requests:
        assert Verifier(second).verify(told.body, told.headers)


def field_of_secrets(page):
    return re.search(r'value="([\w-]+-secret)"', page.text)[1]


def test_a_third_secret_and_none_at_all_are_refused(agent, hook, tenant):
    [first] = hooks(tenant)[0]["secrets"]
    last = agent.post(f"{hook.page}/secrets/{first['id']}/remove")
    agent.post(f"{hook.page}/secrets")
    third = agent.post(f"{hook.page}/secrets")

    assert (last.status_code, third.status_code) == (409, 409)
    require_words(last, "A webhook keeps one secret.")
    require_words(third, "A webhook has two secrets at most.", "Nothing was changed.")


def test_a_secret_that_is_not_there_is_not_asked_about(agent, hook):
    assert agent.get(f"{hook.page}/secrets/{new_id('whs')}/remove").status_code == 404


# --- deliveries ----------------------------------------------------------------------------------


def test_a_test_that_is_sent_twice_is_delivered_once(agent, tenant, work):
    require_words(agent.get(make_hook(tenant, HOOK_URL).page), "None yet.")
    with receiver() as received:
        hook = make_hook(tenant, received.url, types=["user.merged"])
        for _ in range(2):
            answer = agent.post(f"{hook.page}/test", key="k")
            require_words(agent.follow(answer), "A test is on its way.", "webhook.test waiting")
        work()

    assert len(received.requests) == 1
    require_words(agent.get(hook.page), "webhook.test delivered", "1 attempt, the last: 204,")


def test_an_attempt_shows_when_it_was_and_what_was_answered_as_text(agent, tenant, work):
    answer = SCRIPT.encode() + b"\xff" + b"x" * 2000
    with receiver(lambda _: (500, answer)) as received:
        hook = make_hook(tenant, received.url, types=["user.merged"])
        agent.post(f"{hook.page}/test")
        work()
    shown = agent.get(hook.page)

    require_words(shown, "webhook.test waiting", "tried again 20", "the last: 500,", SCRIPT, "failing")
    assert re.search(r"500, \d+ ms 20\d\d-\d\d-\d\dT[\d:.]+Z", text_of(shown))
    assert "<script" not in without_ours(shown.text)
    kept = re.search(r"<pre[^>]*>([^<]*)</pre>", shown.text)[1]
    assert "x" * 970 in kept
    assert "x" * 1000 not in kept


def test_what_failed_is_sent_again(agent, tenant, work):
    with receiver() as received:
        hook = make_hook(tenant, received.url, types=["user.merged"])
        event = tenant.call("POST", f"/v1/webhooks/{hook.id}/test", tenant.sk).json["event"]
        received.answer = lambda _: 503
        work()
        received.answer = lambda _: 204
        again = agent.follow(agent.post(f"{hook.page}/deliveries/{event}"))
        work()

    require_words(again, "It is on its way once more.")
    require_words(agent.get(hook.page), "delivered", "2 attempts, the last: 204,", "503,")
    assert received.ids == [event, event]


def test_where_nothing_was_answered_the_page_says_why(agent, tenant, work):
    with receiver() as received:
        hook = make_hook(tenant, received.url, types=["user.merged"])
    agent.post(f"{hook.page}/test")
    work()

    require_words(agent.get(hook.page), "1 attempt, the last: no connection was made,")


def test_what_is_not_kept_any_more_is_not_sent_again(agent, tenant, hook, store):
    event = new_id("evt")
    with store.transaction():
        store.of(tenant.id).webhooks.deliver(hook.id, event, "user.created", 1, "usr_1", 1)

    answer = agent.post(f"{hook.page}/deliveries/{event}")

    assert answer.status_code == 410
    require_words(answer, "This event is not kept any more", "It is too old to be sent again.")


def test_deliveries_come_in_pages_the_latest_first(agent, tenant, hook):
    sent = [tenant.call("POST", f"/v1/webhooks/{hook.id}/test", tenant.sk).json["event"] for _ in range(21)]

    first = agent.get(hook.page)
    rest = agent.get(more_of(first))

    assert re.findall(r"evt_\w+(?=</code>)", first.text + rest.text) == sent[::-1]


def test_the_oldest_that_waits_is_named_for_each_also_while_it_is_off(agent, tenant, hook):
    other = make_hook(tenant, f"{HOOK_URL}/other", types=["user.merged"])
    require_words(agent.get(PAGE), "all events nothing waits to be delivered")
    agent.post(f"{hook.page}/switch", to="off")
    tenant.login(userId="u-1")
    oldest = all_told(tenant)[0][0]["at"]

    for path in (PAGE, hook.page):
        require_words(agent.get(path), f"the oldest that is not delivered yet is from {oldest}")
    require_words(agent.get(other.page), "Waiting nothing waits to be delivered")
