"""A page reads how much is unread, and nothing of whoever was there before."""

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.support.pages import Page
from tests.support.signing import identity_key, proof_of

HEAR = "window.heard = []; addEventListener('usher-unread', ({ detail }) => heard.push(detail.unread))"


@pytest.fixture
def jane(tenant):
    _, secret = identity_key(tenant)
    return {"proof": proof_of(tenant, secret, sub="u-jane", name="Jane")}


@pytest.fixture
def janes_phone(new_phone, jane):
    phone = new_phone()
    phone.context.add_init_script(HEAR)
    phone.visit()
    phone.user = phone.call("login", jane)["user"]["id"]
    return phone


def is_unread(page, number):
    page.wait_for_function("number => usher.unread === number", arg=number)


def test_a_page_reads_what_is_unread_and_hears_of_each_change_once(janes_phone, tenant):
    page = janes_phone.page
    assert page.evaluate("[usher.unread, heard]") == [0, []]
    tenant.begin(tenant.sk, "Welcome", user=janes_phone.user)
    tenant.begin(tenant.sk, "News", user=janes_phone.user)

    janes_phone.look()
    is_unread(page, 2)
    janes_phone.look()
    janes_phone.launcher.click()
    janes_phone.rows.first.click()
    expect(janes_phone.log).to_contain_text("News")
    is_unread(page, 1)

    heard = page.evaluate("heard")
    assert heard[-2:] == [2, 1]
    assert all(one != other for one, other in pairwise(heard))
    expect(janes_phone.launcher.locator(".badge")).to_have_text("1")
    assert (
        page.evaluate("() => { 'use strict'; try { usher.unread = 5 } catch { return usher.unread } }") == 1
    )


@pytest.mark.parametrize("act", ["usher.logout()", "usher.login()", "usher.remove()"])
def test_it_is_none_at_once_when_somebody_goes(janes_phone, tenant, act):
    tenant.begin(tenant.sk, "Welcome", user=janes_phone.user)
    janes_phone.look()
    is_unread(janes_phone.page, 1)

    kept = janes_phone.page.evaluate(f"{{ const kept = usher; {act}; [kept.unread, heard] }}")

    assert kept == [0, [1, 0]]
    expect(janes_phone.page.locator(".badge:visible")).to_have_count(0)


def test_the_next_person_on_the_device_has_none_of_it_also_in_its_other_pages_and_after_a_reload(
    janes_phone, tenant
):
    tenant.begin(tenant.sk, "Welcome", user=janes_phone.user)
    janes_phone.look()
    is_unread(janes_phone.page, 1)
    other = janes_phone.another_page()
    is_unread(other, 1)

    janes_phone.call("logout")

    is_unread(other, 0)
    assert other.evaluate("heard") == [1, 0]
    janes_phone.visit()
    janes_phone.open()
    assert janes_phone.page.evaluate("[usher.unread, heard]") == [0, []]


def test_it_is_there_again_after_a_reload(phone, tenant):
    user = phone.page.evaluate("usher.login().then(({ user }) => user.id)")
    tenant.begin(tenant.sk, "Welcome", user=user)

    phone.visit()

    is_unread(phone.page, 1)
    assert "Welcome" not in phone.page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")


def test_the_example_of_the_page_shows_it(janes_phone, tenant):
    [example] = [fence.text for fence in Page("docs/widget.md").fences() if "usher-unread" in fence.text]
    janes_phone.page.evaluate(f"{{ {example} }}")
    tenant.begin(tenant.sk, "Welcome", user=janes_phone.user)

    janes_phone.look()

    expect(janes_phone.page).to_have_title("(1) A shop")
    janes_phone.call("logout")
    expect(janes_phone.page).to_have_title("A shop")
