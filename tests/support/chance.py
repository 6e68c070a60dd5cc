"""What is left to chance is tried often only where there is time for it: ``make test THOROUGH=1``."""

import os

IS_THOROUGH = bool(os.environ.get("THOROUGH"))


def how_often(times: int) -> int:
    """Return how often to try what is tried ``times`` times where there is time: else a fifth of that."""
    return times if IS_THOROUGH else -(-times // 5)
