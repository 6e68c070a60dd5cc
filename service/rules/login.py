"""Who is this? The rules by which a login finds its user (docs/rules.md).

What this module may not know: where users are kept, how a login arrives, whether the claim is true
(that was settled before), and what becomes of the device's anonymous user (``anonymous.py``).

The user ID outranks the email, because an app gives it to one person and never again, while an
email is lent, shared and handed on. So an email finds a user only where no user ID is given, or
where it belongs to somebody who has none yet (an unclaimed user); and where several share it,
nobody is guessed.
"""

from dataclasses import dataclass, field, replace
from enum import Flag, StrEnum, auto
from typing import assert_never

from service.model.attributes import Said, as_text
from service.model.identifiers import email_key, is_anonymous, is_of_a_device
from service.model.users import Claim, User
from service.rules import attributes as attribute_rules
from service.rules.table import Rule, Table


class UserId(Flag):
    """What is known of the claimed user ID."""

    NOT_GIVEN = auto()
    UNKNOWN = auto()
    KNOWN = auto()
    ANY = NOT_GIVEN | UNKNOWN | KNOWN


class Email(Flag):
    """What is known of the claimed email."""

    NOT_GIVEN = auto()
    UNKNOWN = auto()
    UNCLAIMED = auto()
    CLAIMED = auto()
    SHARED = auto()
    ANY = NOT_GIVEN | UNKNOWN | UNCLAIMED | CLAIMED | SHARED


class Act(StrEnum):
    """What a rule of this table has done."""

    USE_AND_UPDATE = "use that user; a given email replaces theirs"
    ATTACH = "use the unclaimed user, and attach the user ID"
    CREATE = "create a user with what was given"
    USE = "use that user"
    CREATE_UNCLAIMED = "create an unclaimed user with that email"
    ANONYMOUS = "the device's anonymous user, made on first need"


