"""The tables. ``app`` leads every primary key, unique index and foreign key, so that the store can be
spread over machines by app; ids are made by the application; times are epoch milliseconds.

Foreign keys are composite, which peewee's own fields cannot say, so they stand as constraints; each
has an index that leads with its columns, or erasing an app would look through all rows for each user.
Columns that are searched by how they begin are compared byte by byte, which the migration says.
A digest is the SHA-256 of something too long or too secret to keep in an index, in hex.
"""

from typing import ClassVar

from peewee import SQL, BigIntegerField, BooleanField, CompositeKey, IntegerField, Model, TextField


def references(table: str, **columns: str) -> SQL:
    """Write a foreign key over several columns: ours, and theirs that each of them names."""
    ours, theirs = (", ".join(f'"{name}"' for name in names) for names in (columns, columns.values()))
    return SQL(f'FOREIGN KEY ({ours}) REFERENCES "{table}" ({theirs})')


class Apps(Model):
    """Tenants. ``settings`` is a JSON object that holds what differs from the defaults; ``made_with`` the
    digest of the request that made it and its idempotency key, if there was one: before there is an app, no
    table that an app owns could hold that."""

    app = TextField(primary_key=True)
    name = TextField()
    settings = TextField()
    made_with = TextField(null=True)
    created_at = BigIntegerField()

    class Meta:
        table_name = "apps"


class Keys(Model):
    """Keys of apps. ``sealed`` is an identity secret, encrypted, and ``proof`` how it proves; other keys are
    kept as digests only."""

    app = TextField()
    id = TextField()
    kind = TextField()
    digest = TextField()
    sealed = TextField(null=True)
    proof = TextField(null=True)
    created_at = BigIntegerField()
    last_used_at = BigIntegerField(null=True)

    class Meta:
        table_name = "keys"
        primary_key = CompositeKey("app", "id")
        indexes: ClassVar = ((("app", "digest"), True),)
        constraints: ClassVar = [references("apps", app="app")]


class Users(Model):
    """One person's record in one app. ``user_id`` is the primary one, which stands in ``UserIds`` too;
    ``verified`` is whether somebody proved to be them; ``merged_into`` is the user that this one became
    part of; one that was erased holds its id and times only. ``version`` counts their changes, also those
    of their rows in ``UserIds`` and of whether they are one with others."""

    app = TextField()
    id = TextField()
    verified = BooleanField()
    user_id = TextField(null=True)
    email = TextField(null=True)
    email_key = TextField(null=True)
    name = TextField(null=True)
    name_key = TextField(null=True)
    merged_into = TextField(null=True)
    cleared_at = BigIntegerField(null=True)
    erased_at = BigIntegerField(null=True)
    created_at = BigIntegerField()
    version = IntegerField(constraints=[SQL("DEFAULT 1")])

    class Meta:
        table_name = "users"
        primary_key = CompositeKey("app", "id")
        indexes: ClassVar = (
            (("app", "email_key"), False),
            (("app", "name_key"), False),
        )
        constraints: ClassVar = [
            references("apps", app="app"),
            references("users", app="app", merged_into="id"),
        ]


# In each world there is never more than one unclaimed user per email; this index decides the race.
Users.add_index(
    Users.index(
        Users.app,
        Users.verified,
        Users.email_key,
        unique=True,
        where=(Users.user_id.is_null() & Users.merged_into.is_null()),
        name="users_one_unclaimed_per_email",
    )
)


# Nearly everybody was never merged; an index that held them would be taken for one that finds them.
Users.add_index(
    Users.index(
        Users.app, Users.merged_into, where=Users.merged_into.is_null(False), name="users_app_merged_into"
    )
)


class UserIds(Model):
    """Who has which user ID in which world: the primary ones and the aliases. ``verified`` is that world, in
    which devices' anonymous users are too. The primary key decides the race for an ID; ``search`` is how the
    ID begins, letters lowered; ``home`` is the user to whom the ID was given, who may be part of ``user``
    now."""

    app = TextField()
    verified = BooleanField()
    digest = TextField()
    user = TextField()
    home = TextField()
    value = TextField()
    search = TextField()
    added_at = BigIntegerField()

    class Meta:
        table_name = "user_ids"
        primary_key = CompositeKey("app", "verified", "digest")
        indexes: ClassVar = ((("app", "user"), False), (("app", "search"), False))
        constraints: ClassVar = [references("users", app="app", user="id")]


class Devices(Model):
    """Installations, by the digest of their device ID."""

    app = TextField()
    digest = TextField()
    anonymous = TextField(null=True)
    clears = BooleanField(default=False)
    sharing = BooleanField(null=True)
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
    """What each device is logged in as: one row per device, so a login replaces the one before.
    ``claim`` is what an unverified login said, in JSON: all that its holder is ever told; ``home`` is
    the user whose ID it logged in with, and ``user_id_digest`` of which ID, if of any.

    ``secret`` is the digest of its token, which says the device; as no index holds it, PostgreSQL changes no
    index for a login. One that stands in ``token`` is of a former release's token, which does not say the
    device; then neither ``secret`` nor ``user_id_digest`` counts."""

    app = TextField()
    device = TextField()
    token = TextField(null=True)
    secret = TextField(null=True)
    user = TextField()
    home = TextField()
    verified = BooleanField()
    claim = TextField(null=True)
    user_id_digest = TextField(null=True)
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
    """Threads. ``messages`` counts them and numbers the next; ``device`` is where a user began it;
    ``home`` is the user who began it, who may be part of ``user`` now."""

    app = TextField()
    id = TextField()
    user = TextField()
    home = TextField()
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


