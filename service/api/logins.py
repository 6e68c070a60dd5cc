"""Login, logout, clearAnonymousUser, me."""

from typing import Any

from flask import g, request

from service.api.blueprints import Blueprint
from service.api.bodies import Parser
from service.api.callers import bearer, whoever_calls
from service.api.context import context
from service.api.schemas.logins import ClearingIn, ClearingOut, LoginIn, LoginOut, LogoutIn, MeOut
from service.desk import resolver, sessions
from service.desk.limits import count_login
from service.errors import NotAllowed
from service.identifiers import read_credential
from service.nouns import Backend, Claim, Me, SessionShown, Visitor, Widget

api = Blueprint("logins", __name__, url_prefix="/v1")


@api.post("/login")
@api.open_to(Backend, Widget)
@api.body(LoginIn(), required=False)
@api.response(200, LoginOut())
@api.alt_response(201, schema=LoginOut())
@api.refuses(429)
def log_in(caller: Backend | Widget, sent: tuple[Claim, str | None]) -> Any:
    """Log a device in.

    201 if a user was created, else 200; `resolution` names the rule that decided.
    """
    _count(caller)
    login = resolver.log_in(context().store, caller, *sent)
    g.rule = login.resolution.rule
    return login, 201 if login.created else 200


@api.post("/logout")
@api.doc(security=[{"sessionToken": []}, {"secretKey": []}])
@api.response(204)
@api.refuses(400, 401, 403, 413, 415, 422, 503)
def log_out() -> None:
    """End a session.

    With a session token its own, and no body; with a secret key those that exactly one of `deviceId`,
    `userId` and `user` names. 204 also where there is none.
    """
    store, credential = context().store, bearer()
    parts = read_credential(credential)
    if parts is not None and parts[0] == "st":
        sessions.log_out_token(store, parts[1], credential)
        return
    caller = whoever_calls()
    if not isinstance(caller, Backend):
        raise NotAllowed
    sessions.log_out(store, caller.app, **Parser().parse(LogoutIn(), request))


@api.post("/clearAnonymousUser")
@api.open_to(Visitor, Backend)
@api.body(ClearingIn(), required=False)
@api.response(200, ClearingOut())
def clear_anonymous_user(caller: Visitor | Backend, sent: dict[str, Any]) -> Any:
    """Set the device's flag: each login of a user clears its anonymous user.

    It acts at login, not at once. A backend says which device.
    """
    clears = sessions.set_clearing(context().store, caller, sent["device_id"], sent["clear"])
    return {"clear_anonymous_user": clears}


@api.get("/me")
@api.open_to(Visitor)
@api.response(200, MeOut())
def me(caller: Visitor) -> Me:
    """Say who is logged in."""
    expires_at = caller.session.expires_at(caller.app.settings)
    return Me(caller.user, SessionShown(expires_at, caller.session.verified))


def _count(caller: Backend | Widget) -> None:
    if isinstance(caller, Widget):
        config = context().config
        address = request.remote_addr or ""
        count_login(context().store, caller.app, address, limit=config.login_rate, secret=config.secret_key)
