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
    table that an app owns could hold that. ``tidy_at`` is when it is to be tidied next; at once if none."""

    app = TextField(primary_key=True)
    name = TextField()
    settings = TextField()
    made_with = TextField(null=True)
    created_at = BigIntegerField()
    tidy_at = BigIntegerField(null=True)

    class Meta:
        table_name = "apps"


class Events(Model):
    """What changed, for the app to follow: whom it is about (``user``), in which conversation, by which
    message, and in ``data``, a JSON object, the records as they were then. A message is read where it stands,
    so there is no ``data`` of one; nor of what is about somebody who was erased since.

    ``xid`` is the number of the transaction that wrote it, as PostgreSQL counts them; on SQLite it only
    grows. By ``xid`` and then ``id`` they are read: see ``feed``.

    It has no foreign key: each row is written with another that has one, and to look for its app once more
    would have all messages of an app lock one row. An app that is erased is emptied of them after all else.
    """

    app = TextField()
    id = TextField()
    xid = BigIntegerField()
    type = TextField()
    at = BigIntegerField()
    user = TextField()
    conversation = TextField(null=True)
    message = TextField(null=True)
    data = TextField(null=True)

    class Meta:
        table_name = "events"
        primary_key = CompositeKey("app", "id")
        indexes: ClassVar = ((("app", "xid", "id"), False),)


# What was written of somebody is looked for when they are erased. Of a message nothing is.
Events.add_index(
    Events.index(Events.app, Events.user, where=Events.data.is_null(False), name="events_app_user")
)


class Webhooks(Model):
    """Where events are delivered, of ``types`` with commas between, or of all. Up to ``xid`` and ``event``
    each has been tried. Whoever delivers has a ``lease`` until ``leased_until``. ``failures`` counts the
    attempts that failed in a row, the first at ``failing_since``; no new event is tried before
    ``rests_until``. The last attempt took ``milliseconds``."""

    app = TextField()
    id = TextField()
    url = TextField()
    types = TextField()
    disabled = TextField(null=True)
    xid = BigIntegerField()
    event = TextField()
    lease = TextField(null=True)
    leased_until = BigIntegerField()
    failures = IntegerField()
    failing_since = BigIntegerField(null=True)
    rests_until = BigIntegerField()
    milliseconds = IntegerField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "webhooks"
        primary_key = CompositeKey("app", "id")
        constraints: ClassVar = [references("apps", app="app")]


class WebhookSecrets(Model):
    """What deliveries are signed with, encrypted."""

    app = TextField()
    webhook = TextField()
    id = TextField()
    sealed = TextField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "webhook_secrets"
        primary_key = CompositeKey("app", "webhook", "id")
        constraints: ClassVar = [references("webhooks", app="app", webhook="id")]


class Deliveries(Model):
    """What became of an event at a webhook: ``state``, when it is ``due`` again, how many ``attempts`` there
    were, and how many of them failed since it was last asked for. ``at`` is when the event was, and ``user``
    whom it is about; a test is about nobody."""

    app = TextField()
    webhook = TextField()
    event = TextField()
    type = TextField()
    at = BigIntegerField()
    user = TextField(null=True)
    state = TextField()
    due = BigIntegerField(null=True)
    attempts = IntegerField()
    failures = IntegerField()

    class Meta:
        table_name = "deliveries"
        primary_key = CompositeKey("app", "webhook", "event")
        indexes: ClassVar = ((("app", "at"), False),)
        constraints: ClassVar = [references("webhooks", app="app", webhook="id")]


# Most have been made, and are about somebody.
Deliveries.add_index(
    Deliveries.index(
        Deliveries.app,
        Deliveries.webhook,
        Deliveries.due,
        where=Deliveries.due.is_null(False),
        name="deliveries_due",
    )
)
Deliveries.add_index(
    Deliveries.index(
        Deliveries.app,
        Deliveries.webhook,
        Deliveries.at,
        where=Deliveries.due.is_null(False),
        name="deliveries_pending",
    )
)
Deliveries.add_index(
    Deliveries.index(
        Deliveries.app, Deliveries.user, where=Deliveries.user.is_null(False), name="deliveries_user"
    )
)


class Attempts(Model):
    """Attempts of deliveries. ``answer`` is how what was answered begins, and ``error`` why nothing was."""

    app = TextField()
    webhook = TextField()
    event = TextField()
    number = IntegerField()
    at = BigIntegerField()
    milliseconds = IntegerField()
    status = IntegerField(null=True)
    answer = TextField(null=True)
    error = TextField(null=True)

    class Meta:
        table_name = "attempts"
        primary_key = CompositeKey("app", "webhook", "event", "number")
        constraints: ClassVar = [references("deliveries", app="app", webhook="webhook", event="event")]


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
    of their rows in ``UserIds`` and of whether they are one with others. ``attributes`` is what they show of
    those, a JSON object, or none if that is nothing, or if they are one with others."""

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
    attributes = TextField(null=True)

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
    """Installations, by the digest of their device ID. ``last_user`` is who logged in there last of those who
    say who they are, or of whom they were part; it may be nobody by now."""

    app = TextField()
    digest = TextField()
    anonymous = TextField(null=True)
    clears = BooleanField(default=False)
    sharing = BooleanField(null=True)
    created_at = BigIntegerField()
    last_user = TextField(null=True)

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
    """Threads. ``messages`` counts them and numbers the next, and ``reopened`` is whether the last one that a
    user wrote reopened it; ``device`` is where a user began it; ``home`` is the user who began it, who may be
    part of ``user`` now."""

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
    reopened = BooleanField(null=True)
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


