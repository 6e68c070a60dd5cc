"""Login, logout, clearAnonymousUser, me."""

from contextlib import suppress
from typing import Any

import marshmallow as ma
from flask import Blueprint, Request, Response
from werkzeug.exceptions import HTTPException

from service.api.auth import bearer, may_call_from_this_page, require_page, whoever_calls
from service.api.bodies import as_json, read
from service.api.context import context, serving, store_of
from service.api.endpoints import alt_response, body, doc, open_to, refuses, response
from service.api.idempotency_keys import has_key, key_of, once, require_well_formed_key, takes_key
from service.api.limits import limits, limits_in
from service.api.schemas.logins import (
    LOGOUT_BODY,
    ClearingIn,
    ClearingOut,
    LoginIn,
    LoginOut,
    LogoutIn,
    MeOut,
    UnprovenLoginOut,
    UnprovenMeOut,
)
from service.desk import login, sessions
from service.desk.purchasing import purchases_ahead
from service.desk.users import show_own
from service.model.callers import Backend, EndUser, Widget
from service.model.errors import InvalidCredential, NotAllowed, Refused
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import Malformed, read_credential
from service.model.identifiers import device_id as parse_device_id
from service.model.logins import Login, LoginRequest, Me
from service.model.sessions import SessionShown
from service.model.users import Claim

api = Blueprint("logins", __name__, url_prefix="/v1")

LOGIN, LOGOUT, UNPROVEN_LOGIN, UNPROVEN_ME = LoginIn(), LogoutIn(), UnprovenLoginOut(), UnprovenMeOut()


@api.post("/login")
@open_to(Backend, Widget, by_hand=True)
@body(LOGIN, required=False, by_hand=True)
@takes_key
@response(200, LoginOut())
@alt_response(201, LoginOut())
@refuses(429)
def log_in() -> Any:
    """Log a device in.

    201 if a user was created, else 200; `resolution` names the rule that decided. With a publishable
    key an identity needs a `proof`; where the app asks for none, an unproven login is told what it
    sent, and nothing of what was found. 200 if the same `Idempotency-Key` did so before: all is as it was,
    with a new token in place of the first.
    """
    current = serving()
    store, encryption, config = current.context.store, current.context.encryption, current.context.config
    said = _said(current.request)
    caller, begun = login.who_calls(
        store, config.admin_key, bearer(), current.id, said, limits_in, is_once=has_key()
    )
    current.caller = caller
    if not isinstance(caller, Backend | Widget):
        raise NotAllowed
    require_page(caller)
    request = read(LOGIN, current.request)
    key = key_of(caller)
    done = login.log_in(store_of(caller), encryption, caller, request, limits(caller), begun, key)
    current.rule = done.resolution.rule
    return _unproven(done, UNPROVEN_LOGIN) or (done, 201 if done.created and not done.repeats else 200)


def _said(request: Request) -> LoginRequest | None:
    """Return what a login says. What is wrong with the body is told later, to who may call."""
    with suppress(Refused, HTTPException, Malformed):
        login: LoginRequest = read(LOGIN, request)
        if login.device_id is not None:
            parse_device_id(login.device_id)
        return login
    return None


@api.post("/logout")
@doc(security=[{"sessionToken": []}, {"secretKey": []}], requestBody=LOGOUT_BODY)
@takes_key
@response(204)
@refuses(400, 401, 403, 413, 414, 415, 422, 503)
def log_out() -> None:
    """End a session.

    With a session token its own, and no body; with a secret key those that exactly one of `deviceId`,
    `userId` and `user` names. 204 also where there is none. A repeat ends what there is by then, too.
    """
    credential = bearer()
    parts = read_credential(credential)
    if parts is not None and parts[0] == "st":
        with suppress(InvalidCredential):
            if not may_call_from_this_page(whoever_calls(credential)):
                raise NotAllowed
        require_well_formed_key()
        sessions.log_out_token(context().store.of(parts[1]), credential)
        return
    caller = whoever_calls(credential)
    if not isinstance(caller, Backend):
        raise NotAllowed
    which = read(LOGOUT, serving().request)
    require_well_formed_key()
    sessions.log_out(store_of(caller), **which)


@api.post("/clearAnonymousUser")
@open_to(EndUser, Backend)
@body(ClearingIn(), required=False)
@once
@response(200, ClearingOut())
def clear_anonymous_user(
    caller: EndUser | Backend, content: dict[str, Any], key: IdempotencyKey | None
) -> Response:
    """Set the device's flag: each login of a user clears its anonymous user.

    It acts at login, not at once. A backend says which device.
    """
    device = sessions.device_of(caller, content["device_id"])
    cleared = sessions.set_clearing(store_of(caller), caller, device, content["clear"], key)
    return as_json({"clearAnonymousUser": cleared})


@api.get("/me")
@open_to(EndUser, ahead=purchases_ahead)
@response(200, MeOut())
def me(caller: EndUser) -> Any:
    """Show who is logged in; to an unproven login, what it claimed."""
    expires_at = caller.session.expires_at(caller.app.settings)
    user = caller.session.claim or show_own(store_of(caller), caller)
    me = Me(user, SessionShown(expires_at, caller.session.verified))
    return _unproven(me, UNPROVEN_ME) or me


def _unproven(shown: Login | Me, shape: ma.Schema) -> Response | None:
    """Answer those who proved nothing in the shape that tells only what they said."""
    return as_json(shape.dump(shown)) if isinstance(shown.user, Claim) else None
