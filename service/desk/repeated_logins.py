"""A login that is sent twice with one idempotency key: the same user again, with a new token. To add a user
is one without a token.

The key alone opens nothing. A repeat passes all that a login passes, at the moment when it is made, and is
one only if it leads to the user whom the first led to, or to whoever they have become part of. Else the key
counts as unused. A publishable key is public, so there a key is the device's that the login names, or the
person's whom its proof shows; a login that has neither shows by nothing that it is who was there before, and
so none is remembered.
"""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from service.desk.idempotency_keys import made_before, note_made
from service.desk.resolver import Resolved
from service.encryption import Encryption
from service.model.callers import Backend, Widget
from service.model.errors import FieldError
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import digest, new_device_id
from service.model.logins import Added, Login, Resolution
from service.model.users import Claim
from service.rules.login import Use
from service.store import AppStore

Done = TypeVar("Done", Login, Added)


@dataclass(frozen=True, slots=True)
class Before:
    """What a login with this key answered before: whom it logged in, by our id, and by which rule."""

    user: str
    created: bool
    resolution: Resolution

    def found_again(self, store: AppStore, found: Resolved) -> Resolved | None:
        """Return what is found, without what the login says of the user, which was said before; None if it
        leads to another user now, or has an ID to give them."""
        plan = found.decision.plan
        if not (isinstance(plan, Use) and store.users.is_part(self.user, plan.user.id)):
            return None
        said_before = replace(found.decision, plan=Use(plan.user), changes=(), surplus=())
        return replace(found, decision=said_before)

    def again(self, done: Done) -> Done:
        """Return what was done as it was answered before: a login, with the session that it has begun now."""
        return replace(done, created=self.created, resolution=self.resolution, repeats=True)


def key_of_login(
    caller: Backend | Widget,
    claim: Claim,
    device_id: str | None,
    key: IdempotencyKey | None,
    *,
    verified: bool,
) -> IdempotencyKey | None:
    """Return the key of a login whose claim is believed, with whose it is; None for one that can't be told
    from a stranger's."""
    if key is None or isinstance(caller, Backend):
        return key
    if device_id is not None:
        return replace(key, scope=f"{key.scope} {digest(device_id)}")
    if verified:
        return replace(key, scope=f"{key.scope} {digest(json.dumps([claim.user_id, claim.email]))}")
    return None


def login_before(store: AppStore, key: IdempotencyKey | None, at: int) -> tuple[Before | None, str]:
    """Return what a login with this key answered before, if it did, or else remember the key; and a random
    text that is kept with the key. Raises Refused for one that was used for something else."""
    made = made_before(store, key, at)
    if made is None:
        return None, secrets.token_urlsafe(16)
    said = json.loads(made)
    # Whatever was left out of what the login says is found again; what had no room may have it by now.
    ignored = tuple(FieldError(**one) for one in said.get("ignored", ()))
    resolution = Resolution(said["rule"], said["because"], tuple(said["changes"]), ignored)
    return Before(said["user"], said["created"], resolution), said["issued"]


def issued_device(encryption: Encryption, app: str, text: str) -> str:
    """Return the device ID that is issued to a login with a key, by the random text that is kept with it: the
    same to its repeat, though the store holds a digest of it only."""
    return new_device_id(encryption.secret_of(f"device {app} {text}"))


def note_login(
    store: AppStore, key: IdempotencyKey | None, done: Login | Added, user: str, home: str | None, issued: str
) -> None:
    """Remember what a login with a key answers: no token, and nothing that is personal."""
    if key is None:
        return
    said = asdict(done.resolution)
    made = {name: said[name] for name in ("rule", "because", "changes", "ignored")}
    made |= {"user": user, "created": done.created, "issued": issued}
    note_made(store, key, json.dumps(made), user, home)
