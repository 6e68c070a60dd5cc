"""Read the files of people that operators send, one after the other, a few people at a time.

Nobody waits for it: a step is a short transaction, and others are served before the next. What was done is
noted in the transaction that did it. So whoever goes on where another was cut off counts nobody twice, and
leaves alone what was said of people since.
"""

import threading
import time
from dataclasses import dataclass, field
from tempfile import TemporaryFile

from service.desk import imports as desk
from service.desk.imports import Leased, LeaseLost
from service.desk.tidying import Interrupted
from service.encryption import IMPORTS, Encryption
from service.logs import get_logger
from service.model.apps import App
from service.model.errors import BadFile, NotFound, UsherError
from service.model.imports import ImportState
from service.moving.sourcing import Steps, Tally
from service.moving.uploads import CsvRejects, Report, read_upload
from service.store import AppStore, Store
from service.work.turns import begin, take_turns

# How often to look for a file, for how long to leave the store to others between two steps, and how often to
# say how far it is, in seconds.
EVERY, REST, BEAT = 1.0, 0.01, 1.0
# How many people are taken in at a time.
PEOPLE = 100

GONE = "it was removed before all of it was read: send it again"
FAULT = "something went wrong here; the log says what"

log = get_logger()


def begin_to_import(store: Store, secret_key: str, stopped: threading.Event) -> threading.Thread:
    """Read files in a thread until stopped."""
    return begin(Importer(store, secret_key, stopped).run, "import")


@dataclass(frozen=True)
class Importer:
    """Reads files until it is stopped. Several may work on one store."""

    store: Store
    secret_key: str
    stopped: threading.Event

    def run(self) -> None:
        """Read whatever is there. Where a turn fails the lease runs out, and whoever has the next one goes
        on."""
        take_turns(self.turn, self.stopped, every=EVERY)

    def turn(self) -> bool:
        """Read a file of each app that has one, and forget those that are old; return whether there was one
        to read. Raises Interrupted if stopped meanwhile."""
        encryption, found = Encryption(self.secret_key, IMPORTS), False
        for id in self.store.apps.with_imports():
            store, app = self.store.of(id), self.store.apps.with_id(id)
            desk.forget_old(store)
            leased = desk.lease(store, encryption)
            if app is not None and leased is not None:
                found = True
                self._read(store, app, leased)
        return found

    def _read(self, store: AppStore, app: App, leased: Leased) -> None:
        about = {"app": app.id, "id": leased.one.id}
        try:
            report = _Reading(store, app, leased, self.stopped).run()
        except BadFile as why:
            self._fail(store, leased, str(why))
        except NotFound:
            self._fail(store, leased, GONE)
        except LeaseLost:
            log.info("import lost", **about)
        except Interrupted:
            desk.let_go(store, leased)
            raise
        except UsherError:
            raise
        except Exception as error:
            # What nobody foresaw of one file may not keep anybody from the others.
            log.error("import failed", **about, exc_info=error)
            self._fail(store, leased, FAULT)
        else:
            log.info("import read", **about, state=leased.one.state.value, people=report.people)

    def _fail(self, store: AppStore, leased: Leased, why: str) -> None:
        desk.fail(store, leased.one, leased.lease, leased.cipher.encrypt(why))


@dataclass
class _Reading:
    """One file that is read."""

    store: AppStore
    app: App
    leased: Leased
    stopped: threading.Event
    people: int = 0
    told_at: float = field(default_factory=time.monotonic)

    def run(self) -> Report:
        """Read all of it, and note what came of it. Raises LeaseLost, Interrupted, BadFile, NotFound."""
        store, leased = self.store, self.leased
        with desk.opened(store, leased) as file, TemporaryFile() as rejected:
            rejects = CsvRejects(rejected)
            options = desk.options_of(leased.one, leased.cipher)
            report = read_upload(store, self.app, file, options, rejects, self)
            rejects.detach()
            desk.finish(store, leased, report.people, report.as_text(), rejected)
        return report

    def steps(self, source: str) -> Steps | None:
        """Return what was done before, and how what is done is noted; None if nothing is to be."""
        one, cipher = self.leased.one, self.leased.cipher
        if one.state is ImportState.READING:
            return None

        def note(steps: int, tally: Tally) -> None:
            report = Report(source, tally)
            said = cipher.encrypt(report.as_text())
            desk.go_on(self.store, self.leased, steps=steps, report=said, people=report.people, tries=0)

        before = Tally() if one.report is None else Report.of(cipher.decrypt(one.report)).tally
        return Steps(one.steps, before, note, PEOPLE)

    def watch(self) -> None:
        """Say now and then that it is read, and how far."""
        if self.stopped.is_set():
            raise Interrupted
        if time.monotonic() - self.told_at >= BEAT:
            self.told_at = time.monotonic()
            desk.go_on(self.store, self.leased, people=self.people)

    def tell(self, people: int) -> None:
        """Leave the store to others for a moment."""
        self.people = people
        if self.stopped.wait(REST):
            raise Interrupted
