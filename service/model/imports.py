"""A file of people that an operator has sent, and what becomes of it."""

from dataclasses import dataclass
from enum import StrEnum


class ImportState(StrEnum):
    """How far a file is: it is read, and nothing is changed; it was, and whoever sent it decides; its people
    are taken in; they are, or it can't be read."""

    READING = "reading"
    READ = "read"
    TAKING_IN = "taking-in"
    DONE = "done"
    FAILED = "failed"


# In which there is something to do.
UNDER_WAY = ImportState.READING, ImportState.TAKING_IN


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be read: whose words it has; in which columns a user ID and an email are, of a CSV
    which is none of theirs; in which encoding it is, if it does not say so; and whether its emails are
    proven."""

    source: str
    user_id_column: str = ""
    email_column: str = ""
    encoding: str = ""
    trusts_emails: bool = False


@dataclass(frozen=True, slots=True)
class Import:
    """A file of ``size`` bytes, which are ``stored`` in more: they are encrypted with a ``key`` of its own,
    and so is all that could tell of what is in it: the ``options``, why it ``failed``, what would come of it
    (``preview``) and what came so far (``report``). The key is encrypted in turn.

    ``steps`` of it are done. ``rejects`` is a file of what was left out, if there is one. It is all forgotten
    at ``until``.
    """

    id: str
    state: ImportState
    key: str
    size: int
    stored: int
    sha256: str
    options: str
    created_at: int
    until: int
    preview: str | None = None
    report: str | None = None
    failed: str | None = None
    people: int = 0
    steps: int = 0
    rejects: str | None = None
    rejects_size: int = 0
    leased_until: int = 0
    tries: int = 0
