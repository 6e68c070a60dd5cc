"""What does a proof cover, and with which keys is it read? (docs/rules.md)

The identity is what the proof says. What stands beside it in a body has to be in it and equal, or is not
given; but an HMAC covers one identifier only, and neither a name nor an attribute is an identity.
"""

from enum import Flag, StrEnum, auto

from service.model.apps import ProofKind
from service.model.attributes import Said, is_same
from service.model.identifiers import email_key
from service.rules.table import Rule, Table


class Member(Flag):
    """Which member stands beside the proof."""

    USER_ID = auto()
    EMAIL = auto()
    NAME = auto()
    ANY = USER_ID | EMAIL | NAME


class Form(Flag):
    """How a proof is made: a JWT covers all it says, an HMAC one identifier."""

    JWT = auto()
    HMAC = auto()
    ANY = JWT | HMAC


class Beside(Flag):
    """What is sent of that member, beside what the proof says of it."""

    NOT_SENT = auto()
    EQUAL = auto()
    DIFFERENT = auto()
    NOT_IN_THE_PROOF = auto()


class Sender(Flag):
    """Who sends both; a session is a client as a widget is."""

    BACKEND = auto()
    CLIENT = auto()
    ANY = BACKEND | CLIENT


class Take(StrEnum):
    """What is believed of the member."""

    PROVEN = "what the proof says of it, if anything"
    SENT = "what was sent"
    REFUSE = "401 `proof-invalid`"


COVERING: Table[Take] = Table(
    {"member": Member, "proof": Form, "sent beside it": Beside, "by": Sender},
    (
        Rule(
            "nothing-beside",
            (Member.ANY, Form.ANY, Beside.NOT_SENT | Beside.EQUAL, Sender.ANY),
            Take.PROVEN,
            "Nothing is sent beside the proof that it does not say itself.",
        ),
        Rule(
            "name-of-the-proof",
            (Member.NAME, Form.ANY, Beside.DIFFERENT, Sender.ANY),
            Take.PROVEN,
            "A name is no identity, and the proof's comes before another.",
        ),
        Rule(
            "name-beside",
            (Member.NAME, Form.ANY, Beside.NOT_IN_THE_PROOF, Sender.ANY),
            Take.SENT,
            "A name is no identity, and the proof has none.",
        ),
        Rule(
            "email-of-the-backend",
            (Member.EMAIL, Form.HMAC, Beside.NOT_IN_THE_PROOF, Sender.BACKEND),
            Take.SENT,
            "An HMAC covers the user ID alone, and of the email the backend is believed.",
        ),
        Rule(
            "email-of-a-client",
            (Member.EMAIL, Form.HMAC, Beside.NOT_IN_THE_PROOF, Sender.CLIENT),
            Take.PROVEN,
            "An HMAC covers the user ID alone, and of the email nobody else is believed.",
        ),
        Rule(
            "proof-of-another",
            (Member.USER_ID | Member.EMAIL, Form.ANY, Beside.DIFFERENT | Beside.NOT_IN_THE_PROOF, Sender.ANY),
            Take.REFUSE,
            "The proof is not of whoever is claimed.",
        ),
    ),
)


class Tell(StrEnum):
    """What is believed of an attribute."""

    PROVEN = "what the proof says of it"
    SENT = "what was sent"
    LEAVE_OUT = "what the proof says of it, if anything; what was sent is left out, as `not-proven`"


# Of each attribute that a proof says or that is sent, also where there is no proof.
DESCRIBING: Table[Tell] = Table(
    {"sent beside it": Beside, "by": Sender},
    (
        Rule(
            "attribute-proven",
            (Beside.NOT_SENT | Beside.EQUAL, Sender.ANY),
            Tell.PROVEN,
            "Nothing is sent of it that the proof does not say itself.",
        ),
        Rule(
            "attribute-of-the-proof",
            (Beside.DIFFERENT, Sender.BACKEND),
            Tell.PROVEN,
            "The proof says something else, and comes before what is sent.",
        ),
        Rule(
            "attribute-of-the-backend",
            (Beside.NOT_IN_THE_PROOF, Sender.BACKEND),
            Tell.SENT,
            "The app's own backend says it.",
        ),
        Rule(
            "attribute-of-a-client",
            (Beside.DIFFERENT | Beside.NOT_IN_THE_PROOF, Sender.CLIENT),
            Tell.LEAVE_OUT,
            "Anybody can say it, and nothing shows that it is true.",
        ),
    ),
)


