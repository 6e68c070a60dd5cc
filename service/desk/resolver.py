"""Who logs in, or is added, and why: look up, lock, decide, carry out; the rules are in ``service.rules``.

What makes it right when a hundred logins run at once:

- The device's row was locked before, so that the logins of one device come one after the other.
- A decision that looks at an email locks that email, and one that changes an email locks both the
  old and the new. So what was seen of an email holds until the decision is carried out.
- A user ID is decided by the primary key of ``user_ids``: who comes second looks again.
- A user who is used is locked as they were seen: if they are of another version by now, all is decided
  again.

A claim that nothing proves is looked up in a world of its own, among users whom nobody ever proved to
be; so nobody can prepare a record that its owner later walks into.
"""

from dataclasses import dataclass
from typing import assert_never

from service.desk.attributes import describe, left_out
from service.desk.editing import all_fields, give_user_id, say
from service.desk.history import AuditLog
from service.model.apps import App
from service.model.attributes import Said
from service.model.errors import FieldError
from service.model.history import Event
from service.model.identifiers import is_anonymous, new_anonymous_user_id, new_id
from service.model.sessions import Device
from service.model.users import Claim, User
from service.rules import anonymous as anonymous_rules
from service.rules import login as login_rules
from service.rules.anonymous import Act as Outcome
from service.rules.fields import whose_email
from service.rules.login import Attach, Create, Decision, Evidence, Use
from service.rules.table import Rule
from service.store import AppStore


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was found and decided: for the claim, and for the device's anonymous user, if any. ``home``
    is the user to whom the user ID was given, or of whom the email was said, where that is known; ``keeps``
    tells whether what is said is kept of each of several who are one."""

    evidence: Evidence
    decision: Decision
    anonymous_outcome: Rule[Outcome] | None
    home: str | None
    keeps: bool

    @property
    def because(self) -> str:
        """Why, in words."""
        rules = (self.decision.rule, self.anonymous_outcome)
        return " ".join(rule.because for rule in rules if rule)

    @property
    def changes(self) -> tuple[str, ...]:
        """The members of a user who was there before that change."""
        merges = self.anonymous_outcome is not None and self.anonymous_outcome.then is Outcome.MERGE
        is_there = not isinstance(self.decision.plan, Create)
        return self.decision.changes + (("aliases",) if merges and is_there else ())

    @property
    def ignored(self) -> tuple[FieldError, ...]:
        """The attributes for which there is no room."""
        return left_out(self.decision.surplus)

    @classmethod
    def by_user_id(cls, claim: Claim, user: User, home: str) -> "Resolved":
        """Decide about somebody who has the claimed user ID, on a device without an anonymous user."""
        evidence = Evidence(user)
        return cls(evidence, login_rules.decide(claim, evidence), None, home, keeps=False)


def resolve(store: AppStore, app: App, claim: Claim, device: Device, *, verified: bool, at: int) -> Resolved:
    """Find the rules for a claim on a locked device, and lock whatever else they rest on. Raises StaleState
    if somebody has changed since they were seen."""
    anonymous = store.users.with_id(device.anonymous) if device.anonymous else None
    evidence, home = _evidence(store, claim, anonymous, verified)
    decision, keeps = _decide(store, claim, evidence)
    if home is None and keeps and claim.email is not None and not isinstance(decision.plan, Create):
        home = _whose_email(store, decision.plan.user, claim.email)
    anonymous_outcome = None
    if claim.names_somebody and anonymous is not None:
        anonymous_outcome = _decide_outcome(store, app, device, decision, verified, at)
    return Resolved(evidence, decision, anonymous_outcome, home, keeps)


def _evidence(
    store: AppStore, claim: Claim, anonymous: User | None, verified: bool
) -> tuple[Evidence, str | None]:
    """Look up by the user ID, and by the email only where that did not decide; return also to whom the
    user ID was given, if it is known."""
    if claim.user_id is not None:
        found = store.users.with_user_id_and_home(claim.user_id, verified=verified)
        if found is not None:
            return Evidence(found[0], anonymous=anonymous), found[1]
    if claim.email is not None:
        store.users.lock_emails(claim.email)
        by_email = store.users.with_email(claim.email, verified=verified)
        return Evidence(by_email=by_email, anonymous=anonymous), None
    return Evidence(anonymous=anonymous), None


def _whose_email(store: AppStore, user: User, email: str) -> str:
    """Return of whom an email was said by which a user was found: of them, or of who is part of them."""
    fields = all_fields(store, user.id)
    return whose_email(fields, email, user.id) if fields else user.id


def _decide(store: AppStore, claim: Claim, evidence: Evidence) -> tuple[Decision, bool]:
    """Find the rule, and lock the user whom its plan uses.

    Return also whether what is said is kept of each of those who are one with them.
    """
    decision = login_rules.decide(claim, evidence)
    if isinstance(decision.plan, Create):
        return decision, False
    user = decision.plan.user
    store.users.lock_emails(*_emails(decision))
    says = claim.email is not None or claim.name is not None or bool(claim.attributes)
    # It is kept also where the same is shown.
    keeps = says and store.fields.is_kept(user.id)
    to_change = bool(decision.changes) or evidence.anonymous is not None or keeps
    store.users.lock(user, to_change=to_change)
    return decision, keeps


def _emails(decision: Decision) -> tuple[str, ...]:
    """Return the emails that a plan gives and takes away."""
    match decision.plan:
        case Use(user, str(email)) | Attach(user, _, str(email)) if email != user.email:
            return (email, *user.emails)
        case _:
            return ()


def _decide_outcome(
    store: AppStore, app: App, device: Device, decision: Decision, verified: bool, at: int
) -> Rule[Outcome]:
    """Find the rule for the device's anonymous user, now that somebody logs in there."""
    before = store.sessions.lock_of_device(device.digest)
    identified_before = False
    if before is not None:
        session, user_id = before
        identified_before = session.expires_at(app.settings) > at and not is_anonymous(user_id)
    absorbed = False
    # Whether an unverified user has absorbed one elsewhere is nothing that its claimant may notice.
    if verified and not isinstance(decision.plan, Create):
        absorbed = any(is_anonymous(alias) for alias in decision.plan.user.aliases)
    return anonymous_rules.decide(
        clears=device.clears,
        policy=app.settings.anonymous_on_login,
        identified_before=identified_before,
        absorbed=absorbed,
    )