# Those that agents have not read are few, and looked for first.
Conversations.add_index(
    Conversations.index(
        Conversations.app,
        Conversations.status,
        Conversations.updated_at,
        Conversations.id,
        where=Conversations.unread_by_agent > 0,
        name="conversations_unread",
    )
)


class Messages(Model):
    """Messages, numbered within their conversation in the order of commits. ``author`` is a user's
    id and stays for good; ``agent_name`` is an agent's. ``attachments`` is what it shows of those that it
    names, a JSON array, or none."""

    app = TextField()
    conversation = TextField()
    number = IntegerField()
    id = TextField()
    side = TextField()
    author = TextField(null=True)
    agent_name = TextField(null=True)
    body = TextField()
    attachments = TextField(null=True)
    verified = BooleanField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "messages"
        primary_key = CompositeKey("app", "conversation", "number")
        indexes: ClassVar = ((("app", "id"), True),)
        constraints: ClassVar = [
            references("conversations", app="app", conversation="id"),
        ]


class Attachments(Model):
    """Files that go with messages. ``side`` and ``author`` are those who sent it, as a message's; ``message``
    is the one that names it, or none yet, and ``name``, ``type``, ``size`` and ``sha256`` what is told of it.
    Of one that waits for a message, ``conversation`` is where it was sent, if into any, and ``device`` where
    from, if a user did. Its bytes are in a place for files, under the app's id and its own."""

    app = TextField()
    id = TextField()
    conversation = TextField(null=True)
    side = TextField()
    author = TextField(null=True)
    device = TextField(null=True)
    message = TextField(null=True)
    name = TextField()
    type = TextField()
    size = BigIntegerField()
    sha256 = TextField()
    created_at = BigIntegerField()

    class Meta:
        table_name = "attachments"
        primary_key = CompositeKey("app", "id")
        indexes: ClassVar = ((("app", "conversation"), False), (("app", "author"), False))
        constraints: ClassVar = [
            references("apps", app="app"),
            references("conversations", app="app", conversation="id"),
        ]


# Those that no message names are few, and looked for to be forgotten.
Attachments.add_index(
    Attachments.index(
        Attachments.app,
        Attachments.created_at,
        where=Attachments.message.is_null(),
        name="attachments_waiting",
    )
)


