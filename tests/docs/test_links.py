"""Every link leads somewhere, every page can be reached, and the licence is the one that is named."""

import configparser
import re
from pathlib import PurePosixPath

import pytest

from tests.support.pages import DOCS, HERE, PAGES, README, Page

BESIDE = [Page(path) for path in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
MAX_LINES_OF_THE_README = 170
READ_BY_PEOPLE = [pytest.param(page, id=page.path) for page in [*PAGES, *BESIDE]]


def resolved(page: Page, link: str) -> tuple[str, str]:
    """Return the path from the top of the repository to which a link of a page leads, and its anchor."""
    path, _, anchor = link.partition("#")
    if not path:
        return page.path, anchor
    return str((HERE / PurePosixPath(page.path).parent / path).resolve().relative_to(HERE)), anchor


def leads_somewhere(page: Page, link: str) -> bool:
    path, anchor = resolved(page, link)
    return (HERE / path).is_file() and (not anchor or anchor in Page(path).anchors())


@pytest.mark.parametrize("page", READ_BY_PEOPLE)
def test_every_link_leads_somewhere(page):
    assert [link for link in page.links() if not leads_somewhere(page, link)] == []


def test_a_link_into_another_page_has_to_name_a_heading_of_it():
    assert leads_somewhere(README, "SECURITY.md#what-to-send")
    assert not leads_somewhere(README, "SECURITY.md#what-to-eat")
    assert not leads_somewhere(README, "#what-to-eat")
    assert not leads_somewhere(README, "SAFETY.md")


def test_every_page_of_docs_is_reached_from_the_readme():
    reached, new = set(), {README}
    while new:
        reached |= new
        led_to = {resolved(page, link)[0] for page in new for link in page.links()}
        new = {page for page in DOCS if page.path in led_to} - reached
    assert [page.path for page in DOCS if page not in reached] == []


def test_every_picture_is_shown():
    shown = {resolved(page, link)[0] for page in PAGES for link in page.links()}
    pictures = {str(path.relative_to(HERE)) for path in (HERE / "docs").glob("*.png")}
    assert pictures - shown == set()


def test_the_readme_is_read_in_one_go():
    assert len(README.text.splitlines()) <= MAX_LINES_OF_THE_README


def test_the_readme_names_each_page_that_people_look_for():
    links = README.links()
    assert [page for page in ("CONTRIBUTING.md", "LICENSE", "SECURITY.md") if page not in links] == []


def test_every_page_that_the_code_cites_is_there():
    sources = [path for folder in ("service", "tests", "bench") for path in (HERE / folder).rglob("*.py")]
    cited = {name for path in sources for name in re.findall(r"\b(docs/\w+\.md)", path.read_text())}
    assert cited
    assert cited - {page.path for page in DOCS} == set()


def test_every_target_of_make_that_a_page_names_is_there():
    targets = set(re.findall(r"^([\w-]+):", (HERE / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page.text for page in [*PAGES, *BESIDE])
    named = re.findall(r"(?:^\$ |`)make ([a-z-]+)", text, re.MULTILINE)
    assert named
    assert set(named) - targets == set()


def test_the_package_is_under_the_licence_that_stands_here():
    metadata = configparser.ConfigParser()
    metadata.read(HERE / "setup.cfg")
    title = (HERE / metadata["metadata"]["license_files"]).read_text().split()[:4]
    assert (metadata["metadata"]["license_expression"], title) == (
        "Apache-2.0",
        ["Apache", "License", "Version", "2.0,"],
    )
