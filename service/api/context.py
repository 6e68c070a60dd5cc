"""What every endpoint needs, kept in the application and nowhere else."""

from dataclasses import dataclass
from typing import cast

from flask import current_app, request

from service.config import Config
from service.desk.limits import Limits
from service.nouns import App, Backend, Visitor, Widget
from service.sealing import Seal
from service.store import Store
from service.store.migrating import Schema

NAME = "usher"


@dataclass(frozen=True)
class Context:
    """The settings, the store and its schema, and the seal of identity secrets."""

    config: Config
    store: Store
    schema: Schema
    seal: Seal


def context() -> Context:
    """Answer the context of the application that serves this request."""
    return cast(Context, current_app.extensions[NAME])


def limits(caller: Backend | Widget | Visitor) -> Limits:
    """Answer the limits that hold for a caller's address; for a backend there are none."""
    # A backend calls for many people from one address.
    return limits_in(caller.app, is_limited=not isinstance(caller, Backend))


def limits_in(app: App, *, is_limited: bool = True) -> Limits:
    """Answer the limits that hold in an app for the address of this request."""
    here = context()
    return Limits(
        here.store,
        app,
        request.remote_addr or "",
        here.config.secret_key,
        here.config.login_rate if is_limited else 0,
        here.config.proof_failure_rate if is_limited else 0,
    )
