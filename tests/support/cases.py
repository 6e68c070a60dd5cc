"""The cases of a test as a table: each row is what the case is called, and a value for each name."""

from typing import Any

import pytest


def cases(names: str, *rows: tuple[Any, ...]) -> pytest.MarkDecorator:
    """Run a test once for each row: ``cases("sent, kept", ("a space at the end", "a ", "a"))``."""
    return pytest.mark.parametrize(names.split(", "), [pytest.param(*row[1:], id=row[0]) for row in rows])
