"""Whose word is shown of what several records of one person say by one name: the latest.

Each record has what was last said of it, so that an undo leaves each with their own. What was said is ranked,
name by name, as emails and names are (``fields.py``): the highest rank is shown. A merge ranks the words of
the one who goes below those of the one who stays, or above them where the one who stays has nothing to show.

What was said of somebody who was never proven, and is part of somebody who was, is not given here at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from service.model.attributes import MAX_ATTRIBUTES, Attribute, Said, Value, in_order, is_same, shown_of


def fit(known: Said, said: Said) -> tuple[dict[str, Value | None], tuple[str, ...]]:
    """Return what of all that is said has room beside what is shown, and the names of the rest: of those
    that are new, the first in the order of names fill what room there is."""
    kept = [name for name in known if said.get(name, known[name]) is not None]
    news = sorted(name for name, value in said.items() if value is not None and name not in known)
    surplus = tuple(news[max(MAX_ATTRIBUTES - len(kept), 0) :])
    return {name: value for name, value in said.items() if name not in surplus}, surplus


def changes(known: Said, said: Said) -> bool:
    """Return whether something is shown otherwise once this is said."""
    return any(not is_same(value, known.get(name)) for name, value in said.items())


def news(kept: Sequence[Attribute], home: str, said: Said, at: int) -> tuple[Attribute, ...]:
    """Return what is to be kept of ``home`` when this is said of them: all but what is theirs, and shown, as
    it is."""
    now = shown_of(kept)
    own = {one.name: one for one in kept if one.home == home}
    fresh = (
        Attribute(home, name, value, at)
        for name, value in said.items()
        if not (is_same(value, now.get(name)) and is_same(value, own[name].value if name in own else None))
    )
    return tuple(ranked(kept, fresh))


def ranked(kept: Sequence[Attribute], fresh: Iterable[Attribute]) -> Iterator[Attribute]:
    """Rank what is said now above all that was said of the others by the same name."""
    for one in fresh:
        others = [other.rank for other in kept if other.name == one.name and other.home != one.home]
        yield replace(one, rank=max(others, default=-1) + 1)


def joined(stays: Sequence[Attribute], goes: Sequence[Attribute]) -> tuple[Attribute, ...]:
    """Return what was said of two who become one, as it is ranked then."""
    fills = {name for name, value in shown_of(goes).items() if value is not None}
    fills -= {name for name, value in shown_of(stays).items() if value is not None}
    both = in_order(stays), in_order(goes)
    joined: list[Attribute] = []
    for name in {one.name: None for one in (*stays, *goes)}:
        below, above = both if name in fills else reversed(both)
        said = [one for one in (*below, *above) if one.name == name]
        joined += (replace(one, rank=rank) for rank, one in enumerate(said))
    return tuple(joined)
