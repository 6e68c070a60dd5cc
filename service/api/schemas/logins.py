"""Login, logout, clearAnonymousUser, and the one who is logged in."""

from typing import Any

import marshmallow as ma

from service.api.schemas.attributes import OptionalAttributes
from service.api.schemas.fields import (
    Answer,
    Boolean,
    OptionalText,
    Shape,
    Text,
    Time,
    problem,
)
from service.api.schemas.people import ToldBuyerOut, ToldOut
from service.model import identifiers
from service.model.errors import FieldError
from service.model.identifiers import Malformed
from service.model.logins import LoginRequest
from service.model.users import Claim


def as_sent(text: str) -> str:
    """Take any text: what it names is looked up, or it is refused where more is known."""
    return text


# How the OpenAPI document describes members; what a pattern cannot say, a sentence does.
NAME = {
    "description": (
        "Cut to 255 code points, between characters as people see them; control characters become spaces."
    ),
    "example": "Jane",
}
DEVICE_ID = {"description": "A secret of the device.", "pattern": "^([!-~]{16,255})?$"}
USER_ID = {
    "description": (
        "The app's own ID of the person, compared exactly. No control, format or non-characters but joiners"
        " where a script needs them, no placeholder such as `null` or `anonymous`, nothing that begins with"
        " `$anon:` or `$RCAnonymousID:`."
    ),
    "maxLength": identifiers.MAX_USER_ID,
    "pattern": r"^([^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?)?$",
    "example": "u-17",
}
EMAIL = {
    "description": (
        "At most 254 bytes, and 64 before the @; white space, zero-width and direction marks at the ends are"
        " dropped. Left out, and named in `resolution.ignored`, where it is none and a user ID is given."
    ),
    "anyOf": [{"format": "email"}, {"enum": [None, ""]}],
    "example": "jane@example.org",
}


class UserIn(Shape):
    """Whom somebody is added as; null and "" are as a member that is missing."""

    user_id = Text(identifiers.user_id, data_key="userId", blank_is_missing=True, metadata=USER_ID)
    email = OptionalText(identifiers.email, metadata=EMAIL)
    name = OptionalText(identifiers.name, metadata=NAME)
    attributes = OptionalAttributes()

    def load(self, data: Any, **kwargs: Any) -> LoginRequest:
        """Read what was sent."""
        members = super().load(data, **kwargs)
        beside = {name: members.pop(name, None) for name in ("device_id", "proof")}
        said, not_said = members.pop("attributes", ({}, ()))
        unusable = {name: value for name, value in members.items() if isinstance(value, Malformed)}
        ignored = tuple(FieldError(f"/{name}", why.code, why.detail) for name, why in unusable.items())
        claim, email = Claim(**members | dict.fromkeys(unusable), attributes=said), data.get("email")
        as_sent = email if isinstance(email, str) else None
        return LoginRequest(claim, **beside, email_as_sent=as_sent, ignored=(*ignored, *not_said))


class LoginIn(UserIn):
    """What a login says; null and "" are as a member that is missing."""

    device_id = Text(as_sent, data_key="deviceId", blank_is_missing=True, metadata=DEVICE_ID)
    proof = Text(
        as_sent, blank_is_missing=True, metadata={"description": "What shows that the identity is true."}
    )


class SessionOut(Answer):
    """A session, as it is seen from then on."""

    expires_at = Time(data_key="expiresAt")
    verified = ma.fields.Boolean()


class NewSessionOut(SessionOut):
    """A session as the login answers it: its token is shown this once."""

    token = ma.fields.String()


class IgnoredOut(Answer):
    """What was left out, as it could not be used, and by which code."""

    pointer = ma.fields.String()
    code = ma.fields.String()


class ResolutionOut(Answer):
    """Which rule decided, why, what it changed on a user who was there before, and what was left out."""

    rule = ma.fields.String()
    because = ma.fields.String()
    changes = ma.fields.List(ma.fields.String())
    ignored = ma.fields.List(ma.fields.Nested(IgnoredOut()))


class LoginOut(Answer):
    """What a login answers; where nobody proved anything, nothing of what was found."""

    sometimes = frozenset({"created", "resolution"})

    user = ma.fields.Nested(ToldOut())
    session = ma.fields.Nested(NewSessionOut())
    device_id = ma.fields.String(data_key="deviceId")
    created = ma.fields.Boolean()
    resolution = ma.fields.Nested(ResolutionOut())


class MeOut(Answer):
    """Who is logged in."""

    user = ma.fields.Nested(ToldBuyerOut())
    session = ma.fields.Nested(SessionOut())


class ClaimOut(Answer):
    """What an unproven login said, and nothing that was found."""

    user_id = ma.fields.String(data_key="userId", allow_none=True)
    email = ma.fields.String(allow_none=True)
    name = ma.fields.String(allow_none=True)


class UnprovenLoginOut(Answer):
    """What an unproven login answers."""

    user = ma.fields.Nested(ClaimOut())
    session = ma.fields.Nested(NewSessionOut())
    device_id = ma.fields.String(data_key="deviceId")


class UnprovenMeOut(Answer):
    """Who an unproven login said it is."""

    user = ma.fields.Nested(ClaimOut())
    session = ma.fields.Nested(SessionOut())


def _exactly_one_of(*names: str) -> dict[str, Any]:
    """Write for the OpenAPI document that one of these members says something."""
    given, blank = {"type": "string", "minLength": 1}, {"enum": [None, ""]}
    return {
        "oneOf": [
            {
                "type": "object",
                "required": [name],
                "properties": {other: given if other == name else blank for other in names},
                "additionalProperties": False,
            }
            for name in names
        ]
    }


LOGOUT_BODY = {
    "description": "With a secret key only.",
    "content": {"application/json": {"schema": _exactly_one_of("deviceId", "userId", "user")}},
}


class LogoutIn(Shape):
    """Whose sessions end, when a backend says it: exactly one member."""

    device_id = Text(as_sent, data_key="deviceId", blank_is_missing=True)
    user_id = Text(as_sent, data_key="userId", blank_is_missing=True)
    user = Text(as_sent, blank_is_missing=True)

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """Return the members. Raises ValidationError for more than one, or none."""
        if sum(value is not None for value in members.values()) != 1:
            several = problem("exactly-one", "Give one of deviceId, userId and user.")
            raise ma.ValidationError({"_schema": several})
        return members


class ClearingIn(Shape):
    """The device's clearAnonymousUser flag; a backend says which device."""

    clear = Boolean(load_default=True)
    device_id = Text(as_sent, data_key="deviceId", blank_is_missing=True, metadata=DEVICE_ID)


class ClearingOut(Answer):
    """The flag as it is now."""

    clear_anonymous_user = ma.fields.Boolean(data_key="clearAnonymousUser")
