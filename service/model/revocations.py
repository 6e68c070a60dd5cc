"""What was revoked, and must not come back with a backup: ids of ours, and nothing personal."""

from dataclasses import dataclass
from enum import StrEnum


class Revoked(StrEnum):
    """What was revoked. The id beside it is never given again, so it holds for good."""

    APP_ERASED = "app.erased"
    KEY_DELETED = "key.deleted"
    # Another secret stands in its place, under the same id.
    KEY_REPLACED = "key.replaced"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_SECRET_DELETED = "webhook-secret.deleted"  # noqa: S105 - what was done with one
    USER_ERASED = "user.erased"
    USER_CLEARED = "user.cleared"
    EMAIL_REMOVED = "email.removed"
    USER_ID_REMOVED = "user-id.removed"
    MERGE_UNDONE = "merge.undone"


@dataclass(frozen=True, slots=True)
class Revocation:
    """What was revoked in an app, of which thing, and when, in milliseconds.

    ``which`` is a keyed digest where the id does not say it: of the user ID or the key of the email that a
    user has no more, or of the digest of the secret that a key was.
    """

    what: Revoked
    app: str
    id: str
    at: int
    which: str | None = None