class StoreAccounts(Model):
    """Logins of app stores, each with the user whom it belongs to; ``home`` as elsewhere. ``verified`` is the
    world of whoever brought it, and ``digest`` is of that too, so that each world may have it once."""

    app = TextField()
    digest = TextField()
    verified = BooleanField()
    user = TextField()
    home = TextField()
    store = TextField()
    account = TextField()
    claimed_at = BigIntegerField()

    class Meta:
        table_name = "store_accounts"
        primary_key = CompositeKey("app", "digest")
        indexes: ClassVar = ((("app", "user"), False),)
        constraints: ClassVar = [references("users", app="app", user="id")]


class Purchases(Model):
    """What was bought under a store account; it follows the account. ``digest`` is of the transaction."""

    app = TextField()
    account = TextField()
    digest = TextField()
    id = TextField()
    product = TextField()
    transaction = TextField()
    purchased_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)

    class Meta:
        table_name = "purchases"
        primary_key = CompositeKey("app", "account", "digest")
        constraints: ClassVar = [references("store_accounts", app="app", account="digest")]


class Attributes(Model):
    """What is said of a user by name; ``home`` is the user under whose ID it was said, who may be part of
    another now. ``value`` is JSON, and none of a name whose value was removed; ``at`` is when it was said."""

    app = TextField()
    home = TextField()
    name = TextField()
    value = TextField(null=True)
    at = BigIntegerField()

    class Meta:
        table_name = "attributes"
        primary_key = CompositeKey("app", "home", "name")
        constraints: ClassVar = [references("users", app="app", home="id")]


class Fields(Model):
    """What was last said of each of those who are one person: ``name`` is that of the member, ``home`` of
    whom it was said, ``rank`` whether and before what else it is shown; ``value`` is none if nothing was
    said, and empty if it was removed."""

    app = TextField()
    home = TextField()
    name = TextField()
    value = TextField(null=True)
    rank = IntegerField()

    class Meta:
        table_name = "fields"
        primary_key = CompositeKey("app", "home", "name")
        constraints: ClassVar = [references("users", app="app", home="id")]


class Merges(Model):
    """Who became part of whom, and what is needed to undo it, in JSON."""

    app = TextField()
    id = TextField()
    source = TextField()
    target = TextField()
    rule = TextField()
    ledger = TextField()
    created_at = BigIntegerField()
    undone_at = BigIntegerField(null=True)

    class Meta:
        table_name = "merges"
        primary_key = CompositeKey("app", "id")
        indexes: ClassVar = ((("app", "source"), False), (("app", "target"), False))
        constraints: ClassVar = [
            references("users", app="app", source="id"),
            references("users", app="app", target="id"),
        ]


class History(Model):
    """What happened to a user, in the order of ``id``; ``before`` and ``after`` are JSON objects of
    the members that changed; ``proven`` tells whether the app's backend vouched for it, or a proof, and is
    none where that is not known any more."""

    app = TextField()
    user = TextField()
    id = TextField()
    at = BigIntegerField()
    event = TextField()
    rule = TextField(null=True)
    by = TextField()
    request = TextField()
    before = TextField(null=True)
    after = TextField(null=True)
    proven = BooleanField(null=True)

    class Meta:
        table_name = "history"
        primary_key = CompositeKey("app", "user", "id")
        constraints: ClassVar = [references("users", app="app", user="id")]


class IdempotencyKeys(Model):
    """Idempotency keys: what a call with that key made, and the digest of what it asked for. They are
    kept apart by ``scope``, whose keys they are; ``home`` is the user whom the call had to do with, if it is
    one, and who may be part of another now."""

    app = TextField()
    scope = TextField()
    key = TextField()
    request = TextField()
    made = TextField()
    home = TextField(null=True)
    created_at = BigIntegerField()

    class Meta:
        table_name = "idempotency_keys"
        primary_key = CompositeKey("app", "scope", "key")
        constraints: ClassVar = [
            references("apps", app="app"),
            references("users", app="app", home="id"),
        ]


IdempotencyKeys.add_index(
    IdempotencyKeys.index(
        IdempotencyKeys.app,
        IdempotencyKeys.home,
        where=IdempotencyKeys.home.is_null(False),
        name="idempotency_keys_app_home",
    )
)


class FormerKeys(Model):
    """Idempotency keys as the former release has them, which may serve still: they are forgotten here, and
    not asked for."""

    app = TextField()
    user = TextField()
    by = TextField()
    key = TextField()
    request = TextField()
    made = TextField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "repeats"
        primary_key = CompositeKey("app", "user", "by", "key")
        constraints: ClassVar = [references("users", app="app", user="id")]


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


class ConsoleSessions(Model):
    """Agents who are signed in to the console, by the digest of what their browser holds; ``key`` is
    the id of the secret key they signed in with, and one that was deleted opens nothing; ``name`` is
    what users see."""

    app = TextField()
    digest = TextField()
    key = TextField()
    name = TextField(null=True)
    began_at = BigIntegerField()

    class Meta:
        table_name = "sign_ins"
        primary_key = CompositeKey("app", "digest")
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
    StoreAccounts,
    Purchases,
    Attributes,
    Fields,
    Merges,
    History,
    IdempotencyKeys,
    FormerKeys,
    Rates,
    ConsoleSessions,
)
