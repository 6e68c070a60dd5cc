"""What does a further user ID do? The rules of aliases, whoever asks for one (docs/rules.md).

An alias is given to a user by their app's backend, by a proof, or by one of RevenueCat's clients. It never
makes one of two identified users: whoever has an ID of their own keeps it. Who has the ID in the other world
is somebody else, and is not asked about.
"""

from enum import Flag, StrEnum, auto

from service.model.identifiers import is_anonymous
from service.model.users import User
from service.rules.table import Rule, Table


class Owner(Flag):
    """Who has the ID until now."""

    NOBODY = auto()
    THE_USER = auto()
    ANONYMOUS = auto()
    IDENTIFIED = auto()


class UserId(Flag):
    """What the ID looks like: a person's, or one that is made for anonymous users."""

    PERSONAL = auto()
    ANONYMOUS = auto()
    ANY = PERSONAL | ANONYMOUS


class Whom(Flag):
    """Whom the ID is to lead to: an anonymous user who was cleared, or anybody else."""

    CLEARED = auto()
    ANYBODY_ELSE = auto()
    ANY = CLEARED | ANYBODY_ELSE


class Act(StrEnum):
    """What becomes of the ID."""

    NOTHING = "nothing"
    REFUSE = "422 `reserved`"
    LINK = "it leads to the user; an anonymous user who has it becomes part of them"
    TAKEN = "409 `alias-taken`"
    CLEARED = "409 `user-cleared`"


ALIASING: Table[Act] = Table(
    {"who has it": Owner, "the ID": UserId, "the user": Whom},
    (
        Rule(
            "alias-there",
            (Owner.THE_USER, UserId.ANY, Whom.ANY),
            Act.NOTHING,
            "The user has this ID already.",
        ),
        Rule(
            "alias-of-nobody",
            (Owner.NOBODY, UserId.ANONYMOUS, Whom.ANY),
            Act.REFUSE,
            "No anonymous user has this ID.",
        ),
        Rule(
            "alias-of-another",
            (Owner.IDENTIFIED, UserId.ANY, Whom.ANY),
            Act.TAKEN,
            "Another identified user has this user ID.",
        ),
        Rule(
            "alias-of-the-cleared",
            (Owner.NOBODY | Owner.ANONYMOUS, UserId.ANY, Whom.CLEARED),
            Act.CLEARED,
            "No end user is ever an anonymous user again who was cleared.",
        ),
        Rule(
            "alias",
            (Owner.NOBODY | Owner.ANONYMOUS, UserId.ANY, Whom.ANYBODY_ELSE),
            Act.LINK,
            "Nobody identified had this ID.",
        ),
    ),
)


def decide(user: User, owner: User | None, user_id: str) -> Rule[Act]:
    """Return which rule decides what an ID does that is to lead to a user, and is the ``owner``'s by now."""
    kind = UserId.ANONYMOUS if is_anonymous(user_id) else UserId.PERSONAL
    return ALIASING.decide(_owner(user, owner), kind, Whom.CLEARED if user.cleared else Whom.ANYBODY_ELSE)


def _owner(user: User, owner: User | None) -> Owner:
    if owner is None:
        return Owner.NOBODY
    if owner.id == user.id:
        return Owner.THE_USER
    return Owner.ANONYMOUS if is_anonymous(owner.user_id) else Owner.IDENTIFIED
