"""May one user become part of another, and what of them counts there? (docs/rules.md)

``MERGING`` is asked for each merge, also where another rule has said that two are one: so nobody identified
becomes part of an anonymous user, or the session of a device that proved nothing would be theirs. The other
way round is meant.
"""

from enum import Flag, StrEnum, auto

from service.model.identifiers import is_anonymous, is_of_a_device
from service.model.users import User
from service.rules.table import Rule, Table


class Who(Flag):
    """What a user is. One who was made by an anonymous ID of RevenueCat's clients is of one of the worlds; a
    device's anonymous user, of whom nobody claims anything, counts as proven, until they are cleared."""

    PROVEN = auto()
    PROVEN_ANONYMOUS = auto()
    DEVICE_ANONYMOUS = auto()
    UNPROVEN = auto()
    UNPROVEN_ANONYMOUS = auto()
    CLEARED = auto()
    IN_THE_PROVEN_WORLD = PROVEN | PROVEN_ANONYMOUS
    IN_THE_UNPROVEN_WORLD = UNPROVEN | UNPROVEN_ANONYMOUS
    IDENTIFIED = PROVEN | UNPROVEN
    NOBODY_YET = PROVEN_ANONYMOUS | DEVICE_ANONYMOUS | UNPROVEN_ANONYMOUS
    ANY = IDENTIFIED | NOBODY_YET | CLEARED


class Same(Flag):
    """Whether the two are one already."""

    YES = auto()
    NO = auto()
    ANY = YES | NO


class By(Flag):
    """Who says that the two are one: the app's backend or an agent, or another rule."""

    REQUEST = auto()
    RULE = auto()
    ANY = REQUEST | RULE


class Act(StrEnum):
    """What becomes of the two."""

    MERGE = "the one becomes part of the other"
    REFUSE = "409 `merge-conflict`"
    REFUSE_ANONYMOUS = "409 `merge-into-anonymous`"
    REFUSE_CLEARED = "409 `user-cleared`"


MERGING: Table[Act] = Table(
    {"from": Who, "into": Who, "the same": Same, "by": By},
    (
        Rule(
            "merge-with-oneself",
            (Who.ANY, Who.ANY, Same.YES, By.ANY),
            Act.REFUSE,
            "A user is not merged into themselves.",
        ),
        Rule(
            "cleared-into-another",
            (Who.CLEARED, Who.ANY, Same.NO, By.ANY),
            Act.REFUSE_CLEARED,
            "No end user is ever to fetch again what was cleared.",
        ),
        Rule(
            "another-into-cleared",
            (Who.ANY, Who.CLEARED, Same.NO, By.ANY),
            Act.REFUSE_CLEARED,
            "No end user is ever an anonymous user again who was cleared.",
        ),
        Rule(
            "proven-into-unproven",
            (Who.IN_THE_PROVEN_WORLD, Who.IN_THE_UNPROVEN_WORLD, Same.NO, By.ANY),
            Act.REFUSE,
            "Whom nobody proved to be takes in nobody who was proven.",
        ),
        Rule(
            "identified-into-anonymous",
            (Who.IDENTIFIED, Who.NOBODY_YET, Same.NO, By.ANY),
            Act.REFUSE_ANONYMOUS,
            "Nobody identified becomes part of an anonymous user.",
        ),
        Rule(
            "explicit",
            (Who.ANY, Who.ANY, Same.NO, By.REQUEST),
            Act.MERGE,
            "Somebody who may asked for it.",
        ),
        Rule(
            "as-decided",
            (Who.ANY, Who.ANY, Same.NO, By.RULE),
            Act.MERGE,
            "The rule that asked for it names the merge.",
        ),
    ),
)


class World(Flag):
    """Where a user is at home. Devices' anonymous users are of the proven world."""

    PROVEN = auto()
    UNPROVEN = auto()
    ANY = PROVEN | UNPROVEN


class Count(StrEnum):
    """What becomes with the one who stays of what was said of the one who goes."""

    COUNT = "the user IDs become aliases, the emails further ones; email and name fill what is blank"
    PARK = "the user IDs lead nowhere until an undo; nothing is filled"


COUNTING: Table[Count] = Table(
    {"from": World, "into": World},
    (
        Rule("both-proven", (World.PROVEN, World.PROVEN), Count.COUNT, "What both say is known to be true."),
        Rule(
            "both-unproven", (World.UNPROVEN, World.UNPROVEN), Count.COUNT, "What both say is only claimed."
        ),
        Rule(
            "from-another-world",
            (World.ANY, World.ANY),
            Count.PARK,
            "What is only claimed is no part of what was proven, nor the other way round.",
        ),
    ),
)


def decide(source: User, target: User, *, is_asked_for: bool) -> Rule[Act]:
    """Return which rule decides whether one user may become part of another."""
    return MERGING.decide(
        _who(source),
        _who(target),
        Same.YES if source.id == target.id else Same.NO,
        By.REQUEST if is_asked_for else By.RULE,
    )


def counts(source: User, target: User) -> bool:
    """Return whether what was said of one user counts of the other."""
    return COUNTING.decide(world_of(source), world_of(target)).then is Count.COUNT


def world_of(user: User) -> World:
    """Return in which world a user is at home."""
    return World.UNPROVEN if user.is_unproven else World.PROVEN


def _who(user: User) -> Who:
    if user.cleared:
        return Who.CLEARED
    if user.verified:
        return Who.PROVEN_ANONYMOUS if is_anonymous(user.user_id) else Who.PROVEN
    if is_of_a_device(user.user_id):
        return Who.DEVICE_ANONYMOUS
    return Who.UNPROVEN_ANONYMOUS if is_anonymous(user.user_id) else Who.UNPROVEN
