"""Login: who is this, and what becomes of the device's anonymous user.

Look up, decide, carry out; the rules are in ``service.rules``. What makes it right when a hundred
logins run at once:

- The device's row is held first, so that the logins of one device come one after the other.
- A decision that looks at an email holds that email, and one that changes an email holds both the
  old and the new. So what was seen of an email holds until the decision is carried out.
- A user ID is decided by the primary key of ``user_ids``: who comes second looks again.
- A user who is used is held, and must still be as they were when the rule was found.
"""

from dataclasses import replace
from typing import assert_never

from service import metrics
from service.desk.merging import absorb, clear
from service.desk.sessions import require_device_id
from service.desk.transactions import one_transaction
from service.errors import LostRace, ProofInvalid, ProofRequired, UnknownDevice
from service.identifiers import (
    digest,
    is_anonymous,
    new_anonymous_user_id,
    new_credential,
    new_device_id,
    new_id,
)
from service.nouns import (
    App,
    Backend,
    Claim,
    Device,
    Login,
    Resolution,
    Session,
    SessionShown,
    User,
    Widget,
    now,
)
from service.rules import anonymous as anonymous_rules
from service.rules import login as login_rules
from service.rules.anonymous import Act as Fate
from service.rules.login import Attach, Create, Decision, Evidence, Use
from service.rules.table import Rule
from service.store import Store


def log_in(store: Store, caller: Backend | Widget, claim: Claim, device_id: str | None) -> Login:
    """Log a device in as whoever the claim names.

    Raises ProofRequired and ProofInvalid for an identity that nothing proves, UnknownDevice for a
    device that a widget names and nobody knows, Refused for a malformed one; then nothing was changed.
    """
    if claim.proof is not None:
        raise ProofInvalid
    if isinstance(caller, Widget) and claim.names_somebody:
        raise ProofRequired
    if isinstance(caller, Backend) and device_id is not None:
        require_device_id(device_id)
    login = _log_in(store, caller, claim, device_id)
    metrics.LOGINS.labels(login.resolution.rule).inc()
    return login


@one_transaction
def _log_in(store: Store, caller: Backend | Widget, claim: Claim, device_id: str | None) -> Login:
    app, at = caller.app, now()
    device, device_id = _device(store, caller, device_id, at)
    anonymous = store.users.with_id(app.id, device.anonymous) if device.anonymous else None
    decision = _decide(store, app.id, claim, anonymous)
    user = _carry_out(store, app.id, decision, at)
    because, changes = [decision.rule.because], decision.changes
    if not claim.names_somebody:
        store.devices.set_anonymous(app.id, device.digest, user.id)
    elif anonymous is not None:
        fate = _decide_fate(store, app, device, user, at)
        because.append(fate.because)
        if fate.then is Fate.CLEAR:
            clear(store, app.id, device.digest, anonymous, at)
        if fate.then is Fate.MERGE:
            user = absorb(store, app.id, device.digest, anonymous, user)
            changes += ("aliases",)
    session = Session(device.digest, user.id, verified=claim.names_somebody, began_at=at, used_at=at)
    token = new_credential("st", app.id)
    store.sessions.replace(app.id, session, digest(token))
    return Login(
        user,
        SessionShown(session.expires_at(app.settings), session.verified, token),
        device_id,
        created=isinstance(decision.plan, Create),
        resolution=Resolution(decision.rule.name, " ".join(because), changes),
    )


def _device(store: Store, caller: Backend | Widget, device_id: str | None, at: int) -> tuple[Device, str]:
    """Hold the device; a backend may name any, a widget only one that is known."""
    if device_id is None or isinstance(caller, Backend):
        device_id = device_id or new_device_id()
        store.devices.add(caller.app.id, digest(device_id), at)
    device = store.devices.hold(caller.app.id, digest(device_id))
    if device is None:
        raise UnknownDevice
    return device, device_id


def _decide(store: Store, app: str, claim: Claim, anonymous: User | None) -> Decision:
    """Find the rule, holding whatever it rests on."""
    by_user_id = store.users.with_user_id(app, claim.user_id) if claim.user_id else None
    if by_user_id:
        decision = login_rules.decide(claim, Evidence(by_user_id=by_user_id))
    elif claim.email:
        store.users.hold_email(app, claim.email)
        decision = login_rules.decide(claim, Evidence(by_email=store.users.with_email(app, claim.email)))
    else:
        decision = login_rules.decide(claim, Evidence(anonymous=anonymous))
    _hold(store, app, decision, may_absorb=anonymous is not None)
    return decision


def _hold(store: Store, app: str, decision: Decision, *, may_absorb: bool) -> None:
    """Hold the user whom a plan uses. Raises LostRace if they are no longer as they were."""
    match decision.plan:
        case Use(user, email, _):
            if email is not None:
                store.users.hold_email(app, email, user.email)
        case Attach(user):
            pass
        case Create():
            return
        case never:
            assert_never(never)
    to_change = bool(decision.changes) or may_absorb
    if store.users.hold(app, user.id, to_change=to_change) != user:
        raise LostRace


def _carry_out(store: Store, app: str, decision: Decision, at: int) -> User:
    match decision.plan:
        case Use(user, email, name):
            if decision.changes:
                store.users.update(app, user.id, email=email, name=name)
            return replace(user, email=email or user.email, name=name or user.name)
        case Attach(user, user_id, name):
            store.users.attach(app, user.id, user_id, at)
            if name is not None:
                store.users.update(app, user.id, email=None, name=name)
            return replace(user, user_id=user_id, name=name or user.name)
        case Create(user_id, email, name):
            if user_id is None and email is None:
                user_id = new_anonymous_user_id()
            user = User(new_id("usr"), user_id, email, name, (), at)
            store.users.create(app, user)
            return user
        case never:
            assert_never(never)


def _decide_fate(store: Store, app: App, device: Device, user: User, at: int) -> Rule[Fate]:
    """Find the rule for the device's anonymous user, now that ``user`` logs in there."""
    before = store.sessions.of_device(app.id, device.digest)
    identified_before = False
    if before is not None:
        session, user_id = before
        identified_before = session.expires_at(app.settings) > at and not is_anonymous(user_id)
    return anonymous_rules.decide(
        clears=device.clears,
        policy=app.settings.anonymous_on_login,
        identified_before=identified_before,
        absorbed=any(is_anonymous(alias) for alias in user.aliases),
    )
