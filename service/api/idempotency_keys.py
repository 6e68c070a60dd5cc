"""``Idempotency-Key``: which calls take one, and what makes two requests the same."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from service.api.bodies import members_of
from service.api.context import serving
from service.api.openapi import describe
from service.desk.idempotency_keys import key_scope
from service.model import identifiers
from service.model.callers import Caller
from service.model.errors import Refused
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import Malformed

View = Callable[..., Any]

NAME = "Idempotency-Key"
PARAMETER = {"in": "header", "name": NAME, "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"}}


def takes_key(view: View) -> View:
    """Say that an endpoint takes an ``Idempotency-Key``, which it reads itself by ``key_of``."""
    return describe(view, parameters=[PARAMETER], responses={422: "UNPROCESSABLE_ENTITY"})  # type: ignore[no-any-return]


def once(view: View) -> View:
    """Have an endpoint do once what is sent twice: give it, as ``key``, the ``Idempotency-Key`` of a call
    with whose it is and what it came with, or None. It stands below ``open_to`` and ``body``.

    Raises Refused for a malformed one.
    """

    @wraps(takes_key(view))
    def keyed(caller: Caller, *args: Any, **kwargs: Any) -> Any:
        return view(caller, *args, key=key_of(caller), **kwargs)

    return keyed


def has_key() -> bool:
    """Return whether a call has a key, if a malformed one."""
    return NAME in serving().request.headers


def key_of(caller: Caller) -> IdempotencyKey | None:
    """Return the key of this call, if it has one. Raises Refused for a malformed one."""
    text = _sent()
    return None if text is None else key_for(caller, text, members_of(serving().request))


def require_well_formed_key() -> None:
    """Raise Refused for a malformed key: for what is the same however often it is done, it is no more than
    that."""
    _sent()


def _sent() -> str | None:
    return read_key(serving().request.headers.get(NAME), NAME)


def read_key(text: str | None, member: str) -> str | None:
    """Return a key that a member may hold. Raises Refused for a malformed one."""
    try:
        return None if text is None else identifiers.idempotency_key(text)
    except Malformed as malformed:
        raise Refused.member(member, malformed.code, malformed.detail) from None


def key_for(caller: Caller, text: str, members: Mapping[str, Any]) -> IdempotencyKey:
    """Return a key with whose it is, and with the digest of this request: where it goes, and what it says.
    A member that is null or empty is as one that is missing."""
    request = serving().request
    said = {name: value for name, value in members.items() if value is not None and value != ""}
    text_of_it = json.dumps([request.method, request.path, said], sort_keys=True)
    return IdempotencyKey(key_scope(caller), text, hashlib.sha256(text_of_it.encode()).hexdigest())
