"""Frozen dataclasses that are made as fast as others."""

from dataclasses import fields
from typing import Any, TypeVar

Kind = TypeVar("Kind")


def quick(kind: type[Kind]) -> type[Kind]:
    """Have a frozen dataclass set its members at once.

    Its own ``__init__`` has ``object`` set each of them, which is most of the time that it takes to make one,
    and a page of a list is made of dozens. All else about it stays as it is. Its defaults are values.
    """
    names = [member.name for member in fields(kind)]  # type: ignore[arg-type]
    lines = [f"def __init__(self, {', '.join(names)}):", "    members = self.__dict__"]
    lines += [f"    members[{name!r}] = {name}" for name in names]
    made: dict[str, Any] = {}
    exec("\n".join(lines), made)  # noqa: S102 - of names of our own alone, as dataclasses does it
    made["__init__"].__defaults__ = kind.__init__.__defaults__
    made["__init__"].__qualname__ = f"{kind.__qualname__}.__init__"
    kind.__init__ = made["__init__"]  # type: ignore[method-assign]
    return kind