class Removals(Model):
    """Files whose bytes are to be removed when they are ``due``: those of which there is no row any more, and
    those whose row is not written yet. So no bytes are ever anywhere of which the database does not know.

    It has no foreign key: the bytes of an app that is erased are removed after it.
    """

    app = TextField()
    file = TextField()
    due = BigIntegerField()

    class Meta:
        table_name = "removals"
        primary_key = CompositeKey("app", "file")
        indexes: ClassVar = ((("app", "due"), False),)


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
    another now. ``value`` is JSON, and none of a name whose value was removed; ``at`` is when it was said,
    ``rank`` before what else it is shown."""

    app = TextField()
    home = TextField()
    name = TextField()
    value = TextField(null=True)
    at = BigIntegerField()
    rank = IntegerField(constraints=[SQL("DEFAULT 0")])

    class Meta:
        table_name = "attributes"
        primary_key = CompositeKey("app", "home", "name")
        constraints: ClassVar = [references("users", app="app", home="id")]


class Contacts(Model):
    """How somebody said that they can be reached, which nobody proved: ``home`` is the user under whose ID
    the session began that said it, ``user`` who that is now. ``device`` is empty, but where nobody proved
    whose session it was: there each device has said its own. Searched by the keys."""

    app = TextField()
    home = TextField()
    device = TextField()
    user = TextField()
    email = TextField(null=True)
    email_key = TextField(null=True)
    phone = TextField(null=True)
    phone_key = TextField(null=True)
    name = TextField(null=True)
    at = BigIntegerField()

    class Meta:
        table_name = "contacts"
        primary_key = CompositeKey("app", "home", "device")
        indexes: ClassVar = (
            (("app", "user"), False),
            (("app", "email_key"), False),
            (("app", "phone_key"), False),
        )
        constraints: ClassVar = [
            references("users", app="app", home="id"),
            references("users", app="app", user="id"),
        ]


class Fields(Model):
    """What was last said of each of those who are one person: ``name`` is that of the member, ``home`` of
    whom it was said, ``rank`` whether and before what else it is shown; ``value`` is none if nothing was
    said, and empty if it was removed. ``key`` is what an email is compared by that finds them all. The former
    release, which may serve still, does not keep it: it may be missing, or that of an earlier email."""

    app = TextField()
    home = TextField()
    name = TextField()
    value = TextField(null=True)
    rank = IntegerField()
    key = TextField(null=True)

    class Meta:
        table_name = "fields"
        primary_key = CompositeKey("app", "home", "name")
        constraints: ClassVar = [references("users", app="app", home="id")]


Fields.add_index(Fields.index(Fields.app, Fields.key, where=Fields.key.is_null(False), name="fields_app_key"))


class DuplicateKeys(Model):
    """By what users are compared with others: who has the same ``key`` may be the same person. ``source`` is
    from where it is known, ``value`` an email as it was given, by its comparison key; ``home`` of whom it is
    known, who may be part of ``user`` now."""

    app = TextField()
    key = TextField()
    home = TextField()
    user = TextField()
    source = TextField()
    value = TextField()

    class Meta:
        table_name = "duplicate_keys"
        primary_key = CompositeKey("app", "key", "home")
        indexes: ClassVar = ((("app", "user"), False),)
        constraints: ClassVar = [references("users", app="app", user="id")]


class Duplicates(Model):
    """Two users who are probably one person, the lower id first, by the names of the signals that say so.
    ``doubt`` is what is missing to certainty, in hundredths: the likeliest are listed first."""

    app = TextField()
    first = TextField()
    second = TextField()
    doubt = IntegerField()
    signals = TextField()

    class Meta:
        table_name = "duplicates"
        primary_key = CompositeKey("app", "first", "second")
        indexes: ClassVar = ((("app", "doubt", "first", "second"), False), (("app", "second"), False))
        constraints: ClassVar = [
            references("users", app="app", first="id"),
            references("users", app="app", second="id"),
        ]


class Dismissals(Model):
    """That two users are not the same, as somebody said: a row for each of the two. ``home`` and
    ``other_home`` are of whom it was said, ``user`` and ``other_user`` whose part these are now. The other
    may not be here yet while people are moved in, so it is no foreign key."""

    app = TextField()
    home = TextField()
    other_home = TextField()
    user = TextField()
    other_user = TextField()
    at = BigIntegerField()

    class Meta:
        table_name = "dismissals"
        primary_key = CompositeKey("app", "home", "other_home")
        indexes: ClassVar = ((("app", "user"), False), (("app", "other_user"), False))
        constraints: ClassVar = [references("users", app="app", user="id")]


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
    what users see, ``colour`` what other agents do. ``looking_at`` is the conversation that they looked at
    last, if they have not left it, and ``writes`` whether they were writing there."""

    app = TextField()
    digest = TextField()
    key = TextField()
    name = TextField(null=True)
    began_at = BigIntegerField()
    colour = TextField(null=True)
    looking_at = TextField(null=True)
    looked_at = BigIntegerField(null=True)
    writes = BooleanField(constraints=[SQL("DEFAULT FALSE")])

    class Meta:
        table_name = "sign_ins"
        primary_key = CompositeKey("app", "digest")
        constraints: ClassVar = [references("apps", app="app")]