def carry_out(store: AppStore, found: Resolved, log: AuditLog, *, verified: bool) -> User:
    """Do what was decided of who it is, and return them as they are then."""
    rule = found.decision.rule.name
    match found.decision.plan:
        case Use(user, email, name, attributes):
            return _say(store, user, found, log, attributes, email=email, name=name)
        case Attach(user, user_id, email, name, attributes):
            user = give_user_id(store, user, found.home or user.id, user_id, log, rule)
            return _say(store, user, found, log, attributes, email=email, name=name)
        case Create(user_id, email, name, attributes):
            anonymous = user_id is None and email is None
            if anonymous:
                user_id = new_anonymous_user_id()
            user = User(new_id("usr"), user_id, email, name, (), log.at, verified and not anonymous)
            store.users.create(user)
            after = {"userId": user_id, "email": email, "name": name}
            log.note(user.id, Event.CREATED, rule, after=after, shown=user)
            return describe(store, user, user.id, attributes, log, rule)
        case never:
            assert_never(never)


def _say(
    store: AppStore, user: User, found: Resolved, log: AuditLog, attributes: Said, **members: str | None
) -> User:
    """Set what is said of a user: those members that are not None, and attributes."""
    if not (found.decision.changes or found.keeps):
        return user
    home, rule = found.home or user.id, found.decision.rule.name
    said = {name: value for name, value in members.items() if value is not None}
    user = say(store, user, home, said, log, rule) if said else user
    return describe(store, user, home, attributes, log, rule)
