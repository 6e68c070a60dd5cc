"""What may a session ask for beyond talking, and what has it to show? (docs/rules.md)

A session is believed about who it is. Of a further user ID, or of a store account, it may know no more than
the name, and whoever has that is the person who had it before. So this is proven, as an identity is.
"""

from enum import Flag, StrEnum, auto

from service.model.apps import Switch
from service.rules.believing import Proof
from service.rules.merging import World
from service.rules.table import Rule, Table


class Asks(Flag):
    """For what a session asks."""

    ALIAS = auto()
    STORE_ACCOUNT = auto()
    ANY = ALIAS | STORE_ACCOUNT


class ClientPurchases(Flag):
    """The app's setting."""

    ON = auto()
    OFF = auto()
    ANY = ON | OFF


class Allow(StrEnum):
    """Whether a session may ask."""

    PROOF = "with a proof"
    REFUSE = "403"


ALLOWING: Table[Allow] = Table(
    {"asks for": Asks, "world": World, "clientPurchases": ClientPurchases},
    (
        Rule(
            "unproven-session",
            (Asks.ANY, World.UNPROVEN, ClientPurchases.ANY),
            Allow.REFUSE,
            "Nobody proved whose session it is, so nothing is proven of it.",
        ),
        Rule(
            "no-client-purchases",
            (Asks.STORE_ACCOUNT, World.PROVEN, ClientPurchases.OFF),
            Allow.REFUSE,
            "The app leaves purchases to its backend.",
        ),
        Rule(
            "session-may-prove",
            (Asks.ANY, World.PROVEN, ClientPurchases.ANY),
            Allow.PROOF,
            "A session's word is no evidence, and a proof is.",
        ),
    ),
)


class Show(StrEnum):
    """What a session's proof has to show."""

    USER_ID = "it has to cover the new ID, else 401 `proof-invalid`"
    STORE_ACCOUNT = "it has to name the session's user and the account, else 401 `proof-invalid`"
    REQUIRE = "401 `proof-required`"
    REFUSE = "401 `proof-invalid`"


SHOWING: Table[Show] = Table(
    {"asks for": Asks, "proof": Proof},
    (
        Rule("nothing-shown", (Asks.ANY, Proof.NONE), Show.REQUIRE, "A session's word is no evidence."),
        Rule("shown-id", (Asks.ALIAS, Proof.GIVEN), Show.USER_ID, "Whoever has the proof has the ID."),
        Rule(
            "shown-account",
            (Asks.STORE_ACCOUNT, Proof.JWT),
            Show.STORE_ACCOUNT,
            "A JWT says to whom the account belongs.",
        ),
        Rule(
            "uncovered-account",
            (Asks.STORE_ACCOUNT, Proof.HMAC),
            Show.REFUSE,
            "An HMAC covers one identifier, and a store account is none.",
        ),
    ),
)


def allow(asks: Asks, *, unproven: bool, purchases: Switch) -> Rule[Allow]:
    """Return which rule decides whether a session may ask."""
    world = World.UNPROVEN if unproven else World.PROVEN
    return ALLOWING.decide(asks, world, ClientPurchases[purchases.name])


def show(asks: Asks, proof: Proof) -> Rule[Show]:
    """Return which rule decides what a session has to show."""
    return SHOWING.decide(asks, proof)
