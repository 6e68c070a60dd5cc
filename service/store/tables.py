"""The tables. ``app`` leads every primary key, unique index and foreign key, so that the store can be
spread over machines by app; ids are made by the application; times are epoch milliseconds.

Foreign keys are composite, which peewee's own fields cannot say, so they stand as constraints; each
has an index that leads with its columns, or erasing an app would look through all rows for each user.
A digest is the SHA-256 of something too long or too secret to keep in an index, in hex.
"""

from typing import ClassVar

from peewee import SQL, BigIntegerField, BooleanField, CompositeKey, IntegerField, Model, TextField


def references(table: str, **columns: str) -> SQL:
    """Write a foreign key over several columns: ours, and theirs that each of them names."""
    ours, theirs = (", ".join(f'"{name}"' for name in names) for names in (columns, columns.values()))
    return SQL(f'FOREIGN KEY ({ours}) REFERENCES "{table}" ({theirs})')


class Apps(Model):
    """Tenants. ``settings`` is a JSON object that holds what differs from the defaults."""

    app = TextField(primary_key=True)
    name = TextField()
    settings = TextField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "apps"


class Keys(Model):
    """Keys of apps. ``sealed`` is an identity secret, encrypted; other keys are kept as digests only."""

    app = TextField()
    id = TextField()
    kind = TextField()
    digest = TextField()
    sealed = TextField(null=True)
    created_at = BigIntegerField()
    last_used_at = BigIntegerField(null=True)

    class Meta:
        table_name = "keys"
        primary_key = CompositeKey("app", "id")
        indexes: ClassVar = ((("app", "digest"), True),)
        constraints: ClassVar = [references("apps", app="app")]


class Users(Model):
    """One person's record in one app. ``user_id`` is the primary one, which stands in ``UserIds`` too;
    ``merged_into`` is the user that this one became part of."""

    app = TextField()
    id = TextField()
    user_id = TextField(null=True)
    email = TextField(null=True)
    email_key = TextField(null=True)
    name = TextField(null=True)
    merged_into = TextField(null=True)
    cleared_at = BigIntegerField(null=True)
    created_at = BigIntegerField()

    class Meta:
        table_name = "users"
        primary_key = CompositeKey("app", "id")
        indexes: ClassVar = ((("app", "email_key"), False), (("app", "merged_into"), False))
        constraints: ClassVar = [
            references("apps", app="app"),
            references("users", app="app", merged_into="id"),
        ]


# There is never more than one unclaimed user per email; this index decides the race.
Users.add_index(
    Users.index(
        Users.app,
        Users.email_key,
        unique=True,
        where=(Users.user_id.is_null() & Users.merged_into.is_null()),
        name="users_one_unclaimed_per_email",
    )
)


class UserIds(Model):
    """Who has which user ID: the primary ones and the aliases. The key decides the race for an ID."""

    app = TextField()
    digest = TextField()
    user = TextField()
    value = TextField()
    added_at = BigIntegerField()

    class Meta:
        table_name = "user_ids"
        primary_key = CompositeKey("app", "digest")
        indexes: ClassVar = ((("app", "user"), False),)
        constraints: ClassVar = [references("users", app="app", user="id")]


class Devices(Model):
    """Installations, by the digest of their device ID."""

    app = TextField()
    digest = TextField()
    anonymous = TextField(null=True)
    clears = BooleanField(default=False)
    created_at = BigIntegerField()

    class Meta:
        table_name = "devices"
        primary_key = CompositeKey("app", "digest")
        indexes: ClassVar = ((("app", "anonymous"), False),)
        constraints: ClassVar = [
            references("apps", app="app"),
            references("users", app="app", anonymous="id"),
        ]


class Sessions(Model):
    """What each device is logged in as: one row per device, so a login replaces the one before."""

    app = TextField()
    device = TextField()
    token = TextField()
    user = TextField()
    verified = BooleanField()
    began_at = BigIntegerField()
    used_at = BigIntegerField()

    class Meta:
        table_name = "sessions"
        primary_key = CompositeKey("app", "device")
        indexes: ClassVar = ((("app", "token"), True), (("app", "user"), False))
        constraints: ClassVar = [
            references("devices", app="app", device="digest"),
            references("users", app="app", user="id"),
        ]


class Conversations(Model):
    """Threads. ``messages`` counts them and numbers the next; ``device`` is where a user began it."""

    app = TextField()
    id = TextField()
    user = TextField()
    device = TextField(null=True)
    subject = TextField(null=True)
    status = TextField()
    messages = IntegerField()
    unread_by_user = IntegerField()
    unread_by_agent = IntegerField()
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        table_name = "conversations"
        primary_key = CompositeKey("app", "id")
        indexes: ClassVar = (
            (("app", "user", "updated_at", "id"), False),
            (("app", "updated_at", "id"), False),
            (("app", "status", "updated_at", "id"), False),
        )
        constraints: ClassVar = [
            references("users", app="app", user="id"),
        ]


class Messages(Model):
    """Messages, numbered within their conversation in the order of commits. ``author`` is a user's
    id and stays for good; ``agent_name`` is an agent's."""

    app = TextField()
    conversation = TextField()
    number = IntegerField()
    id = TextField()
    side = TextField()
    author = TextField(null=True)
    agent_name = TextField(null=True)
    body = TextField()
    verified = BooleanField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "messages"
        primary_key = CompositeKey("app", "conversation", "number")
        indexes: ClassVar = ((("app", "id"), True),)
        constraints: ClassVar = [
            references("conversations", app="app", conversation="id"),
        ]


class Repeats(Model):
    """Idempotency keys: what a call with that key made, and the digest of what it asked for."""

    app = TextField()
    owner = TextField()
    key = TextField()
    request = TextField()
    made = TextField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "repeats"
        primary_key = CompositeKey("app", "owner", "key")
        constraints: ClassVar = [references("apps", app="app")]


class Rates(Model):
    """How often an address did something in a minute; ``address`` is a keyed digest."""

    app = TextField()
    kind = TextField()
    address = TextField()
    minute = BigIntegerField()
    count = IntegerField()

    class Meta:
        table_name = "rates"
        primary_key = CompositeKey("app", "kind", "address")
        constraints: ClassVar = [references("apps", app="app")]


# In the order in which they may be created; emptied in the reverse order.
TABLES: tuple[type[Model], ...] = (
    Apps,
    Keys,
    Users,
    UserIds,
    Devices,
    Sessions,
    Conversations,
    Messages,
    Repeats,
    Rates,
)
