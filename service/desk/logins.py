"""What a login goes through: it is counted, then believed or not, then resolved."""

from dataclasses import replace

from service.desk.limits import Limits
from service.desk.proving import believe
from service.desk.resolver import explain, log_in
from service.encryption import Encryption
from service.model.callers import Backend, Widget
from service.model.logins import Explanation, Login, LoginSent
from service.store import Store


def admit(
    store: Store,
    encryption: Encryption,
    caller: Backend | Widget,
    sent: LoginSent,
    limits: Limits,
) -> Login:
    """Log a device in as whoever it proves to be, or whom a backend says it is.

    Raises TooMany, ProofRequired, ProofInvalid, UnknownDevice and Refused; then nothing was changed.
    """
    if isinstance(caller, Widget):
        limits.count_login()
    claim, verified, ignored = believe(store, encryption, caller, sent, limits)
    if isinstance(caller, Widget) and verified:
        # A count of claims that nobody proves could be used up by anybody, and would tell of others.
        limits.count_identity(claim)
    login = log_in(store, caller, claim, sent.device_id, verified=verified)
    return replace(login, resolution=replace(login.resolution, ignored=ignored)) if ignored else login


def explain_login(
    store: Store,
    encryption: Encryption,
    caller: Backend,
    sent: LoginSent,
    limits: Limits,
) -> Explanation:
    """Say what ``admit`` would do, and why; change nothing.

    Raises ProofInvalid and Refused, as it would.
    """
    claim, _, ignored = believe(store, encryption, caller, sent, limits)
    return replace(explain(store, caller, claim, sent.device_id), ignored=ignored)
