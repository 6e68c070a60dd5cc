"""What time it is, in epoch milliseconds, and how a time is written."""

import time
from datetime import date, timedelta
from functools import lru_cache

MINUTE = 60 * 1000
DAY = 24 * 60 * MINUTE

# To format a number would take as long as all the rest of a time.
_MILLISECONDS = [f"{milliseconds:03}Z" for milliseconds in range(1000)]


def now() -> int:
    """Answer the time, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def rfc3339(milliseconds: int) -> str:
    """Write epoch milliseconds as RFC 3339, in UTC."""
    return f"{_second(milliseconds // 1000)}{_MILLISECONDS[milliseconds % 1000]}"


def written_in_seconds(milliseconds: int) -> str:
    """Write epoch milliseconds as RFC 3339, in UTC, with the second that has begun.

    Never rounded up: what has ended is not written with an end that lies ahead, and nothing is written with a
    time that has not come.
    """
    return f"{_second(milliseconds // 1000)[:-1]}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Write seconds since 1970. What is listed is asked for again and again, and is mostly of late."""
    minutes, second = divmod(seconds, 60)
    days, minute = divmod(minutes, 24 * 60)
    return f"{_date(days)}T{minute // 60:02}:{minute % 60:02}:{second:02}."


@lru_cache(maxsize=1000)
def _date(days: int) -> str:
    """Write a day since 1970."""
    return (date(1970, 1, 1) + timedelta(days)).isoformat()
