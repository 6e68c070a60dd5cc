"""Read the README and the pages of docs/ as their tests do: sections, tables, blocks, and examples to run.

An example is a block of ``sh`` and, directly below it, the answer that it prints. In an answer ``…`` is
any text within a string, and any further members at the end of an object; ``$NAME`` is the value of
that variable of the shell.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.servers import TIMEOUT

HERE = Path(__file__).parents[2]
# The address that the pages give, instead of which a test has its own.
ADDRESS = "http://localhost:8000"
ANSWERS = ("http", "json", "text")
# What tells of people who were compared with others.
COMPARED = re.compile(r'"score":|"comparedBy": \[{')

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"\$([A-Z][A-Z_]*)")
_ELLIPSIS_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|…')


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text, and its line in the page."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Example:
    """What is typed, and what has to come back, if anything is shown."""

    typed: Fence
    answer: Fence | None


@dataclass(frozen=True)
class Page:
    """A page of Markdown, by its path from the top of the repository."""

    path: str

    @cached_property
    def text(self) -> str:
        """Return the whole page."""
        return (HERE / self.path).read_text()

    def section(self, heading: str) -> str:
        """Return the text below a heading, down to the next one of its level or above."""
        level = heading.partition(" ")[0]
        _, found, below = self.text.partition(f"\n{heading}\n")
        assert found, f"{self.path} has no heading {heading}"
        return re.split(rf"^#{{1,{len(level)}}} ", _without_fences(below), maxsplit=1, flags=re.MULTILINE)[0]

    def marked(self, name: str) -> str:
        """Return what stands between the marks of a table that is printed from the code."""
        _, begun, rest = self.text.partition(f"<!-- table: {name} -->\n")
        text, ended, _ = rest.partition("<!-- end -->")
        assert begun, f"{self.path} does not begin the table {name}"
        assert ended, f"{self.path} does not end the table {name}"
        return text.strip()

    def fences(self) -> list[Fence]:
        """Return every fenced block, in order."""
        return [
            Fence(found[1], found[2], self.text.count("\n", 0, found.start()) + 1)
            for found in _FENCE.finditer(self.text)
        ]

    def examples(self) -> list[Example]:
        """Return every example, in order."""
        blocks = [*self.fences(), Fence("", "", 0)]
        return [
            Example(block, below if _is_answer(block, below) else None)
            for block, below in zip(blocks, blocks[1:], strict=False)
            if block.language == "sh"
        ]

    def anchors(self) -> set[str]:
        """Return what a link into the page may end with, as GitHub names its headings."""
        headings = re.findall(r"^#+ (.*)$", _without_fences(self.text), re.MULTILINE)
        return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def links(self) -> list[str]:
        """Return where the links and pictures lead that stay in the repository."""
        targets = re.findall(r"\]\(([^)]*)\)", _FENCE.sub("", self.text))
        return [target for target in targets if not re.match(r"https?:", target)]


README = Page("README.md")
DOCS = [Page(f"docs/{path.name}") for path in sorted((HERE / "docs").glob("*.md"))]
PAGES = [README, *DOCS]


def table(text: str, first_column: str) -> list[list[str]]:
    """Return the rows of the first table whose first column is headed so."""
    _, found, below = f"\n{text}".partition(f"\n| {first_column} |")
    assert found, f"there is no table of {first_column}"
    rows = below.partition("\n\n")[0].strip().splitlines()[2:]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]


def plain(cell: str) -> str:
    """Return what a cell holds in code's letters."""
    found = re.match(r"`([^`]*)`", cell)
    assert found, f"{cell} is not in code's letters"
    return found[1]


def _is_answer(block: Fence, below: Fence) -> bool:
    """Whether a block stands directly below another, with nothing but an empty line between."""
    end = block.line + block.text.count("\n") + 1
    return below.language in ANSWERS and below.line == end + 2


def _without_fences(text: str) -> str:
    """Keep the lines, so that nothing inside a block looks like a heading."""
    return _FENCE.sub(lambda found: found[0].replace("\n#", "\n "), text)


# --- running -------------------------------------------------------------------------------------


