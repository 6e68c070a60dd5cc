"""Add somebody as a login would, without a device and a session: by the same rules, under the same locks."""

from dataclasses import replace

from service.desk.history import AuditLog
from service.desk.limits import Limits
from service.desk.proving import believe
from service.desk.repeated_logins import login_before, note_login
from service.desk.resolver import carry_out, resolve
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.model.callers import Backend
from service.model.errors import FieldError, Refused
from service.model.idempotency_keys import IdempotencyKey
from service.model.logins import Added, LoginRequest, Resolution
from service.model.sessions import Device
from service.model.users import Claim
from service.rules.login import Act, Create
from service.store import AppStore
from service.times import now

# No device is called so, and an anonymous user belongs to one.
NO_DEVICE = Device("", None, clears=False)


def add_user(
    store: AppStore,
    encryption: Encryption,
    caller: Backend,
    request: LoginRequest,
    limits: Limits,
    key: IdempotencyKey | None = None,
) -> Added:
    """Return whom a login with this claim would lead to, as they are once it has said what it says.

    Raises Refused where the claim names nobody, as there is no device whose anonymous user it could mean, for
    more attributes than a user may have, and for an idempotency key that was used for something else.
    """
    claim, verified, ignored = believe(store, encryption, caller, request, limits)
    added = _add(store, caller, claim, key, verified=verified)
    return replace(added, resolution=added.resolution.ignoring(ignored))


@one_transaction
def _add(
    store: AppStore, caller: Backend, claim: Claim, key: IdempotencyKey | None, *, verified: bool
) -> Added:
    at = now()
    before, _ = login_before(store, key, at)
    found = resolve(store, caller.app, claim, NO_DEVICE, verified=verified, at=at)
    rule = found.decision.rule
    if rule.then is Act.ANONYMOUS:
        detail = "Give a userId or an email; an anonymous user belongs to a device, and is made by a login."
        raise Refused(FieldError("", "identity-required", detail))
    again = before and before.found_again(store, found)
    found = again or found
    if found.ignored:
        raise Refused(*found.ignored)
    user = carry_out(store, found, AuditLog(store, caller.actor, at), verified=verified)
    added = Added(
        user,
        created=isinstance(found.decision.plan, Create),
        resolution=Resolution(rule.name, found.because, found.changes),
    )
    if before and again:
        return before.again(added)
    note_login(store, key, added, user.id, found.home, "")
    return added
