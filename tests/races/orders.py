"""Is there an order, one call after the other, that explains what a race has answered and left behind?

The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993): a call may come next if
none of those that are left had ended before it began. What was tried once from the same world is not
tried again, so that thirty-two calls take a moment, though their orders are more than can be counted.
"""

from collections.abc import Sequence

from tests.races.crews import Call
from tests.races.model import World, after

# Beyond this it is told as a failure; a race that is explained has never come near.
MOST_TRIED = 100_000


def order_of(calls: Sequence[Call], before: World, left_behind: World) -> list[Call] | None:
    """Answer an order that leads from one world to the other, each call answered as it was, or None."""
    # The order in which they ended is a good first guess.
    calls = sorted(calls, key=lambda call: call.ended)
    everybody = frozenset(range(len(calls)))
    tried: set[tuple[frozenset[int], World]] = set()
    path: list[tuple[World, frozenset[int], list[int]]] = [(before, everybody, _next(calls, everybody))]
    while path:
        world, left, candidates = path[-1]
        if not left and world == left_behind:
            return _told(calls, path)
        if not candidates or len(tried) > MOST_TRIED:
            path.pop()
            continue
        chosen = candidates.pop(0)
        then = after(world, calls[chosen])
        state = (left - {chosen}, then)
        if then is None or state in tried:
            continue
        tried.add(state)
        path.append((then, left - {chosen}, _next(calls, left - {chosen})))
    return None


def _next(calls: Sequence[Call], left: frozenset[int]) -> list[int]:
    first_end = min((calls[number].ended for number in left), default=0)
    return [number for number in sorted(left) if calls[number].began <= first_end]


def _told(calls: Sequence[Call], path: Sequence[tuple[World, frozenset[int], list[int]]]) -> list[Call]:
    lefts = [left for _, left, _ in path]
    return [calls[number] for before, then in zip(lefts, lefts[1:], strict=False) for number in before - then]
