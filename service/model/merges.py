"""How one user became part of another."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    """What goes from one user to another in a merge: user IDs, emails, and ids of all else."""

    user_ids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()
    purchases: tuple[str, ...] = ()
    store_accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """The blank fields of the survivor that a merge fills, with what they are filled with."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The members that were filled."""
        members = {"userId": self.user_id, "email": self.email, "name": self.name}
        return tuple(name for name, value in members.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Merge:
    """How ``source`` became part of ``target``; without an id and a time, how it would.

    ``parked`` are the user IDs that moved nowhere, as nobody ever proved them; ``devices`` are those
    whose anonymous user this ended.
    """

    id: str | None
    source: str
    target: str
    rule: str
    moved: Moved
    filled: Filled
    created_at: int
    parked: tuple[str, ...] = ()
    devices: tuple[tuple[str, str], ...] = ()
    undone_at: int | None = None
