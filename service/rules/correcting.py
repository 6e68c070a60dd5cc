"""May a user ID be taken away, or the primary one be corrected, and what comes of it? (docs/rules.md)

An ID that was mistyped, or an account that was renamed, is set right here. Whoever has the ID in the other
world is somebody else, and is not asked about. The ID that goes is nobody's from then on, and never becomes
anybody's by the undo of a merge. Nobody loses the last that they are known by: whoever is known is never
anonymous again, or a device that proved nothing would see what they wrote.
"""

from dataclasses import replace
from enum import Flag, StrEnum, auto
from typing import assert_never

from service.model.corrections import Change
from service.model.identifiers import is_anonymous, primary_of
from service.model.users import User
from service.rules.table import Rule, Table


class Whose(Flag):
    """Whether the user has the ID that is to be taken away."""

    THE_USERS = auto()
    NOT_THE_USERS = auto()


class Left(Flag):
    """What the user is known by without it: the primary ID as before, another that is no anonymous user's,
    the email alone, which an unclaimed user may have, or nothing."""

    THE_PRIMARY = auto()
    ANOTHER_ID = auto()
    AN_EMAIL = auto()
    AN_UNCLAIMED_EMAIL = auto()
    NOTHING = auto()
    ANY = THE_PRIMARY | ANOTHER_ID | AN_EMAIL | AN_UNCLAIMED_EMAIL | NOTHING


class Remove(StrEnum):
    """What becomes of an ID that is to be taken away."""

    NOT_FOUND = "404"
    NOTHING_LEFT = "409 `nothing-left`"
    UNCLAIMED_EMAIL = "409 `unclaimed-email`"
    REMOVE = "it is nobody's; the primary ID stays"
    SUCCEED = "it is nobody's; the oldest alias is the primary ID"
    UNCLAIM = "it is nobody's; the user is unclaimed"


REMOVING: Table[Remove] = Table(
    {"the ID": Whose, "is left": Left},
    (
        Rule("id-not-there", (Whose.NOT_THE_USERS, Left.ANY), Remove.NOT_FOUND, "The user has no such ID."),
        Rule(
            "last-identifier",
            (Whose.THE_USERS, Left.NOTHING),
            Remove.NOTHING_LEFT,
            "The user would have neither a user ID nor an email.",
        ),
        Rule(
            "one-unclaimed-too-many",
            (Whose.THE_USERS, Left.AN_UNCLAIMED_EMAIL),
            Remove.UNCLAIMED_EMAIL,
            "An unclaimed user has the email that would be left.",
        ),
        Rule(
            "alias-removed",
            (Whose.THE_USERS, Left.THE_PRIMARY),
            Remove.REMOVE,
            "The user is known by the primary ID as before.",
        ),
        Rule(
            "primary-id-removed",
            (Whose.THE_USERS, Left.ANOTHER_ID),
            Remove.SUCCEED,
            "The user is known by an alias.",
        ),
        Rule(
            "only-id-removed",
            (Whose.THE_USERS, Left.AN_EMAIL),
            Remove.UNCLAIM,
            "The user is known by the email.",
        ),
    ),
)


class Given(Flag):
    """Who has the ID that is to be the primary one."""

    NOBODY = auto()
    THE_USER_AS_PRIMARY = auto()
    THE_USER_AS_ALIAS = auto()
    ANOTHER = auto()
    FREE = NOBODY | THE_USER_AS_ALIAS
    ANY = FREE | THE_USER_AS_PRIMARY | ANOTHER


class Primary(Flag):
    """The primary ID until now: a person's, an anonymous user's, that of one who was cleared, or none."""

    PERSONAL = auto()
    ANONYMOUS = auto()
    CLEARED = auto()
    NONE = auto()
    ANY = PERSONAL | ANONYMOUS | CLEARED | NONE


class Keep(Flag):
    """Whether the former ID is to stay as an alias."""

    YES = auto()
    NO = auto()
    ANY = YES | NO


class Correct(StrEnum):
    """What becomes of the new primary ID and of the former one."""

    NOTHING = "nothing"
    TAKEN = "409 `alias-taken`"
    CLEARED = "409 `user-cleared`"
    GIVE = "it is given as an alias is, and is the primary ID"
    REPLACE = "it is the primary ID; the former one is nobody's"
    DEMOTE = "it is the primary ID; the former one is an alias"


