"""A lock is installed as it stands, whatever else its index holds: by make, and by plain pip as on Heroku.

The index is a folder of empty packages, so that no network is wanted and newer releases are at hand.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.package_index import INVENTED, Index, fill
from tests.support.servers import HERE, TIMEOUT

RUNTIME, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
PIN = re.compile(r"^[\w.-]+(\[.*\])?==")


@dataclass
class Clone:
    """A clone of the repository, as far as installing from its locks goes, beside an index of its own."""

    directory: Path
    index: Index

    @property
    def python(self) -> Path:
        return self.directory / ".venv" / "bin" / "python"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command with no settings of pip but the address of the index."""
        pip = {"CONFIG_FILE": os.devnull, "DISABLE_PIP_VERSION_CHECK": "1", "INDEX_URL": self.index.url}
        env = {f"PIP_{name}": value for name, value in (pip | {"NO_CACHE_DIR": "1"}).items()}
        env |= {"PATH": os.environ["PATH"], "HOME": str(self.directory)}
        how = {"capture_output": True, "text": True, "timeout": 2 * TIMEOUT}
        return subprocess.run(words, cwd=self.directory, env=env, check=False, **how)

    def make(self, target: str, python: str) -> subprocess.CompletedProcess[str]:
        return self.run("make", target, f"PYTHON={python}")

    def lock(self, lock: str) -> list[Requirement]:
        lines = (self.directory / lock).read_text().splitlines()
        return [Requirement(line.partition(" --hash")[0]) for line in lines if PIN.match(line)]

    def rewrite(self, lock: str, pattern: str, replacement: str) -> None:
        text, times = re.subn(pattern, replacement, (self.directory / lock).read_text(), flags=re.MULTILINE)
        assert times, f"{lock} has no {pattern}"
        (self.directory / lock).write_text(text)

    def differences(self, lock: str) -> set[tuple[str, str]]:
        """Return what is installed and not pinned for that Python, or pinned and not installed."""
        number = self.run(str(self.python), "-c", "import platform; print(platform.python_version())").stdout
        that = {"python_full_version": number.strip(), "python_version": number.rpartition(".")[0]}
        pins = [pin for pin in self.lock(lock) if not pin.marker or pin.marker.evaluate(that)]
        pinned = {(canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")) for pin in pins}
        [packages] = self.python.parent.parent.glob("lib/python*/site-packages")
        there = distributions(path=[str(packages)])
        installed = {(canonicalize_name(found.name), found.version) for found in there}
        # What an environment is made with.
        bundled = {pair for pair in installed if pair[0] in {"pip", "setuptools"}}
        return pinned ^ (installed - (bundled - pinned))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Both locks with the hashes of an index that holds what they pin, and more."""
    clone = Clone(tmp_path_factory.mktemp("clone"), Index(tmp_path_factory.mktemp("index")))
    shutil.copy(HERE / "Makefile", clone.directory)
    invented = "".join(f"{pin} \\\n" for pin in INVENTED)
    for lock in (RUNTIME, DEVELOPMENT):
        (clone.directory / lock).write_text((HERE / lock).read_text() + invented)
        clone.rewrite(lock, r"^ +--hash=.*\n", "")
        clone.rewrite(lock, r" \\$", "")
    hashes = fill(clone.index, clone.lock(DEVELOPMENT))

    def hashed(found: re.Match[str]) -> str:
        return f"{found[0]} --hash=sha256:{hashes[found[1]]}"

    for lock in (RUNTIME, DEVELOPMENT):
        clone.rewrite(lock, r"^([\w.-]+)(.*==.*)$", hashed)
    return clone


@pytest.fixture
def clone(filled: Clone, tmp_path: Path) -> Clone:
    return Clone(shutil.copytree(filled.directory, tmp_path / "clone"), filled.index)


@pytest.fixture(scope="module")
def pips(tmp_path_factory: pytest.TempPathFactory, filled: Clone) -> "Pips":
    return Pips(tmp_path_factory.mktemp("pips"), filled.index)


class Pips:
    """Finds pips, and stands in for a Python whose environments have one of them."""

    def __init__(self, directory: Path, index: Index) -> None:
        self._directory = directory
        self._index = index

    def of(self, python: str) -> Path:
        """Return where the pip is that this Python makes environments with."""
        directory = self._directory / f"of-{Path(python).name}"
        if not directory.exists():
            subprocess.run([python, "-m", "venv", directory], check=True)
        [packages] = directory.glob("lib/python*/site-packages")
        return packages

    def of_today(self) -> Path:
        """Return where the pip is that the lock pins."""
        directory = self._directory / "of-today"
        if not directory.exists():
            [wheel] = self._index.directory.glob(f"pip/pip-{version('pip')}-py3-none-any.whl")
            shutil.unpack_archive(wheel, directory, "zip")
        return directory

    def stand_in(self, packages: Path, python: str = sys.executable) -> str:
        """Return a command that makes environments with that pip, and much faster than Python itself."""
        command = self._directory / f"{packages.parent.name}-{packages.name}-{Path(python).name}"
        command.write_text(
            "#!/bin/sh\nset -e\n"
            f'{shlex.quote(python)} "$@" --without-pip\n'
            f"cp -R {shlex.quote(str(packages))}/pip* .venv/lib/python*/site-packages\n"
        )
        command.chmod(0o755)
        return str(command)


@pytest.fixture(params=sorted({*PYTHONS, OWN}))
def python(request: pytest.FixtureRequest) -> str:
    """The command of each Python that is there; a shim of a version manager may be, and not run."""
    if request.param == OWN:
        return sys.executable
    found = shutil.which(f"python{request.param}") or "false"
    if subprocess.run([found, "-c", "import ensurepip"], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {request.param} runs here")
    return found


@pytest.fixture(params=["its own pip", "the pip of today"])
def command(request: pytest.FixtureRequest, python: str, pips: Pips) -> str:
    """The command of each Python, with environments that have either pip."""
    return pips.stand_in(pips.of(python) if request.param == "its own pip" else pips.of_today(), python)


def test_make_installs_what_the_locks_pin(command, clone):
    # That they name extras is for those who install without make.
    for lock in (RUNTIME, DEVELOPMENT):
        clone.rewrite(lock, r"^([\w.-]+)\[.*\]==", r"\1==")

    for target, lock in ((".venv/.run", RUNTIME), (".venv/.dev", DEVELOPMENT)):
        made = clone.make(target, command)
        assert made.returncode == 0, made.stderr
        assert clone.differences(lock) == set()


def test_make_stops_where_a_lock_lacks_what_another_package_wants_and_builds_nothing(clone, pips):
    command, whole = pips.stand_in(pips.of_today()), (clone.directory / RUNTIME).read_text()
    clone.rewrite(RUNTIME, r"^werkzeug==.*\n", "")
    lacking = clone.make(".venv/.run", command)
    digest = clone.index.add_source("only-source", "1")
    (clone.directory / RUNTIME).write_text(f"{whole}only-source==1 --hash=sha256:{digest}\n")
    unbuilt = clone.make(".venv/.run", command)

    assert 0 not in (lacking.returncode, unbuilt.returncode)
    assert "requires werkzeug, which is not installed" in lacking.stdout
    assert "No matching distribution found for only-source==1" in unbuilt.stderr


def test_plain_pip_installs_what_the_runtime_lock_pins(command, clone):
    clone.run(command, "-m", "venv", ".venv")

    installed = clone.run(str(clone.python), "-m", "pip", "install", "-r", RUNTIME)

    assert installed.returncode == 0, installed.stderr
    assert clone.differences(RUNTIME) == set()


def test_without_a_lock_every_package_comes_in_a_newer_release(clone, pips):
    names = [pin.name for pin in clone.lock(RUNTIME) if not pin.marker]
    clone.run(pips.stand_in(pips.of_today()), "-m", "venv", ".venv")

    installed = clone.run(str(clone.python), "-m", "pip", "install", "--no-deps", *names)

    assert installed.returncode == 0, installed.stderr
    assert {(name, "9999") for name in names} <= clone.differences(RUNTIME)
