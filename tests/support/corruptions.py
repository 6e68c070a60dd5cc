"""What may go wrong in a store, in SQL, and what the self-test has to say of it.

Each line that is not indented names what went wrong, and the invariants that do not hold with where; below it
stand the statements. What stands in braces is one of the names of ``stories``.
"""

# ruff: noqa: S608 - every statement here is written by hand, and meant to do harm

import re

from service.store.tables import TABLES

Corruption = tuple[list[str], dict[str, list[str]]]

COLUMNS = {
    table._meta.table_name: [field.column_name for field in table._meta.sorted_fields] for table in TABLES
}

# Constraints would forbid some of it; these are what to do without.
UNGUARDED = [
    'DROP INDEX "users_one_unclaimed_per_email"',
    # The rows stay as they are, without primary key and indexes.
    'CREATE TABLE "unguarded" AS SELECT * FROM "user_ids"',
    'DROP TABLE "user_ids"',
    'ALTER TABLE "unguarded" RENAME TO "user_ids"',
]


def sql(line: str) -> str:
    """Write a statement about the app's rows in full. COPY inserts rows as those are, but for what is SET."""
    if line.startswith("COPY"):
        table, which, changes = re.fullmatch(r"COPY (\w+) WHERE (.+) SET (.+)", line).groups()
        changed = dict(change.split(" = ") for change in changes.split(", "))
        names = ", ".join(f'"{column}"' for column in COLUMNS[table])
        values = ", ".join(changed.get(column, f'"{column}"') for column in COLUMNS[table])
        line = f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {which}"
    return re.sub(r"\buser =", '"user" =', line).replace(" WHERE ", " WHERE app = '{app}' AND ", 1)


def read(text: str) -> dict[str, Corruption]:
    """Return by name the statements, and by invariant where it does not hold."""
    found: dict[str, Corruption] = {}
    for case in re.split(r"\n(?! )", text.strip()):
        title, *statements = case.splitlines()
        name, _, violated = title.partition(" → ")
        where = [part.split(": ", 1) for part in violated.split("; ")]
        found[name] = (
            [sql(line.strip()) for line in statements],
            {who: at.split(" | ") for who, at in where},
        )
    return found


