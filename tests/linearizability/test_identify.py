"""RevenueCat's logins at once: one of them creates, in each world."""

from collections import Counter
from collections.abc import Callable

import pytest

from service.store import Store
from service.store.checks import CHECKS
from tests.support.chance import how_often
from tests.support.processes import Callers
from tests.support.races import Race

TIMES = how_often(25)
ANONYMOUS = "$RCAnonymousID:" + "a" * 32


@pytest.mark.parametrize(("kinds", "times"), [(["pk"], 20), (["pk", "sk"], 4)], ids=["anybody", "both"])
def test_of_simultaneous_identifies_one_creates_in_each_world(
    workers: Callers, new_race: Callable[[], Race], store: Store, kinds: list[str], times: int
) -> None:
    tenants = [new_race().tenant for _ in range(TIMES)]
    for tenant in tenants:
        tenant.set(revenuecat="on")
    pair = {"app_user_id": ANONYMOUS, "new_app_user_id": "u-1"}

    raced = workers.race(
        [
            [
                Race(tenant, None).request("subscribers/identify", getattr(tenant, kind), **pair)
                for kind in kinds
                for _ in range(times)
            ]
            for tenant in tenants
        ]
    )

    for tenant, calls in zip(tenants, raced, strict=True):
        assert {call.body["subscriber"]["original_app_user_id"] for call in calls} == {ANONYMOUS}
        for kind in kinds:
            theirs = [call.status for call in calls if call.request.credential == getattr(tenant, kind)]
            assert Counter(theirs) == {201: 1, 200: times - 1}
        ids = [
            {(user["id"], user["verified"]) for user in tenant.call("GET", path, tenant.sk).json["data"]}
            for path in ("/v1/users?userId=u-1", f"/v1/users?userId={ANONYMOUS}")
        ]
        assert ids[0] == ids[1]
        assert sorted(verified for _, verified in ids[0]) == [kind == "sk" for kind in kinds]
        assert [found for asks in CHECKS for found in asks(store.of(tenant.id))] == []
