"""The limits that hold for whoever calls."""

from service.api.context import serving, store_of
from service.desk.limits import Limits
from service.model.callers import Backend, EndUser, Widget
from service.store import AppStore


def limits(caller: Backend | Widget | EndUser) -> Limits:
    """Return the limits that hold for a caller's address; for a backend there are none."""
    # A backend calls for many people from one address.
    return limits_in(store_of(caller), is_limited=not isinstance(caller, Backend))


def limits_in(store: AppStore, *, is_limited: bool = True) -> Limits:
    """Return the limits that hold in an app, by its store, for the address of this request."""
    current = serving()
    config = current.context.config
    return Limits(
        store,
        current.request.remote_addr or "",
        config.secret_key,
        config.login_rate if is_limited else 0,
        config.proof_failure_rate if is_limited else 0,
        config.new_user_rate if is_limited else 0,
    )
