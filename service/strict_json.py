"""Read JSON as RFC 8259 has it, and nothing that Python's reader lets pass besides."""

import json
from typing import Any, NoReturn

DEEPEST = 16  # levels


def read(data: bytes) -> Any:
    """Read UTF-8 without a byte order mark, without duplicate members, without NaN, at most 16 levels.

    Raises ValueError.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except RecursionError:
        raise ValueError from None
    # Most of what is sent has not even so many brackets.
    if data.count(b"{") + data.count(b"[") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refuse(_text: str) -> NoReturn:
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_refuse)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth
