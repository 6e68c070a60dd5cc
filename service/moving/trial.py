"""Find out what an import would do by doing it, in a store of its own that is thrown away: what is not there
yet can't be foreseen otherwise, as a line may be about somebody whom another line makes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from service.desk.placing import concerned
from service.model.apps import App
from service.model.sources import Known
from service.store import AppStore, Store
from service.store.database import Database
from service.store.migrating import migrate
from service.store.preparing import prepare

# How long one statement may take, in seconds.
TIMEOUT = 600


@contextmanager
def trial(real: AppStore, app: App) -> Iterator[tuple[AppStore, Callable[[Sequence[Known]], None]]]:
    """Give a store of an app that holds nothing, and what brings whoever some claims are about into it."""
    with TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'trial.sqlite'}"
        migrate(url)
        with closing(Database(url, TIMEOUT)) as database:
            store = Store(database)
            store.apps.create(app)
            of_app = store.of(app.id)
            yield of_app, lambda people: _bring(real, of_app, people)


def _bring(real: AppStore, into: AppStore, people: Sequence[Known]) -> None:
    ids = concerned(real, people)
    found = real.moving.known_of(ids - into.moving.there(ids).keys())
    there = into.moving.there(id for one in found for id in one.users)
    with into.transaction():
        into.moving.put([prepare(real.app_id, one) for one in found if not there.keys() & set(one.users)])
