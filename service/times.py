"""What time it is, in epoch milliseconds, and how a time is written."""

import time
from datetime import date, timedelta
from functools import lru_cache

MINUTE = 60 * 1000
DAY = 24 * 60 * MINUTE

# To format five numbers would take as long as all the rest of a line of a list.
_MINUTES = [f"T{hours:02}:{minutes:02}:" for hours in range(24) for minutes in range(60)]
_SECONDS = [f"{seconds:02}." for seconds in range(60)]
_MILLISECONDS = [f"{milliseconds:03}Z" for milliseconds in range(1000)]


def now() -> int:
    """Answer the time, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def written(milliseconds: int) -> str:
    """Write epoch milliseconds as RFC 3339, in UTC."""
    today = milliseconds % DAY
    minute, second = _MINUTES[today // MINUTE], _SECONDS[today // 1000 % 60]
    return f"{_date(milliseconds // DAY)}{minute}{second}{_MILLISECONDS[milliseconds % 1000]}"


@lru_cache(maxsize=1000)
def _date(days: int) -> str:
    """Write a day since 1970; a page of a list is of a few days, and names each of them twice a line."""
    return (date(1970, 1, 1) + timedelta(days)).isoformat()
