"""Store accounts, and what was bought under them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreAccount:
    """The login of an app store under which things are bought: an opaque text of that store. Each world
    knows its own; ``verified`` is that of whoever brought it."""

    store: str
    account: str
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase. ``active_at`` a time while its end lies ahead of it, or it has none. ``claimed`` where
    nobody proved whose it is."""

    id: str
    store: str
    product: str
    transaction: str
    purchased_at: int
    expires_at: int | None
    claimed: bool = False

    def active_at(self, at: int) -> bool:
        """Return whether it holds at a time."""
        return self.expires_at is None or self.expires_at > at
