"""The page at /docs, in a browser that keeps to its policy."""

from playwright.sync_api import expect


def test_the_page_shows_the_calls_and_breaks_no_policy(page, server):
    page.goto(f"{server.url}/docs")

    expect(page.get_by_text("Log a device in.").first).to_be_visible()