def run(given: Sequence[Example], directory: Path, port: int, path: str) -> list[tuple[str, dict[str, str]]]:
    """Type the examples into one shell, and return what each printed and the variables it is judged by. By
    the command ``tidy`` people are compared before what tells of it.

    Raises AssertionError for one that fails, or that complains.
    """
    lines = ["set -u"]
    for number, example in enumerate(given):
        if example.answer and COMPARED.search(example.answer.text):
            lines.append("./tidy > /dev/null")
        (directory / f"{number}.sh").write_text(example.typed.text.replace(ADDRESS, _address(port)))
        lines.append(f". ./{number}.sh > {number}.out 2> {number}.err; echo $? > {number}.code")
        lines += [f"printf '{name}=%s\\n' \"${name}\" >> {number}.variables" for name in _variables(example)]
    (directory / "all.sh").write_text("\n".join(lines) + "\n")
    env = {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(directory)}
    how = {"cwd": directory, "stdin": subprocess.DEVNULL, "timeout": 10 * TIMEOUT}
    subprocess.run(["bash", "all.sh"], env=env, check=True, **how)
    return [_printed(directory, number, example) for number, example in enumerate(given)]


def path_with_stand_in(directory: Path) -> str:
    """Return a search path on which ``curl`` is ours."""
    write_command(directory / "curl", sys.executable, "-IS", str(HERE / "tests" / "support" / "curl.py"))
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


def write_command(path: Path, *words: str) -> None:
    """Make a file that runs a command, with whatever is given to it behind."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _variables(example: Example) -> list[str]:
    return sorted(set(_VARIABLE.findall(example.answer.text))) if example.answer else []


def _printed(directory: Path, number: int, example: Example) -> tuple[str, dict[str, str]]:
    code, complaint, printed = (
        (directory / f"{number}.{kind}").read_text() for kind in ("code", "err", "out")
    )
    assert (code, complaint) == ("0\n", ""), f"line {example.typed.line} failed: {complaint}{printed}"
    variables = directory / f"{number}.variables"
    lines = variables.read_text().splitlines() if variables.exists() else []
    return printed, dict(line.split("=", 1) for line in lines)


# --- comparing -----------------------------------------------------------------------------------


def differences(answer: Fence, printed: str, variables: dict[str, str]) -> list[str]:
    """Return in what a printed text is not the answer that a page shows."""
    shown = _VARIABLE.sub(lambda found: variables[found[1]], answer.text)
    match answer.language:
        case "json":
            return _json_differences(shown, printed)
        case "http":
            return _http_differences(shown, printed)
        case _:
            return [] if fits(shown, printed) else [f"{printed!r} is not {shown!r}"]


def fits(shown: str, printed: str) -> bool:
    """Return whether a text is the one shown, where ``…`` is any text."""
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def _http_differences(shown: str, printed: str) -> list[str]:
    shown_head, _, shown_body = shown.partition("\n\n")
    head, _, body = printed.replace("\r\n", "\n").partition("\n\n")
    status, *headers = shown_head.strip().splitlines()
    lines = head.splitlines()
    missing = [header for header in headers if not any(fits(header, line) for line in lines[1:])]
    found = [] if lines[0] == status else [f"{lines[0]} is not {status}"]
    found += [f"no header {header} in {lines[1:]}" for header in missing]
    if not shown_body:
        return found + ([f"a body: {body}"] if body else [])
    return found + _json_differences(shown_body, body)


def _json_differences(shown: str, printed: str) -> list[str]:
    further_members = _ELLIPSIS_OR_STRING.sub(lambda found: '"…": 0' if found[0] == "…" else found[0], shown)
    return _compare(json.loads(further_members), json.loads(printed), "")


def _compare(shown: Any, printed: Any, pointer: str) -> list[str]:
    match shown, printed:
        case dict(), dict():
            members = shown.keys() - {"…"}
            missing = [f"{pointer}/{name} is missing" for name in members - printed.keys()]
            new = () if "…" in shown else printed.keys() - members
            surplus = [f"{pointer}/{name} is new" for name in new]
            below = [
                line
                for name in members & printed.keys()
                for line in _compare(shown[name], printed[name], f"{pointer}/{name}")
            ]
            return missing + surplus + below
        case list(), list() if len(shown) == len(printed):
            return [
                line
                for index, pair in enumerate(zip(shown, printed, strict=True))
                for line in _compare(*pair, f"{pointer}/{index}")
            ]
        case str(), str() if fits(shown, printed):
            return []
        case _ if type(shown) is type(printed) and shown == printed:
            return []
    return [f"{pointer} is {json.dumps(printed, ensure_ascii=False)}"]
