"""All of the rulebook: every table of rules, by its name, wherever it stands in ``service/rules/``."""

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from service import rules
from service.rules.table import Table


def _tables() -> dict[str, Table[Any]]:
    modules = [import_module(f"service.rules.{found.name}") for found in iter_modules(rules.__path__)]
    return {
        name.lower(): one
        for module in modules
        for name, one in vars(module).items()
        if isinstance(one, Table)
    }


RULEBOOK = _tables()
# The name of each rule of each table.
NAMES = frozenset(rule.name for table in RULEBOOK.values() for rule in table.rules)


def in_words(situation: tuple[Any, ...]) -> str:
    """Name a case after what is the case."""
    return "-".join(str(member.name).lower().replace("_", "-") for member in situation)


def every(table: Table[Any], but: Sequence[Sequence[Any]] = ()) -> list[Any]:
    """Return every situation of a table, named after it, but those in which all of some members are."""
    return [
        pytest.param(*situation, id=in_words(situation))
        for situation in table.situations()
        if not any(set(members) <= set(situation) for members in but)
    ]
