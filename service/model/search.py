"""How far the index of what was written goes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Up to which event an app's index goes, and up to which conversation it holds those that were there
    before; None if it holds all. It is lost if its event is no longer kept: then others may be missing."""

    place: tuple[int, str]
    filled: str | None
    is_lost: bool


@dataclass(frozen=True, slots=True)
class SearchState:
    """Of an app, when the oldest was of what its index does not hold yet, if there is any, and whether it
    holds all that was there when it was begun."""

    app: str
    oldest: int | None
    is_whole: bool
