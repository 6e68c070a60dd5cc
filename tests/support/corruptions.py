"""What may go wrong in a store, in SQL, and what the self-test has to say of it.

Each stands by its name: the statements, and by invariant where it does not hold. What stands in braces is
one of the names of ``stories``.
"""

# ruff: noqa: S608 - every statement here is written by hand, and meant to do harm

Corruption = tuple[list[str], dict[str, list[str]]]


def change(table: str, what: str, which: str) -> str:
    """Write an UPDATE of some of the app's rows."""
    return f"""UPDATE "{table}" SET {what} WHERE "app" = '{{app}}' AND {which}"""


def delete(table: str, which: str) -> str:
    """Write a DELETE of some of the app's rows."""
    return f"""DELETE FROM "{table}" WHERE "app" = '{{app}}' AND {which}"""


def of(name: str, column: str = "user") -> str:
    """Write the condition that a column holds somebody's id."""
    return f""" "{column}" = '{{{name}}}' """


def copy(table: str, which: str, columns: str, **changed: str) -> str:
    """Write an INSERT of rows that are as some of the app's are, but for what is changed."""
    values = ", ".join(changed.get(column, f'"{column}"') for column in columns.split())
    names = ", ".join(f'"{column}"' for column in columns.split())
    rows = f"""SELECT {values} FROM "{table}" WHERE "app" = '{{app}}' AND {which}"""
    return f'INSERT INTO "{table}" ({names}) {rows}'


# Constraints would forbid some of it; these are what to do without.
UNGUARDED = [
    'DROP INDEX "users_one_unclaimed_per_email"',
    # The rows stay as they are, without primary key and indexes.
    'CREATE TABLE "unguarded" AS SELECT * FROM "user_ids"',
    'DROP TABLE "user_ids"',
    'ALTER TABLE "unguarded" RENAME TO "user_ids"',
]

ON_DEVICE_OF_JANE = (
    """ "digest" = (SELECT "device" FROM "sessions" WHERE "app" = '{app}' AND "user" = '{jane}') """
)
SESSION = "app device token user home verified claim began_at used_at"
USER_ID = "app verified digest user home value search added_at"
HISTORY = "app user id at event rule by request before after proven"
MESSAGE = "app conversation number id side author agent_name body verified created_at"
USER = "app id verified user_id email email_key name name_key merged_into cleared_at erased_at created_at"
MERGE = "app id source target rule ledger created_at undone_at"
ATTRIBUTE = "app home name value at"
REPEAT = "app user by key request made created_at"

USER_IDS: dict[str, Corruption] = {
    "two users hold one user ID": (
        [copy("user_ids", of("jane"), USER_ID, user="'{mary}'", home="'{mary}'")],
        {"user_ids_name_one_user": ["a user ID of {jane}"]},
    ),
    "two users hold one user ID under two digests": (
        [copy("user_ids", of("jane"), USER_ID, digest="'x'", user="'{mary}'", home="'{mary}'")],
        {"user_ids_name_one_user": ["a digest of {mary}"]},
    ),
    "two users have one primary user ID": (
        [change("users", "\"user_id\" = 'u-1'", of("mary", "id"))],
        {"primary_user_ids_are_kept": ["{mary}"]},
    ),
    "an alias leads to nobody": (
        [change("user_ids", "\"user\" = 'usr_nobody', \"home\" = 'usr_nobody'", "\"value\" = 'u-8'")],
        {"user_ids_name_one_user": ["a user ID of usr_nobody"]},
    ),
    "an alias leads to another app's user": (
        [change("user_ids", "\"user\" = '{foreigner}', \"home\" = '{foreigner}'", "\"value\" = 'u-8'")],
        {"user_ids_name_one_user": ["a user ID of {foreigner}"]},
    ),
    "an alias leads to a merged user": (
        [change("user_ids", "\"user\" = '{bob}', \"home\" = '{bob}'", "\"value\" = 'u-8'")],
        {"user_ids_name_one_user": ["a user ID of {bob}"]},
    ),
    "an alias leads to a stranger": (
        [change("user_ids", "\"user\" = '{carol}'", "\"value\" = 'u-8'")],
        {"things_are_where_their_home_is": ["user_ids of {carol}"]},
    ),
    "a user ID is of the other world": (
        [delete("user_ids", of("unproven")), change("user_ids", '"verified" = FALSE', of("jane"))],
        {
            "user_ids_name_one_user": ["a user ID of {jane}"],
            "primary_user_ids_are_kept": ["{unproven}"],
            "worlds_are_apart": ["user_ids of {jane}"],
        },
    ),
    "a user ID that was only claimed is a proven user's": (
        [change("user_ids", "\"home\" = '{claimant}'", "\"value\" = 'u-7'")],
        {"worlds_are_apart": ["user_ids of {carol}"]},
    ),
    "a user ID is not found by how it begins": (
        [change("user_ids", "\"search\" = 'other'", of("jane"))],
        {"user_ids_name_one_user": ["a digest of {jane}"]},
    ),
    "a primary user ID leads nowhere": (
        [delete("user_ids", of("jane"))],
        {"primary_user_ids_are_kept": ["{jane}"]},
    ),
}

