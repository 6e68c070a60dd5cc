"""Why a rule decided, by its name: a history keeps no more of it than that."""

from typing import Any

from service.rules.aliasing import ALIASING
from service.rules.anonymous import ANONYMOUS
from service.rules.correcting import CORRECTING, REMOVING
from service.rules.login import LOGIN
from service.rules.merging import MERGING
from service.rules.moving import MOVING
from service.rules.restoring import RESTORING
from service.rules.table import Table

# The tables whose rules change a user.
TABLES: tuple[Table[Any], ...] = (
    LOGIN,
    ANONYMOUS,
    ALIASING,
    MERGING,
    RESTORING,
    REMOVING,
    CORRECTING,
    MOVING,
)

_BECAUSE = {rule.name: rule.because for table in TABLES for rule in table.rules}


def reason_of(rule: str | None) -> str | None:
    """Return why a rule decided; None for one that this release does not have."""
    return _BECAUSE.get(rule or "")
