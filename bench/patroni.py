"""Two PostgreSQL servers under Patroni and a HAProxy before them, with what is in ``deploy/``.

It needs ``patroni``, ``etcd`` and ``haproxy``, as Debian has them.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import yaml

from bench.servers import HERE

DEPLOY = HERE.directory / "deploy"
NEEDED = "patroni", "etcd", "haproxy"
# Where Debian has what is no user's.
PATH = f"{os.environ['PATH']}:/usr/sbin"
TIMEOUT = 90  # seconds


@dataclass(frozen=True)
class Node:
    """A PostgreSQL and its Patroni."""

    name: str
    port: int
    rest: int
    process: subprocess.Popen[bytes]
    data: Path

    def is_primary(self) -> bool:
        """Ask its Patroni."""
        try:
            with urlopen(f"http://127.0.0.1:{self.rest}/primary", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def lose(self, *, patroni: bool) -> None:
        """Kill PostgreSQL, all of it at once, and its Patroni before that if its machine is to be lost."""
        if patroni:
            self.process.kill()
        postmaster = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
        for one in (postmaster, *postmaster.children(recursive=True)):
            one.kill()


@contextmanager
def cluster() -> Iterator[tuple[tuple[Node, Node], int]]:
    """Have two servers under Patroni, and the port of a HAProxy before them."""
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="usher-patroni-") as name, ExitStack() as stack:
        directory, logs = Path(name), stack.enter_context((Path(name) / "log").open("wb"))

        def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
            program = shutil.which(str(arguments[0]), path=PATH)
            process = subprocess.Popen(
                [str(program), *arguments[1:]],
                user=user,
                stdout=logs,
                stderr=logs,
                cwd="/",
                env=os.environ | {"HOME": name},
            )
            stack.callback(_stop, process)
            return process

        if user:
            shutil.chown(directory, user)
        etcd, peers, through = _ports(3)
        at = f"http://127.0.0.1:{etcd}"
        here = "--listen-client-urls", at, "--advertise-client-urls", at
        start(
            "etcd", "--data-dir", directory / "etcd", *here, "--listen-peer-urls", f"http://127.0.0.1:{peers}"
        )
        nodes = []
        for one in ("h1", "h2"):
            port, rest = _ports(2)
            config = directory / f"{one}.yml"
            config.write_text(yaml.safe_dump(_patroni(one, port, rest, etcd, directory / one)))
            nodes.append(Node(one, port, rest, start("patroni", config), directory / one))
        first, second = nodes
        wait_for(lambda: any(node.is_primary() for node in nodes), logs.name)
        haproxy = (DEPLOY / "haproxy.cfg").read_text().replace("127.0.0.1:5000", f"127.0.0.1:{through}")
        for node in nodes:
            haproxy = haproxy.replace(
                f"{node.name}:5432 check port 8008", f"127.0.0.1:{node.port} check port {node.rest}"
            )
        (directory / "haproxy.cfg").write_text(haproxy)
        start("haproxy", "-db", "-f", directory / "haproxy.cfg")
        wait_for(lambda: _follows(through), logs.name)
        yield (first, second), through


def _patroni(name: str, port: int, rest: int, etcd: int, data: Path) -> dict[str, object]:
    config = yaml.safe_load((DEPLOY / "patroni.yml").read_text())
    config["name"] = name
    config["restapi"] = {"listen": f"127.0.0.1:{rest}", "connect_address": f"127.0.0.1:{rest}"}
    config["etcd3"] = {"hosts": f"127.0.0.1:{etcd}"}
    at = f"127.0.0.1:{port}"
    config["postgresql"] |= {"listen": at, "connect_address": at, "data_dir": str(data)}
    config["postgresql"]["parameters"] = {"unix_socket_directories": str(data.parent)}
    del config["watchdog"]
    return dict(config)


def _ports(many: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(many)]
        return [listener.getsockname()[1] for listener in listeners]


def url(*ports: int) -> str:
    """Write the URL of a database that is on these ports."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgres://postgres:secret-of-the-superuser@{hosts}/postgres?target_session_attrs=read-write"


def _follows(port: int) -> bool:
    """Return whether the primary waits for a standby."""
    try:
        with psycopg.connect(url(port), connect_timeout=2) as database:
            found = database.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
            return found.fetchone() is not None
    except psycopg.Error:
        return False


def wait_for(is_so: Callable[[], bool], log: str) -> None:
    """Wait until something is so. Raises RuntimeError, with the end of a log, if it never is."""
    until = time.monotonic() + TIMEOUT
    while not is_so():
        if time.monotonic() > until:
            raise RuntimeError(Path(log).read_text()[-3000:])
        time.sleep(0.2)


def missing() -> list[str]:
    """Return which of the programs are not installed."""
    return [name for name in NEEDED if shutil.which(name, path=PATH) is None]


def _stop(process: subprocess.Popen[bytes]) -> None:
    for one in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
        one.send_signal(signal.SIGKILL)
    process.kill()
    process.wait()
