"""Which user ID may be taken away or corrected, and what comes of it: each situation has its rule."""

from dataclasses import replace
from itertools import product

import pytest

from service.model.corrections import Correction, Removal
from service.model.users import User
from service.rules.correcting import (
    CORRECTING,
    REMOVING,
    Correct,
    Given,
    Keep,
    Left,
    Primary,
    Remove,
    Whose,
    decide_correction,
    decide_removal,
    outcome,
    primary_without,
)
from tests.support.cases import cases

JANE = User("usr_1", "u-1", "jane@example.org", None, ("$anon:mine", "u-2", "u-3"), 1)
ALONE = User("usr_2", "u-1", None, None, ("$anon:mine",), 1)
MAILED = User("usr_3", "u-1", "jane@example.org", None, ("$anon:mine",), 1)
UNCLAIMED = User("usr_4", None, "jane@example.org", None, ("$anon:mine",), 1)
VISIT = User("usr_5", "$anon:mine", None, None, ("$anon:theirs",), 1, verified=False)
OTHER = User("usr_6", "u-9", None, None, ("u-8",), 2)

CLEARED = replace(VISIT, cleared=True)
NOT_CLEARED = [primary for primary in Primary if primary is not Primary.CLEARED]

REMOVALS = [
    (Whose.THE_USERS, Left.THE_PRIMARY, "alias-removed", Remove.REMOVE),
    (Whose.THE_USERS, Left.ANOTHER_ID, "primary-id-removed", Remove.SUCCEED),
    (Whose.THE_USERS, Left.AN_EMAIL, "only-id-removed", Remove.UNCLAIM),
    (Whose.THE_USERS, Left.AN_UNCLAIMED_EMAIL, "one-unclaimed-too-many", Remove.UNCLAIMED_EMAIL),
    (Whose.THE_USERS, Left.NOTHING, "last-identifier", Remove.NOTHING_LEFT),
    *((Whose.NOT_THE_USERS, left, "id-not-there", Remove.NOT_FOUND) for left in Left),
]

CORRECTIONS = [
    *((Given.NOBODY, Primary.PERSONAL, *row) for row in (
        (Keep.YES, "user-id-renamed", Correct.DEMOTE),
        (Keep.NO, "user-id-corrected", Correct.REPLACE),
    )),
    *((Given.NOBODY, primary, keep, "first-user-id", Correct.GIVE)
      for primary, keep in product((Primary.ANONYMOUS, Primary.NONE), Keep)),
    *((given, Primary.CLEARED, keep, "id-of-the-cleared", Correct.CLEARED)
      for given, keep in product((Given.NOBODY, Given.THE_USER_AS_ALIAS), Keep)),
    *((Given.THE_USER_AS_PRIMARY, primary, keep, "id-is-primary", Correct.NOTHING)
      for primary, keep in product(Primary, Keep)),
    *((Given.THE_USER_AS_ALIAS, primary, *row) for primary, row in product(NOT_CLEARED, (
        (Keep.YES, "user-id-renamed", Correct.DEMOTE),
        (Keep.NO, "user-id-corrected", Correct.REPLACE),
    ))),
    *((Given.ANOTHER, primary, keep, "id-of-another", Correct.TAKEN)
      for primary, keep in product(Primary, Keep)),
]  # fmt: skip


@pytest.mark.parametrize(("whose", "left", "name", "act"), REMOVALS)
def test_each_removal_has_its_rule(whose, left, name, act):
    rule = REMOVING.decide(whose, left)

    assert (rule.name, rule.then) == (name, act)


@pytest.mark.parametrize(("given", "primary", "keep", "name", "act"), CORRECTIONS)
def test_each_correction_has_its_rule(given, primary, keep, name, act):
    rule = CORRECTING.decide(given, primary, keep)

    assert (rule.name, rule.then) == (name, act)


def test_these_are_all_situations():
    assert [case[:2] for case in REMOVALS] == list(REMOVING.situations())
    assert {case[:3] for case in CORRECTIONS} == set(CORRECTING.situations())
    assert len(CORRECTIONS) == len(list(CORRECTING.situations()))


