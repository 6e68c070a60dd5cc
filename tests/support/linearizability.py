"""Is there an order, one call after the other, that explains what a race has answered and left behind?

The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993): a call may come next if
none of those that are left had ended before it began. What was tried once from the same state is not
tried again; and a login that changes nobody, on a device of its own, is taken as soon as it can be, for
then it can be nowhere better. So thirty-two calls take a moment, though their orders are more than can be
counted.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from tests.support.identity import Identity
from tests.support.identity_calls import after, look_and_begin
from tests.support.processes import Call

# Beyond this it counts as a failure; a race that is explained has never come near.
MAX_TRIED = 100_000


def order_of(
    calls: Sequence[Call], before: Identity, is_left_behind: Callable[[Identity], bool]
) -> list[Call] | None:
    """Return an order that leads to what is left behind, each call answered as it was, or None.

    A login that changes nobody may show them as they were when it began, though somebody else saw them
    otherwise before it had ended.
    """
    acts = [act for call in calls for act in look_and_begin(call)]
    return _order_of(calls, before, is_left_behind) or _order_of(acts, before, is_left_behind)


def _order_of(
    calls: Sequence[Call], before: Identity, is_left_behind: Callable[[Identity], bool]
) -> list[Call] | None:
    # The order in which they ended is a good first guess.
    calls = sorted(calls, key=lambda call: call.ended)
    everything = frozenset(range(len(calls)))
    alone = _alone(calls)
    tried: set[object] = set()
    path = [(before, everything, _next(calls, everything, before, alone))]
    while path:
        model, left, candidates = path[-1]
        if not left and is_left_behind(model):
            lefts = [left for _, left, _ in path]
            return [calls[min(one - other)] for one, other in zip(lefts, lefts[1:], strict=False)]
        if not candidates or len(tried) > MAX_TRIED:
            path.pop()
            continue
        chosen = candidates.pop(0)
        then = after(model, calls[chosen])
        left = left - {chosen}
        if then is None or (state := (left, then.state())) in tried:
            continue
        tried.add(state)
        path.append((then, left, _next(calls, left, then, alone)))
    return None


def _next(calls: Sequence[Call], left: frozenset[int], model: Identity, alone: frozenset[int]) -> list[int]:
    first_end = min((calls[number].ended for number in left), default=0)
    candidates = [number for number in sorted(left) if calls[number].began <= first_end]
    for number in candidates:
        if number in alone and after(model, calls[number]) is not None:
            return [number]
    return candidates


def _alone(calls: Sequence[Call]) -> frozenset[int]:
    """Return which calls are logins that change nobody, on a device that no other call has to do with."""
    if any(call.request.path != "/v1/login" or call.status >= 300 for call in calls):
        return frozenset()
    devices = Counter(call.body["deviceId"] for call in calls)
    return frozenset(
        number
        for number, call in enumerate(calls)
        if devices[call.body["deviceId"]] == 1
        and not call.body["created"]
        and not call.body["resolution"]["changes"]
    )
