"""Apps, their settings and their keys."""

import ipaddress
import re
from typing import Any

import marshmallow as ma

from service.api.schemas.fields import Answer, Enum, List, Nested, Shape, Text, TextIfAny, Time, WholeNumber
from service.model.apps import (
    MIN_SESSION_DAYS,
    ONE_WAY,
    AnonymousPolicy,
    ConversationScope,
    KeyKind,
    ProofKind,
    RestoreBehavior,
    Switch,
    Verification,
)
from service.model.identifiers import Malformed, name

MAX_ORIGIN = 300

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]", re.ASCII)


def origin(value: str) -> str:
    """Take a web origin exactly as a browser sends it: scheme, host, and a port that is not the usual.

    Raises Malformed.
    """
    refused = Malformed("invalid-origin", "This is a web origin, such as https://shop.example.org.")
    scheme, separator, rest = value.partition("://")
    host, _, port = rest.rpartition(":") if re.search(r":[0-9]+\Z", rest) else (rest, "", "")
    if not separator or scheme not in ("http", "https") or not _is_host(host) or len(value) > MAX_ORIGIN:
        raise refused
    if port and (str(int(port)) != port or not 0 < int(port) < 65536):
        raise refused
    if (scheme, port) in (("http", "80"), ("https", "443")):
        raise refused
    return value


ORIGIN = {
    "maxLength": MAX_ORIGIN,
    "pattern": rf"^https?://({_HOST.pattern})(:[1-9][0-9]{{0,4}})?$",
    "example": "https://shop.example.org",
}
APP_NAME = {
    "description": "Cut to 255 code points.",
    "pattern": r"[^\s\x00-\x1f\x7f-\x9f]",
    "example": "Shop",
}


def _is_host(text: str) -> bool:
    if _HOST.fullmatch(text) is None:
        return False
    try:
        return not text.startswith("[") or ipaddress.ip_address(text[1:-1]).version == 6
    except ValueError:
        return False


def app_name(value: str) -> str:
    """Take an app's name."""
    shown = name(value)
    if shown is None:
        raise Malformed("empty", "An app has a name.")
    return shown


class SettingsShape(Shape):
    """An app's settings; what is not given keeps its value, or at first its default."""

    identity_verification = Enum(Verification, data_key="identityVerification")
    anonymous_on_login = Enum(AnonymousPolicy, data_key="anonymousOnLogin")
    conversation_scope = Enum(ConversationScope, data_key="conversationScope")
    restore_behavior = Enum(RestoreBehavior, data_key="restoreBehavior")
    client_purchases = Enum(Switch, data_key="clientPurchases")
    revenuecat = Enum(Switch)
    origins = List(Text(origin, metadata=ORIGIN))
    session_days = WholeNumber(MIN_SESSION_DAYS, 365, data_key="sessionDays")
    idle_days = WholeNumber(MIN_SESSION_DAYS, 365, data_key="idleDays")

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """Make settings, which do not change, of what was sent."""
        return {key: tuple(value) if isinstance(value, list) else value for key, value in members.items()}


class AppIn(Shape):
    """A new app."""

    name = Text(app_name, required=True, metadata=APP_NAME)
    settings = Nested(SettingsShape(), load_default=dict)


class AppChangeIn(Shape):
    """What changes about an app."""

    name = Text(app_name, load_default=lambda: None, metadata=APP_NAME)
    settings = Nested(SettingsShape(), load_default=dict)


class AppOut(Answer):
    """An app."""

    id = ma.fields.String()
    name = ma.fields.String()
    settings = ma.fields.Nested(SettingsShape())
    created_at = Time(data_key="createdAt")


class AppsOut(Answer):
    """All apps."""

    data = ma.fields.List(ma.fields.Nested(AppOut()))


class KeyIn(Shape):
    """What a new key is for."""

    kind = Enum(KeyKind, required=True)
    proof = Enum(
        ONE_WAY,
        load_default=lambda: None,
        metadata={
            "description": "With an `identity` key only, which is for `jwt` unless this says otherwise."
        },
    )


PROOF = {
    "description": "How an `identity` key proves; it stands with no other. `both` is one to be rotated.",
    "enum": [kind.value for kind in ProofKind],
}


class KeyOut(Answer):
    """A key, without what it is."""

    sometimes = frozenset({"proof"})

    id = ma.fields.String()
    kind = ma.fields.Enum(KeyKind, by_value=True)
    proof = TextIfAny(metadata=PROOF)
    created_at = Time(data_key="createdAt")
    last_used_at = Time(data_key="lastUsedAt", allow_none=True)


class NewKeyOut(Answer):
    """A key in the answer that makes it: ``key`` is shown this once."""

    sometimes = frozenset({"proof"})

    id = ma.fields.String()
    kind = ma.fields.Enum(KeyKind, by_value=True)
    proof = TextIfAny(metadata=PROOF)
    plain = ma.fields.String(data_key="key")
    created_at = Time(data_key="createdAt")


class KeysOut(Answer):
    """An app's keys."""

    data = ma.fields.List(ma.fields.Nested(KeyOut()))