USERS: dict[str, Corruption] = {
    "two unclaimed users have one email": (
        [
            change(
                "users",
                "\"email\" = 'Joan@example.org', \"email_key\" = 'joan@example.org'",
                of("ann", "id"),
            ),
        ],
        {"one_unclaimed_user_per_email": ["the email of {joan}"]},
    ),
    "an email is kept under another": (
        [change("users", "\"email_key\" = 'other@example.org'", of("jane", "id"))],
        {"one_unclaimed_user_per_email": ["the key of {jane}"]},
    ),
    "an email is not found": (
        [change("users", '"email_key" = NULL', of("jane", "id"))],
        {"one_unclaimed_user_per_email": ["the key of {jane}"]},
    ),
    "a user is nobody": (
        [change("users", '"email" = NULL, "email_key" = NULL', of("joan", "id"))],
        {"users_are_somebody": ["{joan}"]},
    ),
    "an anonymous user has an email": (
        [
            change(
                "users",
                "\"email\" = 'v@example.org', \"email_key\" = 'v@example.org'",
                of("visitor", "id"),
            )
        ],
        {"users_are_somebody": ["{visitor}"]},
    ),
    "a device leads to another app's user": (
        [change("devices", "\"anonymous\" = '{foreigner}'", ON_DEVICE_OF_JANE)],
        {"devices_lead_to_anonymous_users": ["{foreigner}"]},
    ),
    "a device leads to a cleared user": (
        [change("devices", "\"anonymous\" = '{cleared}'", ON_DEVICE_OF_JANE)],
        {"devices_lead_to_anonymous_users": ["{cleared}"]},
    ),
    "a device leads to an identified user": (
        [change("devices", "\"anonymous\" = '{mary}'", ON_DEVICE_OF_JANE)],
        {"devices_lead_to_anonymous_users": ["{mary}"]},
    ),
    "two devices have one anonymous user": (
        [change("devices", "\"anonymous\" = '{visitor}'", ON_DEVICE_OF_JANE)],
        {"devices_lead_to_anonymous_users": ["{visitor}"]},
    ),
}

SESSIONS: dict[str, Corruption] = {
    "an erased user has a session": (
        [change("sessions", "\"user\" = '{erased}', \"home\" = '{erased}'", of("jane"))],
        {"sessions_are_of_living_users": ["a session of {erased}"]},
    ),
    "a merged user has a session": (
        [change("sessions", "\"user\" = '{bob}', \"home\" = '{bob}'", of("jane"))],
        {"sessions_are_of_living_users": ["a session of {bob}"]},
    ),
    "a cleared user has a session": (
        [
            change(
                "sessions",
                '"user" = \'{cleared}\', "home" = \'{cleared}\', "verified" = FALSE',
                of("jane"),
            )
        ],
        {"sessions_are_of_living_users": ["a session of {cleared}"]},
    ),
    "another app's user has a session": (
        [change("sessions", "\"user\" = '{foreigner}', \"home\" = '{foreigner}'", of("jane"))],
        {"sessions_are_of_living_users": ["a session of {foreigner}"]},
    ),
    "an erased app has a session": (
        [copy("sessions", of("jane"), SESSION, app="'{lost_app}'")],
        {"every_row_has_its_app": ["sessions of {lost_app}"]},
    ),
    "a session that began as one user is another's": (
        [change("sessions", "\"user\" = '{mary}'", of("jane"))],
        {"things_are_where_their_home_is": ["sessions of {mary}"]},
    ),
    "a verified session is of an unverified user": (
        [change("sessions", "\"user\" = '{unproven}', \"home\" = '{unproven}'", of("jane"))],
        {"sessions_are_of_living_users": ["a session of {unproven}"]},
    ),
    "an unverified session is of a verified user": (
        [change("sessions", '"verified" = FALSE', of("jane"))],
        {"sessions_are_of_living_users": ["a session of {jane}"]},
    ),
    "an unproven session is told more than was said": (
        [change("sessions", '"claim" = NULL', of("unproven"))],
        {"sessions_are_of_living_users": ["a session of {unproven}"]},
    ),
    "a proven session has a claim": (
        [change("sessions", "\"claim\" = '{{}}'", of("jane"))],
        {"sessions_are_of_living_users": ["a session of {jane}"]},
    ),
    "an anonymous user is logged in on another's device": (
        [
            change(
                "sessions",
                '"user" = \'{visitor}\', "home" = \'{visitor}\', "verified" = FALSE',
                of("jane"),
            )
        ],
        {"sessions_are_of_living_users": ["a session of {visitor}"]},
    ),
    "a session's device is gone": (
        [delete("devices", ON_DEVICE_OF_JANE)],
        {"nothing_is_orphaned": ["conversations of {janes_device}", "sessions of {janes_device}"]},
    ),
}

