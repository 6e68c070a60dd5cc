"""What time it is, in epoch milliseconds, and how a time is written."""

import time
from datetime import date, timedelta
from functools import lru_cache

MINUTE = 60 * 1000
DAY = 24 * 60 * MINUTE

_TWO_DIGITS = [f"{number:02}" for number in range(60)]
_THREE_DIGITS = [f"{number:03}" for number in range(1000)]


def now() -> int:
    """Answer the time, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def written(milliseconds: int) -> str:
    """Write epoch milliseconds as RFC 3339, in UTC."""
    # To format five numbers would take as long as all the rest of a line of a list.
    minutes, rest = divmod(milliseconds, MINUTE)
    seconds, rest = divmod(rest, 1000)
    days, minutes = divmod(minutes, DAY // MINUTE)
    hours, minutes = divmod(minutes, 60)
    clock = f"{_TWO_DIGITS[hours]}:{_TWO_DIGITS[minutes]}:{_TWO_DIGITS[seconds]}"
    return f"{_date(days)}T{clock}.{_THREE_DIGITS[rest]}Z"


@lru_cache(maxsize=1000)
def _date(days: int) -> str:
    """Write a day since 1970; a page of a list is of a few days, and names each of them twice a line."""
    return (date(1970, 1, 1) + timedelta(days)).isoformat()
