"""What a login would do, and why, without a login."""

from dataclasses import replace

from service.desk.limits import Limits
from service.desk.proving import believe
from service.desk.resolver import resolve
from service.desk.sessions import require_device_id
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.model.callers import Backend
from service.model.identifiers import digest
from service.model.logins import Candidates, Explanation, LoginRequest
from service.model.sessions import Device
from service.model.users import Claim
from service.rules.login import Create, kind_of
from service.store import AppStore
from service.times import now

# How many of those who share an email an explanation names.
MAX_CANDIDATES = 100


def explain_login(
    store: AppStore, encryption: Encryption, caller: Backend, request: LoginRequest, limits: Limits
) -> Explanation:
    """Return which rule would decide a login, to whom it would lead, and why; change nothing.

    Raises ProofInvalid and Refused, as the login would.
    """
    claim, _, ignored = believe(store, encryption, caller, request, limits)
    if request.device_id is not None:
        require_device_id(request.device_id)
    explanation = _explain(store, caller, claim, request.device_id)
    return replace(explanation, ignored=ignored + explanation.ignored)


@one_transaction
def _explain(store: AppStore, caller: Backend, claim: Claim, device_id: str | None) -> Explanation:
    known = store.devices.lock(digest(device_id)) if device_id else None
    device = known or Device("", None, clears=False)
    found = resolve(store, caller.app, claim, device, verified=True, at=now())
    plan, by_user_id = found.decision.plan, found.evidence.by_user_id
    return Explanation(
        found.decision.rule.name,
        found.because,
        kind_of(plan),
        None if isinstance(plan, Create) else plan.user,
        found.changes,
        Candidates(by_user_id.id if by_user_id else None, _having(store, claim.email)),
        found.ignored,
    )


def _having(store: AppStore, email: str | None) -> tuple[str, ...]:
    if email is None:
        return ()
    having = store.users.with_email(email, verified=True, limit=MAX_CANDIDATES)
    return tuple(user.id for user in having)