CONVERSATIONS: dict[str, Corruption] = {
    "a conversation is read by who did not write it": (
        [change("conversations", "\"user\" = '{mary}', \"home\" = '{mary}'", of("thread", "id"))],
        {"conversations_have_one_owner": ["{thread}"]},
    ),
    "a stranger wrote in a conversation": (
        [change("messages", "\"author\" = '{mary}'", of("thread", "conversation") + 'AND "number" = 1')],
        {"conversations_have_one_owner": ["{thread}"]},
    ),
    "nobody wrote what a user wrote": (
        [change("messages", '"author" = NULL', of("thread", "conversation") + 'AND "number" = 1')],
        {"conversations_have_one_owner": ["{thread}"]},
    ),
    "what an agent wrote to one is read by another": (
        [change("conversations", "\"user\" = '{mary}'", of("written", "id"))],
        {"things_are_where_their_home_is": ["conversations of {mary}"]},
    ),
    "a conversation is an erased user's": (
        [change("conversations", "\"user\" = '{erased}', \"home\" = '{erased}'", of("written", "id"))],
        {"conversations_have_one_owner": ["{written}"]},
    ),
    "a conversation is a merged user's": (
        [change("conversations", "\"user\" = '{bob}', \"home\" = '{bob}'", of("written", "id"))],
        {"conversations_have_one_owner": ["{written}"]},
    ),
    "a message is missing": (
        [delete("messages", of("thread", "conversation") + 'AND "number" = 1')],
        {"messages_are_numbered": ["{thread}"]},
    ),
    "messages are miscounted": (
        [change("conversations", '"messages" = 7', of("thread", "id"))],
        {"messages_are_numbered": ["{thread}"]},
    ),
    "more is unread than there is": (
        [change("conversations", '"unread_by_agent" = 3', of("thread", "id"))],
        {"messages_are_numbered": ["{thread}"]},
    ),
    "a message's conversation is gone": (
        [delete("conversations", of("thread", "id"))],
        {"nothing_is_orphaned": ["messages of {thread}"]},
    ),
    "a message is in another app's conversation": (
        [copy("messages", of("thread", "conversation"), MESSAGE, app="'{foreign_app}'", author="NULL")],
        {"nothing_is_orphaned": ["messages of {thread}"]},
    ),
}

MERGES: dict[str, Corruption] = {
    "two users became part of each other": (
        [
            change("users", "\"merged_into\" = '{bob}'", of("mary", "id")),
            delete("user_ids", of("mary")),
            delete("sessions", of("mary")),
            delete(
                "messages", '"conversation" IN (SELECT "id" FROM "conversations" WHERE "user" = \'{mary}\')'
            ),
            delete("conversations", of("mary")),
        ],
        {
            "merges_end_somewhere": ["{bob}", "{mary}"],
            "merges_are_written_down": ["{mary}"],
        },
    ),
    "a user became part of nobody": (
        [change("users", "\"merged_into\" = 'usr_nobody'", of("ann", "id"))],
        {
            "merges_end_somewhere": ["{ann}"],
            "merges_are_written_down": ["{ann}"],
            "fields_are_shown": ["{ann}"],
        },
    ),
    "a proven user became part of one who only claims": (
        [
            change("users", "\"merged_into\" = '{unproven}'", of("bob", "id")),
            change("merges", "\"target\" = '{unproven}'", of("merge_of_bob", "id")),
            change("conversations", "\"user\" = '{unproven}'", of("bob", "home")),
            delete("user_ids", of("bob", "home")),
        ],
        {"worlds_are_apart": ["{bob}"], "fields_are_shown": ["{unproven}", "{mary}"]},
    ),
    "a merged user has no merge": (
        [delete("merges", of("merge_of_bob", "id"))],
        {"merges_are_written_down": ["{bob}"]},
    ),
    "a merged user's merge was undone": (
        [change("merges", '"undone_at" = 1', of("merge_of_bob", "id"))],
        {"merges_are_written_down": ["{bob}"]},
    ),
    "a user stands whose merge was not undone": (
        [change("merges", '"undone_at" = NULL', of("merge_of_carol", "id"))],
        {"merges_are_written_down": ["{merge_of_carol}"]},
    ),
    "a merge is of nobody": (
        [copy("merges", of("merge_of_carol", "id"), MERGE, id="'mrg_x'", source="'usr_nobody'")],
        {"nothing_is_orphaned": ["merges of usr_nobody"]},
    ),
}

