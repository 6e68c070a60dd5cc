"""Who may become part of whom, and what of them counts there."""

from dataclasses import replace
from itertools import product

import pytest

from service.model.users import User
from service.rules.merging import COUNTING, MERGING, Act, Count, Same, Who, World, counts, decide, world_of

CLIENT_MADE = "$RCAnonymousID:" + "a" * 32
USERS = {
    Who.PROVEN: User("usr_1", "u-1", None, None, (), 1),
    Who.PROVEN_ANONYMOUS: User("usr_2", CLIENT_MADE, None, None, (), 2),
    Who.DEVICE_ANONYMOUS: User("usr_3", "$anon:3", None, None, (), 3, verified=False),
    Who.UNPROVEN: User("usr_4", None, "jane@example.org", None, (), 4, verified=False),
    Who.UNPROVEN_ANONYMOUS: User("usr_5", CLIENT_MADE, None, None, (), 5, verified=False),
    Who.CLEARED: User("usr_6", "$anon:6", None, None, (), 6, verified=False, cleared=True),
}
OTHERS = {kind: replace(user, id=f"{user.id}_other", created_at=7) for kind, user in USERS.items()}
PAIRS = list(product(Who, Who))
# By from and into; whatever else is merged.
REFUSED = {
    (Who.PROVEN, Who.PROVEN_ANONYMOUS): "identified-into-anonymous",
    (Who.PROVEN, Who.DEVICE_ANONYMOUS): "identified-into-anonymous",
    (Who.PROVEN, Who.UNPROVEN): "proven-into-unproven",
    (Who.PROVEN, Who.UNPROVEN_ANONYMOUS): "proven-into-unproven",
    (Who.PROVEN_ANONYMOUS, Who.UNPROVEN): "proven-into-unproven",
    (Who.PROVEN_ANONYMOUS, Who.UNPROVEN_ANONYMOUS): "proven-into-unproven",
    (Who.UNPROVEN, Who.PROVEN_ANONYMOUS): "identified-into-anonymous",
    (Who.UNPROVEN, Who.DEVICE_ANONYMOUS): "identified-into-anonymous",
    (Who.UNPROVEN, Who.UNPROVEN_ANONYMOUS): "identified-into-anonymous",
    **{(who, Who.CLEARED): "another-into-cleared" for who in Who},
    **{(Who.CLEARED, who): "cleared-into-another" for who in Who},
}


def in_words(who):
    return who.name.lower().replace("_", "-") if isinstance(who, Who) else None


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=in_words)
def test_any_two_are_merged_unless_that_would_give_something_away(source, target):
    asked, decided = (decide(USERS[source], OTHERS[target], is_asked_for=it) for it in (True, False))

    assert asked.name == REFUSED.get((source, target), "explicit")
    assert decided.name == REFUSED.get((source, target), "as-decided")


@pytest.mark.parametrize("who", Who, ids=in_words)
def test_nobody_is_merged_into_themselves(who):
    rules = {decide(USERS[who], USERS[who], is_asked_for=it).name for it in (True, False)}

    assert rules == {"merge-with-oneself"}


def test_each_refusal_has_its_code():
    acts = {rule.name: rule.then for rule in MERGING.rules}

    assert acts == {
        "merge-with-oneself": Act.REFUSE,
        "cleared-into-another": Act.REFUSE_CLEARED,
        "another-into-cleared": Act.REFUSE_CLEARED,
        "proven-into-unproven": Act.REFUSE,
        "identified-into-anonymous": Act.REFUSE_ANONYMOUS,
        "explicit": Act.MERGE,
        "as-decided": Act.MERGE,
    }


def test_nobody_identified_ever_becomes_part_of_an_anonymous_user():
    merged = {
        situation[:2]
        for situation in MERGING.situations()
        if MERGING.decide(*situation).then is Act.MERGE and Same.NO in situation
    }

    assert [pair for pair in merged if pair[0] in Who.IDENTIFIED and pair[1] in Who.NOBODY_YET] == []


@pytest.mark.parametrize(
    ("source", "target", "name", "then"),
    [
        (World.PROVEN, World.PROVEN, "both-proven", Count.COUNT),
        (World.UNPROVEN, World.UNPROVEN, "both-unproven", Count.COUNT),
        (World.PROVEN, World.UNPROVEN, "from-another-world", Count.PARK),
        (World.UNPROVEN, World.PROVEN, "from-another-world", Count.PARK),
    ],
)
def test_what_was_said_counts_within_its_world(source, target, name, then):
    rule = COUNTING.decide(source, target)

    assert (rule.name, rule.then) == (name, then)


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=in_words)
def test_a_user_brings_what_counts(source, target):
    unproven = (Who.UNPROVEN, Who.UNPROVEN_ANONYMOUS)

    assert counts(USERS[source], OTHERS[target]) is ((source in unproven) is (target in unproven))


def test_a_devices_anonymous_user_is_of_the_proven_world():
    assert {who for who, user in USERS.items() if world_of(user) is World.PROVEN} == {
        Who.PROVEN,
        Who.PROVEN_ANONYMOUS,
        Who.DEVICE_ANONYMOUS,
        Who.CLEARED,
    }
