"""An operator has people taken in from a file, on a phone, with scripts and without."""

import csv

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import sign_in
from tests.browser.console.test_operators import PHONE, require_usable

PEOPLE = "user_id;email;name\n" + "".join(f"u-{n};p{n}@example.org;Person {n}\n" for n in range(300))


@pytest.fixture
def chosen():
    """A file of people, of whom one has neither an ID nor an email."""
    data = f"{PEOPLE};;=cmd\n".encode("utf-8-sig")
    return {"name": "people.csv", "mimeType": "text/csv", "buffer": data}


def wait_for(page, text, *, scripts):
    """Wait until a page says something: by itself, or loaded again."""
    found, link = page.get_by_text(text), page.get_by_role("link", name="See how far it is")
    if scripts:
        expect(found).to_be_visible()
        return
    while True:
        expect(found.or_(link).first).to_be_visible()
        if found.is_visible():
            return
        link.click()


@pytest.mark.parametrize(
    ("scripts", "scheme"), [(True, "dark"), (False, "light")], ids=["with scripts", "without scripts"]
)
def test_people_are_taken_in_from_a_file(new_context, server, tenant, chosen, tmp_path, scripts, scheme):
    page = new_context(viewport=PHONE, color_scheme=scheme, java_script_enabled=scripts).new_page()
    sign_in(page, server, tenant.admin_key)
    page.goto(f"{server.url}/console/apps/{tenant.id}")
    page.get_by_role("link", name="People").click()
    if scripts:
        require_usable(page)
    page.locator("input[type=file]").set_input_files([chosen])
    page.get_by_role("button", name="Send, and see").click()
    wait_for(page, "What would become of them", scripts=scripts)
    if scripts:
        require_usable(page)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Lines that are left out").click()
    downloading.value.save_as(tmp_path / "rejects.csv")
    with (tmp_path / "rejects.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [(row["text"], row["reason"]) for row in csv.DictReader(file)] == [(";;=cmd", "nobody")]

    page.get_by_role("button", name="Take 300 people in").click()
    wait_for(page, "What became of them", scripts=scripts)
    if scripts:
        require_usable(page)
    assert len(tenant.find(userId="u-299")) == 1
    page.get_by_role("button", name="Remove the file").click()
    expect(page.get_by_role("status")).to_contain_text("The file is removed")


def test_a_file_that_is_too_large_is_not_sent_at_all(page, server, tenant, chosen):
    sign_in(page, server, tenant.admin_key)
    page.goto(f"{server.url}/console/apps/{tenant.id}/imports")
    file = page.locator("input[type=file]")
    file.evaluate("input => { input.dataset.most = 10; }")
    file.set_input_files([chosen])
    assert file.evaluate("input => input.validationMessage") == "It has more than 64 MB."
    file.set_input_files([])
    assert file.evaluate("input => input.validationMessage") != "It has more than 64 MB."
