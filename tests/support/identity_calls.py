"""Calls of the API as acts of the model of identity: what was answered, in the model's words."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.support.identity import Conflict, Identity
from tests.support.identity_records import Claim, Conversation, Device, Session
from tests.support.processes import Call

MEMBERS = ("id", "userId", "email", "emails", "name", "anonymous")


def user_of(body: dict[str, Any], *, verified: bool) -> dict[str, Any]:
    """Return a user that was answered as the model shows one."""
    shown = {name: body[name] for name in MEMBERS}
    shown["attributes"] = json.dumps(body["attributes"], sort_keys=True)
    return shown | {"aliases": frozenset(body["aliases"]), "verified": verified}


def login_of(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """Return what a login was answered as the model answers it."""
    verified = body["session"]["verified"]
    told = {"status": status, "token": body["session"]["token"], "device": body["deviceId"]}
    if "created" not in body:
        # Nobody proved it: what was found is told to nobody.
        return told | {"user": body["user"], "verified": verified}
    return told | found_in(status, body, verified=verified) | {"verified": verified}


def found_in(status: int, body: dict[str, Any], *, verified: bool) -> dict[str, Any]:
    """Return who was found, and why, as the model answers it."""
    return {
        "status": status,
        "user": user_of(body["user"], verified=verified),
        "created": body["created"],
        "rule": body["resolution"]["rule"],
        "changes": frozenset(body["resolution"]["changes"]),
    }


def after(model: Identity, call: Call) -> Identity | None:
    """Return the model after a call, or None if the rules would have answered it otherwise.

    A login is one by the backend. A merge that is not asked for is named after what made it.
    """
    model = model.copy()
    _, _, what, *rest = call.request.path.split("/")
    sent, key = call.request.json or {}, call.request.key
    try:
        if key in model.answered:
            agrees = call.status == 200 and _REPEATS[what](model, call, model.answered[key], *rest)
        else:
            agrees = _ACTS[what](model, call, sent, *rest)
            if key is not None:
                model.answered[key] = call.body
    except Conflict as conflict:
        agrees = (call.status, (call.body or {}).get("code")) == (409, str(conflict))
    return model if agrees else None


def look_and_begin(call: Call) -> tuple[Call, ...]:
    """Return a login that changed nobody as the two acts that it is: it looks who it is, then begins the
    session if the one before is still there, whatever else was said of them meanwhile. Any other call is one.
    """
    is_login = call.request.path == "/v1/login" and call.status == 200 and call.request.key is None
    if not is_login or call.body["resolution"]["changes"]:
        return (call,)
    acts = (replace(call.request, path=f"/v1/login/{act}") for act in ("look", "begin"))
    return tuple(replace(call, request=act) for act in acts)


def _log_in(model: Identity, call: Call, sent: dict[str, Any], act: str = "") -> bool:
    if call.status not in (200, 201):
        return False
    body, claim = call.body, _claim(sent)
    told = {"token": body["session"]["token"], "id": body["user"]["id"], "userId": body["user"]["userId"]}
    device = sent.get("deviceId", body["deviceId"])
    changed = model.copy() if act == "look" else model
    answered = login_of(call.status, body)
    expected = changed.log_in(claim, device, proven=True, told=told)
    if act == "begin":
        answered["user"], expected["user"] = answered["user"]["id"], expected["user"]["id"]
    return answered == expected


def _claim(sent: dict[str, Any]) -> Claim:
    attributes = tuple((sent.get("attributes") or {}).items())
    return Claim(sent.get("userId"), _as_kept(sent.get("email")), sent.get("name"), attributes)


def _as_kept(email: str | None) -> str | None:
    """Write an email as it is kept: as it was sent, but for the domain, whose case says nothing."""
    local, at, domain = (email or "").partition("@")
    return local + at + domain.lower() if at else None


def _session(model: Identity, token: str) -> tuple[str, Session] | None:
    found = ((id, one.session) for id, one in model.devices.items() if one.session)
    alive = ((id, session) for id, session in found if not session.has_expired)
    return next(((id, session) for id, session in alive if session.token == token), None)


def _me(model: Identity, call: Call, sent: dict[str, Any], what: str = "") -> bool:
    found = _session(model, call.request.credential)
    if found is None or call.status != 200:
        return found is None and call.status == 401
    if what == "contact":
        model.leave_contact(found[0], sent)
        return {name: call.body[name] for name in sent} == sent
    session, body = found[1], call.body
    if session.claim is not None:
        return body["user"] == session.claim.as_sent() and not body["session"]["verified"]
    user = model.one(session.home)
    return user_of(body["user"], verified=body["session"]["verified"]) == model.user(user)


def _log_out(model: Identity, call: Call, sent: dict[str, Any]) -> bool:
    for id, device in model.devices.items():
        is_meant = id == sent.get("deviceId") or (
            device.session is not None and device.session.token == call.request.credential
        )
        if is_meant:
            model.devices[id] = replace(device, session=None)
    homes = [model.home_of(sent.get("userId", ""), proven=world) for world in (True, False)]
    for home in [*homes, sent.get("user")]:
        if home is not None:
            model.log_out(model.one(home))
    return call.status == 204


def _clear(model: Identity, call: Call, sent: dict[str, Any]) -> bool:
    found = _session(model, call.request.credential)
    id = found[0] if found else sent["deviceId"]
    model.devices[id] = replace(model.devices.get(id, Device()), clears=sent["clear"])
    return call.body == {"clearAnonymousUser": sent["clear"]}


def _merge(model: Identity, call: Call, sent: dict[str, Any], id: str | None = None) -> bool:
    if id is not None:
        model.undo(id)
        return call.status == 200
    model.merge((call.body or {}).get("id", ""), sent["from"], sent["into"])
    return call.status == 201


def _add_user(model: Identity, call: Call, sent: dict[str, Any]) -> bool:
    told = {"id": (call.body or {}).get("user", {}).get("id", "")}
    found = model.add(_claim(sent), told)
    if found is None or call.status not in (200, 201):
        return found is None and call.status == 422
    return found == found_in(call.status, call.body, verified=found["user"]["verified"])


def _change_user(model: Identity, call: Call, sent: dict[str, Any], id: str = "", what: str = "") -> bool:
    if not id:
        return _add_user(model, call, sent)
    status = 200
    match call.request.method, what:
        case "DELETE", "":
            model.erase(id)
            return call.status == 204
        case "DELETE", _:
            status = 200 if model.take_id_away(id, sent["userId"]) else 404
        case "PUT", _:
            model.correct_id(id, sent["userId"], keep=sent.get("keep", False))
        case "PATCH", _:
            model.correct(id, sent)
        case _:
            status = model.add_alias(f"merge by {sent['userId']}", id, sent["userId"])
    if call.status != status or status == 404:
        return call.status == status
    return user_of(call.body, verified=call.body["verified"]) == model.user(model.one(id))


def _buy(model: Identity, call: Call, sent: dict[str, Any]) -> bool:
    account, user_id = sent["storeAccount"]["account"], sent["userId"]
    rule = model.buy(f"merge by {account}", user_id, account, sent.get("transaction"))
    return (call.status, call.body["resolution"]["rule"]) == (200, rule)


def _write(model: Identity, call: Call, sent: dict[str, Any], id: str = "", act: str = "") -> bool:
    """Begin a conversation, write into one, or read it."""
    home, device = sent.get("user"), None
    if not call.request.credential.startswith("sk_"):
        found = _session(model, call.request.credential)
        if found is None:
            # It may have ended after it was asked who is logged in, and the conversation be another's.
            return call.status in (401, 404)
        device, home = found[0], found[1].home
        if id and not model.sees(device, model.conversations[id]):
            return call.status == 404
    author = home if device else None
    told = model.conversations.get(id) or Conversation(home or "", device)
    if act == "read":
        model.conversations[id] = told.read_by(author)
        return call.status == 204
    text = sent.get("body") or sent["message"]
    model.conversations[id or (call.body or {}).get("id", "")] = told.with_message(author, text)
    return call.status == 201


def _log_in_again(model: Identity, call: Call, first: dict[str, Any]) -> bool:
    """A repeat of a login is answered as the first was, with a new token in place of that one's."""
    body, device = call.body, model.devices[first["deviceId"]]
    assert device.session is not None
    token = body["session"]["token"]
    model.devices[first["deviceId"]] = replace(device, session=replace(device.session, token=token))
    now = model.user(model.one(device.session.home))
    same = all(body[name] == first[name] for name in ("deviceId", "created", "resolution"))
    return same and user_of(body["user"], verified=body["session"]["verified"]) == now


def _add_alias_again(model: Identity, call: Call, _: dict[str, Any], id: str, *_what: str) -> bool:
    return user_of(call.body, verified=call.body["verified"]) == model.user(model.one(id))


def _merge_again(_: Identity, call: Call, first: dict[str, Any]) -> bool:
    return bool(call.body["id"] == first["id"])


# What comes of a call whose idempotency key was used.
_REPEATS: dict[str, Callable[..., bool]] = {
    "login": _log_in_again,
    "users": _add_alias_again,
    "merges": _merge_again,
}

_ACTS: dict[str, Callable[..., bool]] = {
    "login": _log_in,
    "me": _me,
    "logout": _log_out,
    "clearAnonymousUser": _clear,
    "merges": _merge,
    "users": _change_user,
    "purchases": _buy,
    "restore": _buy,
    "conversations": _write,
}
