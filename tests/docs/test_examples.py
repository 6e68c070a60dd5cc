"""Every example in the README and in docs/ answers as it is shown, each page from a fresh demo."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.store.migrating import migrate
from tests.conftest import ENGINES
from tests.support import pages
from tests.support.cases import cases
from tests.support.pages import HERE, PAGES, README, Example, Fence
from tests.support.servers import ADMIN_KEY, SECRET_KEY, serve

# Configurations, which tests/live/test_routers.py runs.
ROUTERS = ("nginx", "haproxy")
WITH_EXAMPLES = [pytest.param(page, id=page.path) for page in PAGES if page.examples()]


@contextmanager
def demo(directory: Path, database_url: str) -> Iterator[int]:
    """Serve what ``make run`` leaves behind in a directory; yield the port."""
    secrets = {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY, "DATABASE_URL": database_url}

    def command(*arguments: str) -> str:
        words = [sys.executable, "-m", "service", *arguments]
        return subprocess.run(
            words, cwd=HERE, env=os.environ | secrets, check=True, capture_output=True, text=True
        ).stdout

    executables = directory / ".venv" / "bin"
    executables.mkdir(parents=True)
    pages.write_command(executables / "python", sys.executable)
    local = directory / ".local"
    local.mkdir()
    command("migrate")
    (local / "env").write_text(f"ADMIN_KEY={ADMIN_KEY}\nSECRET_KEY={SECRET_KEY}\n")
    (local / "demo.txt").write_text(command("apps", "create", "Demo"))
    secrets["FILES_URL"] = f"file://{local}/usher.files"
    settings = [f"{name}={value}" for name, value in (secrets | {"PYTHONPATH": str(HERE)}).items()]
    pages.write_command(directory / "tidy", "env", *settings, sys.executable, "-m", "service", "tidy")
    with serve(database_url, FILES_URL=secrets["FILES_URL"]) as server:
        yield server.port


def lines_of_make_run() -> str:
    """Return the lines that the Makefile prints, before it fills in the keys."""
    text = (HERE / "Makefile").read_text()
    return text.partition("define REQUESTS\n")[2].partition("\nendef")[0].replace("$$", "$")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("page", WITH_EXAMPLES)
def test_every_example_of_a_page_answers_as_it_is_shown(page, engine, databases, tmp_path):
    examples = page.examples()
    path = pages.path_with_stand_in(tmp_path)
    if engine == "postgresql" and shutil.which("curl"):
        path = os.environ["PATH"]
    with demo(tmp_path, databases.fresh(engine)) as port:
        answers = pages.run(examples, tmp_path, port, path)

    for example, (printed, variables) in zip(examples, answers, strict=True):
        if example.answer:
            wrong = pages.differences(example.answer, printed, variables)
            assert not wrong, f"the answer in line {example.answer.line}: {wrong} in {printed}"
        else:
            assert printed == "", f"line {example.typed.line} shows no answer"


def test_pages_that_share_their_beginning_begin_alike():
    first = {page.path: page.examples()[0].typed.text for page in PAGES[1:] if page.examples()}
    assert len(set(first.values())) == 1, list(first)


def test_the_lines_that_make_run_prints_work_when_they_are_pasted(databases, tmp_path):
    below_the_heading = lines_of_make_run()[lines_of_make_run().index("# ") :]
    lines = below_the_heading.replace("{URL}", pages.ADDRESS)
    # The shell fills in the keys, where `make run` has done so.
    lines = re.sub(r"'(Authorization: Bearer )\{([PS]K)\}'", r'"\1$\2"', lines)
    pasted = Example(Fence("sh", f". .local/demo.txt\n{lines}", 0), None)
    with demo(tmp_path, databases.fresh("sqlite")) as port:
        [(printed, _)] = pages.run([pasted], tmp_path, port, pages.path_with_stand_in(tmp_path))

    anonymous, begun, listed, logged_out = printed.splitlines()[:4]
    assert json.loads(anonymous)["user"]["anonymous"] is True
    assert json.loads(listed)["data"] == [json.loads(begun)]
    assert logged_out.startswith("HTTP/1.1 204 ")


def test_what_make_run_prints_is_shown(databases):
    shown = next(fence for fence in README.fences() if fence.text.startswith("$ make run\n"))
    applied = "".join(f"applied {name}\n" for name in migrate(databases.fresh("sqlite")))
    filled_in = lines_of_make_run().replace("{URL}", pages.ADDRESS).replace("{PK}", "pk_1")
    assert pages.fits(shown.text, f"$ make run\n\n{applied}{filled_in}\n"), f"it has to be:\n{applied}"


@pytest.mark.parametrize("page", [pytest.param(page, id=page.path) for page in PAGES])
def test_every_block_is_an_example_or_an_answer_or_typed_elsewhere(page):
    answers = {example.answer for example in page.examples()}
    loose = [
        block.text.partition("\n")[0]
        for block in page.fences()
        if block.language not in ("sh", "console", "js", "html", *ROUTERS) and block not in answers
    ]
    # The map of the code.
    assert loose == (["service/"] if page.path == "docs/architecture.md" else [])


@cases(
    "shown, printed, fit",
    ("any text in a string", '{"a": "x…"}', '{"a":"xyz"}', True),
    ("another text", '{"a": "x…"}', '{"a":"yx"}', False),
    ("further members", '{"a": 1, …}', '{"b": 2, "a": 1}', True),
    ("further members elsewhere", '{"a": {"b": 1, …}}', '{"a": {"b": 1}, "c": 2}', False),
    ("a new member", '{"a": 1}', '{"a": 1, "b": 2}', False),
    ("a missing member", '{"a": 1, "b": 2}', '{"a": 1}', False),
    ("another type", '{"a": 1}', '{"a": true}', False),
    ("a longer list", '["…"]', '["a", "b"]', False),
    ("a variable", '"$NAME"', '"usr_1"', True),
    ("another than the variable", '"$NAME"', '"usr_2"', False),
)
def test_an_answer_is_compared_with_care(shown, printed, fit):
    assert (pages.differences(Fence("json", shown, 1), printed, {"NAME": "usr_1"}) == []) is fit


@cases(
    "shown, fit",
    ("the status", "HTTP/1.1 204 NO CONTENT\n", True),
    ("another status", "HTTP/1.1 200 OK\n", False),
    ("a header", "HTTP/1.1 204 NO CONTENT\nServer: …\n", True),
    ("a missing header", "HTTP/1.1 204 NO CONTENT\nAllow: …\n", False),
)
def test_a_head_is_compared_with_care(shown, fit):
    printed = "HTTP/1.1 204 NO CONTENT\r\nServer: gunicorn\r\n\r\n"
    assert (pages.differences(Fence("http", shown, 1), printed, {}) == []) is fit
