"""Login, from the credential to the session: who calls, what is believed, who it is, and what becomes of the
device's anonymous user.

Most logins are of somebody known, on a device of theirs, and change nothing. On PostgreSQL one statement
finds that this is so, with the key of a backend, and begins the session. If it is not so, all is looked up
and decided in a transaction, by ``resolver``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from service import admission, metrics, threads
from service.desk.comparing import note_use
from service.desk.credentials import identify, key_holder
from service.desk.history import AuditLog
from service.desk.limits import Limits
from service.desk.merging import clear, merge
from service.desk.proving import asked_ahead, believe
from service.desk.repeated_logins import issued_device, key_of_login, login_before, note_login
from service.desk.resolver import Resolved, carry_out, resolve
from service.desk.sessions import require_device_id
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.model.apps import App
from service.model.callers import Backend, Caller, Widget
from service.model.errors import Overloaded, UnknownDevice
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import (
    digest,
    new_device_id,
    new_id,
    new_token,
    read_credential,
    user_id_digest,
)
from service.model.logins import ComingBack, Login, LoginRequest, Resolution
from service.model.sessions import Device, Session, SessionShown
from service.model.users import Claim, User
from service.rules import believing
from service.rules.anonymous import Act as Outcome
from service.rules.believing import ALWAYS_BELIEVED
from service.rules.login import Create, unchanged
from service.store import AppStore, Store
from service.times import now


@dataclass(frozen=True, slots=True)
class Begun:
    """The session of somebody who came back, who they were then, and what is decided of them."""

    found: Resolved
    user: User
    session: Session
    token: str


def who_calls(
    store: Store,
    admin_key: str,
    credential: str,
    request_id: str,
    request: LoginRequest | None,
    limits_in: Callable[[AppStore], Limits],
    *,
    is_once: bool = False,
) -> tuple[Caller, Begun | None]:
    """Return who logs somebody in, by the credential of a request that may be malformed, and then is None.

    If a backend says that somebody comes back, return also the session that has begun: to find the key and
    that this is so is one question, as it is to find a widget's and what its proof is checked against. A
    request that is done once, by its idempotency key, begins none here.
    Raises InvalidCredential.
    """
    kind, app = read_credential(credential) or ("", "")
    own = store.of(app)
    if kind == "pk" and request is not None and request.proof is not None:
        holder, ahead = own.keys.with_digest_and(digest(credential), *asked_ahead(own, limits_in(own)))
        return key_holder(own, holder, request_id, ahead), None
    if kind != "sk" or request is None or is_once or not _says_who_comes_back(request):
        return identify(store, admin_key, credential, request_id), None
    who, token = _coming_back(own, request.claim, request.device_id or "", verified=True)
    holder, found = own.logins.begin_with_key(who, digest(credential))
    return key_holder(own, holder, request_id), _begun(who, token, request.claim, found)


def _says_who_comes_back(request: LoginRequest) -> bool:
    """Return whether a backend's request says by itself that somebody known comes to their device."""
    names_both = request.claim.user_id is not None and request.device_id is not None
    return names_both and request.proof is None and believing.Caller.BACKEND in ALWAYS_BELIEVED


def log_in(
    store: AppStore,
    encryption: Encryption,
    caller: Backend | Widget,
    request: LoginRequest,
    limits: Limits,
    begun: Begun | None,
    key: IdempotencyKey | None = None,
) -> Login:
    """Log a device in as whoever the caller proves to be, or whom a backend says it is.

    Raises TooMany, ProofRequired, ProofInvalid, UnknownDevice for a device that a widget names and nobody
    knows, Overloaded, and Refused, for an idempotency key too; then nothing was changed.
    """
    if isinstance(caller, Widget):
        limits.count_login()
    claim, verified, ignored = believe(store, encryption, caller, request, limits)
    if isinstance(caller, Widget) and verified:
        # A count of claims that nobody proves could be used up by anybody, and would tell of others.
        limits.count_identity(claim)
    if isinstance(caller, Backend) and request.device_id is not None:
        require_device_id(request.device_id)
    key = key_of_login(caller, claim, request.device_id, key, verified=verified)
    if begun is None and key is None and (isinstance(caller, Widget) or request.proof is not None):
        begun = _come_back(store, claim, request.device_id, verified=verified)
    if begun is not None and request.device_id is not None:
        login = _login(caller.app, begun.found, begun.user, begun.session, begun.token, request.device_id)
    else:
        asked = replace(request, claim=claim)
        login = _log_in(store, encryption, caller, asked, limits, verified=verified, key=key)
    metrics.logged_in(login.resolution.rule)
    return replace(login, resolution=login.resolution.ignoring(ignored)) if ignored else login


