"""Login: who is this, and what becomes of the device's anonymous user; and why, without a login.

Look up, decide, carry out; the rules are in ``service.rules``. What makes it right when a hundred
logins run at once:

- The device's row is locked first, so that the logins of one device come one after the other.
- A decision that looks at an email locks that email, and one that changes an email locks both the
  old and the new. So what was seen of an email holds until the decision is carried out.
- A user ID is decided by the primary key of ``user_ids``: who comes second looks again.
- A user who is used is locked as they were seen: if they are of another version by now, all is decided
  again.
- Whom a login changes nothing about is looked up without a lock: the one statement that begins
  the session asks whether they are of the same version. If not, all of the above happens.

A claim that nothing proves is looked up in a world of its own, among users whom nobody ever proved to
be; so nobody can prepare a record that its owner later walks into.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from service import metrics
from service.desk.editing import all_fields, give_user_id, say
from service.desk.history import AuditLog
from service.desk.merging import clear, merge
from service.desk.sessions import require_device_id
from service.desk.transactions import one_transaction
from service.model.apps import App
from service.model.callers import Backend, Widget
from service.model.errors import UnknownDevice
from service.model.history import Event
from service.model.identifiers import (
    digest,
    is_anonymous,
    new_anonymous_user_id,
    new_credential,
    new_device_id,
    new_id,
)
from service.model.logins import Candidates, Explanation, Login, Resolution
from service.model.sessions import Device, Session, SessionShown
from service.model.users import Claim, User
from service.rules import anonymous as anonymous_rules
from service.rules import login as login_rules
from service.rules.anonymous import Act as Outcome
from service.rules.fields import whose
from service.rules.login import Attach, Create, Decision, Evidence, Use
from service.rules.table import Rule
from service.store import Store
from service.times import now

# How many of those who share an email an explanation names.
MAX_CANDIDATES = 100


@dataclass(frozen=True, slots=True)
class Situation:
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


def log_in(
    store: Store, caller: Backend | Widget, claim: Claim, device_id: str | None, *, verified: bool
) -> Login:
    """Log a device in as whoever the claim names; ``verified`` if the claim is known to be true.

    Raises UnknownDevice for a device that a widget names and nobody knows, Refused for a malformed one;
    then nothing was changed.
    """
    if isinstance(caller, Backend) and device_id is not None:
        require_device_id(device_id)
    login = _come_back(store, caller, claim, device_id, verified)
    login = login or _log_in(store, caller, claim, device_id, verified)
    metrics.logged_in(login.resolution.rule)
    return login


@one_transaction
def explain(store: Store, caller: Backend, claim: Claim, device_id: str | None) -> Explanation:
    """Say which rule would decide a login, to whom it would lead, and why; change nothing.

    Raises Refused for a malformed device ID.
    """
    if device_id is not None:
        require_device_id(device_id)
    known = store.devices.lock(caller.app.id, digest(device_id)) if device_id else None
    device = known or Device("", None, clears=False)
    found = _situation(store, caller.app, claim, device, verified=True, at=now())
    plan, by_user_id = found.decision.plan, found.evidence.by_user_id
    return Explanation(
        found.decision.rule.name,
        found.because,
        login_rules.kind_of(plan),
        None if isinstance(plan, Create) else plan.user,
        found.changes,
        Candidates(by_user_id.id if by_user_id else None, _having(store, caller.app.id, claim.email)),
    )


def _having(store: Store, app: str, email: str | None) -> tuple[str, ...]:
    if email is None:
        return ()
    having = store.users.with_email(app, email, verified=True, limit=MAX_CANDIDATES)
    return tuple(user.id for user in having)


def _come_back(
    store: Store, caller: Backend | Widget, claim: Claim, device_id: str | None, verified: bool
) -> Login | None:
    """Log in a known user about whom a login changes nothing, on a known device without an anonymous user.

    That is most logins by far, so nothing is locked meanwhile: the statement that begins the session asks
    whether all is as it was seen. None if it is not, or if there is more to do.
    """
    if device_id is None or claim.user_id is None:
        return None
    app, at = caller.app, now()
    arrival = caller.arrival if isinstance(caller, Backend) else None
    if arrival and (arrival.user_id, arrival.device_id) == (claim.user_id, device_id):
        device, found = arrival.device, arrival.found
    else:
        device = digest(device_id)
        found = store.users.with_user_id_and_home(app.id, claim.user_id, verified=verified, coming_to=device)
    if found is None:
        return None
    user, home = found
    evidence = Evidence(user)
    situation = Situation(evidence, login_rules.decide(claim, evidence), None, home, keeps=False)
    if situation.changes:
        return None
    session = _session(device, user.id, home, claim, verified, at)
    token = new_credential("st", app.id)
    says = claim.email is not None or claim.name is not None
    if not store.sessions.replace_unless_changed(app.id, session, digest(token), user, says=says):
        return None
    return _login(app, situation, user, session, token, device_id)


@one_transaction
def _log_in(
    store: Store, caller: Backend | Widget, claim: Claim, device_id: str | None, verified: bool
) -> Login:
    app, at = caller.app, now()
    if is_new := device_id is None:
        # Nobody else knows it yet, so there is nothing to lock.
        device_id = new_device_id()
        device = Device(digest(device_id), None, clears=False)
    else:
        device = _device(store, caller, device_id, at)
    found = _situation(store, app, claim, device, verified=verified, at=at)
    log = AuditLog(store, app.id, replace(caller.actor, proven=verified), at)
    user = _carry_out(store, app.id, found, verified, log)
    if is_new:
        store.devices.add(app.id, device.digest, at)
    user = _carry_out_outcome(store, app.id, found, device, user, log)
    if not claim.names_somebody:
        store.devices.set_anonymous(app.id, device.digest, user.id)
    session = _session(device.digest, user.id, found.home, claim, verified, at)
    token = new_credential("st", app.id)
    store.sessions.replace(app.id, session, digest(token))
    return _login(app, found, user, session, token, device_id)


def _session(device: str, user: str, home: str | None, claim: Claim, verified: bool, at: int) -> Session:
    return Session(
        device,
        user,
        verified=verified and claim.names_somebody,
        began_at=at,
        used_at=at,
        claim=claim if claim.names_somebody and not verified else None,
        home=home or user,
    )


def _login(app: App, found: Situation, user: User, session: Session, token: str, device_id: str) -> Login:
    return Login(
        session.claim or user,
        SessionShown(session.expires_at(app.settings), session.verified, token),
        device_id,
        created=isinstance(found.decision.plan, Create),
        resolution=Resolution(found.decision.rule.name, found.because, found.changes),
    )


def _device(store: Store, caller: Backend | Widget, device_id: str, at: int) -> Device:
    """Lock the device; a backend may name any, a widget only one that is known."""
    app = caller.app.id
    device = store.devices.lock(app, digest(device_id))
    if device is None and isinstance(caller, Backend):
        store.devices.add(app, digest(device_id), at)
        device = store.devices.lock(app, digest(device_id))
    if device is None:
        raise UnknownDevice
    return device


def _situation(store: Store, app: App, claim: Claim, device: Device, *, verified: bool, at: int) -> Situation:
    """Find the rules, and lock whatever they rest on."""
    anonymous = store.users.with_id(app.id, device.anonymous) if device.anonymous else None
    evidence, home = _evidence(store, app.id, claim, anonymous, verified)
    decision, keeps = _decide(store, app.id, claim, evidence)
    if home is None and keeps and claim.email is not None and not isinstance(decision.plan, Create):
        home = _whose_email(store, app.id, decision.plan.user)
    anonymous_outcome = None
    if claim.names_somebody and anonymous is not None:
        anonymous_outcome = _decide_outcome(store, app, device, decision, verified, at)
    return Situation(evidence, decision, anonymous_outcome, home, keeps)


def _evidence(
    store: Store, app: str, claim: Claim, anonymous: User | None, verified: bool
) -> tuple[Evidence, str | None]:
    """Look up by the user ID, and by the email only where that did not decide; answer also to whom the
    user ID was given, if it is known."""
    if claim.user_id is not None:
        found = store.users.with_user_id_and_home(app, claim.user_id, verified=verified)
        if found is not None:
            return Evidence(found[0], anonymous=anonymous), found[1]
    if claim.email is not None:
        store.users.lock_emails(app, claim.email)
        by_email = store.users.with_email(app, claim.email, verified=verified)
        return Evidence(by_email=by_email, anonymous=anonymous), None
    return Evidence(anonymous=anonymous), None


def _whose_email(store: Store, app: str, user: User) -> str:
    """Return of whom the email was said that a user shows: of them, or of somebody who is part of them."""
    fields = all_fields(store, app, user.id)
    return whose(fields, "email", user.email or "", user.id) if fields else user.id


def _decide(store: Store, app: str, claim: Claim, evidence: Evidence) -> tuple[Decision, bool]:
    """Find the rule, and lock the user whom its plan uses; say whether what is said is kept of each of those
    who are one with them."""
    decision = login_rules.decide(claim, evidence)
    if isinstance(decision.plan, Create):
        return decision, False
    user = decision.plan.user
    store.users.lock_emails(app, *_emails(decision))
    says = claim.email is not None or claim.name is not None
    # It is kept also where the same is shown.
    keeps = says and store.fields.is_kept(app, user.id)
    to_change = bool(decision.changes) or evidence.anonymous is not None or keeps
    store.users.lock(app, user, to_change=to_change)
    return decision, keeps


def _emails(decision: Decision) -> tuple[str, ...]:
    """Answer the emails that a plan gives and takes away."""
    match decision.plan:
        case Use(user, str(email), _) if email != user.email:
            return (email, user.email) if user.email else (email,)
        case _:
            return ()


def _decide_outcome(
    store: Store, app: App, device: Device, decision: Decision, verified: bool, at: int
) -> Rule[Outcome]:
    """Find the rule for the device's anonymous user, now that somebody logs in there."""
    before = store.sessions.lock_of_device(app.id, device.digest)
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


