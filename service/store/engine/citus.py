"""Statements as Citus keeps their plans, for a store whose tables are spread over a cluster by ``app``.

Citus finds the machine that has an app when it plans. Of a statement about several tables it keeps a plan
only where that is in the text: with the app among the values it plans anew each time, and the machine after
it. So the app is written into what is prepared, and each app has statements of its own.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from service.model.identifiers import is_id

_PLACE = re.compile('("app" = )?%s|%%')


def with_app(sql: str, values: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """Return a statement with its app written out, and the values that are left; as it is, if it is about
    none that ``new_id`` made, or about several."""
    places = _places(sql)
    apps = {values[place] for place in places}
    app = apps.pop() if len(apps) == 1 else None
    if not (isinstance(app, str) and is_id("app", app)):
        return sql, values
    return _written(sql, app), [value for place, value in enumerate(values) if place not in places]


@lru_cache(1000)
def _places(sql: str) -> frozenset[int]:
    """Return which of a statement's values an app is compared with."""
    places = (found for found in _PLACE.finditer(sql) if found[0] != "%%")
    return frozenset(place for place, found in enumerate(places) if found[1])


@lru_cache(1000)
def _written(sql: str, app: str) -> str:
    return sql.replace('"app" = %s', f"\"app\" = '{app}'")