FIELDS: dict[str, Corruption] = {
    "what was said last is not shown": (
        [
            change(
                "fields",
                '"value" = \'b@example.org\', "rank" = 9',
                of("bob", "home") + "AND \"name\" = 'email'",
            )
        ],
        {"fields_are_shown": ["what is said of {mary}"]},
    ),
    "what was said of one is not kept": (
        [delete("fields", of("bob", "home"))],
        {"fields_are_shown": ["{bob}"]},
    ),
    "what is said of one who stands alone is kept": (
        [change("fields", "\"home\" = '{joan}'", of("bob", "home"))],
        {"fields_are_shown": ["{bob}", "{joan}", "what is said of {joan}"]},
    ),
}

ERASED: dict[str, Corruption] = {
    "a tombstone has a name": (
        [change("users", "\"name\" = 'Jane', \"name_key\" = 'jane'", of("erased", "id"))],
        {"erased_users_hold_nothing": ["{erased}"]},
    ),
    "a tombstone has an email": (
        [change("users", "\"email\" = 'g@example.org', \"email_key\" = 'g@example.org'", of("erased", "id"))],
        {"erased_users_hold_nothing": ["{erased}"]},
    ),
    "a tombstone has a past": (
        [change("history", "\"after\" = '{{}}'", of("erased"))],
        {"erased_users_hold_nothing": ["{erased}"]},
    ),
    "a tombstone has an idempotency key": (
        [copy("repeats", of("jane"), REPEAT, user="'{erased}'")],
        {"erased_users_hold_nothing": ["{erased}"]},
    ),
    "a tombstone has an attribute": (
        [copy("attributes", of("jane", "home"), ATTRIBUTE, home="'{erased}'")],
        {"erased_users_hold_nothing": ["{erased}"]},
    ),
    "what was said of a tombstone is kept": (
        [change("fields", "\"home\" = '{erased}'", of("bob", "home"))],
        {"fields_are_shown": ["{bob}"], "erased_users_hold_nothing": ["{erased}"]},
    ),
    "part of an erased user has an attribute": (
        [change("attributes", "\"home\" = '{part}'", of("jane", "home"))],
        {"erased_users_hold_nothing": ["{part}"]},
    ),
    "a tombstone has a user ID": (
        [change("user_ids", "\"user\" = '{erased}', \"home\" = '{erased}'", "\"value\" = 'u-8'")],
        {"user_ids_name_one_user": ["a user ID of {erased}"], "erased_users_hold_nothing": ["{erased}"]},
    ),
    "a tombstone's merge tells of it": (
        [change("merges", '"ledger" = \'{{"filled": {{"name": "Jane"}}}}\'', of("merge_of_part", "id"))],
        {"erased_users_hold_nothing": ["{erased}", "{part}"]},
    ),
    "part of an erased user is there": (
        [change("users", '"erased_at" = NULL', of("part", "id"))],
        {"fields_are_shown": ["{part}"], "erased_users_hold_nothing": ["{part}"]},
    ),
}

