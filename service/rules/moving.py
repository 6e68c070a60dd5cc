"""May a person be moved into an app, or are they there already? (docs/rules.md)

Whoever is moved keeps every id. Nobody is ever merged by it: where somebody else has what is theirs, they
stay outside, with all that is theirs, and the file of refused lines says so.
"""

from enum import Flag, StrEnum, auto

from service.rules.table import Rule, Table


class There(Flag):
    """Who of them is in the app, by our ids."""

    NOBODY = auto()
    ALL_THE_SAME = auto()
    OTHERWISE = auto()
    ERASED = auto()
    ANY = NOBODY | ALL_THE_SAME | OTHERWISE | ERASED


class Taken(Flag):
    """What somebody else there has of what only one user may have."""

    NOTHING = auto()
    USER_ID = auto()
    EMAIL = auto()
    STORE_ACCOUNT = auto()
    DEVICE = auto()
    ID = auto()
    ANY = NOTHING | USER_ID | EMAIL | STORE_ACCOUNT | DEVICE | ID


class Act(StrEnum):
    """What becomes of them."""

    ADD = "they are added"
    LEAVE = "nothing"
    REFUSE = "they are refused"


MOVING: Table[Act] = Table(
    {"there": There, "taken": Taken},
    (
        Rule(
            "erased-since",
            (There.ERASED, Taken.ANY),
            Act.REFUSE,
            "One of them was erased here, and nobody brings back who was erased.",
        ),
        Rule("there-already", (There.ALL_THE_SAME, Taken.ANY), Act.LEAVE, "All of it is there already."),
        Rule(
            "changed-since",
            (There.OTHERWISE, Taken.ANY),
            Act.REFUSE,
            "They are there, but not the same: what is there is left as it is.",
        ),
        Rule(
            "user-id-taken",
            (There.NOBODY, Taken.USER_ID),
            Act.REFUSE,
            "Another user has one of their user IDs.",
        ),
        Rule(
            "email-taken",
            (There.NOBODY, Taken.EMAIL),
            Act.REFUSE,
            "Another user without a user ID has one of their emails, as they have no user ID either.",
        ),
        Rule(
            "account-taken",
            (There.NOBODY, Taken.STORE_ACCOUNT),
            Act.REFUSE,
            "A store account of theirs is another user's.",
        ),
        Rule(
            "device-taken",
            (There.NOBODY, Taken.DEVICE),
            Act.REFUSE,
            "A device of theirs has another anonymous user.",
        ),
        Rule(
            "id-taken",
            (There.NOBODY, Taken.ID),
            Act.REFUSE,
            "A conversation, a message, a file or a merge of theirs has an id that is there already.",
        ),
        Rule("new-person", (There.NOBODY, Taken.NOTHING), Act.ADD, "Nobody is there whom they could be."),
    ),
)