LOGIN: Table[Act] = Table(
    {"userId": UserId, "email": Email},
    (
        Rule(
            "known-user-id",
            (UserId.KNOWN, Email.ANY),
            Act.USE_AND_UPDATE,
            "A user has this user ID, which outranks any email.",
        ),
        Rule(
            "attach-user-id",
            (UserId.UNKNOWN, Email.UNCLAIMED),
            Act.ATTACH,
            "No user has this user ID, and one who has the email has no user ID yet.",
        ),
        Rule(
            "new-user-id",
            (UserId.UNKNOWN, Email.ANY),
            Act.CREATE,
            "No user has this user ID, and nobody without a user ID has the email.",
        ),
        Rule(
            "known-email",
            (UserId.NOT_GIVEN, Email.UNCLAIMED | Email.CLAIMED),
            Act.USE,
            "No user ID was given, and the email names one user.",
        ),
        Rule(
            "shared-email",
            (UserId.NOT_GIVEN, Email.SHARED),
            Act.CREATE_UNCLAIMED,
            "No user ID was given, and several users share the email, so none of them is guessed.",
        ),
        Rule(
            "new-email",
            (UserId.NOT_GIVEN, Email.UNKNOWN),
            Act.CREATE_UNCLAIMED,
            "No user ID was given, and no user has this email.",
        ),
        Rule(
            "anonymous",
            (UserId.NOT_GIVEN, Email.NOT_GIVEN),
            Act.ANONYMOUS,
            "Neither a user ID nor an email was given, so this is the device's anonymous user.",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the store knows of a claim: who has the user ID, who has the email (the unclaimed user
    first, and of the others at least two), and the device's anonymous user."""

    by_user_id: User | None = None
    by_email: tuple[User, ...] = ()
    anonymous: User | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """Log in this user; of them is said what is not None."""

    user: User
    email: str | None = None
    name: str | None = None
    attributes: Said = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attach:
    """Log in this unclaimed user, and give them the user ID; of them is said what is not None."""

    user: User
    user_id: str
    email: str | None = None
    name: str | None = None
    attributes: Said = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Create:
    """Create a user with these fields; without user ID and email it is the device's anonymous one."""

    user_id: str | None
    email: str | None
    name: str | None
    attributes: Said = field(default_factory=dict)


Plan = Use | Attach | Create


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule that decided, what is to be done, and which members of a user who was there before that
    changes; and the names of the attributes for which there is no room."""

    rule: Rule[Act]
    plan: Plan
    changes: tuple[str, ...]
    surplus: tuple[str, ...] = ()


def decide(claim: Claim, evidence: Evidence) -> Decision:
    """Return which rule decides this claim, and the plan it makes."""
    rule = LOGIN.decide(user_id_situation(claim, evidence), email_situation(claim, evidence))
    plan = _plan(rule.then, claim, evidence)
    if not claim.attributes:
        return Decision(rule, plan, _changes(plan))
    known = {} if isinstance(plan, Create) else plan.user.attributes
    said, surplus = attribute_rules.fit(known, claim.attributes)
    plan = replace(plan, attributes=said)
    return Decision(rule, plan, _changes(plan), surplus)


def unchanged(claim: Claim) -> dict[str, str | None]:
    """Return which fields whoever has the claimed user ID must have for a login to change nothing of them, by
    their names; None stands for any value."""
    # Whoever shows other attributes beside those that are given may show those as well: that is looked up.
    attributes = (as_text(claim.attributes) or "{}") if claim.attributes else None
    return {"email": claim.email, "name": claim.name, "attributes": attributes}


def decide_identify(user_id: str, known: User | None, before: User | None) -> Decision:
    """Return which rule decides whom RevenueCat's ``identify`` logs in, and the plan it makes.

    ``known`` has the user ID, and ``before`` was there until now. As there is no email, whoever a client made
    an anonymous ID for is the unclaimed user; a device's anonymous user is not, as the ID would be the
    session's then, which proved nothing.
    """
    is_unclaimed = before is not None and is_anonymous(before.user_id) and not is_of_a_device(before.user_id)
    rule = LOGIN.decide(
        UserId.UNKNOWN if known is None else UserId.KNOWN,
        Email.UNCLAIMED if is_unclaimed else Email.NOT_GIVEN,
    )
    plan = _plan(rule.then, Claim(user_id), Evidence(known, () if before is None else (before,)))
    return Decision(rule, plan, _changes(plan))


def rule_of_creation(user_id: str | None) -> Rule[Act]:
    """Return which rule decides that a user is made who has this ID, or is anonymous."""
    return LOGIN.decide(UserId.NOT_GIVEN if user_id is None else UserId.UNKNOWN, Email.NOT_GIVEN)


def kind_of(plan: Plan) -> str:
    """Return a plan's kind in one word: ``use``, ``attach`` or ``create``."""
    return type(plan).__name__.lower()


def user_id_situation(claim: Claim, evidence: Evidence) -> UserId:
    """Return which member of the user ID's column is the case."""
    if claim.user_id is None:
        return UserId.NOT_GIVEN
    return UserId.UNKNOWN if evidence.by_user_id is None else UserId.KNOWN


def email_situation(claim: Claim, evidence: Evidence) -> Email:
    """Return which member of the email's column is the case."""
    if claim.email is None:
        return Email.NOT_GIVEN
    match evidence.by_email:
        case ():
            return Email.UNKNOWN
        case (first, *_) if first.user_id is None:
            return Email.UNCLAIMED
        case (_,):
            return Email.CLAIMED
        case _:
            return Email.SHARED


def _plan(act: Act, claim: Claim, evidence: Evidence) -> Plan:
    match act, evidence:
        case Act.USE_AND_UPDATE, Evidence(by_user_id=User() as user):
            return Use(user, claim.email, claim.name)
        case Act.ATTACH, Evidence(by_email=(user, *_)) if claim.user_id is not None:
            return Attach(user, claim.user_id, _unless_primary(claim.email, user), claim.name)
        case Act.USE, Evidence(by_email=(user, *_)):
            return Use(user, _unless_primary(claim.email, user), claim.name)
        case Act.ANONYMOUS, Evidence(anonymous=User() as user):
            return Use(user, None, claim.name)
        case _:
            return Create(claim.user_id, claim.email, claim.name)


def _unless_primary(email: str | None, user: User) -> str | None:
    """Return the email by which a user was found, if it is a further one: it becomes the primary one."""
    is_primary = email is None or email_key(email) == email_key(user.email or "")
    return None if is_primary else email


def _news(given: str | None, stored: str | None) -> str | None:
    return None if given == stored else given


def _changes(plan: Plan) -> tuple[str, ...]:
    match plan:
        case Use(user, email, name, attributes):
            changed = _given(email=_news(email, user.email), name=_news(name, user.name))
        case Attach(user, user_id, email, name, attributes):
            changed = _given(userId=user_id, email=_news(email, user.email), name=_news(name, user.name))
        case Create():
            return ()
        case never:
            assert_never(never)
    if attributes and attribute_rules.changes(user.attributes, attributes):
        return (*changed, "attributes")
    return changed


def _given(**members: str | None) -> tuple[str, ...]:
    return tuple(name for name, value in members.items() if value is not None)