def _carry_out(store: Store, app: str, found: Situation, verified: bool, log: AuditLog) -> User:
    rule = found.decision.rule.name
    match found.decision.plan:
        case Use(user, email, name):
            return _say(store, app, user, found, log, email=email, name=name)
        case Attach(user, user_id, name):
            user = give_user_id(store, app, user, found.home or user.id, user_id, log, rule)
            return _say(store, app, user, found, log, name=name)
        case Create(user_id, email, name):
            anonymous = user_id is None and email is None
            if anonymous:
                user_id = new_anonymous_user_id()
            user = User(new_id("usr"), user_id, email, name, (), log.at, verified and not anonymous)
            store.users.create(app, user)
            log.note(user.id, Event.CREATED, rule, after={"userId": user_id, "email": email, "name": name})
            return user
        case never:
            assert_never(never)


def _say(store: Store, app: str, user: User, found: Situation, log: AuditLog, **members: str | None) -> User:
    """Set what is said of a user: those members that are not None."""
    said = {name: value for name, value in members.items() if value is not None}
    if not said or not (found.decision.changes or found.keeps):
        return user
    return say(store, app, user, found.home or user.id, said, log, found.decision.rule.name)


def _carry_out_outcome(
    store: Store, app: str, found: Situation, device: Device, user: User, log: AuditLog
) -> User:
    if found.anonymous_outcome is None or found.evidence.anonymous is None:
        return user
    match found.anonymous_outcome.then:
        case Outcome.KEEP:
            return user
        case Outcome.CLEAR:
            clear(store, app, device.digest, found.evidence.anonymous, found.anonymous_outcome.name, log)
            return user
        case Outcome.MERGE:
            anonymous, rule = found.evidence.anonymous, found.anonymous_outcome.name
            return merge(store, app, anonymous, user, rule, log, found.home)[1]
        case never:
            assert_never(never)
