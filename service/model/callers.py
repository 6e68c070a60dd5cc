"""Who calls, by their credential, and who changes something."""

from dataclasses import dataclass
from typing import Any

from service.model.apps import App
from service.model.sessions import Session
from service.model.users import User


@dataclass(frozen=True, slots=True)
class Actor:
    """Where a change comes from: by whom, and in which request; ``proven`` if the app's backend vouches for
    it, or a proof."""

    by: str
    request: str
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    """Who calls with the admin key."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Who calls with an app's secret key: its backend, or an agent's tool."""

    app: App
    actor: Actor


@dataclass(frozen=True, slots=True)
class Widget:
    """Who calls with an app's publishable key. ``ahead`` is as an EndUser's."""

    app: App
    actor: Actor
    ahead: Any = None


@dataclass(frozen=True, slots=True)
class EndUser:
    """Who calls with a session token: one user on one device. ``ahead`` is what was asked of the store
    together with who it is, if anything was."""

    app: App
    user: User
    session: Session
    actor: Actor
    ahead: Any = None


Caller = Operator | Backend | Widget | EndUser
