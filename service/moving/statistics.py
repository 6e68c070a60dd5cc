"""Have the database look at what an import has brought, now and then, so that it plans well for the rest."""

from service.store import AppStore
from service.store.tables import TABLES

# After how many people it looks first, and then whenever there are so many times as many.
FIRST, TIMES = 1000, 8


class Statistics:
    """Counts the people of an import into ``store``."""

    def __init__(self, store: AppStore) -> None:
        self._store = store
        self._next = FIRST

    def tell(self, people: int) -> None:
        """Say how many there are by now."""
        if people >= self._next:
            self._next = people * TIMES
            self._store.database.look_at(TABLES)