def _come_back(store: AppStore, claim: Claim, device_id: str | None, *, verified: bool) -> Begun | None:
    """Begin the session of a known user about whom a login changes nothing, on a known device without an
    anonymous user; None if they are not, or if there is more to do."""
    if device_id is None or claim.user_id is None:
        return None
    who, token = _coming_back(store, claim, device_id, verified=verified)
    return _begun(who, token, claim, store.logins.begin(who))


def _coming_back(store: AppStore, claim: Claim, device_id: str, *, verified: bool) -> tuple[ComingBack, str]:
    device = digest(device_id)
    token = new_token(store.app_id, device)
    who = ComingBack(
        claim.user_id or "",
        verified,
        device,
        **unchanged(claim),
        token=digest(token),
        claim=None if verified else claim,
        at=now(),
    )
    return who, token


def _begun(who: ComingBack, token: str, claim: Claim, found: tuple[User, str] | None) -> Begun | None:
    if found is None:
        return None
    user, home = found
    session = _session(who.device, user.id, home, claim, who.user_id, who.verified, who.at)
    return Begun(Resolved.by_user_id(claim, user, home), user, session, token)


@one_transaction
def _log_in(
    store: AppStore,
    encryption: Encryption,
    caller: Backend | Widget,
    request: LoginRequest,
    limits: Limits,
    *,
    verified: bool,
    key: IdempotencyKey | None,
) -> Login:
    app, at, claim, device_id = caller.app, now(), request.claim, request.device_id
    before, text = login_before(store, key, at)
    if issued := device_id is None and key is not None:
        device_id = issued_device(encryption, app.id, text)
    if is_new := device_id is None:
        # Nobody else knows it yet, so there is nothing to lock.
        device_id = new_device_id()
        device = Device(digest(device_id), None, clears=False)
    else:
        device = _device(store, device_id, at, may_be_new=issued or isinstance(caller, Backend))
    found = resolve(store, app, claim, device, verified=verified, at=at)
    again = before and before.found_again(store, found)
    found = again or found
    _require_room(found, limits, verified=verified)
    log = AuditLog(store, replace(caller.actor, proven=verified), at)
    user = carry_out(store, found, log, verified=verified)
    home = (found.home or user.id) if claim.names_somebody else None
    if is_new:
        store.devices.add(device.digest, at, home)
    else:
        note_use(store, device, user, home)
    user = _carry_out_outcome(store, found, device, user, log)
    if not claim.names_somebody:
        store.devices.set_anonymous(device.digest, user.id)
    under = claim.user_id if claim.names_somebody else user.user_id
    session = _session(device.digest, user.id, found.home, claim, under, verified, at)
    token = new_token(app.id, device.digest)
    _replace(store, session, digest(token), at, is_new=is_new)
    login = _login(app, found, user, session, token, device_id)
    if before and again:
        return before.again(login)
    note_login(store, key, login, user.id, session.home, text)
    return login


def _require_room(found: Resolved, limits: Limits, *, verified: bool) -> None:
    """Raise Overloaded if a login that makes a user has waited for as long as any other call may: it came
    this far as it could have been of somebody known. If nobody vouches for them they are counted."""
    if not isinstance(found.decision.plan, Create):
        return
    if threads.in_line() > admission.MAX_WAIT[admission.Kind.CALL]:
        metrics.request_refused("new-user")
        raise Overloaded
    if not verified:
        limits.count_new_user()


def _replace(store: AppStore, session: Session, token: str, at: int, *, is_new: bool) -> None:
    """Begin a session in place of whatever the device had, if it is not new."""
    if not is_new:
        store.events.add_replaced(new_id("evt"), session.device, session.user, at)
    store.sessions.replace(session, token)


def _session(
    device: str, user: str, home: str | None, claim: Claim, under: str | None, verified: bool, at: int
) -> Session:
    return Session(
        device,
        user,
        verified=verified and claim.names_somebody,
        began_at=at,
        used_at=at,
        claim=claim if claim.names_somebody and not verified else None,
        home=home or user,
        user_id_digest=None if under is None else user_id_digest(under),
    )


def _login(app: App, found: Resolved, user: User, session: Session, token: str, device_id: str) -> Login:
    return Login(
        session.claim or user,
        SessionShown(session.expires_at(app.settings), session.verified, token),
        device_id,
        created=isinstance(found.decision.plan, Create),
        resolution=Resolution(found.decision.rule.name, found.because, found.changes, found.ignored),
    )


def _device(store: AppStore, device_id: str, at: int, *, may_be_new: bool) -> Device:
    """Lock the device; a backend may name any, as we do, and a widget only one that is known."""
    device = store.devices.lock(digest(device_id))
    if device is None and may_be_new:
        store.devices.add(digest(device_id), at)
        device = store.devices.lock(digest(device_id))
    if device is None:
        raise UnknownDevice
    return device


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
