"""The pages beside the README lead nowhere that is not there, and the licence is the one that is named."""

import configparser
import re
from pathlib import Path

import pytest

from tests.servers import HERE

PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")


def anchors_of(page: Path) -> set[str]:
    """Return what a link into a page may end with, as GitHub names its headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = HERE / path
    return target.is_file() and (not anchor or anchor in anchors_of(target))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_another_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+(?:#[^)]*)?)\)", (HERE / page).read_text())

    assert [link for link in links if not leads_somewhere(link)] == []


def test_the_readme_names_each_page_that_people_look_for():
    readme = (HERE / "README.md").read_text()

    assert [page for page in ("CONTRIBUTING.md", "LICENSE", "SECURITY.md") if f"({page})" not in readme] == []


def test_every_target_of_make_that_a_page_names_is_there():
    targets = set(re.findall(r"^([\w-]+):", (HERE / "Makefile").read_text(), re.MULTILINE))

    text = "\n".join((HERE / page).read_text() for page in PAGES)
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
