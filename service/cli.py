"""``python -m service …``: what an operator does before and beside the server."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from service.api.schemas.apps import app_name
from service.config import Config
from service.desk.apps import PREFIXES, create_app, create_key, list_apps
from service.desk.checking import Verdict, check
from service.desk.erasing import tidy
from service.encryption import Encryption
from service.model.apps import ONE_WAY, KeyKind, ProofKind, Settings
from service.model.errors import NotFound, NotReady, Refused, StoreUnavailable
from service.model.identifiers import Malformed
from service.store import Store
from service.store.database import Database
from service.store.migrating import Schema, migrate

# How long one statement may take when nobody waits for an answer, in seconds.
TIMEOUT = 600

# How many places are shown where one invariant does not hold.
MAX_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exit with 1, and a sentence on standard error, if it cannot be done."""
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(Config.from_environment(), chosen)
    except StoreUnavailable:
        sys.exit("usher: the store is away, or does not answer in time")
    except NotReady as reason:
        sys.exit(f"usher: {reason}")
    except Malformed as refused:
        sys.exit(f"usher: {refused.detail}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service", description="Operate Usher.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("migrate", help="bring the store's schema up to date")
    command.set_defaults(run=_migrate)
    command = commands.add_parser("apps", help="make apps")
    of_apps = command.add_subparsers(required=True, metavar="COMMAND")
    command = of_apps.add_parser("create", help="make an app, and print its keys, once")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_create_app)
    command = commands.add_parser("keys", help="make keys")
    of_keys = command.add_subparsers(required=True, metavar="COMMAND")
    command = of_keys.add_parser("create", help="make a key of an app, and print it, once")
    command.add_argument("app", metavar="APP")
    command.add_argument("kind", choices=[kind.value for kind in KeyKind])
    command.add_argument(
        "--proof",
        choices=[proof.value for proof in ONE_WAY],
        help="how an identity key proves; jwt if not given",
    )
    command.set_defaults(run=_create_key)
    command = commands.add_parser("check", help="prove the store's invariants; safe on a live one")
    command.set_defaults(run=_check)
    command = commands.add_parser("tidy", help="erase idle and cleared anonymous users, forget what is old")
    command.add_argument("--idle-days", type=_days, default=180, metavar="N")
    command.add_argument("--cleared-days", type=_days, default=30, metavar="N")
    command.set_defaults(run=_tidy)
    return parser


def _days(text: str) -> int:
    """Read a number of days; fewer than one would erase those who are there at this moment."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 36_500):
        raise argparse.ArgumentTypeError("give a whole number of days from 1 to 36500")
    return int(text)


def _migrate(config: Config, _: argparse.Namespace) -> None:
    applied = migrate(config.database_url)
    print("\n".join(f"applied {name}" for name in applied) or "the schema is up to date")


def _create_app(config: Config, chosen: argparse.Namespace) -> None:
    name = app_name(chosen.name)
    with _store(config) as store:
        app, _ = create_app(store, name, Settings())
        print(f"APP={app.id}")
        for name, kind in (("SK", KeyKind.SECRET), ("PK", KeyKind.PUBLISHABLE)):
            key, _ = create_key(store, Encryption(config.secret_key), app.id, kind)
            print(f"{name}={key.plain}")


def _create_key(config: Config, chosen: argparse.Namespace) -> None:
    kind, proof = KeyKind(chosen.kind), chosen.proof and ProofKind(chosen.proof)
    with _store(config) as store:
        try:
            key, _ = create_key(store, Encryption(config.secret_key), chosen.app, kind, proof)
        except NotFound:
            sys.exit(f"usher: there is no app {chosen.app}")
        except Refused as refused:
            sys.exit(f"usher: {refused.errors[0].detail}")
        print(f"{PREFIXES[kind].upper()}={key.plain}")


def _check(config: Config, _: argparse.Namespace) -> None:
    sound = True
    with _store(config) as store:
        for finding in check(store):
            sound = sound and finding.verdict is not Verdict.VIOLATED
            print(f"{finding.verdict}: {finding.name}: {finding.says}")
            for place in finding.places[:MAX_SHOWN]:
                print(f"  {place}")
    if not sound:
        sys.exit(1)


def _tidy(config: Config, chosen: argparse.Namespace) -> None:
    with _store(config) as store:
        for app in list_apps(store):
            done = tidy(store.of(app.id), app, idle_days=chosen.idle_days, cleared_days=chosen.cleared_days)
            print(
                f"{app.id}: {done.users} anonymous users erased; forgot {done.sessions} sessions,"
                f" {done.keys} idempotency keys, {done.rates} rates"
            )


@contextmanager
def _store(config: Config) -> Iterator[Store]:
    """Open the store of the settings, which has to be current."""
    database = Database(config.database_url, timeout=TIMEOUT)
    try:
        Schema(database).require()
        yield Store(database)
    finally:
        database.close()
