"""Users as their app's backend sees them: lookups, history, explanations, exports."""

from typing import Any

import marshmallow as ma

from service.api.schemas.attachments import AttachmentOut
from service.api.schemas.attributes import Attributes
from service.api.schemas.conversations import ConversationOut, Cursor, MessageOut, PageIn
from service.api.schemas.duplicates import DismissalOut, TraitOut
from service.api.schemas.fields import Answer, Shape, Text, Time
from service.api.schemas.logins import ClaimOut, IgnoredOut, ResolutionOut
from service.api.schemas.merges import MergeOut
from service.api.schemas.people import KeptContactOut, KnownUserOut, ProfileOut, UserOut
from service.model import identifiers
from service.model.contacts import contact_key
from service.model.history import Event
from service.model.users import UserChange


def existing_email(value: str) -> str:
    """Take an email to look up. Raises Malformed, also for white space alone."""
    found = identifiers.email(value)
    if found is None:
        raise identifiers.Malformed("invalid-email", identifiers.NO_EMAIL)
    return found


def beginning(value: str) -> str:
    """Take the beginning of a name, an email or a user ID. Raises Malformed."""
    return identifiers.text(value, identifiers.MAX_SEARCH)


class UsersIn(PageIn):
    """Which users: all that is given fits."""

    user_id = Text(identifiers.existing_user_id, data_key="userId")
    email = Text(existing_email)
    q = Text(beginning, attribute="begins", metadata={"maxLength": identifiers.MAX_SEARCH})
    contact = Text(contact_key, metadata={"description": "An email or a phone number that somebody left."})


class UsersOut(Answer):
    """A page of users."""

    data = ma.fields.List(ma.fields.Nested(KnownUserOut()))
    next = Cursor(data_key="nextCursor", allow_none=True)


class AddedOut(Answer):
    """Who was added, or was there, and why."""

    user = ma.fields.Nested(UserOut())
    created = ma.fields.Boolean()
    resolution = ma.fields.Nested(ResolutionOut())


class UserChangeIn(Shape):
    """What changes about a user; null removes."""

    email = Text(identifiers.email, allow_none=True)
    name = Text(identifiers.name, allow_none=True)
    attributes = Attributes()

    def made(self, members: dict[str, Any]) -> UserChange:
        """Read what is empty as what is removed."""
        attributes = members.pop("attributes", {})
        fields = {name: value or None for name, value in members.items()}
        return UserChange(fields, attributes or {}, removes_attributes=attributes is None)


class CandidatesOut(Answer):
    """Whom a login looks at."""

    user_id = ma.fields.String(data_key="userId", allow_none=True)
    email = ma.fields.List(ma.fields.String())


class ExplanationOut(Answer):
    """What a login would do, and why."""

    rule = ma.fields.String()
    because = ma.fields.String()
    then = ma.fields.String(metadata={"enum": ["use", "attach", "create"]})
    user = ma.fields.Nested(KnownUserOut(), allow_none=True)
    changes = ma.fields.List(ma.fields.String())
    candidates = ma.fields.Nested(CandidatesOut())
    ignored = ma.fields.List(ma.fields.Nested(IgnoredOut()))


class EntryOut(Answer):
    """One line of a history."""

    at = Time()
    event = ma.fields.Enum(Event, by_value=True)
    rule = ma.fields.String(allow_none=True)
    by = ma.fields.String(attribute="actor.by")
    request_id = ma.fields.String(attribute="actor.request", data_key="requestId")
    before = ma.fields.Dict(allow_none=True)
    after = ma.fields.Dict(allow_none=True)


class HistoryOut(Answer):
    """A page of a history."""

    data = ma.fields.List(ma.fields.Nested(EntryOut()))
    next = Cursor(data_key="nextCursor", allow_none=True)


class KnownSessionOut(Answer):
    """A session as it is stored; ``device`` is the SHA-256 of the device ID, ``claim`` what was said
    where nobody proved it."""

    device = ma.fields.String()
    verified = ma.fields.Boolean()
    claim = ma.fields.Nested(ClaimOut(), allow_none=True)
    began_at = Time(data_key="beganAt")
    used_at = Time(data_key="lastUsedAt")


class ThreadOut(Answer):
    """A conversation with all its messages."""

    conversation = ma.fields.Nested(ConversationOut())
    messages = ma.fields.List(ma.fields.Nested(MessageOut()))


class StoreAccountOut(Answer):
    """The login of an app store; ``verified`` is false where somebody only said that it is theirs."""

    store = ma.fields.String()
    account = ma.fields.String()
    verified = ma.fields.Boolean()


class AttributeOut(Answer):
    """What was said of a user by name; null if it was removed. ``user`` is the one under whose ID."""

    home = ma.fields.String(data_key="user")
    name = ma.fields.String()
    value = ma.fields.Raw(allow_none=True, metadata={"type": ["string", "number", "boolean"]})
    at = Time(data_key="updatedAt")


class FieldOut(Answer):
    """What was last said of one of several who are one person: an email or a name; null if nothing was, or it
    was removed."""

    home = ma.fields.String(data_key="user")
    name = ma.fields.String()
    value = ma.fields.Function(lambda field: field.value or None, metadata={"type": ["string", "null"]})


class ExportOut(Answer):
    """All that is stored about a user."""

    user = ma.fields.Nested(ProfileOut())
    parts = ma.fields.List(ma.fields.String(), data_key="mergedUsers")
    history = ma.fields.List(ma.fields.Nested(EntryOut()))
    sessions = ma.fields.List(ma.fields.Nested(KnownSessionOut()))
    conversations = ma.fields.List(ma.fields.Nested(ThreadOut()))
    waiting = ma.fields.List(ma.fields.Nested(AttachmentOut()), data_key="attachments")
    idempotency_keys = ma.fields.List(ma.fields.String(), data_key="idempotencyKeys")
    store_accounts = ma.fields.List(ma.fields.Nested(StoreAccountOut()), data_key="storeAccounts")
    attributes = ma.fields.List(ma.fields.Nested(AttributeOut()))
    contacts = ma.fields.List(ma.fields.Nested(KeptContactOut()))
    fields_said = ma.fields.List(ma.fields.Nested(FieldOut()), attribute="fields", data_key="fields")
    merges = ma.fields.List(ma.fields.Nested(MergeOut()))
    compared_by = ma.fields.List(ma.fields.Nested(TraitOut()), data_key="comparedBy")
    dismissals = ma.fields.List(ma.fields.Nested(DismissalOut()))
