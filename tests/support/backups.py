"""A store with an app in it that is served, and what an operator runs beside it: backups, restores."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask

from service.api.context import NAME
from service.cli import main
from service.config import Config
from service.store import Store
from tests.conftest import patient
from tests.support.servers import ADMIN_KEY, SECRET_KEY
from tests.support.tenants import Tenant


@dataclass
class Operated:
    """A store that is served, its journal, and an operator's shell."""

    url: str
    directory: Path
    app: Flask
    tenant: Tenant
    shell: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    @property
    def journal(self) -> Path:
        return self.directory / "journal"

    @property
    def file(self) -> Path:
        return self.directory / "usher.backup"

    @property
    def exported(self) -> Path:
        return self.directory / "usher.jsonl"

    @property
    def store(self) -> Store:
        found: Store = self.app.extensions[NAME].store
        return found

    def lines(self) -> list[dict[str, Any]]:
        """Read the journal."""
        return [orjson.loads(line) for line in self.journal.read_bytes().splitlines()]

    def revoked(self) -> list[tuple[str, str]]:
        """Read what the journal says was revoked, each by its id."""
        return [(line["revoked"], line["id"]) for line in self.lines()]

    def run(self, *arguments: object) -> tuple[int, str]:
        """Run a command, and return its exit code and what it prints, or says that it can't."""
        code: object = 0
        with self.shell.context() as shell:
            settings = {"DATABASE_URL": self.url, "JOURNAL": str(self.journal)}
            settings["FILES_URL"] = f"file://{self.directory / 'files'}"
            for name, value in (settings | {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY}).items():
                shell.setenv(name, value)
            self.capsys.readouterr()
            try:
                main([str(one) for one in arguments])
            except SystemExit as ended:
                code = ended.code
        said = self.capsys.readouterr().out
        return (code, said) if isinstance(code, int) else (1, said + str(code))

    def back_up(self) -> str:
        """Write a backup."""
        code, said = self.run("backup", self.file)
        assert code == 0, said
        return said

    def export(self, app: str) -> list[str]:
        """Export an app into a file, and return its lines."""
        code, said = self.run("export", app)
        assert code == 0, said
        self.exported.write_text(said)
        return said.splitlines()

    def restore(self, *arguments: object, code: int = 0) -> str:
        """Put the backup in the place of all that is in the store, and prove that sound."""
        ended, said = self.run("restore", self.file, "--replace", *arguments)
        assert ended == code, said
        assert "violated" not in said, said
        return said


@contextmanager
def operated(
    url: str, directory: Path, shell: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Operated]:
    """Serve a migrated store, with an app in it."""
    settings = {"login_rate": 0, "proof_failure_rate": 0, "journal": str(directory / "journal")}
    files = f"file://{directory / 'files'}"
    app = patient(Config(ADMIN_KEY, SECRET_KEY, url, files_url=files, **settings))
    database = app.extensions[NAME].store.database
    try:
        yield Operated(url, directory, app, Tenant.create(app.test_client(), ADMIN_KEY), shell, capsys)
    finally:
        with suppress(Exception):
            database.close()
