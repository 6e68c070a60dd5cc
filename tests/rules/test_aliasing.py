"""What a further user ID does: each situation has its rule."""

import pytest

from service.model.users import User
from service.rules.aliasing import ALIASING, Act, Owner, UserId, decide

USER = User("usr_1", "u-1", None, None, ("$anon:mine",), 1)
OTHER = User("usr_2", "u-2", None, None, ("$anon:theirs",), 2)
VISIT = User("usr_3", "$anon:visit", None, None, (), 3, verified=False)
CLIENT = User("usr_4", "$RCAnonymousID:" + "a" * 32, None, None, (), 4)

SITUATIONS = [
    (Owner.NOBODY, UserId.PERSONAL, "alias", Act.LINK),
    (Owner.NOBODY, UserId.ANONYMOUS, "alias-of-nobody", Act.REFUSE),
    (Owner.THE_USER, UserId.PERSONAL, "alias-there", Act.NOTHING),
    (Owner.THE_USER, UserId.ANONYMOUS, "alias-there", Act.NOTHING),
    (Owner.ANONYMOUS, UserId.PERSONAL, "alias", Act.LINK),
    (Owner.ANONYMOUS, UserId.ANONYMOUS, "alias", Act.LINK),
    (Owner.IDENTIFIED, UserId.PERSONAL, "alias-of-another", Act.TAKEN),
    (Owner.IDENTIFIED, UserId.ANONYMOUS, "alias-of-another", Act.TAKEN),
]


@pytest.mark.parametrize(("owner", "user_id", "name", "act"), SITUATIONS)
def test_each_situation_has_its_rule(owner, user_id, name, act):
    rule = ALIASING.decide(owner, user_id)

    assert (rule.name, rule.then) == (name, act)


def test_these_are_all_situations():
    assert [case[:2] for case in SITUATIONS] == list(ALIASING.situations())


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


def test_nobody_identified_gives_up_an_id():
    linked = {owner for owner, _, _, act in SITUATIONS if act is Act.LINK}

    assert linked == {Owner.NOBODY, Owner.ANONYMOUS}
