"""Stores of their own, as each is replaced as a whole."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.store.migrating import migrate
from tests.conftest import ENGINES, Databases
from tests.support.backups import Operated, operated


@pytest.fixture(scope="session")
def migrated(databases: Databases) -> dict[str, str]:
    """Migrated stores of both engines, which are copied and never opened."""
    urls = {engine: databases.fresh(engine) for engine in ENGINES}
    for url in urls.values():
        migrate(url)
    return urls


@pytest.fixture
def operate(
    databases: Databases,
    migrated: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[[str], Operated]]:
    """Serve a store of an engine."""
    with ExitStack() as stack:

        def operate(engine: str) -> Operated:
            url = databases.copy(migrated[engine])
            return stack.enter_context(operated(url, tmp_path, monkeypatch, capsys))

        yield operate


@pytest.fixture(params=ENGINES)
def shop(request: pytest.FixtureRequest, operate: Callable[[str], Operated]) -> Operated:
    """A store that is served, with an app in it."""
    return operate(request.param)


@pytest.fixture
def tenant(shop: Operated):
    """The app in it."""
    return shop.tenant
