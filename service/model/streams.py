"""Streams: who follows what is new, and what is told to them."""

from dataclasses import dataclass

from service.model.events import EventType
from service.model.sessions import Token


@dataclass(frozen=True, slots=True)
class SessionListener:
    """Who follows with a session token: by what is kept of it, and as whom they were logged in then."""

    token: Token
    user: str


@dataclass(frozen=True, slots=True)
class KeyListener:
    """Who follows with a secret key, by its digest."""

    digest: str


@dataclass(frozen=True, slots=True)
class ConsoleListener:
    """Who follows from a page of the console, by the digest of their sign-in."""

    digest: str


# By whatever credential somebody follows, it is one of these.
Listener = SessionListener | KeyListener | ConsoleListener


@dataclass(frozen=True, slots=True)
class Change:
    """An event, as far as it matters to those who follow: about whom it is, and in which conversation."""

    type: EventType
    user: str
    conversation: str | None


@dataclass(frozen=True, slots=True)
class News:
    """What comes of some changes: which conversations have news for whom, whose credentials are dead, and who
    has to read all anew."""

    told: dict[Listener, tuple[str, ...]]
    dead: frozenset[Listener]
    stale: frozenset[Listener]
