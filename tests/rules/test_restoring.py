"""The table of purchases and restores: every situation decided, no row idle, one example per rule."""

import pytest

from service.rules.restoring import RESTORING, Act, Owner, decide


def test_every_situation_is_decided():
    decided = [RESTORING.decide(*situation) for situation in RESTORING.situations()]

    assert len(decided) == 16


def test_no_row_is_idle():
    deciding = {RESTORING.decide(*situation).name for situation in RESTORING.situations()}

    assert deciding == {rule.name for rule in RESTORING.rules}


@pytest.mark.parametrize(
    ("owner", "restores", "shares", "name", "act"),
    [
        (Owner.NOBODY, False, False, "first-claim", Act.CLAIM),
        (Owner.CALLER, False, False, "same-user", Act.NOTHING),
        (Owner.ANONYMOUS, False, False, "anonymous-owner", Act.MERGE),
        (Owner.IDENTIFIED, True, False, "restore", Act.AS_THE_APP_SAYS),
        (Owner.IDENTIFIED, False, True, "shared-purchase", Act.AS_THE_APP_SAYS),
        (Owner.IDENTIFIED, False, False, "refused-purchase", Act.REFUSE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_rule_decides_its_example(owner, restores, shares, name, act):
    rule = decide(owner=owner, restores=restores, shares=shares)

    assert (rule.name, rule.then) == (name, act)


def test_an_anonymous_owner_is_merged_whatever_is_done():
    rules = {
        decide(owner=Owner.ANONYMOUS, restores=restores, shares=shares).name
        for restores in (True, False)
        for shares in (True, False)
    }

    assert rules == {"anonymous-owner"}
