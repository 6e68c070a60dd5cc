"""Login, logout, clearAnonymousUser, and the one who is logged in."""

from typing import Any

import marshmallow as ma

from service import identifiers
from service.api.schemas.members import Answer, Shape, Text, Time, Truth, problem
from service.nouns import Claim


def as_sent(text: str) -> str:
    """Take any text: what it names is looked up, or it is refused where more is known."""
    return text


class LoginIn(Shape):
    """What a login says."""

    device_id = Text(as_sent, data_key="deviceId", blank_is_missing=True)
    user_id = Text(
        identifiers.user_id,
        data_key="userId",
        blank_is_missing=True,
        metadata={"description": "The app's own ID of the person: 1 to 750 code points."},
    )
    email = Text(identifiers.email, blank_is_missing=True, metadata={"description": "At most 254 bytes."})
    name = Text(identifiers.name, blank_is_missing=True, metadata={"description": "Cut to 255 code points."})
    proof = Text(as_sent, blank_is_missing=True)

    @ma.post_load
    def _claim(self, data: dict[str, Any], **_kwargs: Any) -> tuple[Claim, str | None]:
        device_id = data.pop("device_id")
        return Claim(**data), device_id


class UserOut(Answer):
    """A user."""

    id = ma.fields.String()
    user_id = ma.fields.String(data_key="userId", allow_none=True)
    email = ma.fields.String(allow_none=True)
    name = ma.fields.String(allow_none=True)
    anonymous = ma.fields.Function(
        lambda user: identifiers.is_anonymous(user.user_id), metadata={"type": "boolean"}
    )
    aliases = ma.fields.List(ma.fields.String())
    created_at = Time(data_key="createdAt")


class SessionOut(Answer):
    """A session, as it is seen from then on."""

    expires_at = Time(data_key="expiresAt")
    verified = ma.fields.Boolean()


class NewSessionOut(SessionOut):
    """A session as the login answers it: its token is shown this once."""

    token = ma.fields.String()


class ResolutionOut(Answer):
    """Which rule decided, why, and what it changed on a user who was there before."""

    rule = ma.fields.String()
    because = ma.fields.String()
    changes = ma.fields.List(ma.fields.String())


class LoginOut(Answer):
    """What a login answers."""

    user = ma.fields.Nested(UserOut())
    session = ma.fields.Nested(NewSessionOut())
    device_id = ma.fields.String(data_key="deviceId")
    created = ma.fields.Boolean()
    resolution = ma.fields.Nested(ResolutionOut())


class MeOut(Answer):
    """Who is logged in."""

    user = ma.fields.Nested(UserOut())
    session = ma.fields.Nested(SessionOut())


class LogoutIn(Shape):
    """Whose sessions end, when a backend says it: exactly one member."""

    device_id = Text(as_sent, data_key="deviceId", blank_is_missing=True)
    user_id = Text(as_sent, data_key="userId", blank_is_missing=True)
    user = Text(as_sent, blank_is_missing=True)

    @ma.validates_schema
    def _exactly_one(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if sum(value is not None for value in data.values()) != 1:
            raise ma.ValidationError(problem("exactly-one", "Give one of deviceId, userId and user."))


class ClearingIn(Shape):
    """The device's clearAnonymousUser flag; a backend says which device."""

    clear = Truth(load_default=True)
    device_id = Text(as_sent, data_key="deviceId", blank_is_missing=True)


class ClearingOut(Answer):
    """The flag as it is now."""

    clear_anonymous_user = ma.fields.Boolean(data_key="clearAnonymousUser")
