"""What RevenueCat's clients do with IDs, before anything else is decided (docs/rules.md).

Their calls make whoever they name, and an anonymous ID of a client is registered on first sight. To
``identify`` is to log in: who that is, is decided by ``login.py``, and what becomes of the anonymous user who
was there before, by ``anonymous.py``.
"""

from enum import Flag, StrEnum, auto

from service.model.identifiers import is_anonymous, is_client_made
from service.rules.table import Rule, Table


class Id(Flag):
    """What an ID looks like: a person's, or an anonymous one, as clients make them or not."""

    PERSONAL = auto()
    CLIENT_MADE = auto()
    OTHER_ANONYMOUS = auto()
    ANY = PERSONAL | CLIENT_MADE | OTHER_ANONYMOUS


class Names(Flag):
    """Whom an ID names in a call: the subscriber whom it is about, who was there until now, or whoever is to
    be part of them."""

    SUBSCRIBER = auto()
    WHO_WAS_THERE = auto()
    ALIAS = auto()
    ANY = SUBSCRIBER | WHO_WAS_THERE | ALIAS


class Make(StrEnum):
    """What becomes of an ID that nobody has."""

    MAKE = "a user is made for it"
    NOBODY = "it is nobody's still"
    REFUSE = "7220"


SIGHTING: Table[Make] = Table(
    {"the ID": Id, "names": Names},
    (
        Rule(
            "client-seen", (Id.CLIENT_MADE, Names.ANY), Make.MAKE, "A client made it for somebody who is new."
        ),
        Rule(
            "impossible-id",
            (Id.OTHER_ANONYMOUS, Names.SUBSCRIBER | Names.WHO_WAS_THERE),
            Make.REFUSE,
            "No anonymous user has this ID, and no client makes such a one.",
        ),
        Rule(
            "subscriber-seen",
            (Id.PERSONAL, Names.SUBSCRIBER),
            Make.MAKE,
            "Whom a call is about is there from then on.",
        ),
        Rule(
            "not-seen",
            (Id.PERSONAL | Id.OTHER_ANONYMOUS, Names.WHO_WAS_THERE | Names.ALIAS),
            Make.NOBODY,
            "Nobody has this ID, and nobody need have it.",
        ),
    ),
)


class Both(Flag):
    """Whether the two IDs lead to one user, or are one."""

    ONE = auto()
    TWO = auto()
    ANY = ONE | TWO


class Identify(StrEnum):
    """What a call to identify is."""

    NOTHING = "nothing"
    LOGIN = "a login, by the tables above"
    REFUSE = "7220"


IDENTIFYING: Table[Identify] = Table(
    {"the two IDs": Both, "the new one": Id},
    (
        Rule("as-oneself", (Both.ONE, Id.ANY), Identify.NOTHING, "Whoever is there logs in as themselves."),
        Rule(
            "as-somebody-anonymous",
            (Both.TWO, Id.CLIENT_MADE | Id.OTHER_ANONYMOUS),
            Identify.REFUSE,
            "Nobody logs in as an anonymous user.",
        ),
        Rule("as-somebody", (Both.TWO, Id.PERSONAL), Identify.LOGIN, "To identify is to log in."),
    ),
)


def see(id: str, names: Names) -> Rule[Make]:
    """Return which rule decides what becomes of an ID that nobody has."""
    return SIGHTING.decide(_kind(id), names)


def identify(new: str, *, is_same: bool) -> Rule[Identify]:
    """Return which rule decides what it is to identify as a new ID."""
    return IDENTIFYING.decide(Both.ONE if is_same else Both.TWO, _kind(new))


def _kind(id: str) -> Id:
    if not is_anonymous(id):
        return Id.PERSONAL
    return Id.CLIENT_MADE if is_client_made(id) else Id.OTHER_ANONYMOUS
