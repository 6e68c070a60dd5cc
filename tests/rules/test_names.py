"""No rule is named but by its table: whoever writes a name down was given it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import service
from service.model.apps import AnonymousPolicy
from tests.support.rulebook import NAMES

SERVICE = Path(service.__file__).parent
# The tables themselves, and what released versions have done.
ELSEWHERE = [
    path
    for path in SERVICE.rglob("*.py")
    if not path.is_relative_to(SERVICE / "rules")
    and not path.is_relative_to(SERVICE / "store" / "migrations")
]
# A name of one word may be another thing's too: there it is a rule's only where rules are carried out.
UNMISTAKABLE = {name for name in NAMES if "-" in name} - set(AnonymousPolicy)

# What is given the name of a rule, and no other text.
TAKES_A_NAME = {
    "note",
    "merge",
    "preview_merge",
    "clear",
    "give_user_id",
    "say",
    "Resolution",
    "Explanation",
}


def texts(path: Path) -> Iterator[str]:
    """Return the texts in a module, but for the names of members in what it hands out."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    keys = {id(key) for node in nodes if isinstance(node, ast.Dict) for key in node.keys}
    return (
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys
    )


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str)


def texts_given_as_names(path: Path) -> Iterator[str]:
    """Return the texts that stand in a module among what is given where the name of a rule belongs."""
    for call in ast.walk(ast.parse(path.read_text())):
        if not isinstance(call, ast.Call):
            continue
        if getattr(call.func, "id", getattr(call.func, "attr", None)) in TAKES_A_NAME:
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            yield from (ast.unparse(value) for value in given if is_text(value))


def test_no_name_of_a_rule_stands_outside_its_table():
    found = {
        (path.name, text)
        for path in ELSEWHERE
        for text in texts(path)
        if text in (NAMES if path.parent.name == "desk" else UNMISTAKABLE)
    }

    assert found == set()


def test_what_is_written_as_a_rule_is_no_text():
    found = {(path.name, text) for path in ELSEWHERE for text in texts_given_as_names(path)}

    assert found == set()
