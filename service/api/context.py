"""What every endpoint needs: kept in the application and nowhere else; and the request that is served.

The framework looks up ``request``, ``g`` and ``current_app`` anew each time that one of them is named,
which takes as long as to read a header. So what every call asks for stands in one plain object.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import cast

from flask import Request

from service.api.transfers import Transfers
from service.config import Config
from service.encryption import Encryption
from service.model.callers import Backend, Caller, EndUser, Widget
from service.store import AppStore, Store
from service.store.migrating import Schema

NAME = "usher"


@dataclass(frozen=True)
class Context:
    """The settings, the store and its schema, the encryption of identity and of webhook secrets, and which
    files are on their way."""

    config: Config
    store: Store
    schema: Schema
    encryption: Encryption
    webhook_encryption: Encryption
    transfers: Transfers = field(default_factory=Transfers)


@dataclass
class Serving:
    """A request that is being served: its ID, when it began, by `time.perf_counter()`, in the midst of which
    other, if any, who calls, where that is known, and the rule that decided, where there was one."""

    context: Context
    request: Request
    id: str
    began: float
    within: "Serving | None"
    caller: Caller | None = None
    rule: str | None = None


# None between two requests, so that nothing of the one is seen in the other.
SERVING: ContextVar[Serving | None] = ContextVar("serving", default=None)


def serving() -> Serving:
    """Return the request that is served here."""
    return cast(Serving, SERVING.get())


def context() -> Context:
    """Return the context of the application that serves this request."""
    return serving().context


def store_of(caller: Backend | Widget | EndUser) -> AppStore:
    """Return the store of the app that a caller is of: all that they can reach."""
    return serving().context.store.of(caller.app.id)
