"""What a further user ID does: each situation has its rule."""

from dataclasses import replace

import pytest

from service.model.users import User
from service.rules.aliasing import ALIASING, Act, Owner, UserId, Whom, decide

USER = User("usr_1", "u-1", None, None, ("$anon:mine",), 1)
OTHER = User("usr_2", "u-2", None, None, ("$anon:theirs",), 2)
VISIT = User("usr_3", "$anon:visit", None, None, (), 3, verified=False)
CLIENT = User("usr_4", "$RCAnonymousID:" + "a" * 32, None, None, (), 4)

CLEARED = replace(VISIT, id="usr_5", user_id="$anon:cleared", cleared=True)

# By who has the ID, and its look: what becomes of it, and what where it is to lead to somebody cleared.
LINKED = ("alias", Act.LINK), ("alias-of-the-cleared", Act.CLEARED)
WHOEVER = {
    (Owner.NOBODY, UserId.PERSONAL): LINKED,
    (Owner.NOBODY, UserId.ANONYMOUS): (("alias-of-nobody", Act.REFUSE),) * 2,
    (Owner.THE_USER, UserId.PERSONAL): (("alias-there", Act.NOTHING),) * 2,
    (Owner.THE_USER, UserId.ANONYMOUS): (("alias-there", Act.NOTHING),) * 2,
    (Owner.ANONYMOUS, UserId.PERSONAL): LINKED,
    (Owner.ANONYMOUS, UserId.ANONYMOUS): LINKED,
    (Owner.IDENTIFIED, UserId.PERSONAL): (("alias-of-another", Act.TAKEN),) * 2,
    (Owner.IDENTIFIED, UserId.ANONYMOUS): (("alias-of-another", Act.TAKEN),) * 2,
}
SITUATIONS = [
    (*situation, whom, *then)
    for situation, (else_, cleared) in WHOEVER.items()
    for whom, then in ((Whom.CLEARED, cleared), (Whom.ANYBODY_ELSE, else_))
]


@pytest.mark.parametrize(("owner", "user_id", "whom", "name", "act"), SITUATIONS)
def test_each_situation_has_its_rule(owner, user_id, whom, name, act):
    rule = ALIASING.decide(owner, user_id, whom)

    assert (rule.name, rule.then) == (name, act)


def test_these_are_all_situations():
    assert [case[:3] for case in SITUATIONS] == list(ALIASING.situations())


@pytest.mark.parametrize(
    ("owner", "user_id", "name"),
    [
        pytest.param(None, "u-new", "alias", id="nobody's"),
        pytest.param(None, "$anon:gone", "alias-of-nobody", id="of an anonymous user who is none"),
        pytest.param(USER, "u-1", "alias-there", id="the user's"),
        pytest.param(USER, "$anon:mine", "alias-there", id="of an anonymous user who became the user"),
        pytest.param(VISIT, "$anon:visit", "alias", id="a device's anonymous user's"),
        pytest.param(CLIENT, CLIENT.user_id, "alias", id="an anonymous user's whom a client made"),
        pytest.param(OTHER, "u-2", "alias-of-another", id="another's"),
        pytest.param(OTHER, "$anon:theirs", "alias-of-another", id="of one who became another"),
    ],
)
def test_an_id_is_decided_about_by_its_owner_and_its_look(owner, user_id, name):
    assert decide(USER, owner, user_id).name == name


def test_whoever_was_cleared_is_given_no_id():
    assert decide(CLEARED, None, "u-new").name == "alias-of-the-cleared"
    assert {act for *_, whom, _, act in SITUATIONS if whom is Whom.CLEARED} >= {Act.CLEARED}
    assert Act.LINK not in {act for *_, whom, _, act in SITUATIONS if whom is Whom.CLEARED}


def test_nobody_identified_gives_up_an_id():
    linked = {owner for owner, *_, act in SITUATIONS if act is Act.LINK}

    assert linked == {Owner.NOBODY, Owner.ANONYMOUS}
