"""What time it is, in epoch milliseconds, and how a time is written."""

import time
from datetime import datetime, timedelta
from functools import lru_cache

MINUTE = 60 * 1000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Without a time zone, which would be written too.
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001


def now() -> int:
    """Return the time, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def rfc3339(milliseconds: int) -> str:
    """Write epoch milliseconds as RFC 3339, in UTC."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


def written_in_seconds(milliseconds: int) -> str:
    """Write epoch milliseconds as RFC 3339, in UTC, with the second that has begun.

    Never rounded up: what has ended is not written with an end that lies ahead, and nothing is written with a
    time that has not come.
    """
    return f"{_second(milliseconds // 1000)}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Write seconds since 1970. What is listed is asked for again and again, and is mostly of late."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()
