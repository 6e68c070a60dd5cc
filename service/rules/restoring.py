"""Whose is a store account? The rules of purchase and restore (docs/rules.md).

A store account is the evidence by which two IDs turn out to be one person. What happens between two
identified users is the app's to say (``restoreBehavior``), and a purchase never decides it where the
device does not share its account.
"""

from enum import Flag, StrEnum, auto
from typing import Literal

from service.model.apps import RestoreBehavior
from service.model.identifiers import is_anonymous
from service.model.users import User
from service.rules.table import Rule, Table


class Owner(Flag):
    """Whose the account is."""

    NOBODY = auto()
    CALLER = auto()
    ANONYMOUS = auto()
    IDENTIFIED = auto()


class Doing(Flag):
    """What the caller does."""

    RESTORE = auto()
    PURCHASE = auto()
    ANY = RESTORE | PURCHASE


class Sharing(Flag):
    """Whether the device shares its store account."""

    ALLOWED = auto()
    NOT_ALLOWED = auto()
    ANY = ALLOWED | NOT_ALLOWED


class Act(StrEnum):
    """What becomes of the account, and of the two users."""

    CLAIM = "it becomes the caller's"
    NOTHING = "nothing"
    MERGE = "the two are merged"
    AS_THE_APP_SAYS = "as the app's `restoreBehavior` says"
    REFUSE = "409 `store-account-taken`"


RESTORING: Table[Act] = Table(
    {"account's owner": Owner, "act": Doing, "sharing": Sharing},
    (
        Rule(
            "first-claim",
            (Owner.NOBODY, Doing.ANY, Sharing.ANY),
            Act.CLAIM,
            "The store account was nobody's.",
        ),
        Rule(
            "same-user",
            (Owner.CALLER, Doing.ANY, Sharing.ANY),
            Act.NOTHING,
            "The store account is this user's.",
        ),
        Rule(
            "anonymous-owner",
            (Owner.ANONYMOUS, Doing.ANY, Sharing.ANY),
            Act.MERGE,
            "The store account was an anonymous user's, so the two are one person.",
        ),
        Rule(
            "restore",
            (Owner.IDENTIFIED, Doing.RESTORE, Sharing.ANY),
            Act.AS_THE_APP_SAYS,
            "The store account was another user's, and the app says what a restore does.",
        ),
        Rule(
            "shared-purchase",
            (Owner.IDENTIFIED, Doing.PURCHASE, Sharing.ALLOWED),
            Act.AS_THE_APP_SAYS,
            "The store account was another user's, the device shares it, and the app says what that does.",
        ),
        Rule(
            "refused-purchase",
            (Owner.IDENTIFIED, Doing.PURCHASE, Sharing.NOT_ALLOWED),
            Act.REFUSE,
            "The store account is another user's, and the device does not share it.",
        ),
    ),
)


# What an act is in the end, once the app has said what it wants.
Outcome = Literal[Act.CLAIM, Act.NOTHING, Act.MERGE, Act.REFUSE]

# What the app says that becomes of an account between two identified users.
BEHAVIORS: dict[RestoreBehavior, Outcome] = {
    RestoreBehavior.ALIAS: Act.MERGE,
    RestoreBehavior.TRANSFER: Act.CLAIM,
    RestoreBehavior.KEEP: Act.REFUSE,
}


def decide(*, owner: Owner, restores: bool, shares: bool) -> Rule[Act]:
    """Return which rule decides a purchase or a restore."""
    return RESTORING.decide(
        owner,
        Doing.RESTORE if restores else Doing.PURCHASE,
        Sharing.ALLOWED if shares else Sharing.NOT_ALLOWED,
    )


def outcome(rule: Rule[Act], behavior: RestoreBehavior) -> Outcome:
    """Return what a rule does in an app of this ``restoreBehavior``."""
    return BEHAVIORS[behavior] if rule.then is Act.AS_THE_APP_SAYS else rule.then


def owner_is(owner: User | None, caller: User) -> Owner:
    """Return which member of the owner's column is the case."""
    if owner is None:
        return Owner.NOBODY
    if owner.id == caller.id:
        return Owner.CALLER
    return Owner.ANONYMOUS if is_anonymous(owner.user_id) else Owner.IDENTIFIED


def in_order(one: User, other: User) -> tuple[User, User]:
    """Return of two who are merged who stays and who goes: the identified one stays, then the older."""
    stays, goes = sorted(
        (one, other), key=lambda user: (is_anonymous(user.user_id), user.created_at, user.id)
    )
    return stays, goes


def shares(device: bool | None, user: User) -> bool:
    """Return whether a device shares its store account: as was said of it, else if its user is anonymous."""
    return is_anonymous(user.user_id) if device is None else device
