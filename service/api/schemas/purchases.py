"""Store accounts, purchases and restores."""

from datetime import UTC, datetime
from typing import Any

import marshmallow as ma

from service.api.schemas.fields import Answer, Boolean, Nested, Shape, Text
from service.api.schemas.logins import ResolutionOut, as_sent
from service.api.schemas.people import BuyerOut
from service.desk.purchasing import Bought, RestoreRequest
from service.model import identifiers
from service.model.identifiers import Malformed, store_text
from service.model.purchases import StoreAccount


def moment(value: str) -> Any:
    """Take an RFC 3339 time, as epoch milliseconds. Raises Malformed."""
    try:
        read = datetime.fromisoformat(value)
        if read.tzinfo is None or not value[:4].isdigit():
            raise ValueError
        return int(read.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Malformed("invalid-time", "This is a time such as 2026-11-21T09:00:00Z.") from None


PROOF = {
    "description": (
        "With a session token only, which needs it: a JWT whose `sub` is a user ID of the session's own user,"
        " and whose `storeAccount` is this account."
    )
}


class StoreAccountIn(Shape):
    """The login of an app store."""

    store = Text(store_text, required=True)
    account = Text(store_text, required=True)

    def made(self, members: dict[str, Any]) -> StoreAccount:
        """Make a store account."""
        return StoreAccount(**members)


class RestoreIn(Shape):
    """A restore; with a secret key also for whom, and perhaps on which device, and with a session token a
    proof."""

    store_account = Nested(StoreAccountIn(), data_key="storeAccount", required=True, attribute="account")
    user_id = Text(identifiers.existing_user_id, data_key="userId", blank_is_missing=True)
    device_id = Text(as_sent, data_key="deviceId", blank_is_missing=True)
    proof = Text(as_sent, blank_is_missing=True, metadata=PROOF)

    def made(self, members: dict[str, Any]) -> RestoreRequest:
        """Make a restore."""
        return RestoreRequest(**members)


class PurchaseIn(RestoreIn):
    """A purchase."""

    product = Text(store_text, required=True)
    transaction = Text(store_text, required=True)
    purchased_at = Text(moment, data_key="purchasedAt", blank_is_missing=True)
    expires_at = Text(moment, data_key="expiresAt", blank_is_missing=True)

    def made(self, members: dict[str, Any]) -> RestoreRequest:
        """Make a purchase of what is told of it."""
        names = ("product", "transaction", "purchased_at", "expires_at")
        return super().made(members | {"bought": Bought(**{name: members.pop(name) for name in names})})


class SharingIn(Shape):
    """Whether the device shares its store account; a backend says which device."""

    allow = Boolean(required=True)
    device_id = Text(as_sent, data_key="deviceId", blank_is_missing=True)


class SharingOut(Answer):
    """The flag as it is now."""

    allow_sharing_store_account = ma.fields.Boolean(data_key="allowSharingStoreAccount")


class RestoredOut(Answer):
    """What a purchase or a restore answers."""

    user = ma.fields.Nested(BuyerOut())
    resolution = ma.fields.Nested(ResolutionOut())
