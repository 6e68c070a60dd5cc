"""A package index in a folder, of empty packages: they have names, versions and wants, and no code."""

import hashlib
import tarfile
import tempfile
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

TWO_EXTRAS = """\
Provides-Extra: a
Provides-Extra: b
Requires-Dist: for-a; extra == "a"
Requires-Dist: for-b; extra == "b"
"""
# What no lock pins by itself, and what each wants.
INVENTED = {
    "two-extras[a,b]==1": TWO_EXTRAS,
    "wants-a==1": "Requires-Dist: two-extras[a]\n",
    "wants-b==1": "Requires-Dist: two-extras[b]\n",
    "for-a==1": "",
    "for-b==1": "",
}
_BACKEND = """\
import shutil

def build_wheel(directory, config_settings=None, metadata_directory=None):
    return shutil.copy("{wheel}", directory).rpartition("/")[2]
"""
_PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


class Index:
    """A folder that pip can be pointed to as its index."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = directory.as_uri()
        self.add("newcomer", "1", "Provides-Extra: extra\n")

    def add(self, name: str, version: str, wants: str = "", *, build: str = "", yanked: bool = False) -> str:
        """Add a wheel, and return its hash. It is empty but for pip, without which nothing can go on."""
        tags = "-".join(filter(None, [name.replace("-", "_"), version, build]))
        path = self._folder(name) / f"{tags}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            _fill(wheel, name, version, wants, build)
            if name == "pip":
                _copy(distribution(name), wheel)
        return self._list(path, yanked=yanked)

    def add_source(self, name: str, version: str) -> str:
        """Add a release that is no wheel and can be built without anything else; return its hash."""
        release = f"{name.replace('-', '_')}-{version}"
        wheel, path = f"{release}-py3-none-any.whl", self._folder(name) / f"{release}.tar.gz"
        with tempfile.TemporaryDirectory() as directory, tarfile.open(path, "w:gz") as source:
            Path(directory, "pyproject.toml").write_text(_PROJECT)
            Path(directory, "backend.py").write_text(_BACKEND.format(wheel=wheel))
            with zipfile.ZipFile(Path(directory, wheel), "w") as built:
                _fill(built, name, version, "", "")
            source.add(directory, release)
        return self._list(path)

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "index.html").write_text("<!DOCTYPE html>\n")
        return folder

    def _list(self, path: Path, *, yanked: bool = False) -> str:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with (path.parent / "index.html").open("a") as page:
            mark = ' data-yanked=""' if yanked else ""
            page.write(f'<a href="{path.name}#sha256={digest}"{mark}>{path.name}</a>\n')
        return digest


def fill(index: Index, pinned: list[Requirement]) -> dict[str, str]:
    """Add each pinned release, and beside it whatever a pip could prefer; return the hashes of the pinned."""
    return {pin.name: _tempting(index, pin) for pin in pinned}


def _tempting(index: Index, pin: Requirement) -> str:
    name, version = canonicalize_name(pin.name), Version(str(pin.specifier).removeprefix("=="))
    wants = INVENTED.get(str(pin)) or _wants(name)
    newest = wants + "Provides-Extra: new\nRequires-Dist: newcomer[extra]\n"
    # Of the same version: a build with a number, and one of somebody's own, which `==` fits as well.
    index.add(name, str(version), wants, build="1")
    index.add(name, f"{version}+local", wants)
    # Newer: within what others want, beyond it and with wants of its own, and not yet released.
    index.add(name, f"{version.base_version}.post{(version.post or 0) + 1}", wants)
    index.add(name, "9999", newest)
    index.add(name, "9999.1rc1", newest)
    # The pinned release has been withdrawn.
    return index.add(name, str(version), wants, yanked=True)


def _wants(name: str) -> str:
    """Return the wants and extras of the real package; of one that this platform has not, none."""
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    return "".join(
        f"{key}: {value}\n"
        for key in ("Provides-Extra", "Requires-Dist")
        for value in metadata.get_all(key) or []
    )


def _fill(wheel: zipfile.ZipFile, name: str, version: str, wants: str, build: str) -> None:
    directory = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wants}"
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    for file, text in {"METADATA": metadata, "WHEEL": tags + f"Build: {build}\n" * bool(build)}.items():
        wheel.writestr(f"{directory}/{file}", text)
    wheel.writestr(f"{directory}/RECORD", "")


def _copy(package: Distribution, wheel: zipfile.ZipFile) -> None:
    """Add the code of a package that is installed."""
    for file in package.files or []:
        if file.parts[0] == package.name and file.suffix != ".pyc":
            wheel.write(package.locate_file(file), str(file))
