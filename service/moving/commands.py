"""``export`` and ``import``: what an operator says, and is told."""

import argparse
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from service.api.schemas.apps import AppOut
from service.config import Config
from service.desk.moving import Line, export
from service.model.apps import App
from service.model.errors import BadFile
from service.moving.files import SourceFile
from service.moving.importing import Counts, Import, rejects
from service.moving.progress import Progress
from service.moving.reading import read_all, read_app, read_lines
from service.moving.sources.catalogue import SOURCES
from service.moving.sources.source import Ours
from service.moving.sourcing import Sourcing, Tally
from service.moving.trial import trial
from service.store import Store

WOULD = "; nothing was changed, and this is what would be"
# Opens the store of the settings.
Opened = Callable[[Config], AbstractContextManager[Store]]


def add_commands(commands: Any, opened: Opened) -> None:
    """Add both to a parser's commands."""
    command = commands.add_parser("export", help="write all of an app to standard output, in use or not")
    command.add_argument("app", metavar="APP")
    command.set_defaults(run=lambda config, chosen: _export(config, chosen, opened))
    command = commands.add_parser("import", help="move what export has written into an app, in use or not")
    command.add_argument("app", metavar="APP")
    command.add_argument("file", metavar="FILE", type=Path)
    command.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")
    command.add_argument("--rejects", metavar="FILE", type=Path, help="where refused lines go, with why")
    _add_sources(command)
    command.set_defaults(
        run=lambda config, chosen: (_source if chosen.source else _import)(config, chosen, opened)
    )


def _add_sources(command: Any) -> None:
    of_others = command.add_argument_group("what other desks export")
    of_others.add_argument("--from", dest="source", choices=[*SOURCES], help="whose export the file is")
    of_others.add_argument(
        "--map",
        metavar="COLUMN=NAME",
        action="append",
        default=[],
        type=_mapped,
        help=f"what a column is: {', '.join(Ours)}; several times if need be",
    )
    of_others.add_argument(
        "--encoding", metavar="NAME", help="of a CSV that is not UTF-8 and does not say so"
    )
    of_others.add_argument(
        "--trust-emails", action="store_true", help="somebody has proven each email, so it names a person"
    )


def _mapped(text: str) -> tuple[str, Ours]:
    column, _, name = text.rpartition("=")
    if not column or name not in {*Ours}:
        raise argparse.ArgumentTypeError(f"give COLUMN=NAME, where NAME is one of {', '.join(Ours)}")
    return column, Ours(name)


def _export(config: Config, chosen: argparse.Namespace, opened: Opened) -> None:
    with opened(config) as store, _collecting_less():
        app = _app(store, chosen.app)
        of_app, users, file = store.of(app.id), 0, sys.stdout.buffer
        total = of_app.moving.count()
        progress = Progress(sys.stderr, lambda: users / total if total else 1.0)
        for outgoing in export(of_app, AppOut().dump(app)):
            file.write(orjson.dumps(outgoing.line) + b"\n")
            users += outgoing.users
            progress.tell(users)
        file.flush()
        progress.end()


@contextmanager
def _collecting_less() -> Iterator[None]:
    """Have the garbage collector leave alone what is loaded by now: to look through all of it again and again
    would be a sixth of an import's time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _app(store: Store, id: str) -> App:
    app = store.apps.with_id(id)
    if app is None:
        raise BadFile(f"there is no app {id}")
    return app


def _import(config: Config, chosen: argparse.Namespace, opened: Opened) -> None:
    with (
        opened(config) as store,
        chosen.file.open("rb") as file,
        rejects(chosen.rejects) as refused,
        _collecting_less(),
    ):
        app = _app(store, chosen.app)
        progress = Progress(sys.stderr, lambda: _how_far(file))
        lines = read_lines(file)
        came_from = read_app(lines)
        importing = Import(store.of(app.id), refused, progress.tell, dry_run=chosen.dry_run)
        try:
            importing.run(read_all(app.id, lines))
        finally:
            progress.end()
            _tell(chosen, came_from, importing.counts)
    _hint(app, came_from)
    if importing.counts.refused:
        sys.exit(1)


def _source(config: Config, chosen: argparse.Namespace, opened: Opened) -> None:
    with (
        opened(config) as store,
        chosen.file.open("rb") as file,
        rejects(chosen.rejects) as refused,
        _collecting_less(),
        ExitStack() as stack,
    ):
        app = _app(store, chosen.app)
        options = {"encoding": chosen.encoding, "trusts_emails": chosen.trust_emails}
        read = SourceFile(file, app.id, chosen.source, dict(chosen.map), **options)
        progress = Progress(sys.stderr, lambda: _how_far(file))
        real = of_app = store.of(app.id)
        bring = None
        if chosen.dry_run:
            of_app, bring = stack.enter_context(trial(real, app))
        sourcing = Sourcing(of_app, app, refused, progress.tell, real, bring)
        try:
            sourcing.run(read.read)
        finally:
            progress.end()
            would = WOULD if chosen.dry_run else ""
            print(f"{chosen.file}: from {read.source.name} into {chosen.app}{would}")
            tell_tally(sourcing.tally)
    if sourcing.tally.refused:
        sys.exit(1)


def _how_far(file: BinaryIO) -> float:
    size = Path(file.name).stat().st_size
    return file.tell() / size if size else 1.0


def _tell(chosen: argparse.Namespace, came_from: Line, counts: Counts) -> None:
    would = WOULD if chosen.dry_run else ""
    print(f"{chosen.file}: from {came_from.get('id')} into {chosen.app}{would}")
    print(f"{counts.devices:>9,} devices, {counts.new_devices:,} of them new")
    for (rule, because), people in sorted(counts.people.items()):
        print(f"{people:>9,} people: {rule}: {because}")
    for reason, lines in sorted(counts.refused.items()):
        print(f"{lines:>9,} lines refused: {reason}")
    sys.stdout.flush()


def tell_tally(tally: Tally) -> None:
    """Print what became of all whom a file of another desk's names."""
    for (rule, because), people in sorted(tally.people.items()):
        print(f"{people:>9,} people: {rule}: {because}")
        print(f"{'':>9}     {tally.created[rule]:,} new, {tally.changed[rule]:,} changed")
    for what, counted in (("left out", tally.left), ("refused", tally.refused)):
        for (reason, because), lines in sorted(counted.items()):
            print(f"{lines:>9,} lines {what}: {reason}: {because}")
    if tally.talks:
        print(f"{tally.talks:>9,} conversations, {tally.new_talks:,} of them new")
    if tally.hidden:
        print(f"{tally.hidden:>9,} messages left out: notes of agents, and those in which nothing stands")
    for (pointer, code, detail), times in sorted(tally.ignored.items()):
        print(f"{times:>9,} times without {pointer}: {code}: {detail}")
    sys.stdout.flush()


def _hint(app: App, came_from: Line) -> None:
    """Name the settings that are other than those of the app that was exported."""
    here, there = AppOut().dump(app)["settings"], came_from.get("settings")
    other = sorted(
        name for name, value in here.items() if not isinstance(there, dict) or there.get(name) != value
    )
    if other:
        print(f"decide: these settings are other than those of the app that was exported: {', '.join(other)}")
