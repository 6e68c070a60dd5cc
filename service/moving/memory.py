"""What a file has said so far, by digests, on a disk: a million lines take no more memory than one."""

import hashlib
import sqlite3
from collections.abc import Iterable

from service.rules.records import Before


class Memory:
    """Remembers what was said of whom, and of which users anything was."""

    def __init__(self) -> None:
        # An empty name is a file without one, which is gone when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE claims (who BLOB PRIMARY KEY, what BLOB) WITHOUT ROWID")
        self._database.execute("CREATE TABLE users (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("CREATE TABLE names (name BLOB PRIMARY KEY, user TEXT) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def close(self) -> None:
        """Forget all of it."""
        self._database.close()

    def before(self, who: str, what: bytes) -> Before:
        """Return what was said of somebody before, by their user ID or email, and remember what is said now
        if it is the first."""
        key, says = _digest(who), hashlib.blake2b(what, digest_size=16).digest()
        if self._database.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", (key, says)).rowcount:
            return Before.NOTHING
        [(said,)] = self._database.execute("SELECT what FROM claims WHERE who = ?", (key,))
        return Before.THE_SAME if said == says else Before.OTHERWISE

    def was_said(self, user: str) -> bool:
        """Return whether anything was said of a user."""
        found = self._database.execute("SELECT 1 FROM users WHERE id = ?", (user,)).fetchone()
        return found is not None

    def note(self, users: Iterable[str]) -> None:
        """Remember that something was said of users."""
        self._database.executemany("INSERT OR IGNORE INTO users VALUES (?)", [(user,) for user in users])

    def call(self, names: Iterable[tuple[str, str]]) -> None:
        """Remember whom names mean that only the file knows; nobody, if that is nothing."""
        found = ((_digest(name), user) for name, user in names)
        self._database.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", found)

    def called(self, name: str) -> str | None:
        """Return whom a name means; None if the file did not say."""
        found = self._database.execute("SELECT user FROM names WHERE name = ?", (_digest(name),)).fetchone()
        return None if found is None else str(found[0])


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