CORRUPTIONS = read("""
two users hold one user ID → user_ids_name_one_user: a user ID of {jane}
    COPY user_ids WHERE user = '{jane}' SET user = '{mary}', home = '{mary}'
two users hold one user ID under two digests → user_ids_name_one_user: a digest of {mary}
    COPY user_ids WHERE user = '{jane}' SET digest = 'x', user = '{mary}', home = '{mary}'
two users have one primary user ID → primary_user_ids_are_kept: {mary}
    UPDATE users SET user_id = 'u-1' WHERE id = '{mary}'
an alias leads to nobody → user_ids_name_one_user: a user ID of usr_nobody
    UPDATE user_ids SET user = 'usr_nobody', home = 'usr_nobody' WHERE value = 'u-8'
an alias leads to another app's user → user_ids_name_one_user: a user ID of {foreigner}
    UPDATE user_ids SET user = '{foreigner}', home = '{foreigner}' WHERE value = 'u-8'
an alias leads to a merged user → user_ids_name_one_user: a user ID of {bob}
    UPDATE user_ids SET user = '{bob}', home = '{bob}' WHERE value = 'u-8'
an alias leads to a stranger → things_are_where_their_home_is: user_ids of {carol}
    UPDATE user_ids SET user = '{carol}' WHERE value = 'u-8'
a proven user's ID is unproven → user_ids_name_one_user: a user ID of {jane}; \
primary_user_ids_are_kept: {unproven}; worlds_are_apart: user_ids of {jane}
    DELETE FROM user_ids WHERE user = '{unproven}'
    UPDATE user_ids SET verified = FALSE WHERE user = '{jane}'
a user ID that was only claimed is a proven user's → worlds_are_apart: user_ids of {carol}
    UPDATE user_ids SET home = '{claimant}' WHERE value = 'u-7'
a user ID is not found by how it begins → user_ids_name_one_user: a digest of {jane}
    UPDATE user_ids SET search = 'other' WHERE user = '{jane}'
a primary user ID leads nowhere → primary_user_ids_are_kept: {jane}
    DELETE FROM user_ids WHERE user = '{jane}'
two unclaimed users have one email → one_unclaimed_user_per_email: the email of {joan}
    UPDATE users SET email = 'Joan@example.org', email_key = 'joan@example.org' WHERE id = '{ann}'
an email is kept under another → one_unclaimed_user_per_email: the key of {jane}
    UPDATE users SET email_key = 'other@example.org' WHERE id = '{jane}'
an email is not found → one_unclaimed_user_per_email: the key of {jane}
    UPDATE users SET email_key = NULL WHERE id = '{jane}'
a user is nobody → users_are_somebody: {joan}
    UPDATE users SET email = NULL, email_key = NULL WHERE id = '{joan}'
an anonymous user has an email → users_are_somebody: {visitor}
    UPDATE users SET email = 'v@example.org', email_key = 'v@example.org' WHERE id = '{visitor}'
a cleared user is somebody → users_are_somebody: {joan}; sessions_are_of_living_users: a session of {joan}
    UPDATE users SET cleared_at = 5 WHERE id = '{joan}'
a cleared user is part of somebody → users_are_somebody: {bob}
    UPDATE users SET cleared_at = 5 WHERE id = '{bob}'
a device leads to another app's user → devices_lead_to_anonymous_users: {foreigner}
    UPDATE devices SET anonymous = '{foreigner}' WHERE digest = '{janes_device}'
a device leads to a cleared user → devices_lead_to_anonymous_users: {cleared}
    UPDATE devices SET anonymous = '{cleared}' WHERE digest = '{janes_device}'
a device leads to an identified user → devices_lead_to_anonymous_users: {mary}
    UPDATE devices SET anonymous = '{mary}' WHERE digest = '{janes_device}'
two devices have one anonymous user → devices_lead_to_anonymous_users: {visitor}
    UPDATE devices SET anonymous = '{visitor}' WHERE digest = '{janes_device}'
an erased user has a session → sessions_are_of_living_users: a session of {erased}
    UPDATE sessions SET user = '{erased}', home = '{erased}' WHERE user = '{jane}'
a merged user has a session → sessions_are_of_living_users: a session of {bob}
    UPDATE sessions SET user = '{bob}', home = '{bob}' WHERE user = '{jane}'
a cleared user has a session → sessions_are_of_living_users: a session of {cleared}
    UPDATE sessions SET user = '{cleared}', home = '{cleared}', verified = FALSE WHERE user = '{jane}'
another app's user has a session → sessions_are_of_living_users: a session of {foreigner}
    UPDATE sessions SET user = '{foreigner}', home = '{foreigner}' WHERE user = '{jane}'
an erased app has a session → every_row_has_its_app: sessions of {lost_app}
    COPY sessions WHERE user = '{jane}' SET app = '{lost_app}'
a session that began as one user is another's → things_are_where_their_home_is: sessions of {mary}
    UPDATE sessions SET user = '{mary}' WHERE user = '{jane}'
a verified session is of an unverified user → sessions_are_of_living_users: a session of {unproven}
    UPDATE sessions SET user = '{unproven}', home = '{unproven}' WHERE user = '{jane}'
an unverified session is of a verified user → sessions_are_of_living_users: a session of {jane}
    UPDATE sessions SET verified = FALSE WHERE user = '{jane}'
an unproven session is given more than it claimed → sessions_are_of_living_users: a session of {unproven}
    UPDATE sessions SET claim = NULL WHERE user = '{unproven}'
a proven session has a claim → sessions_are_of_living_users: a session of {jane}
    UPDATE sessions SET claim = '{{}}' WHERE user = '{jane}'
an anonymous user is logged in on another's device → sessions_are_of_living_users: a session of {visitor}
    UPDATE sessions SET user = '{visitor}', home = '{visitor}', verified = FALSE WHERE user = '{jane}'
a session's device is gone → nothing_is_orphaned: conversations of {janes_device} | sessions of {janes_device}
    DELETE FROM devices WHERE digest = '{janes_device}'
a conversation is read by who did not write it → conversations_have_one_owner: {thread}
    UPDATE conversations SET user = '{mary}', home = '{mary}' WHERE id = '{thread}'
a stranger wrote in a conversation → conversations_have_one_owner: {thread}
    UPDATE messages SET author = '{mary}' WHERE conversation = '{thread}' AND number = 1
nobody wrote what a user wrote → conversations_have_one_owner: {thread}
    UPDATE messages SET author = NULL WHERE conversation = '{thread}' AND number = 1
what an agent wrote to one is read by another → things_are_where_their_home_is: conversations of {mary}
    UPDATE conversations SET user = '{mary}' WHERE id = '{written}'
a conversation is an erased user's → conversations_have_one_owner: {written}
    UPDATE conversations SET user = '{erased}', home = '{erased}' WHERE id = '{written}'
a conversation is a merged user's → conversations_have_one_owner: {written}
    UPDATE conversations SET user = '{bob}', home = '{bob}' WHERE id = '{written}'
a message is missing → messages_are_numbered: {thread}
    DELETE FROM messages WHERE conversation = '{thread}' AND number = 1
messages are miscounted → messages_are_numbered: {thread}
    UPDATE conversations SET messages = 7 WHERE id = '{thread}'
more is unread than there is → messages_are_numbered: {thread}
    UPDATE conversations SET unread_by_agent = 3 WHERE id = '{thread}'
a message's conversation is gone → nothing_is_orphaned: messages of {thread}
    DELETE FROM conversations WHERE id = '{thread}'
a message is in another app's conversation → nothing_is_orphaned: messages of {thread}
    COPY messages WHERE conversation = '{thread}' SET app = '{foreign_app}', author = NULL
a file's conversation is gone → messages_show_their_attachments: {file}; \
nothing_is_orphaned: attachments of {filed}
    DELETE FROM messages WHERE conversation = '{filed}'
    DELETE FROM conversations WHERE id = '{filed}'
a message names another's file → messages_show_their_attachments: {file}
    UPDATE attachments SET author = '{jane}' WHERE id = '{file}'
a message names a file of another conversation → messages_show_their_attachments: {file}
    UPDATE attachments SET conversation = '{thread}' WHERE id = '{file}'
a message shows a file that it does not name → messages_show_their_attachments: {names_file}
    UPDATE attachments SET message = NULL WHERE id = '{file}'
a message shows other than what it names → messages_show_their_attachments: {file}
    UPDATE attachments SET type = 'text/html' WHERE id = '{file}'
a file waits of somebody who was erased → erased_users_hold_nothing: {erased}
    UPDATE attachments SET author = '{erased}' WHERE id = '{first}'
the bytes of a file that waits are to be removed → bytes_of_attachments_stay: {waiting}
    INSERT INTO removals (app, file, due) VALUES ('{app}', '{waiting}', 0)
two users became part of each other → merges_end_somewhere: {bob} | {mary}; merges_are_written_down: {mary}
    UPDATE users SET merged_into = '{bob}' WHERE id = '{mary}'
    DELETE FROM user_ids WHERE user = '{mary}'
    DELETE FROM sessions WHERE user = '{mary}'
    DELETE FROM contacts WHERE user = '{mary}'
    DELETE FROM messages WHERE conversation IN (SELECT id FROM conversations WHERE user = '{mary}')
    DELETE FROM conversations WHERE user = '{mary}'
a user became part of nobody → merges_end_somewhere: {ann}; merges_are_written_down: {ann}; \
fields_are_shown: {ann}
    UPDATE users SET merged_into = 'usr_nobody' WHERE id = '{ann}'
a proven user became part of one who only claims → worlds_are_apart: {bob}; \
fields_are_shown: {unproven} | {mary}
    UPDATE users SET merged_into = '{unproven}' WHERE id = '{bob}'
    UPDATE merges SET target = '{unproven}' WHERE id = '{merge_of_bob}'
    UPDATE conversations SET user = '{unproven}' WHERE home = '{bob}'
    UPDATE contacts SET user = '{unproven}' WHERE home = '{bob}'
    DELETE FROM user_ids WHERE home = '{bob}'
a merged user has no merge → merges_are_written_down: {bob}
    DELETE FROM merges WHERE id = '{merge_of_bob}'
a merged user's merge was undone → merges_are_written_down: {bob}
    UPDATE merges SET undone_at = 1 WHERE id = '{merge_of_bob}'
a user stands whose merge was not undone → merges_are_written_down: {merge_of_carol}
    UPDATE merges SET undone_at = NULL WHERE id = '{merge_of_carol}'
a merge is of nobody → nothing_is_orphaned: merges of usr_nobody
    COPY merges WHERE id = '{merge_of_carol}' SET id = 'mrg_x', source = 'usr_nobody'
what was said last is not shown → fields_are_shown: what is said of {mary}
    UPDATE fields SET value = 'b@example.org', rank = 9 WHERE home = '{bob}' AND name = 'email'
a further email finds nobody → emails_find_their_user: an email of {mary}
    UPDATE fields SET value = 'm@example.org', rank = 9 WHERE home = '{mary}' AND name = 'email'
    UPDATE fields SET value = 'b@example.org', rank = 8 WHERE home = '{bob}' AND name = 'email'
    UPDATE users SET email = 'm@example.org', email_key = 'm@example.org' WHERE id = '{mary}'
what was said of one is not kept → fields_are_shown: {bob}; \
attributes_are_shown: the attributes of {mary}
    DELETE FROM fields WHERE home = '{bob}'
what is said of one who stands alone is kept → fields_are_shown: {bob} | {joan} | what is said of {joan}; \
attributes_are_shown: the attributes of {mary}
    UPDATE fields SET home = '{joan}' WHERE home = '{bob}'
an attribute that was said last is not shown → attributes_are_shown: the attributes of {jane}
    UPDATE attributes SET value = '"blue"' WHERE home = '{jane}'
an attribute is shown that nobody said → attributes_are_shown: the attributes of {jane}
    UPDATE users SET attributes = '{{"color":"red","plan":"x"}}' WHERE id = '{jane}'
an attribute is shown of whoever nobody said anything → attributes_are_shown: the attributes of {joan}
    UPDATE users SET attributes = '{{"plan":"x"}}' WHERE id = '{joan}'
a contact is a stranger's → things_are_where_their_home_is: contacts of {jane}
    UPDATE contacts SET user = '{jane}' WHERE home = '{bob}'
a contact is a merged user's → things_are_where_their_home_is: contacts of {bob}
    UPDATE contacts SET user = '{bob}' WHERE home = '{bob}'
a contact is of nobody → nothing_is_orphaned: contacts of usr_nobody
    COPY contacts WHERE home = '{carol}' SET home = 'usr_nobody', user = 'usr_nobody'
a tombstone has a contact → erased_users_hold_nothing: {erased}
    COPY contacts WHERE home = '{carol}' SET home = '{erased}', user = '{erased}'
a tombstone shows attributes → erased_users_hold_nothing: {erased}
    UPDATE users SET attributes = '{{"plan":"x"}}' WHERE id = '{erased}'
a claim made somebody → nobody_proven_rests_on_a_claim: created of {jane}: proven
    UPDATE history SET proven = FALSE WHERE user = '{jane}' AND event = 'created'
a claim made somebody who took in another → \
nobody_proven_rests_on_a_claim: created of {mary}: proven, undo {merge_of_bob}
    UPDATE history SET proven = FALSE WHERE user = '{mary}' AND event = 'created'
a claim named somebody → nobody_proven_rests_on_a_claim: user-id-attached of {jane}: a user ID
    COPY history WHERE user = '{jane}' AND event = 'created' SET id = 'hst_x', \
event = 'user-id-attached', after = '{{"userId": "u-1"}}', proven = FALSE
a claim gave a user ID → nobody_proven_rests_on_a_claim: alias-added of {mary}: a user ID
    UPDATE history SET proven = FALSE WHERE user = '{mary}' AND event = 'alias-added'
a claim gave an email → nobody_proven_rests_on_a_claim: email-changed of {jane}: shown
    COPY history WHERE user = '{jane}' AND event = 'created' SET id = 'hst_x', \
event = 'email-changed', after = '{{"email": "jane@example.org"}}', proven = FALSE
a claim gave a name → nobody_proven_rests_on_a_claim: name-changed of {jane}: shown
    COPY history WHERE user = '{jane}' AND event = 'created' SET id = 'hst_x', \
event = 'name-changed', after = '{{"name": "Jane"}}', proven = FALSE
a claim joined two → nobody_proven_rests_on_a_claim: merged of {mary}: undo {merge_of_bob}
    UPDATE history SET proven = FALSE WHERE user = '{mary}' AND event = 'merged'
a claim gave a purchase → nobody_proven_rests_on_a_claim: purchase of {jane}: a purchase
    UPDATE history SET proven = FALSE WHERE user = '{jane}' AND event = 'purchase'
a claim gave an attribute → nobody_proven_rests_on_a_claim: attributes-changed of {jane}: an attribute
    UPDATE history SET proven = FALSE WHERE user = '{jane}' AND event = 'attributes-changed'
a tombstone has a name → erased_users_hold_nothing: {erased}
    UPDATE users SET name = 'Jane', name_key = 'jane' WHERE id = '{erased}'
a tombstone has an email → erased_users_hold_nothing: {erased}
    UPDATE users SET email = 'g@example.org', email_key = 'g@example.org' WHERE id = '{erased}'
a tombstone has a past → erased_users_hold_nothing: {erased}
    UPDATE history SET after = '{{}}' WHERE user = '{erased}'
a tombstone's events tell of it → erased_users_hold_nothing: {erased}
    UPDATE events SET data = '{{"user": {{}}}}' WHERE user = '{erased}'
a tombstone has an idempotency key → erased_users_hold_nothing: {erased}
    COPY idempotency_keys WHERE home = '{jane}' SET home = '{erased}', scope = 'key_other'
a tombstone has an attribute → erased_users_hold_nothing: {erased}
    COPY attributes WHERE home = '{jane}' SET home = '{erased}'
what was said of a tombstone is kept → fields_are_shown: {bob}; erased_users_hold_nothing: {erased}; \
attributes_are_shown: the attributes of {mary}
    UPDATE fields SET home = '{erased}' WHERE home = '{bob}'
part of an erased user has an attribute → erased_users_hold_nothing: {part}
    COPY attributes WHERE home = '{jane}' SET home = '{part}'
a tombstone has a user ID → user_ids_name_one_user: a user ID of {erased}; erased_users_hold_nothing: {erased}
    UPDATE user_ids SET user = '{erased}', home = '{erased}' WHERE value = 'u-8'
a tombstone's merge tells of it → erased_users_hold_nothing: {erased} | {part}
    UPDATE merges SET ledger = '{{"filled": {{"name": "Jane"}}}}' WHERE id = '{merge_of_part}'
part of an erased user is there → fields_are_shown: {part}; erased_users_hold_nothing: {part}
    UPDATE users SET erased_at = NULL WHERE id = '{part}'
a store account is an erased user's → store_accounts_have_one_owner: a store account of {erased}
    UPDATE store_accounts SET user = '{erased}', home = '{erased}' WHERE user = '{jane}'
a store account is a merged user's → store_accounts_have_one_owner: a store account of {bob}
    UPDATE store_accounts SET user = '{bob}', home = '{bob}' WHERE user = '{jane}'
a store account is a stranger's → things_are_where_their_home_is: store_accounts of {mary}
    UPDATE store_accounts SET user = '{mary}' WHERE user = '{jane}'
a store account that was only claimed is proven → worlds_are_apart: store_accounts of {carol}
    UPDATE store_accounts SET verified = TRUE WHERE user = '{carol}'
a proven store account is only claimed → worlds_are_apart: store_accounts of {jane}
    UPDATE store_accounts SET verified = FALSE WHERE user = '{jane}'
a purchase's store account is gone → nothing_is_orphaned: purchases of {janes_account}
    DELETE FROM store_accounts WHERE user = '{jane}'
an attribute is of nobody → nothing_is_orphaned: attributes of usr_nobody
    COPY attributes WHERE home = '{jane}' SET home = 'usr_nobody'
an attribute is of another app's user → nothing_is_orphaned: attributes of {jane}
    COPY attributes WHERE home = '{jane}' SET app = '{foreign_app}'
a history is of nobody → nothing_is_orphaned: history of usr_nobody
    COPY history WHERE user = '{jane}' AND event = 'created' SET user = 'usr_nobody'
an idempotency key is of another app's user → nothing_is_orphaned: idempotency_keys of {jane}
    COPY idempotency_keys WHERE home = '{jane}' SET app = '{foreign_app}'
a user's app is not there → every_row_has_its_app: users of app_nowhere
    COPY users WHERE id = '{jane}' SET app = 'app_nowhere'
an app is gone, and not its keys → every_row_has_its_app: keys of app_nowhere
    UPDATE keys SET app = 'app_nowhere' WHERE kind = 'identity'
""")

# What breaks nothing, and somebody has to decide about.
OPEN_QUESTIONS = read("""
an identity key proves in both ways → identity_keys_prove_in_one_way: {identity_key}
    UPDATE keys SET proof = 'both' WHERE kind = 'identity'
it is not known who made somebody → nobody_proven_rests_on_what_is_not_known: created of {jane}: proven
    UPDATE history SET proven = NULL WHERE user = '{jane}' AND event = 'created'
""")