@cases(
    "user, user_id, has_rival, name, primary",
    ("an alias", JANE, "u-2", False, "alias-removed", "u-1"),
    ("an anonymous user's", JANE, "$anon:mine", False, "alias-removed", "u-1"),
    ("the primary one of several", JANE, "u-1", True, "primary-id-removed", "u-2"),
    ("the only one beside an email", MAILED, "u-1", False, "only-id-removed", None),
    ("the only one beside an unclaimed email", MAILED, "u-1", True, "one-unclaimed-too-many", None),
    ("the only one", ALONE, "u-1", False, "last-identifier", None),
    ("what is left of who has an email", UNCLAIMED, "$anon:mine", False, "only-id-removed", None),
    ("an anonymous user's own", VISIT, "$anon:mine", False, "last-identifier", None),
    ("an anonymous user's alias", VISIT, "$anon:theirs", False, "alias-removed", "$anon:mine"),
    ("one that is not theirs", JANE, "U-1", False, "id-not-there", "u-1"),
)
def test_a_removal_is_decided_by_what_the_user_is_known_by_without_it(
    user, user_id, has_rival, name, primary
):
    assert decide_removal(user, user_id, has_rival=has_rival).name == name
    assert primary_without(user, user_id) == primary


@cases(
    "user, owner, user_id, keep, name",
    ("nobody's", JANE, None, "u-4", False, "user-id-corrected"),
    ("nobody's, and the former one is kept", JANE, None, "u-4", True, "user-id-renamed"),
    ("an alias", JANE, JANE, "u-2", False, "user-id-corrected"),
    ("the primary one", JANE, JANE, "u-1", True, "id-is-primary"),
    ("another's", JANE, OTHER, "u-9", False, "id-of-another"),
    ("another's alias", JANE, OTHER, "u-8", True, "id-of-another"),
    ("the first of an unclaimed user", UNCLAIMED, None, "u-4", False, "first-user-id"),
    ("the first of an anonymous user", VISIT, None, "u-4", True, "first-user-id"),
    ("the first of one who was cleared", CLEARED, None, "u-4", True, "id-of-the-cleared"),
)
def test_a_correction_is_decided_by_who_has_the_new_id_and_what_the_former_one_is(
    user, owner, user_id, keep, name
):
    assert decide_correction(user, owner, user_id, keep=keep).name == name


@cases(
    "user, change, then, user_ids, gone",
    ("an alias goes", JANE, Removal("u-2"), Remove.REMOVE, ("u-1", "$anon:mine", "u-3"), "u-2"),
    ("the primary one goes", JANE, Removal("u-1"), Remove.SUCCEED, ("u-2", "$anon:mine", "u-3"), "u-1"),
    ("the only one goes", MAILED, Removal("u-1"), Remove.UNCLAIM, ("$anon:mine",), "u-1"),
    ("a new one", ALONE, Correction("u-4", keep=False), Correct.REPLACE, ("u-4", "$anon:mine"), "u-1"),
    ("a new one beside it", ALONE, Correction("u-4", keep=True), Correct.DEMOTE,
     ("u-4", "u-1", "$anon:mine"), None),
    ("an alias is the primary one", OTHER, Correction("u-8", keep=False), Correct.REPLACE, ("u-8",), "u-9"),
    ("the first one", UNCLAIMED, Correction("u-4", keep=False), Correct.GIVE, ("u-4", "$anon:mine"), None),
    ("a visitor's first one", VISIT, Correction("u-4", keep=False), Correct.GIVE,
     ("u-4", "$anon:mine", "$anon:theirs"), None),
    ("the same", OTHER, Correction("u-9", keep=False), Correct.NOTHING, ("u-9", "u-8"), None),
    ("a refusal", OTHER, Removal("u-1"), Remove.NOT_FOUND, ("u-9", "u-8"), None),
)  # fmt: skip
def test_what_was_decided_tells_which_ids_are_left_and_which_one_goes(user, change, then, user_ids, gone):
    after, goes = outcome(user, change, then)

    assert (after.user_ids, goes) == (user_ids, gone)
    assert (after.user_id is None) == (then is Remove.UNCLAIM)


def test_nobody_identified_loses_an_id_to_another():
    taken = {given for given, _, _, _, act in CORRECTIONS if act is Correct.TAKEN}
    changed = {given for given, _, _, _, act in CORRECTIONS if act in (Correct.REPLACE, Correct.DEMOTE)}

    assert taken == {Given.ANOTHER}
    assert changed == {Given.NOBODY, Given.THE_USER_AS_ALIAS}
