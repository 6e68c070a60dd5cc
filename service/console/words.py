"""What happened and what is so, in plain words: one sentence for each kind of event."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from service.model.attachments import Attachment
from service.model.attributes import Value
from service.model.history import Entry, Event, Members
from service.model.identifiers import is_anonymous
from service.model.imports import ImportState
from service.model.users import User
from service.model.webhooks import Disabled, Webhook
from service.rules.file_types import SHOWN

# How many code points a page shows of what somebody said.
MAX_SHOWN = 200

Said = Callable[[Members, Members], str]

# How the members of a user are called on a page.
MEMBERS = {"userId": "user ID", "email": "email", "name": "name", "aliases": "further user IDs"}


def _created(_before: Members, after: Members) -> str:
    if is_anonymous(_one(after, "userId")):
        return "Created as the anonymous user of a device."
    given = [f"{MEMBERS[name]} {_quoted(after[name])}" for name in after if after[name]]
    return f"Created with {_listed(given)}." if given else "Created."


def _user_id_attached(before: Members, after: Members) -> str:
    if is_anonymous(_one(before, "userId")):
        return f"Was anonymous, and became known by the user ID {_quoted(after.get('userId'))}."
    return f"Had no user ID, and was given {_quoted(after.get('userId'))}."


def _user_id_removed(before: Members, after: Members) -> str:
    if after:
        return "Has no user ID any more: it was of somebody who became part of them."
    return f"The user ID {_quoted(before.get('userId'))} was taken away."


def _user_id_changed(before: Members, after: Members) -> str:
    if not after.get("userId"):
        return f"The primary user ID {_quoted(before.get('userId'))} gave way to another."
    return f"The primary user ID {_quoted(before.get('userId'))} was corrected to {_quoted(after['userId'])}."


def _changed(member: str) -> Said:
    def say(before: Members, after: Members) -> str:
        former, latter = before.get(member), after.get(member)
        if not former and not latter:
            return f"The {member} was changed."
        if not former:
            return f"The {member} {_quoted(latter)} was added."
        if not latter:
            return f"The {member} {_quoted(former)} was removed."
        return f"The {member} was changed from {_quoted(former)} to {_quoted(latter)}."

    return say


def _attributes_changed(_before: Members, after: Members) -> str:
    happened = [
        f"{_listed([_quoted(name) for name in names])} {'was' if len(names) == 1 else 'were'} {what}"
        for what in ("set", "removed")
        if (names := after.get(what))
    ]
    return f"Of the attributes {_listed(happened)}." if happened else "Attributes were changed."


def _cleared(_before: Members, _after: Members) -> str:
    return "Was cleared: nobody reaches this anonymous user on its device any more; agents still do."


def _alias_added(_before: Members, after: Members) -> str:
    return f"{_quoted(after.get('userId'))} became a further user ID."


def _merged(_before: Members, after: Members) -> str:
    if after.get("into"):
        return f"Became part of {after['into']}."
    ids = after.get("aliases") or ()
    which = f", with the user ID{'s' if len(ids) > 1 else ''} {_listed(map(_quoted, ids))}" if ids else ""
    return f"Took in {after.get('from', 'another user')}{which}."


def _unmerged(before: Members, _after: Members) -> str:
    if before.get("into"):
        return f"Stands apart from {before['into']} again: the merge was undone."
    return f"{before.get('from', 'Another user')} stands apart again: the merge was undone."


def _purchase(_before: Members, after: Members) -> str:
    return f"Bought {_quoted(after.get('product'))}." if after.get("product") else "Bought something."


def _erased(_before: Members, _after: Members) -> str:
    return "Was erased."


SENTENCES: dict[Event, Said] = {
    Event.CREATED: _created,
    Event.USER_ID_ATTACHED: _user_id_attached,
    Event.USER_ID_REMOVED: _user_id_removed,
    Event.USER_ID_CHANGED: _user_id_changed,
    Event.EMAIL_CHANGED: _changed("email"),
    Event.NAME_CHANGED: _changed("name"),
    Event.ATTRIBUTES_CHANGED: _attributes_changed,
    Event.CLEARED: _cleared,
    Event.ALIAS_ADDED: _alias_added,
    Event.MERGED: _merged,
    Event.UNMERGED: _unmerged,
    Event.PURCHASE: _purchase,
    Event.ERASED: _erased,
}

# Whether a webhook is told, by why it is not.
STATES: dict[Disabled | None, str] = {
    None: "On.",
    Disabled.BY_REQUEST: "Off, as somebody switched it off.",
    Disabled.FAILING: "Off, as nothing could be delivered for five days. Mend the receiver and switch it on.",
}

# How far a file of people is.
IMPORTS: dict[ImportState, str] = {
    ImportState.READING: "it is being read; nothing is changed",
    ImportState.READ: "it was read, and waits for you",
    ImportState.TAKING_IN: "its people are being taken in",
    ImportState.DONE: "its people were taken in",
    ImportState.FAILED: "it can’t be read",
}


def sentence(entry: Entry) -> str:
    """Return what happened; of what was forgotten since, as much as is left."""
    return SENTENCES[entry.event](entry.before or {}, entry.after or {})


def by(entry: Entry) -> str:
    """Return who did it."""
    whom = {
        "session": "by the user’s own device",
        "retention": "by tidying up",
        "recovery": "by a restore",
        "import": "by an import",
        "migration": "by moving to a newer version",
    }
    return whom.get(entry.actor.by, f"with the key {entry.actor.by}")


def title(user: User) -> str:
    """Return who a user is in the words that tell most."""
    if user.name or user.email:
        return user.name or user.email or ""
    return "Anonymous user" if is_anonymous(user.user_id) else user.user_id or user.id


def state_of_webhook(webhook: Webhook) -> str:
    """Return whether a webhook is told, and why not."""
    return STATES[webhook.disabled]


def state_of_import(state: ImportState) -> str:
    """Return how far a file of people is."""
    return IMPORTS[state]


def said(value: Value) -> str:
    """Return what is said of a user by a name, as JSON writes it but for the quotes; what is long is cut."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def size(count: int) -> str:
    """Write a number of bytes as people read it."""
    for unit, name in ((1024**2, "MB"), (1024, "KB")):
        if count >= unit:
            return f"{count / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{count} byte{'' if count == 1 else 's'}"


def is_picture(attachment: Attachment) -> bool:
    """Return whether a browser may show a file."""
    return attachment.type in SHOWN


def when(milliseconds: int) -> str:
    """Write a time as people read it, in UTC."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def _one(members: Members, name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None


def _quoted(value: str | Sequence[str] | None) -> str:
    return "(forgotten)" if value is None else f"“{value}”"


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else str(last)
