"""What becomes of a device's anonymous user: each situation has its rule."""

from itertools import product

import pytest

from service.model.apps import AnonymousPolicy
from service.rules.anonymous import (
    ANONYMOUS,
    Act,
    Setting,
    decide,
    decide_identify,
)

KEEP, CLEAR, MERGE, MERGE_ONCE = AnonymousPolicy

# policy, identified before, absorbed one before, rule, what becomes of it
WITHOUT_THE_FLAG = [
    (KEEP, False, False, "keep", Act.KEEP),
    (KEEP, False, True, "keep", Act.KEEP),
    (KEEP, True, False, "keep", Act.KEEP),
    (KEEP, True, True, "keep", Act.KEEP),
    (CLEAR, False, False, "clear", Act.CLEAR),
    (CLEAR, False, True, "clear", Act.CLEAR),
    (CLEAR, True, False, "clear", Act.CLEAR),
    (CLEAR, True, True, "clear", Act.CLEAR),
    (MERGE, False, False, "merge", Act.MERGE),
    (MERGE, False, True, "merge", Act.MERGE),
    (MERGE, True, False, "keep-on-switch", Act.KEEP),
    (MERGE, True, True, "keep-on-switch", Act.KEEP),
    (MERGE_ONCE, False, False, "merge", Act.MERGE),
    (MERGE_ONCE, False, True, "keep-after-first", Act.KEEP),
    (MERGE_ONCE, True, False, "keep-on-switch", Act.KEEP),
    (MERGE_ONCE, True, True, "keep-on-switch", Act.KEEP),
]
EITHER = (False, True)

# identified before, absorbed one before, rule, what becomes of who was there
IDENTIFYING = [
    (False, False, "merge-once", Act.MERGE),
    (False, True, "keep-after-first", Act.KEEP),
    (True, False, "keep-on-switch", Act.KEEP),
    (True, True, "keep-on-switch", Act.KEEP),
]


def in_words(policy: AnonymousPolicy, identified: bool, absorbed: bool) -> str:
    before = "after-a-user" if identified else "after-nobody"
    return f"{policy.value}-{before}-{'absorbed' if absorbed else 'first'}"


@pytest.mark.parametrize(
    ("policy", "identified", "absorbed", "rule", "then"),
    [pytest.param(*case, id=in_words(*case[:3])) for case in WITHOUT_THE_FLAG],
)
def test_without_the_flag_the_setting_decides(policy, identified, absorbed, rule, then):
    decided = decide(clears=False, policy=policy, identified_before=identified, absorbed=absorbed)

    assert (decided.name, decided.then) == (rule, then)


@pytest.mark.parametrize(
    ("policy", "identified", "absorbed"),
    [pytest.param(*case, id=in_words(*case)) for case in product(AnonymousPolicy, EITHER, EITHER)],
)
def test_the_flag_comes_before_any_setting(policy, identified, absorbed):
    decided = decide(clears=True, policy=policy, identified_before=identified, absorbed=absorbed)

    assert (decided.name, decided.then) == ("clear-by-device", Act.CLEAR)


@pytest.mark.parametrize(("identified", "absorbed", "rule", "then"), IDENTIFYING)
def test_a_client_of_revenuecat_merges_once(identified, absorbed, rule, then):
    decided = decide_identify(identified_before=identified, absorbed=absorbed)

    assert (decided.name, decided.then) == (rule, then)


def test_these_are_all_situations():
    flagless = {(policy, identified, absorbed) for policy, identified, absorbed, *_ in WITHOUT_THE_FLAG}

    assert flagless == set(product(AnonymousPolicy, EITHER, EITHER))
    assert len(ANONYMOUS.situations()) == 2 * (len(WITHOUT_THE_FLAG) + len(IDENTIFYING))


def test_every_policy_stands_in_the_table():
    assert [policy.name for policy in AnonymousPolicy] == [
        setting.name for setting in Setting if setting is not Setting.IDENTIFY
    ]