class OperatorSessions(Model):
    """Operators who are signed in to the console, by a digest of what their browser holds and the admin key.
    They are of no app: ``app`` is empty, and leads as elsewhere."""

    app = TextField()
    digest = TextField()
    began_at = BigIntegerField()

    class Meta:
        table_name = "operator_sessions"
        primary_key = CompositeKey("app", "digest")


class Imports(Model):
    """Files of people that operators have sent, as ``Import`` in ``model/`` says. Whoever reads one has
    leased it for a time."""

    app = TextField()
    id = TextField()
    state = TextField()
    key = TextField()
    size = BigIntegerField()
    stored = BigIntegerField()
    sha256 = TextField()
    options = TextField()
    created_at = BigIntegerField()
    until = BigIntegerField()
    preview = TextField(null=True)
    report = TextField(null=True)
    failed = TextField(null=True)
    people = BigIntegerField()
    steps = BigIntegerField()
    rejects = TextField(null=True)
    rejects_size = BigIntegerField()
    leased_until = BigIntegerField()
    tries = IntegerField()
    lease = TextField(null=True)

    class Meta:
        table_name = "imports"
        primary_key = CompositeKey("app", "id")
        constraints: ClassVar = [references("apps", app="app")]


class SearchProgress(Model):
    """How far the index of what was written goes: all up to the event that stands at ``xid`` and ``event`` is
    in it, and of what was there before it was begun the conversations up to ``filled``, by their ids; all of
    them if none."""

    app = TextField()
    xid = BigIntegerField()
    event = TextField()
    filled = TextField(null=True)

    class Meta:
        table_name = "search_progress"
        primary_key = CompositeKey("app")
        constraints: ClassVar = [references("apps", app="app")]


class DuplicateProgress(Model):
    """How far whoever was added was compared with others: all of whom the events tell up to the one that
    stands at ``xid`` and ``event``."""

    app = TextField()
    xid = BigIntegerField()
    event = TextField()

    class Meta:
        table_name = "duplicate_progress"
        primary_key = CompositeKey("app")
        constraints: ClassVar = [references("apps", app="app")]


class SearchIndex(Model):
    """Of which pieces of words a message is, by its conversation and number; a conversation's subject has the
    number 0. It is a table of the engine's own full-text search, so only its migration can make it; on SQLite
    that has no keys, and a conversation is found by a piece of its own: see ``search``."""

    app = TextField()
    conversation = TextField()
    number = IntegerField()
    pieces = TextField()

    class Meta:
        table_name = "search_index"
        primary_key = CompositeKey("app", "conversation", "number")


# In the order in which they may be created; emptied in the reverse order.
TABLES: tuple[type[Model], ...] = (
    Apps,
    Events,
    Removals,
    Webhooks,
    WebhookSecrets,
    Deliveries,
    Attempts,
    Keys,
    Users,
    UserIds,
    Devices,
    Sessions,
    Conversations,
    Messages,
    Attachments,
    StoreAccounts,
    Purchases,
    Attributes,
    Contacts,
    Fields,
    DuplicateKeys,
    Duplicates,
    Dismissals,
    Merges,
    History,
    IdempotencyKeys,
    FormerKeys,
    Rates,
    ConsoleSessions,
    OperatorSessions,
    Imports,
    SearchProgress,
    DuplicateProgress,
)
# What is as it is in one of the engines only, and made by a migration alone.
OF_ENGINES: tuple[type[Model], ...] = (SearchIndex,)

# How a cluster of Citus keeps them. By ``app`` it spreads all, in this order, so that all of an app is on one
# machine: the sessions of operators too, as those of an app without a name. Which migrations there were is
# copied to every node, as whoever serves asks that first, and nobody but migrations writes it.
SPREAD = TABLES + OF_ENGINES
ON_EVERY_NODE = ("schema_migration",)
