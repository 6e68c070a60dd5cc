"""Which records of another desk are people of the app? (docs/moving.md).

Whoever imports vouches for a file as a backend vouches for a login. That is worth no more than what the other
desk knew: an email that somebody typed into its widget was proven by nobody, and whoever logs in with it one
day would walk into what a stranger prepared. So what nobody proved stays outside, and so does who is no end
user. Who is left is looked up by the rules of a login (``login.py``).
"""

from enum import Flag, StrEnum, auto

from service.rules.table import Rule, Table


class Who(Flag):
    """Who somebody was there: one who logged in, or a lead or visitor, an agent, or one who is deleted,
    suspended or blocked."""

    END_USER = auto()
    LEAD = auto()
    AGENT = auto()
    GONE = auto()
    ANY = END_USER | LEAD | AGENT | GONE


class Named(Flag):
    """By what a record names somebody; an email only where there is no user ID."""

    USER_ID = auto()
    EMAIL = auto()
    UNPROVEN_EMAIL = auto()
    ANONYMOUS_ID = auto()
    NOTHING = auto()
    UNUSABLE = auto()
    ANY = USER_ID | EMAIL | UNPROVEN_EMAIL | ANONYMOUS_ID | NOTHING | UNUSABLE


class Before(Flag):
    """What the file said before of the same user ID, or else email."""

    NOTHING = auto()
    THE_SAME = auto()
    OTHERWISE = auto()
    ANY = NOTHING | THE_SAME | OTHERWISE


class Act(StrEnum):
    """What becomes of a record."""

    DECIDE = "the rules of a login decide"
    LEAVE = "it is left out"
    REFUSE = "it is refused"


RECORDS: Table[Act] = Table(
    {"who": Who, "named by": Named, "said before": Before},
    (
        Rule("agent", (Who.AGENT, Named.ANY, Before.ANY), Act.LEAVE, "An agent is no end user."),
        Rule(
            "gone",
            (Who.GONE, Named.ANY, Before.ANY),
            Act.LEAVE,
            "They were deleted, suspended or blocked there.",
        ),
        Rule(
            "lead",
            (Who.LEAD, Named.ANY, Before.ANY),
            Act.LEAVE,
            "Nobody proved who a lead or a visitor is, whatever ID the desk gave them.",
        ),
        Rule("unusable", (Who.ANY, Named.UNUSABLE, Before.ANY), Act.REFUSE, "Its user ID or email is none."),
        Rule(
            "nobody",
            (Who.ANY, Named.NOTHING, Before.ANY),
            Act.LEAVE,
            "It has neither a user ID nor an email.",
        ),
        Rule(
            "anonymous-there",
            (Who.ANY, Named.ANONYMOUS_ID, Before.ANY),
            Act.LEAVE,
            "It has an ID that was made for somebody anonymous, and no other.",
        ),
        Rule(
            "unproven-email",
            (Who.ANY, Named.UNPROVEN_EMAIL, Before.ANY),
            Act.LEAVE,
            "It has no user ID, and nobody proved its email; --trust-emails takes it.",
        ),
        Rule(
            "said-again",
            (Who.ANY, Named.ANY, Before.THE_SAME),
            Act.LEAVE,
            "A line before it said the same.",
        ),
        Rule(
            "said-otherwise",
            (Who.ANY, Named.ANY, Before.OTHERWISE),
            Act.REFUSE,
            "A line before it said something else of the same user ID or email.",
        ),
        Rule("known-there", (Who.ANY, Named.ANY, Before.ANY), Act.DECIDE, "It names a person of the app."),
    ),
)
