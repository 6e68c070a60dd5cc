"""What a session may ask for, and what it has to show: each situation has its rule."""

import pytest

from service.model.apps import Switch
from service.rules.believing import Proof
from service.rules.sessions import ALLOWING, SHOWING, Allow, Asks, Show, allow, show

ON, OFF = Switch.ON, Switch.OFF

MAY_ASK = [
    (Asks.ALIAS, False, ON, "session-may-prove", Allow.PROOF),
    (Asks.ALIAS, False, OFF, "session-may-prove", Allow.PROOF),
    (Asks.ALIAS, True, ON, "unproven-session", Allow.REFUSE),
    (Asks.ALIAS, True, OFF, "unproven-session", Allow.REFUSE),
    (Asks.STORE_ACCOUNT, False, ON, "session-may-prove", Allow.PROOF),
    (Asks.STORE_ACCOUNT, False, OFF, "no-client-purchases", Allow.REFUSE),
    (Asks.STORE_ACCOUNT, True, ON, "unproven-session", Allow.REFUSE),
    (Asks.STORE_ACCOUNT, True, OFF, "unproven-session", Allow.REFUSE),
]
HAS_TO_SHOW = [
    (Asks.ALIAS, Proof.NONE, "nothing-shown", Show.REQUIRE),
    (Asks.ALIAS, Proof.JWT, "shown-id", Show.USER_ID),
    (Asks.ALIAS, Proof.HMAC, "shown-id", Show.USER_ID),
    (Asks.STORE_ACCOUNT, Proof.NONE, "nothing-shown", Show.REQUIRE),
    (Asks.STORE_ACCOUNT, Proof.JWT, "shown-account", Show.STORE_ACCOUNT),
    (Asks.STORE_ACCOUNT, Proof.HMAC, "uncovered-account", Show.REFUSE),
]


@pytest.mark.parametrize(("asks", "unproven", "purchases", "name", "then"), MAY_ASK)
def test_who_is_proven_may_ask_for_what_the_app_allows(asks, unproven, purchases, name, then):
    rule = allow(asks, unproven=unproven, purchases=purchases)

    assert (rule.name, rule.then) == (name, then)


@pytest.mark.parametrize(("asks", "proof", "name", "then"), HAS_TO_SHOW)
def test_a_session_shows_what_it_asks_for(asks, proof, name, then):
    rule = show(asks, proof)

    assert (rule.name, rule.then) == (name, then)


def test_these_are_all_situations():
    assert len(MAY_ASK) == len(ALLOWING.situations())
    assert [case[:2] for case in HAS_TO_SHOW] == list(SHOWING.situations())


def test_no_session_gets_anything_by_its_word():
    assert {show(asks, Proof.NONE).then for asks in Asks} == {Show.REQUIRE}
