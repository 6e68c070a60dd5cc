"""Who is believed, and how far? Asked before anybody is looked for (docs/rules.md).

What a proof covers is in ``covering.py``, and what a session is believed in ``sessions.py``.

What this module may not know: how a signature is checked. A proof that shows nothing is no situation here, as
whoever reads it refuses it.
"""

from enum import Flag, StrEnum, auto

from service.model.apps import Verification
from service.rules.table import Rule, Table


class Caller(Flag):
    """Who says it: with a secret key, with a publishable key, or with that as RevenueCat's clients do."""

    BACKEND = auto()
    WIDGET = auto()
    REVENUECAT = auto()
    ANY = BACKEND | WIDGET | REVENUECAT


class Says(Flag):
    """Who it is said to be: nobody, nobody with whatever was left out, or somebody."""

    NOBODY = auto()
    NOTHING_USABLE = auto()
    AN_IDENTITY = auto()
    ANY = NOBODY | NOTHING_USABLE | AN_IDENTITY


class Proof(Flag):
    """What is sent as a proof."""

    NONE = auto()
    JWT = auto()
    HMAC = auto()
    GIVEN = JWT | HMAC
    ANY = NONE | GIVEN


class IdentityVerification(Flag):
    """The app's setting."""

    REQUIRED = auto()
    OFF = auto()
    ANY = REQUIRED | OFF


class Act(StrEnum):
    """How far a login is believed."""

    BELIEVE = "all that is sent; the session of somebody is verified"
    PROVE = "what the proof covers; the session is verified. 401 `proof-invalid` if it shows nothing"
    CLAIM = "what is sent, in the unproven world"
    ANONYMOUS = "the device's anonymous user; the session is not verified"
    REFUSE = "422, with what was left out"
    REQUIRE = "401 `proof-required`"


BELIEVING: Table[Act] = Table(
    {"caller": Caller, "says": Says, "proof": Proof, "identityVerification": IdentityVerification},
    (
        Rule(
            "trust-of-revenuecat",
            (Caller.REVENUECAT, Says.ANY, Proof.ANY, IdentityVerification.ANY),
            Act.CLAIM,
            "RevenueCat's clients prove nothing, and whoever knows an ID is believed there.",
        ),
        Rule(
            "by-proof",
            (Caller.BACKEND | Caller.WIDGET, Says.ANY, Proof.GIVEN, IdentityVerification.ANY),
            Act.PROVE,
            "A proof was sent, so the identity is taken from it, whoever passes it on.",
        ),
        Rule(
            "nothing-usable",
            (Caller.BACKEND | Caller.WIDGET, Says.NOTHING_USABLE, Proof.NONE, IdentityVerification.ANY),
            Act.REFUSE,
            "What was sent can't be used, and nothing else says who it is.",
        ),
        Rule(
            "word-of-the-backend",
            (Caller.BACKEND, Says.NOBODY | Says.AN_IDENTITY, Proof.NONE, IdentityVerification.ANY),
            Act.BELIEVE,
            "The app's own backend says who it is.",
        ),
        Rule(
            "nobody-claimed",
            (Caller.WIDGET, Says.NOBODY, Proof.NONE, IdentityVerification.ANY),
            Act.ANONYMOUS,
            "Nobody is claimed, so there is nothing to prove.",
        ),
        Rule(
            "no-proof-needed",
            (Caller.WIDGET, Says.AN_IDENTITY, Proof.NONE, IdentityVerification.OFF),
            Act.CLAIM,
            "The app asks for no proof, so anybody may claim it.",
        ),
        Rule(
            "no-proof-sent",
            (Caller.WIDGET, Says.AN_IDENTITY, Proof.NONE, IdentityVerification.REQUIRED),
            Act.REQUIRE,
            "Somebody is claimed, and nothing shows that it is true.",
        ),
    ),
)


def decide(caller: Caller, says: Says, proof: Proof, verification: Verification) -> Rule[Act]:
    """Return which rule decides how far a login is believed."""
    return BELIEVING.decide(caller, says, proof, IdentityVerification[verification.name])


def is_word_believed(caller: Caller, verification: Verification) -> bool:
    """Return whether a caller is believed who names somebody and proves nothing."""
    return decide(caller, Says.AN_IDENTITY, Proof.NONE, verification).then is Act.BELIEVE


# Who is believed who names somebody and proves nothing, whatever the app asks for.
ALWAYS_BELIEVED = [caller for caller in Caller if all(is_word_believed(caller, one) for one in Verification)]
