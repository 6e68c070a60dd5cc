"""``python -m service …``: what an operator does before and beside the server."""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from service import logs
from service.api.schemas.apps import app_name
from service.config import Config
from service.desk.apps import PREFIXES, create_app, create_key, list_apps
from service.desk.checking import Verdict, check
from service.desk.emptying import empty_app
from service.desk.erasing import tidy
from service.desk.recovering import Recovered, recover, restore
from service.desk.removing import remove_old
from service.encryption import IDENTITY_SECRETS, WEBHOOK_SECRETS, Encryption
from service.live.server import serve
from service.model.apps import ONE_WAY, KeyKind, ProofKind, Settings
from service.model.errors import BadBackup, NotFound, NotReady, Refused, StoreUnavailable
from service.model.identifiers import Malformed
from service.moving.commands import add_commands
from service.store import Store, backups
from service.store.backups import Backup
from service.store.journal import journals
from service.store.migrating import Schema, migrate, rebuilding
from service.store.opening import open_store
from service.store.spreading import spread
from service.work.following import begin_to_follow
from service.work.importing import begin_to_import
from service.work.loop import Worker
from service.work.status import status_served
from service.work.tidying import begin_to_tidy

# How long one statement may take when nobody waits for an answer, in seconds.
TIMEOUT = 600
# To spread tables is to copy all that is in them.
SPREAD_TIMEOUT = 24 * 3600
# Whoever delivers is said to be stuck after longer.
WORK_TIMEOUT = 30

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
    except OSError as error:
        sys.exit(f"usher: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service", description="Operate Usher.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("migrate", help="bring the store's schema up to date")
    command.set_defaults(run=_migrate)
    command = commands.add_parser("spread", help="spread the tables over the machines of a Citus cluster")
    command.set_defaults(run=_spread)
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
    _add_check_and_tidy(commands)
    _add_backups(commands)
    add_commands(commands, _store)
    command = commands.add_parser(
        "work",
        help="deliver webhooks, take people in, keep the index of searches, compare who is added, and tidy,"
        " until asked to stop",
    )
    command.set_defaults(run=_work)
    command = commands.add_parser("live", help="serve streams of what is new, until asked to stop")
    command.set_defaults(run=_live)
    return parser


def _add_check_and_tidy(commands: Any) -> None:
    command = commands.add_parser("check", help="prove the store's invariants; safe on a live one")
    command.set_defaults(run=_check)
    command = commands.add_parser("tidy", help="erase idle and cleared anonymous users, forget what is old")
    command.add_argument("--idle-days", type=_days, metavar="N", help="TIDY_IDLE_DAYS if not given")
    command.add_argument("--empty-days", type=_days, metavar="N", help="TIDY_EMPTY_DAYS if not given")
    command.add_argument("--cleared-days", type=_days, metavar="N", help="TIDY_CLEARED_DAYS if not given")
    command.set_defaults(run=_tidy)


def _add_backups(commands: Any) -> None:
    command = commands.add_parser("backup", help="write all that is in the store into a file, in use or not")
    command.add_argument("file", metavar="FILE", type=Path)
    command.set_defaults(run=_backup)
    command = commands.add_parser("restore", help="restore a backup, and revoke again what was revoked since")
    command.add_argument("file", metavar="FILE", type=Path, nargs="?", help="if another tool has not done it")
    command.add_argument("--replace", action="store_true", help="although there are apps in the store")
    how = {"metavar": "FILE", "type": Path, "action": "append", "default": []}
    command.add_argument(
        "--journal", **how, help="a journal or a log, beside JOURNAL's; several times if need be"
    )
    command.add_argument("--without-journal", action="store_true", help="have what was revoked come back")
    command.set_defaults(run=_restore)


def _days(text: str) -> int:
    """Read a number of days; fewer than one would erase those who are there at this moment."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 36_500):
        raise argparse.ArgumentTypeError("give a whole number of days from 1 to 36500")
    return int(text)


def _migrate(config: Config, _: argparse.Namespace) -> None:
    applied = migrate(config.database_url)
    print("\n".join(f"applied {name}" for name in applied) or "the schema is up to date")


def _spread(config: Config, _: argparse.Namespace) -> None:
    with _store(config, SPREAD_TIMEOUT) as store:
        done = spread(store.database)
    print("\n".join(f"spread {name}" for name in done) or "all tables are spread")


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
    with _store(config) as store:
        if not _is_sound(store):
            sys.exit(1)


def _is_sound(store: Store) -> bool:
    sound = True
    for finding in check(store):
        sound = sound and finding.verdict is not Verdict.VIOLATED
        print(f"{finding.verdict}: {finding.name}: {finding.says}")
        for place in finding.places[:MAX_SHOWN]:
            print(f"  {place}")
    return sound


def _backup(config: Config, chosen: argparse.Namespace) -> None:
    with _store(config) as store:
        print(f"{chosen.file}: {_described(backups.write(store.database, chosen.file))}")


def _described(backup: Backup) -> str:
    rows = backup.rows
    counts = ", ".join(f"{rows.get(name, 0)} {name}" for name in ("apps", "users", "messages"))
    return (
        f"as of {backup.at}, from {backup.engine}, schema {backup.migrations[-1]}; {counts},"
        f" {sum(rows.values())} rows; SHA-256 {backup.checksum}"
    )


def _restore(config: Config, chosen: argparse.Namespace) -> None:
    logs.configure()
    own = journals(config.journal) if config.journal else []
    if not (own or chosen.journal or chosen.without_journal):
        raise BadBackup(
            "there is no journal to tell what was revoked since: name one, or a log, with --journal; or have"
            " it all come back, with --without-journal"
        )
    found = [] if chosen.without_journal else [*own, *chosen.journal]
    store = open_store(config, TIMEOUT)
    secrets = [Encryption(config.secret_key, purpose) for purpose in (IDENTITY_SECRETS, WEBHOOK_SECRETS)]
    with closing(store.database):
        if chosen.file is None:
            Schema(store.database).require()
            recovered = recover(store, secrets, found)
        else:
            recovered = _restore_file(store, secrets, chosen.file, found, replace=chosen.replace)
        is_sound = _says_all_is_revoked(recovered)
        if not (_is_sound(store) and is_sound):
            sys.exit(1)


def _restore_file(
    store: Store, secrets: Sequence[Encryption], file: Path, found: Sequence[Path], *, replace: bool
) -> Recovered:
    database = store.database
    if not (replace or backups.is_empty(database)):
        raise BadBackup("there are apps in the store: with --replace the backup takes their place")
    backup = backups.examine(file)
    backups.require_known(database, backup)
    print(f"{file}: {_described(backup)}")
    with rebuilding(database):
        return restore(store, secrets, file, backup, found)


def _says_all_is_revoked(recovered: Recovered) -> bool:
    """Print what became of the journal, and return whether all that it says is revoked."""
    for name in recovered.migrated:
        print(f"applied {name}")
    for path, lines in recovered.lines.items():
        print(f"{path}: says {lines} times that something was revoked")
        for number in recovered.damaged[path]:
            print(f"  line {number} is damaged, and was left out")
    print(f"every session has ended; {recovered.again} times something was revoked again", flush=True)
    if recovered.unreadable:
        print(f"decide: {recovered.unreadable} secrets were encrypted under another SECRET_KEY")
    for one in recovered.left:
        print(f"left to do: {one.what}: {one.id} in {one.app}")
    return not recovered.left


def _tidy(config: Config, chosen: argparse.Namespace) -> None:
    logs.configure()
    with _store(config) as store:
        for app in store.apps.erased():
            empty_app(store, app.id)
            print(f"{app.id}: erased")
        for app in list_apps(store):
            done = tidy(
                store.of(app.id),
                app,
                idle_days=chosen.idle_days or config.tidy_idle_days,
                empty_days=chosen.empty_days or config.tidy_empty_days,
                cleared_days=chosen.cleared_days or config.tidy_cleared_days,
                event_days=config.event_days,
            )
            print(
                f"{app.id}: {done.users} anonymous users erased; forgot {done.sessions} sessions,"
                f" {done.keys} idempotency keys, {done.rates} rates, {done.events} events"
            )
        print(f"removed {remove_old(store)} files")


def _work(config: Config, _: argparse.Namespace) -> None:
    logs.configure()
    with _store(config, WORK_TIMEOUT) as store, _store(config) as patient:
        worker = Worker(store, config.secret_key, config.webhook_loopback == "on")
        for signal_ in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_, lambda *_: worker.stopped.set())
        with status_served(worker, config):
            beside = (
                begin_to_tidy(patient, config, worker.stopped),
                begin_to_import(patient, config.secret_key, worker.stopped),
                *begin_to_follow(store, worker.stopped),
            )
            logs.get_logger().info("working")
            worker.run()
            for thread in beside:
                thread.join()


def _live(config: Config, _: argparse.Namespace) -> None:
    logs.configure()
    serve(config)


@contextmanager
def _store(config: Config, timeout: float = TIMEOUT) -> Iterator[Store]:
    """Open the store of the settings, which has to be current."""
    store = open_store(config, timeout)
    try:
        Schema(store.database).require()
        yield store
    finally:
        store.database.close()
