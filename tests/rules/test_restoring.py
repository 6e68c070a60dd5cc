"""Whose a store account is: each situation has its rule."""

import pytest

from service.model.apps import RestoreBehavior
from service.model.users import User
from service.rules.restoring import RESTORING, Act, Owner, decide, in_order, outcome, owner_is, shares

OLD = User("usr_old", "u-1", None, None, (), 1)
NEW = User("usr_new", "u-2", None, None, (), 2)
VISIT = User("usr_visit", "$anon:1", None, None, (), 0, verified=False)

EITHER = (False, True)

# owner, restores, shares its account, rule, what is done
SITUATIONS = [
    *((Owner.NOBODY, restores, shares, "first-claim", Act.CLAIM) for restores in EITHER for shares in EITHER),
    *((Owner.CALLER, restores, shares, "same-user", Act.NOTHING) for restores in EITHER for shares in EITHER),
    *(
        (Owner.ANONYMOUS, restores, shares, "anonymous-owner", Act.MERGE)
        for restores in EITHER
        for shares in EITHER
    ),
    *((Owner.IDENTIFIED, True, shares, "restore", Act.AS_THE_APP_SAYS) for shares in EITHER),
    (Owner.IDENTIFIED, False, True, "shared-purchase", Act.AS_THE_APP_SAYS),
    (Owner.IDENTIFIED, False, False, "refused-purchase", Act.REFUSE),
]


@pytest.mark.parametrize(("owner", "restores", "shares", "name", "act"), SITUATIONS)
def test_each_situation_has_its_rule(owner, restores, shares, name, act):
    rule = decide(owner=owner, restores=restores, shares=shares)

    assert (rule.name, rule.then) == (name, act)


def test_these_are_all_situations():
    assert len(SITUATIONS) == len(RESTORING.situations())


@pytest.mark.parametrize(
    ("behavior", "act"),
    [
        (RestoreBehavior.ALIAS, Act.MERGE),
        (RestoreBehavior.TRANSFER, Act.CLAIM),
        (RestoreBehavior.KEEP, Act.REFUSE),
    ],
    ids=lambda value: value.name.lower(),
)
def test_between_two_identified_users_the_app_says(behavior, act):
    rule = decide(owner=Owner.IDENTIFIED, restores=True, shares=False)

    assert outcome(rule, behavior) is act


@pytest.mark.parametrize("behavior", RestoreBehavior)
def test_elsewhere_the_app_has_no_say(behavior):
    said = {
        outcome(rule, behavior) is rule.then
        for rule in RESTORING.rules
        if rule.then is not Act.AS_THE_APP_SAYS
    }

    assert said == {True}


@pytest.mark.parametrize(
    ("owner", "kind"),
    [
        pytest.param(None, Owner.NOBODY, id="nobody"),
        pytest.param(NEW, Owner.CALLER, id="the caller"),
        pytest.param(VISIT, Owner.ANONYMOUS, id="an anonymous user"),
        pytest.param(OLD, Owner.IDENTIFIED, id="somebody else"),
    ],
)
def test_an_owner_is_of_one_kind(owner, kind):
    assert owner_is(owner, NEW) is kind


@pytest.mark.parametrize(
    ("one", "other", "stays"),
    [
        pytest.param(OLD, NEW, OLD, id="the older"),
        pytest.param(NEW, OLD, OLD, id="the older in the other order"),
        pytest.param(VISIT, NEW, NEW, id="the identified one, though younger"),
    ],
)
def test_of_two_who_are_merged_one_stays(one, other, stays):
    assert in_order(one, other)[0] is stays


@pytest.mark.parametrize(
    ("device", "user", "shared"),
    [
        pytest.param(None, VISIT, True, id="unset and anonymous"),
        pytest.param(None, OLD, False, id="unset and identified"),
        pytest.param(True, OLD, True, id="allowed"),
        pytest.param(False, VISIT, False, id="not allowed"),
    ],
)
def test_a_device_shares_what_was_said_of_it_or_is_anonymous(device, user, shared):
    assert shares(device, user) is shared
