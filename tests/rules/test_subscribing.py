"""Whom RevenueCat's clients name: each situation has its rule."""

import pytest

from service.rules.subscribing import (
    IDENTIFYING,
    SIGHTING,
    Both,
    Id,
    Identify,
    Make,
    Names,
    identify,
    see,
)

PERSONAL, CLIENT_MADE, OTHER = IDS = ("u-1", "$RCAnonymousID:" + "0a" * 16, "$anon:visit")
KINDS = dict(zip(IDS, Id, strict=True))

SEEN = [
    (PERSONAL, Names.SUBSCRIBER, "subscriber-seen", Make.MAKE),
    (PERSONAL, Names.WHO_WAS_THERE, "not-seen", Make.NOBODY),
    (PERSONAL, Names.ALIAS, "not-seen", Make.NOBODY),
    (CLIENT_MADE, Names.SUBSCRIBER, "client-seen", Make.MAKE),
    (CLIENT_MADE, Names.WHO_WAS_THERE, "client-seen", Make.MAKE),
    (CLIENT_MADE, Names.ALIAS, "client-seen", Make.MAKE),
    (OTHER, Names.SUBSCRIBER, "impossible-id", Make.REFUSE),
    (OTHER, Names.WHO_WAS_THERE, "impossible-id", Make.REFUSE),
    (OTHER, Names.ALIAS, "not-seen", Make.NOBODY),
]
LOGINS = [
    (True, PERSONAL, "as-oneself", Identify.NOTHING),
    (True, CLIENT_MADE, "as-oneself", Identify.NOTHING),
    (True, OTHER, "as-oneself", Identify.NOTHING),
    (False, PERSONAL, "as-somebody", Identify.LOGIN),
    (False, CLIENT_MADE, "as-somebody-anonymous", Identify.REFUSE),
    (False, OTHER, "as-somebody-anonymous", Identify.REFUSE),
]


@pytest.mark.parametrize(("id", "names", "rule", "then"), SEEN)
def test_an_id_that_nobody_has_makes_somebody_or_not(id, names, rule, then):
    decided = see(id, names)

    assert (decided.name, decided.then) == (rule, then)


@pytest.mark.parametrize(("same", "new", "rule", "then"), LOGINS)
def test_nobody_logs_in_as_an_anonymous_user_but_themselves(same, new, rule, then):
    decided = identify(new, is_same=same)

    assert (decided.name, decided.then) == (rule, then)


def test_these_are_all_situations():
    seen = [(KINDS[id], names) for id, names, *_ in SEEN]
    logins = [(Both.ONE if same else Both.TWO, KINDS[new]) for same, new, *_ in LOGINS]

    assert (seen, logins) == (list(SIGHTING.situations()), list(IDENTIFYING.situations()))
