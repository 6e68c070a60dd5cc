"""What every endpoint needs, kept in the application and nowhere else."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from service.config import Config
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
