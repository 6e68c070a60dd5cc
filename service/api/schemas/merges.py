"""Aliases and merges."""

import marshmallow as ma

from service.api.schemas.fields import Answer, Boolean, Shape, Text, TextIfAny, Time
from service.api.schemas.logins import USER_ID, as_sent
from service.model import identifiers


class AliasIn(Shape):
    """A further user ID."""

    user_id = Text(identifiers.existing_user_id, data_key="userId", required=True)


class OwnAliasIn(Shape):
    """A further user ID, and what shows that it is the caller's."""

    user_id = Text(identifiers.existing_user_id, data_key="userId", required=True)
    proof = Text(as_sent, blank_is_missing=True)


class CorrectionIn(Shape):
    """The user ID that is to be the primary one; ``keep`` makes the former one an alias."""

    user_id = Text(identifiers.user_id, data_key="userId", required=True, metadata=USER_ID)
    keep = Boolean(load_default=False)


class MergeIn(Shape):
    """Who becomes part of whom; with ``dryRun`` only in thought."""

    source = Text(as_sent, data_key="from", required=True)
    target = Text(as_sent, data_key="into", required=True)
    dry_run = Boolean(data_key="dryRun", load_default=False)


class MovedOut(Answer):
    """What went from one to the other: user IDs, emails, and ids of all else."""

    user_ids = ma.fields.List(ma.fields.String(), data_key="userIds")
    emails = ma.fields.List(ma.fields.String())
    conversations = ma.fields.List(ma.fields.String())
    purchases = ma.fields.List(ma.fields.String())
    store_accounts = ma.fields.List(ma.fields.String(), data_key="storeAccounts")


class MergeOut(Answer):
    """A merge."""

    id = TextIfAny()
    source = ma.fields.String(data_key="from")
    target = ma.fields.String(data_key="into")
    rule = ma.fields.String()
    moved = ma.fields.Nested(MovedOut())
    filled = ma.fields.List(ma.fields.String(), attribute="filled.names")
    created_at = Time(data_key="createdAt")
    undone_at = Time(data_key="undoneAt", allow_none=True)


class MergeIfAnyOut(MergeOut):
    """The record of a merge, or of one that was not made: what it would do, without an id."""

    sometimes = frozenset({"id"})
