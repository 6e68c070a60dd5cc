"""Logout and clearAnonymousUser: what ends a session, and what the device keeps in mind."""

from service.desk.transactions import one_transaction
from service.errors import Refused
from service.identifiers import Malformed, digest, is_id
from service.identifiers import device_id as parse_device_id
from service.nouns import App, Backend, Visitor, now
from service.store import Store


@one_transaction
def log_out_token(store: Store, app: str, token: str) -> None:
    """End the session of a token, if there is one."""
    store.sessions.end(app, token=digest(token))


@one_transaction
def log_out(store: Store, app: App, *, device_id: str | None, user_id: str | None, user: str | None) -> None:
    """End the session of a device, or every session of a user, by a user ID or by our id; if any."""
    if device_id is not None:
        store.sessions.end_on_device(app.id, digest(device_id))
    found = None
    if user_id is not None:
        found = store.users.with_user_id(app.id, user_id)
    if user is not None and is_id("usr", user):
        found = store.users.survivor(app.id, user)
    if found is not None:
        store.sessions.end_of_user(app.id, found.id)


@one_transaction
def set_clearing(store: Store, caller: Backend | Visitor, device_id: str | None, clears: bool) -> bool:
    """Set a device's clearAnonymousUser flag: a visitor's own device's, or the one a backend names.

    Answers the flag. Raises Refused for a device ID that is missing, malformed, or not the visitor's.
    """
    match caller:
        case Visitor(app, _, session):
            if device_id is not None and digest(device_id) != session.device:
                raise Refused.member("deviceId", "not-this-device", "A session speaks for its own device.")
            device = session.device
        case Backend(app):
            require_device_id(device_id or "")
            device = digest(device_id or "")
            store.devices.add(app.id, device, now())
    store.devices.set_clears(app.id, device, clears)
    return clears


def require_device_id(text: str) -> None:
    """Raise Refused unless a text may be a device's ID."""
    try:
        parse_device_id(text)
    except Malformed as malformed:
        raise Refused.member("deviceId", malformed.code, malformed.detail) from None
