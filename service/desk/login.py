"""Login, from the credential to the session: who calls, what is believed, who it is, and what becomes of the
device's anonymous user.

Two questions to the store are most logins. One finds the key with whom a backend names; the other begins the
session of somebody about whom nothing changes, if they are of the same version still. If they are not, or
there is more to do, all is looked up and decided in a transaction, by ``resolver``.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from service import metrics
from service.desk.credentials import identify, key_holder
from service.desk.editing import give_user_id, say
from service.desk.history import AuditLog
from service.desk.limits import Limits
from service.desk.merging import clear, merge
from service.desk.proving import believe
from service.desk.resolver import Resolved, resolve
from service.desk.sessions import require_device_id
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.model.apps import App
from service.model.callers import Backend, Caller, Widget
from service.model.errors import UnknownDevice
from service.model.history import Event
from service.model.identifiers import (
    digest,
    new_anonymous_user_id,
    new_credential,
    new_device_id,
    new_id,
    read_credential,
)
from service.model.logins import Login, LoginRequest, Resolution
from service.model.sessions import Device, Session, SessionShown
from service.model.users import Claim, User
from service.rules.anonymous import Act as Outcome
from service.rules.login import Attach, Create, Use
from service.store import AppStore, Store
from service.times import now


@dataclass(frozen=True, slots=True)
class Known:
    """What was found of whom a login names and of the device, by its digest: the user, with whom the user ID
    was given to; nobody, unless the device is known and has no anonymous user."""

    user_id: str
    device: str
    found: tuple[User, str] | None


def who_calls(
    store: Store, admin_key: str, credential: str, request_id: str, named: tuple[str, str] | None
) -> tuple[Caller, Known | None]:
    """Return who logs somebody in, and, for a backend, what is known of the user ID and the device ID that
    the request names: both are found by one question.

    Raises InvalidCredential.
    """
    parts = read_credential(credential)
    if named is None or parts is None or parts[0] != "sk":
        return identify(store, admin_key, credential, request_id), None
    user_id, device_id = named
    device = digest(device_id)
    own = store.of(parts[1])
    key, found = own.users.with_key(digest(credential), user_id, coming_to=device)
    return key_holder(own, key, request_id), Known(user_id, device, found)


def log_in(
    store: AppStore,
    encryption: Encryption,
    caller: Backend | Widget,
    request: LoginRequest,
    limits: Limits,
    known: Known | None,
) -> Login:
    """Log a device in as whoever the caller proves to be, or whom a backend says it is.

    Raises TooMany, ProofRequired, ProofInvalid, UnknownDevice for a device that a widget names and nobody
    knows, and Refused; then nothing was changed.
    """
    if isinstance(caller, Widget):
        limits.count_login()
    claim, verified, ignored = believe(store, encryption, caller, request, limits)
    if isinstance(caller, Widget) and verified:
        # A count of claims that nobody proves could be used up by anybody, and would tell of others.
        limits.count_identity(claim)
    if isinstance(caller, Backend) and request.device_id is not None:
        require_device_id(request.device_id)
    login = _come_back(store, caller.app, claim, request.device_id, known, verified=verified)
    login = login or _log_in(store, caller, claim, request.device_id, verified=verified)
    metrics.logged_in(login.resolution.rule)
    return replace(login, resolution=replace(login.resolution, ignored=ignored)) if ignored else login


def _come_back(
    store: AppStore, app: App, claim: Claim, device_id: str | None, known: Known | None, *, verified: bool
) -> Login | None:
    """Log in a known user about whom a login changes nothing, on a known device without an anonymous user.

    That is most logins by far, so nothing is locked meanwhile: the statement that begins the session asks
    whether they are of the same version. None if they are not, or if there is more to do.
    """
    if device_id is None or claim.user_id is None:
        return None
    device = digest(device_id)
    if known and (known.user_id, known.device) == (claim.user_id, device):
        found = known.found
    else:
        found = store.users.with_user_id_and_home(claim.user_id, verified=verified, coming_to=device)
    if found is None:
        return None
    resolved = Resolved.by_user_id(claim, *found)
    if resolved.changes:
        return None
    user, home = found
    session, token = _session(device, user.id, home, claim, verified, now()), new_credential("st", app.id)
    says = claim.email is not None or claim.name is not None
    if not store.sessions.replace_unless_changed(session, digest(token), user, says=says):
        return None
    return _login(app, resolved, user, session, token, device_id)


@one_transaction
def _log_in(
    store: AppStore, caller: Backend | Widget, claim: Claim, device_id: str | None, *, verified: bool
) -> Login:
    app, at = caller.app, now()
    if is_new := device_id is None:
        # Nobody else knows it yet, so there is nothing to lock.
        device_id = new_device_id()
        device = Device(digest(device_id), None, clears=False)
    else:
        device = _device(store, caller, device_id, at)
    found = resolve(store, app, claim, device, verified=verified, at=at)
    log = AuditLog(store, replace(caller.actor, proven=verified), at)
    user = _carry_out(store, found, verified, log)
    if is_new:
        store.devices.add(device.digest, at)
    user = _carry_out_outcome(store, found, device, user, log)
    if not claim.names_somebody:
        store.devices.set_anonymous(device.digest, user.id)
    session = _session(device.digest, user.id, found.home, claim, verified, at)
    token = new_credential("st", app.id)
    store.sessions.replace(session, digest(token))
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


def _login(app: App, found: Resolved, user: User, session: Session, token: str, device_id: str) -> Login:
    return Login(
        session.claim or user,
        SessionShown(session.expires_at(app.settings), session.verified, token),
        device_id,
        created=isinstance(found.decision.plan, Create),
        resolution=Resolution(found.decision.rule.name, found.because, found.changes),
    )


def _device(store: AppStore, caller: Backend | Widget, device_id: str, at: int) -> Device:
    """Lock the device; a backend may name any, a widget only one that is known."""
    device = store.devices.lock(digest(device_id))
    if device is None and isinstance(caller, Backend):
        store.devices.add(digest(device_id), at)
        device = store.devices.lock(digest(device_id))
    if device is None:
        raise UnknownDevice
    return device


def _carry_out(store: AppStore, found: Resolved, verified: bool, log: AuditLog) -> User:
    rule = found.decision.rule.name
    match found.decision.plan:
        case Use(user, email, name):
            return _say(store, user, found, log, email=email, name=name)
        case Attach(user, user_id, name):
            user = give_user_id(store, user, found.home or user.id, user_id, log, rule)
            return _say(store, user, found, log, name=name)
        case Create(user_id, email, name):
            anonymous = user_id is None and email is None
            if anonymous:
                user_id = new_anonymous_user_id()
            user = User(new_id("usr"), user_id, email, name, (), log.at, verified and not anonymous)
            store.users.create(user)
            log.note(user.id, Event.CREATED, rule, after={"userId": user_id, "email": email, "name": name})
            return user
        case never:
            assert_never(never)


def _say(store: AppStore, user: User, found: Resolved, log: AuditLog, **members: str | None) -> User:
    """Set what is said of a user: those members that are not None."""
    said = {name: value for name, value in members.items() if value is not None}
    if not said or not (found.decision.changes or found.keeps):
        return user
    return say(store, user, found.home or user.id, said, log, found.decision.rule.name)


def _carry_out_outcome(store: AppStore, found: Resolved, device: Device, user: User, log: AuditLog) -> User:
    if found.anonymous_outcome is None or found.evidence.anonymous is None:
        return user
    match found.anonymous_outcome.then:
        case Outcome.KEEP:
            return user
        case Outcome.CLEAR:
            clear(store, device.digest, found.evidence.anonymous, found.anonymous_outcome.name, log)
            return user
        case Outcome.MERGE:
            anonymous, rule = found.evidence.anonymous, found.anonymous_outcome.name
            return merge(store, anonymous, user, rule, log, found.home)[1]
        case never:
            assert_never(never)
