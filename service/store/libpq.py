"""Statements sent by libpq's own calls: what a cursor of psycopg's does for each of them takes longer than
the server takes to answer. Values, rows and errors are written and read by psycopg as ever."""

import hashlib
import re
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus

_PLACE = re.compile("%[s%]")
_WITH_ROWS, _WITHOUT = ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK


class PreparedCursor:
    """As much of a cursor as statements need that stay prepared for as long as their connection lasts. It is
    used for one after the other; what one answers is read before the next one is sent."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._types = Transformer(connection)
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._rows: list[tuple[Any, ...]] = []
        self.rowcount = 0

    def execute(self, sql: str, values: Any = ()) -> None:
        """Run a statement with its values."""
        sent = self._types.dump_sequence(values, [PyFormat.TEXT] * len(values))
        # As in psycopg: what a text is, the server knows; what else a value is, it is told.
        types = self._types.types or ()
        name = self._names.get((sql, types)) or self._prepare(sql, types)
        self._connection.pgconn.send_query_prepared(name, sent)
        try:
            result = self._answer()
        except psycopg.errors.InvalidSqlStatementName:
            self._names.clear()
            raise
        self.rowcount = result.command_tuples or 0
        self._rows = []
        if result.status == _WITH_ROWS:
            self._types.set_pgresult(result)
            self._rows = self._types.load_rows(0, result.ntuples, tuple)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Answer the rows of the last statement."""
        return self._rows

    def say(self, statements: str) -> None:
        """Run statements without values and answers in one message, so in one round trip."""
        self._connection.pgconn.send_query(statements.encode())
        self._answer()

    def _prepare(self, sql: str, types: tuple[int, ...]) -> bytes:
        places = iter(range(1, len(types) + 1))
        numbered = _PLACE.sub(lambda found: "%" if found[0] == "%%" else f"${next(places)}", sql)
        # Behind a pooler another may have prepared it here already, and then it is the same.
        told = f"{types} {numbered}".encode()
        name = b"usher_" + hashlib.blake2b(told, digest_size=16).hexdigest().encode()
        self._connection.pgconn.send_prepare(name, numbered.encode(), types)
        with suppress(psycopg.errors.DuplicatePreparedStatement):
            self._answer()
        self._names[sql, types] = name
        return name

    def _answer(self) -> Any:
        for result in self._connection.wait(generators.execute(self._connection.pgconn)):
            if result.status not in (_WITH_ROWS, _WITHOUT):
                raise psycopg.errors.error_from_result(result, encoding="utf-8")
        return result