CORRECTING: Table[Correct] = Table(
    {"has the new ID": Given, "the primary ID": Primary, "keep": Keep},
    (
        Rule(
            "id-is-primary",
            (Given.THE_USER_AS_PRIMARY, Primary.ANY, Keep.ANY),
            Correct.NOTHING,
            "This is the user's primary ID already.",
        ),
        Rule(
            "id-of-another",
            (Given.ANOTHER, Primary.ANY, Keep.ANY),
            Correct.TAKEN,
            "Another user has this user ID.",
        ),
        Rule(
            "id-of-the-cleared",
            (Given.FREE, Primary.CLEARED, Keep.ANY),
            Correct.CLEARED,
            "No end user is ever an anonymous user again who was cleared.",
        ),
        Rule(
            "first-user-id",
            (Given.NOBODY, Primary.ANONYMOUS | Primary.NONE, Keep.ANY),
            Correct.GIVE,
            "The user had no user ID of their own, so there is none to correct.",
        ),
        Rule(
            "user-id-corrected",
            (Given.FREE, Primary.ANY, Keep.NO),
            Correct.REPLACE,
            "The former ID was wrong, or is used no more.",
        ),
        Rule(
            "user-id-renamed",
            (Given.FREE, Primary.ANY, Keep.YES),
            Correct.DEMOTE,
            "The former ID is to lead to the user still.",
        ),
    ),
)


def decide_removal(user: User, user_id: str, *, has_rival: bool) -> Rule[Remove]:
    """Return which rule decides whether a user loses an ID; ``has_rival`` if an unclaimed user has their
    email."""
    whose = Whose.THE_USERS if user_id in user.user_ids else Whose.NOT_THE_USERS
    return REMOVING.decide(whose, _left(user, user_id, has_rival))


def primary_without(user: User, user_id: str) -> str | None:
    """Return which of a user's IDs is the primary one if they lose one of them."""
    if user_id != user.user_id:
        return user.user_id
    return primary_of(user.aliases)


def _left(user: User, user_id: str, has_rival: bool) -> Left:
    if user.user_id is not None and user_id != user.user_id:
        return Left.THE_PRIMARY
    if primary_without(user, user_id) is not None:
        return Left.ANOTHER_ID
    if user.email is None:
        return Left.NOTHING
    return Left.AN_UNCLAIMED_EMAIL if has_rival else Left.AN_EMAIL


def decide_correction(user: User, owner: User | None, user_id: str, *, keep: bool) -> Rule[Correct]:
    """Return which rule decides whether an ID becomes a user's primary one, and is the ``owner``'s by now."""
    return CORRECTING.decide(_given(user, owner, user_id), _primary(user), Keep.YES if keep else Keep.NO)


def _given(user: User, owner: User | None, user_id: str) -> Given:
    if owner is None:
        return Given.NOBODY
    if owner.id != user.id:
        return Given.ANOTHER
    return Given.THE_USER_AS_PRIMARY if user_id == user.user_id else Given.THE_USER_AS_ALIAS


def _primary(user: User) -> Primary:
    if user.user_id is None:
        return Primary.NONE
    if user.cleared:
        return Primary.CLEARED
    return Primary.ANONYMOUS if is_anonymous(user.user_id) else Primary.PERSONAL


def outcome(user: User, change: Change, then: Remove | Correct) -> tuple[User, str | None]:
    """Return a user as they are after what was decided, and which of their IDs is nobody's then, if any."""
    primary: str | None
    gone: str | None
    match then:
        case Remove.REMOVE | Remove.SUCCEED | Remove.UNCLAIM:
            primary, gone = primary_without(user, change.user_id), change.user_id
        case Correct.REPLACE:
            primary, gone = change.user_id, user.user_id
        case Correct.GIVE | Correct.DEMOTE:
            primary, gone = change.user_id, None
        case (
            Remove.NOT_FOUND
            | Remove.NOTHING_LEFT
            | Remove.UNCLAIMED_EMAIL
            | Correct.TAKEN
            | Correct.CLEARED
            | Correct.NOTHING
        ):
            return user, None
        case never:
            assert_never(never)
    aliases = tuple(id for id in user.user_ids if id not in (primary, gone))
    return replace(user, user_id=primary, aliases=aliases), gone