class KeyFor(Flag):
    """What an identity key is for; none is made for both any more."""

    JWT = auto()
    HMAC = auto()
    HMAC_EMAIL = auto()
    BOTH = auto()


class Signed(Flag):
    """What is read as a proof; of what an HMAC is, only the body says."""

    JWT = auto()
    HMAC_OF_USER_ID = auto()
    HMAC_OF_EMAIL = auto()
    ANY = JWT | HMAC_OF_USER_ID | HMAC_OF_EMAIL


class Try(StrEnum):
    """Whether a proof is read with the key."""

    TRY = "the proof is read with this key"
    SKIP = "it is not"


KEYS: Table[Try] = Table(
    {"key for": KeyFor, "proof": Signed},
    (
        Rule("key-for-both", (KeyFor.BOTH, Signed.ANY), Try.TRY, "The key is older than the choice."),
        Rule("key-for-jwt", (KeyFor.JWT, Signed.JWT), Try.TRY, "The key is for JWTs."),
        Rule("key-for-hmac", (KeyFor.HMAC, Signed.HMAC_OF_USER_ID), Try.TRY, "It is for HMACs of user IDs."),
        Rule(
            "key-for-hmac-email",
            (KeyFor.HMAC_EMAIL, Signed.HMAC_OF_EMAIL),
            Try.TRY,
            "The key is for HMACs of emails.",
        ),
        Rule(
            "key-for-another",
            (KeyFor.JWT | KeyFor.HMAC | KeyFor.HMAC_EMAIL, Signed.ANY),
            Try.SKIP,
            "A JWT's signature is an HMAC, and a user ID may read like an email, so what a key signs for one "
            "purpose is no proof for another.",
        ),
    ),
)


def cover(
    member: Member, proven: str | None, sent: str | None, *, form: Form, by_backend: bool
) -> Rule[Take]:
    """Return which rule decides what is believed of a member, of which a proof says ``proven``, and what
    stands beside it ``sent``."""
    sender = Sender.BACKEND if by_backend else Sender.CLIENT
    return COVERING.decide(member, form, _beside(member, proven, sent), sender)


def describe(name: str, proven: Said, sent: Said, *, by_backend: bool) -> Rule[Tell]:
    """Return which rule decides what is believed of an attribute, of what a proof says and what was sent."""
    if name not in sent:
        beside = Beside.NOT_SENT
    elif name not in proven:
        beside = Beside.NOT_IN_THE_PROOF
    else:
        beside = Beside.EQUAL if is_same(proven[name], sent[name]) else Beside.DIFFERENT
    return DESCRIBING.decide(beside, Sender.BACKEND if by_backend else Sender.CLIENT)


def may_have_made(key: ProofKind, form: Form, *, of_user_id: bool) -> bool:
    """Return whether a proof of this form, if an HMAC then of a user ID or else of an email, is read with a
    key for that kind."""
    of = Signed.HMAC_OF_USER_ID if of_user_id else Signed.HMAC_OF_EMAIL
    return KEYS.decide(KeyFor[key.name], Signed.JWT if form is Form.JWT else of).then is Try.TRY


def _beside(member: Member, proven: str | None, sent: str | None) -> Beside:
    if sent is None:
        return Beside.NOT_SENT
    if proven is None:
        return Beside.NOT_IN_THE_PROOF
    is_equal = email_key(proven) == email_key(sent) if member is Member.EMAIL else proven == sent
    return Beside.EQUAL if is_equal else Beside.DIFFERENT
