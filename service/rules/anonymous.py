"""What becomes of a device's anonymous user when somebody logs in there (docs/rules.md).

Asked only when there is such a user, and the one who logs in is somebody else. The device's own
flag (clearAnonymousUser) comes before the app's setting. A device that went straight from one
identified user to another was nobody's anonymous device at that moment, so nothing merges: else
the second person would walk into the first one's anonymous threads.
"""

from enum import Flag, StrEnum, auto

from service.model.apps import AnonymousPolicy
from service.rules.table import Rule, Table


class Setting(Flag):
    """The app's setting ``anonymousOnLogin``; RevenueCat's ``identify`` has a policy of its own."""

    KEEP = auto()
    CLEAR = auto()
    MERGE = auto()
    MERGE_ONCE = auto()
    IDENTIFY = auto()
    ANY = KEEP | CLEAR | MERGE | MERGE_ONCE | IDENTIFY


class Clearing(Flag):
    """The device's flag, as clearAnonymousUser sets it."""

    ON = auto()
    OFF = auto()
    ANY = ON | OFF


class Before(Flag):
    """What the device was at that moment; logged out counts as anonymous."""

    ANONYMOUS = auto()
    IDENTIFIED = auto()
    ANY = ANONYMOUS | IDENTIFIED


class Absorbed(Flag):
    """Whether the user who logs in has already absorbed an anonymous user."""

    YES = auto()
    NO = auto()
    ANY = YES | NO


class Act(StrEnum):
    """What becomes of the anonymous user."""

    KEEP = "it stays, unseen, and is back after logout"
    CLEAR = "it is cleared: no end user can fetch it again; agents can"
    MERGE = "it and its conversations become the logged-in user's"


ANONYMOUS: Table[Act] = Table(
    {"clearAnonymousUser": Clearing, "anonymousOnLogin": Setting, "device was": Before, "absorbed": Absorbed},
    (
        Rule(
            "clear-by-device",
            (Clearing.ON, Setting.ANY, Before.ANY, Absorbed.ANY),
            Act.CLEAR,
            "The device's anonymous user was cleared, as its clearAnonymousUser flag says.",
        ),
        Rule(
            "clear",
            (Clearing.OFF, Setting.CLEAR, Before.ANY, Absorbed.ANY),
            Act.CLEAR,
            "The device's anonymous user was cleared, as the app's setting says.",
        ),
        Rule(
            "keep",
            (Clearing.OFF, Setting.KEEP, Before.ANY, Absorbed.ANY),
            Act.KEEP,
            "The device's anonymous user was kept, as the app's setting says.",
        ),
        Rule(
            "keep-on-switch",
            (
                Clearing.OFF,
                Setting.MERGE | Setting.MERGE_ONCE | Setting.IDENTIFY,
                Before.IDENTIFIED,
                Absorbed.ANY,
            ),
            Act.KEEP,
            "The device's anonymous user was kept: somebody else was logged in until now.",
        ),
        Rule(
            "keep-after-first",
            (Clearing.OFF, Setting.MERGE_ONCE | Setting.IDENTIFY, Before.ANONYMOUS, Absorbed.YES),
            Act.KEEP,
            "The device's anonymous user was kept: this user has absorbed one before.",
        ),
        Rule(
            "merge",
            (Clearing.OFF, Setting.MERGE | Setting.MERGE_ONCE, Before.ANONYMOUS, Absorbed.ANY),
            Act.MERGE,
            "The device's anonymous user became part of this user.",
        ),
        Rule(
            "merge-once",
            (Clearing.OFF, Setting.IDENTIFY, Before.ANONYMOUS, Absorbed.NO),
            Act.MERGE,
            "The anonymous user became part of this user, who has absorbed none before.",
        ),
    ),
)


def decide(*, clears: bool, policy: AnonymousPolicy, identified_before: bool, absorbed: bool) -> Rule[Act]:
    """Return which rule decides what becomes of the device's anonymous user."""
    return ANONYMOUS.decide(
        Clearing.ON if clears else Clearing.OFF,
        Setting[policy.name],
        Before.IDENTIFIED if identified_before else Before.ANONYMOUS,
        Absorbed.YES if absorbed else Absorbed.NO,
    )


def decide_identify(*, identified_before: bool, absorbed: bool) -> Rule[Act]:
    """Return which rule decides what becomes of whoever was there before RevenueCat's ``identify``.

    It names no device, and merges once, whatever the app's setting is.
    """
    return ANONYMOUS.decide(
        Clearing.OFF,
        Setting.IDENTIFY,
        Before.IDENTIFIED if identified_before else Before.ANONYMOUS,
        Absorbed.YES if absorbed else Absorbed.NO,
    )
