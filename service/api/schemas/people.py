"""Users as those see them who may, from the fewest members to the most."""

import marshmallow as ma

from service.api.schemas.attributes import ATTRIBUTES
from service.api.schemas.fields import Answer, Time
from service.model import identifiers
from service.times import now


class LeftContactOut(Answer):
    """What was said, as it is kept."""

    email = ma.fields.String(allow_none=True)
    phone = ma.fields.String(allow_none=True)
    name = ma.fields.String(allow_none=True)


class ContactOut(LeftContactOut):
    """What somebody said, which nobody proved, and when."""

    at = Time()


class KeptContactOut(ContactOut):
    """As above; ``user`` is the one under whose ID it was left."""

    home = ma.fields.String(data_key="user")


class UserOut(Answer):
    """A user."""

    id = ma.fields.String()
    user_id = ma.fields.String(data_key="userId", allow_none=True)
    email = ma.fields.String(allow_none=True)
    emails = ma.fields.List(ma.fields.String())
    name = ma.fields.String(allow_none=True)
    anonymous = ma.fields.Function(
        lambda user: identifiers.is_anonymous(user.user_id), metadata={"type": "boolean"}
    )
    aliases = ma.fields.List(ma.fields.String())
    created_at = Time(data_key="createdAt")
    attributes = ma.fields.Dict(metadata=ATTRIBUTES)


class ToldOut(UserOut):
    """A user as a login is told of them: where nobody proved anything, only what was said."""

    sometimes = frozenset({"id", "emails", "anonymous", "aliases", "created_at", "attributes"})


class PurchaseOut(Answer):
    """A purchase; ``active`` while its end lies ahead, or it has none; ``claimed`` where nobody proved whose
    it is."""

    id = ma.fields.String()
    store = ma.fields.String()
    product = ma.fields.String()
    transaction = ma.fields.String()
    purchased_at = Time(data_key="purchasedAt")
    expires_at = Time(data_key="expiresAt", allow_none=True)
    active = ma.fields.Function(lambda purchase: purchase.active_at(now()), metadata={"type": "boolean"})
    claimed = ma.fields.Boolean()


class BuyerOut(UserOut):
    """A user with purchases."""

    purchases = ma.fields.List(ma.fields.Nested(PurchaseOut()))


class ToldBuyerOut(BuyerOut):
    """A user with purchases, as the one who is logged in is told; as ``ToldOut``."""

    sometimes = ToldOut.sometimes | {"purchases"}


class KnownUserOut(UserOut):
    """A user as a backend sees it; ``verified`` is false where nobody proved to be this user."""

    verified = ma.fields.Boolean()


class ProfileOut(KnownUserOut):
    """A user as a backend sees it, with purchases, and with what they said of how to reach them."""

    purchases = ma.fields.List(ma.fields.Nested(PurchaseOut()))
    contacts = ma.fields.List(ma.fields.Nested(ContactOut()))
