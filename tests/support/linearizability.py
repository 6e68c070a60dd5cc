"""Is there an order, one call after the other, that explains what a race has answered and left behind?

The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993): a call may come next if
none of those that are left had ended before it began. What was tried once from the same world is not
tried again; and a login that changes nobody, on a device of its own, is taken as soon as it can be, for
then it can be nowhere better. So thirty-two calls take a moment, though their orders are more than can be
counted.
"""

from collections import Counter
from collections.abc import Sequence

from tests.support.login_model import World, after
from tests.support.processes import Call

# Beyond this it is told as a failure; a race that is explained has never come near.
MAX_TRIED = 100_000


def order_of(calls: Sequence[Call], before: World, left_behind: World) -> list[Call] | None:
    """Answer an order that leads from one world to the other, each call answered as it was, or None."""
    # The order in which they ended is a good first guess.
    calls = sorted(calls, key=lambda call: call.ended)
    everybody = frozenset(range(len(calls)))
    alone = _alone(calls)
    tried: set[tuple[frozenset[int], World]] = set()
    first = _next(calls, everybody, before, alone)
    path: list[tuple[World, frozenset[int], list[int]]] = [(before, everybody, first)]
    while path:
        world, left, candidates = path[-1]
        if not left and world == left_behind:
            return _told(calls, path)
        if not candidates or len(tried) > MAX_TRIED:
            path.pop()
            continue
        chosen = candidates.pop(0)
        then = after(world, calls[chosen])
        state = (left - {chosen}, then)
        if then is None or state in tried:
            continue
        tried.add(state)
        left = left - {chosen}
        path.append((then, left, _next(calls, left, then, alone)))
    return None


def _next(calls: Sequence[Call], left: frozenset[int], world: World, alone: frozenset[int]) -> list[int]:
    first_end = min((calls[number].ended for number in left), default=0)
    candidates = [number for number in sorted(left) if calls[number].began <= first_end]
    for number in candidates:
        if number in alone:
            then = after(world, calls[number])
            if then is not None and then.people == world.people:
                return [number]
    return candidates


def _alone(calls: Sequence[Call]) -> frozenset[int]:
    """Answer which calls are logins on a device that no other call has to do with."""
    if any(call.request.path != "/v1/login" or call.body is None for call in calls):
        return frozenset()
    devices = Counter((call.body or {}).get("deviceId") for call in calls)
    return frozenset(number for number, call in enumerate(calls) if devices[call.body.get("deviceId")] == 1)


def _told(calls: Sequence[Call], path: Sequence[tuple[World, frozenset[int], list[int]]]) -> list[Call]:
    lefts = [left for _, left, _ in path]
    return [calls[number] for before, then in zip(lefts, lefts[1:], strict=False) for number in before - then]
