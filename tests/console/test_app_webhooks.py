"""Webhooks of any app, as the operator sees and manages them."""

import re

import pytest

from tests.console.conftest import HOOK_URL, NOBODY, field_of, make_hook, require_words
from tests.support.cases import cases


@pytest.fixture
def page(tenant):
    return f"/console/apps/{tenant.id}/webhooks"


def addresses_of(page):
    """Where the links and forms of a page lead, beside those at its top."""
    return set(re.findall(r'(?:href|action)="(/[^"]*)"', page.text.partition("<main")[2]))


def secrets_of(tenant, id):
    return tenant.get(f"/v1/webhooks/{id}").json["secrets"]


def test_the_operator_adds_one_changes_it_and_removes_it(operator, tenant, page):
    require_words(
        operator.get(page), tenant.call("GET", f"/v1/apps/{tenant.id}", tenant.admin_key).json["name"]
    )
    form = operator.get(f"{page}/new")
    said = {"key": field_of(form, "key"), "url": HOOK_URL, "types": "user.merged"}
    made = operator.post(page, **said)
    assert made.status_code == 201
    require_words(made, "Copy this secret now", "whsec_")
    require_words(operator.follow(operator.post(page, **said)), "This form was sent before.")

    [hook] = tenant.get("/v1/webhooks").json["data"]
    assert (hook["url"], hook["types"]) == (HOOK_URL, ["user.merged"])
    its_page = f"{page}/{hook['id']}"
    require_words(operator.get(page), HOOK_URL)
    changed = operator.post(f"{its_page}/change", url=f"{HOOK_URL}/other", types="user.created")
    require_words(operator.follow(changed), "The webhook was changed.", f"{HOOK_URL}/other", "user.created")
    require_words(operator.follow(operator.post(f"{its_page}/switch", to="off")), "The webhook is off")
    assert operator.post(f"{its_page}/secrets", key="k").status_code == 201
    first, _ = secrets_of(tenant, hook["id"])
    one_less = operator.post(f"{its_page}/secrets/{first['id']}/remove")
    require_words(operator.follow(one_less), "The secret was removed.")
    assert len(secrets_of(tenant, hook["id"])) == 1

    gone = operator.follow(operator.post(f"{its_page}/remove"))
    require_words(gone, "The webhook was removed.", "Nobody is told yet.")


def test_each_of_its_pages_leads_to_pages_of_the_same_app(operator, tenant, page):
    hook = make_hook(tenant, HOOK_URL)
    tenant.call("POST", f"/v1/webhooks/{hook.id}/test", tenant.sk)
    secret = secrets_of(tenant, hook.id)[0]["id"]
    its_page = f"{page}/{hook.id}"
    for path in (
        page,
        f"{page}/new",
        its_page,
        f"{its_page}/change",
        f"{its_page}/remove",
        f"{its_page}/secrets/{secret}/remove",
    ):
        shown = operator.get(path)
        assert shown.status_code == 200
        assert {
            one for one in addresses_of(shown) if not one.startswith(f"/console/apps/{tenant.id}")
        } == set()
        assert 'aria-current="page"' in shown.text or path != page


def test_what_was_delivered_is_shown_and_sent_again(operator, tenant, page):
    hook = make_hook(tenant, HOOK_URL)
    tested = operator.follow(operator.post(f"{page}/{hook.id}/test"))
    require_words(tested, "A test is on its way.", "webhook.test")
    [event] = re.findall(r"evt_\w+(?=</code>)", tested.text)

    again = operator.follow(operator.post(f"{page}/{hook.id}/deliveries/{event}"))

    require_words(again, "It is on its way once more.")


@cases(
    "path",
    ("no app", f"app_{NOBODY}/webhooks"),
    ("no id of an app", "x/webhooks"),
    ("another's webhook", "{other}/webhooks/{hook}"),
)
def test_what_is_not_there_and_what_is_another_apps_are_one(operator, tenant, other_tenant, path):
    hook = make_hook(tenant, HOOK_URL)
    missing = operator.get(f"/console/apps/{path.format(other=other_tenant.id, hook=hook.id)}")
    assert missing.status_code == 404
    assert HOOK_URL not in missing.text


def test_to_each_other_the_pages_of_agents_and_of_the_operator_are_not_there(agent, operator, tenant, page):
    hook = make_hook(tenant, HOOK_URL)
    answers = [agent.get(page), agent.get(f"{page}/{hook.id}"), operator.get(hook.page)]
    assert [one.status_code for one in answers] == [404] * 3
    assert all(HOOK_URL not in one.text for one in answers)
    assert agent.post(f"{page}/{hook.id}/remove").status_code == 404
    assert len(tenant.get("/v1/webhooks").json["data"]) == 1