HOMELESS: dict[str, Corruption] = {
    "a store account is an erased user's": (
        [change("store_accounts", "\"user\" = '{erased}', \"home\" = '{erased}'", of("jane"))],
        {"store_accounts_have_one_owner": ["a store account of {erased}"]},
    ),
    "a store account is a merged user's": (
        [change("store_accounts", "\"user\" = '{bob}', \"home\" = '{bob}'", of("jane"))],
        {"store_accounts_have_one_owner": ["a store account of {bob}"]},
    ),
    "a store account is a stranger's": (
        [change("store_accounts", "\"user\" = '{mary}'", of("jane"))],
        {"things_are_where_their_home_is": ["store_accounts of {mary}"]},
    ),
    "a store account that was only claimed is proven": (
        [change("store_accounts", '"verified" = TRUE', of("carol"))],
        {"worlds_are_apart": ["store_accounts of {carol}"]},
    ),
    "a proven store account is only claimed": (
        [change("store_accounts", '"verified" = FALSE', of("jane"))],
        {"worlds_are_apart": ["store_accounts of {jane}"]},
    ),
    "a purchase's store account is gone": (
        [delete("store_accounts", of("jane"))],
        {"nothing_is_orphaned": ["purchases of {janes_account}"]},
    ),
    "an attribute is of nobody": (
        [copy("attributes", of("jane", "home"), ATTRIBUTE, home="'usr_nobody'")],
        {"nothing_is_orphaned": ["attributes of usr_nobody"]},
    ),
    "an attribute is of another app's user": (
        [copy("attributes", of("jane", "home"), ATTRIBUTE, app="'{foreign_app}'")],
        {"nothing_is_orphaned": ["attributes of {jane}"]},
    ),
    "a history is of nobody": (
        [copy("history", of("jane") + "AND \"event\" = 'created'", HISTORY, user="'usr_nobody'")],
        {"nothing_is_orphaned": ["history of usr_nobody"]},
    ),
    "an idempotency key is of another app's user": (
        [copy("repeats", of("jane"), REPEAT, app="'{foreign_app}'")],
        {"nothing_is_orphaned": ["repeats of {jane}"]},
    ),
    "a user's app is not there": (
        [copy("users", of("jane", "id"), USER, app="'app_nowhere'")],
        {"every_row_has_its_app": ["users of app_nowhere"]},
    ),
    "an app is gone, and not its keys": (
        [change("keys", "\"app\" = 'app_nowhere'", "\"kind\" = 'identity'")],
        {"every_row_has_its_app": ["keys of app_nowhere"]},
    ),
}


def unproven(name: str, event: str, value: str = "FALSE") -> str:
    """Write an UPDATE after which nobody vouched for what happened to somebody."""
    return change("history", f'"proven" = {value}', of(name) + f"AND \"event\" = '{event}'")


def said(event: str, after: str) -> str:
    """Write an INSERT of what somebody who proved nothing would have done to Jane."""
    made = {"id": "'hst_x'", "event": f"'{event}'", "after": f"'{{{{{after}}}}}'", "proven": "FALSE"}
    return copy("history", of("jane") + "AND \"event\" = 'created'", HISTORY, **made)


CLAIMS: dict[str, Corruption] = {
    name: (statements, {"nobody_proven_rests_on_a_claim": [place]})
    for name, statements, place in (
        ("a claim made somebody", [unproven("jane", "created")], "created of {jane}: proven"),
        (
            "a claim made somebody who took in another",
            [unproven("mary", "created")],
            "created of {mary}: proven, undo {merge_of_bob}",
        ),
        (
            "a claim named somebody",
            [said("user-id-attached", '"userId": "u-1"')],
            "user-id-attached of {jane}: a user ID",
        ),
        ("a claim gave a user ID", [unproven("mary", "alias-added")], "alias-added of {mary}: a user ID"),
        (
            "a claim gave an email",
            [said("email-changed", '"email": "jane@example.org"')],
            "email-changed of {jane}: shown",
        ),
        ("a claim gave a name", [said("name-changed", '"name": "Jane"')], "name-changed of {jane}: shown"),
        ("a claim joined two", [unproven("mary", "merged")], "merged of {mary}: undo {merge_of_bob}"),
        ("a claim gave a purchase", [unproven("jane", "purchase")], "purchase of {jane}: a purchase"),
        (
            "a claim gave an attribute",
            [unproven("jane", "attributes-changed")],
            "attributes-changed of {jane}: an attribute",
        ),
    )
}

CORRUPTIONS = USER_IDS | USERS | SESSIONS | CONVERSATIONS | MERGES | FIELDS | CLAIMS | ERASED | HOMELESS

# What breaks nothing, and somebody has to decide about.
OPEN_QUESTIONS: dict[str, Corruption] = {
    "an identity key proves in both ways": (
        [change("keys", "\"proof\" = 'both'", of("app", "app") + "AND \"kind\" = 'identity'")],
        {"identity_keys_prove_in_one_way": ["{identity_key}"]},
    ),
    "it is not known who made somebody": (
        [unproven("jane", "created", "NULL")],
        {"nobody_proven_rests_on_what_is_not_known": ["created of {jane}: proven"]},
    ),
}
