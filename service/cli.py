"""``python -m service …``: what an operator does before and beside the server."""

import argparse
import sys
from collections.abc import Sequence

from service.config import Config
from service.desk.apps import create_app, create_key
from service.errors import NotReady, StoreUnavailable
from service.nouns import KeyKind, Settings
from service.sealing import Seal
from service.store import Store
from service.store.database import Database
from service.store.migrating import Schema, migrate


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exit with 1, and a sentence on standard error, if it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m service", description="Operate Usher.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("migrate", help="bring the store's schema up to date")
    command.set_defaults(run=_migrate)
    command = commands.add_parser("apps", help="make apps")
    of_apps = command.add_subparsers(required=True, metavar="COMMAND")
    command = of_apps.add_parser("create", help="make an app, and print its keys, once")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_create_app)
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(Config.from_environment(), chosen)
    except StoreUnavailable:
        sys.exit("usher: the store is away, or does not answer in time")
    except NotReady as reason:
        sys.exit(f"usher: {reason}")


def _migrate(config: Config, _: argparse.Namespace) -> None:
    applied = migrate(config.database_url)
    print("\n".join(f"applied {name}" for name in applied) or "the schema is up to date")


def _create_app(config: Config, chosen: argparse.Namespace) -> None:
    database = Database(config.database_url)
    Schema(database).require()
    store, seal = Store(database), Seal(config.secret_key)
    app = create_app(store, chosen.name, Settings())
    print(f"APP={app.id}")
    for name, kind in (("SK", KeyKind.SECRET), ("PK", KeyKind.PUBLISHABLE)):
        print(f"{name}={create_key(store, seal, app.id, kind).plain}")
    database.close()
