"""Who is believed: a backend, and a widget as far as a proof goes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from service import proofs
from service.desk.limits import Limits
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.logs import get_logger
from service.model import identifiers
from service.model.apps import App, Key, ProofKind, Verification
from service.model.callers import Backend, EndUser, Widget
from service.model.errors import FieldError, ProofInvalid, ProofRequired, Refused
from service.model.identifiers import Malformed, email_key
from service.model.logins import LoginSent
from service.model.purchases import StoreAccount
from service.model.users import Claim, User
from service.proofs import Proven
from service.store import Store
from service.times import MINUTE, now

# What is believed of a claim, and what is left out of it, as it can't be used.
Believed = tuple[Claim, tuple[FieldError, ...]]


def believe(
    store: Store, encryption: Encryption, caller: Backend | Widget, sent: LoginSent, limits: Limits
) -> tuple[Claim, bool, tuple[FieldError, ...]]:
    """Return the claim as far as it is believed, whether it is verified, and what is left out of it.

    Raises ProofRequired and ProofInvalid, Refused for an identifier that is none where nothing else says who
    it is, and TooMany.
    """
    if sent.proof is not None:
        claim, ignored = _proven(store, encryption, caller, sent, limits)
        return claim, True, ignored
    if sent.ignored and not sent.claim.names_somebody:
        raise Refused(*sent.ignored)
    if isinstance(caller, Backend):
        return sent.claim, True, sent.ignored
    may_be_unproven = caller.app.settings.identity_verification is Verification.OFF
    if sent.claim.names_somebody and not may_be_unproven:
        raise ProofRequired
    return sent.claim, False, sent.ignored


def require_proof_of(
    store: Store, encryption: Encryption, caller: EndUser, user_id: str, proof: str | None, limits: Limits
) -> None:
    """Raise ProofRequired or ProofInvalid unless a proof covers a user ID; TooMany as ``believe``."""
    if proof is None:
        raise ProofRequired
    _proven(store, encryption, caller, LoginSent(Claim(user_id), None, proof), limits)


def require_proof_of_account(
    store: Store,
    encryption: Encryption,
    caller: EndUser,
    account: StoreAccount,
    proof: str | None,
    limits: Limits,
) -> Proven:
    """Return what a JWT says that names a session's own user and a store account.

    Raises ProofRequired; ProofInvalid, of an HMAC too, which covers no account; TooMany as ``believe``.
    """
    if proof is None:
        raise ProofRequired
    user = caller.user
    with _failures_counted(limits, Claim(user.user_id, user.email)):
        # Nothing is claimed beside it that an HMAC could cover.
        proven, key = _check(store, encryption, caller.app, LoginSent(Claim(), None, proof))
        if not names(proven, user) or _account_of(proven) != account:
            raise ProofInvalid
    _note_use(store, caller.app, key)
    return proven


def names(proven: Proven, user: User) -> bool:
    """Tell whether a proof names a user: by one of their user IDs, or by their email where they have none."""
    if user.user_id is not None:
        return proven.user_id in user.user_ids
    try:
        email = identifiers.email(identifiers.json_string(proven.email))
    except Malformed:
        return False
    is_theirs = email is not None and email_key(email) == email_key(user.email or "")
    return is_theirs and proven.user_id is None


def _account_of(proven: Proven) -> StoreAccount | None:
    """Read the store account that a proof names, if it names one and says nothing else of it."""
    said = proven.store_account
    if not isinstance(said, dict) or said.keys() != {"store", "account"}:
        return None
    try:
        texts = {name: identifiers.store_text(identifiers.json_string(said[name])) for name in said}
    except Malformed:
        return None
    return StoreAccount(texts["store"], texts["account"])


def _proven(
    store: Store, encryption: Encryption, caller: Backend | Widget | EndUser, sent: LoginSent, limits: Limits
) -> Believed:
    with _failures_counted(limits, sent.claim):
        proven, key = _check(store, encryption, caller.app, sent)
        believed = _taken_from(proven, sent, is_backend=isinstance(caller, Backend))
    _note_use(store, caller.app, key)
    return believed


@contextmanager
def _failures_counted(limits: Limits, claim: Claim) -> Iterator[None]:
    """Count a proof that fails to show who is claimed. Raises TooMany where too many did."""
    limits.require_few_failures()
    try:
        yield
    except ProofInvalid:
        limits.count_failure(claim)
        raise


def _check(store: Store, encryption: Encryption, app: App, sent: LoginSent) -> tuple[Proven, Key]:
    """Read the proof with every live secret of the app that proves in this way; answer what it says, and
    which one it was."""
    proof = sent.proof or ""
    kind = ProofKind.JWT if proofs.is_jwt(proof) else ProofKind.HMAC
    opened = (
        (key, encryption.decrypt(sealed))
        for key, sealed in store.keys.identity_secrets(app.id)
        if key.proof in (kind, ProofKind.BOTH)
    )
    keys = {secret: key for key, secret in opened if secret is not None}
    if kind is ProofKind.JWT:
        proven, secret = proofs.read_jwt(proof, tuple(keys), app.id, now() // 1000)
    else:
        proven, secret = proofs.read_hmac(proof, tuple(keys), sent.claim.user_id, sent.email_as_sent)
    return proven, keys[secret]


def _note_use(store: Store, app: App, key: Key) -> None:
    """Note when a key proves something, once a minute."""
    at = now()
    if (key.last_used_at or 0) >= at - MINUTE:
        return
    if key.proof is ProofKind.BOTH:
        get_logger().warning("identity key proves in both ways: rotate it", app=app.id, key=key.id)
    _note(store, app.id, key.id, at)


@one_transaction
def _note(store: Store, app: str, key: str, at: int) -> None:
    store.keys.touch(app, key, at)


def _taken_from(proven: Proven, sent: LoginSent, *, is_backend: bool) -> Believed:
    """Take the identity from the proof; what stands beside it is in it and equal, or not given."""
    claim, ignored = sent.claim, list(sent.ignored)
    try:
        user_id = None if proven.user_id is None else identifiers.user_id(proven.user_id)
        email = _usable("email", proven.email, identifiers.email, ignored if user_id is not None else None)
        name = _usable("name", proven.name, identifiers.name, ignored)
    except Malformed as malformed:
        raise Refused.member("proof", malformed.code, malformed.detail) from None
    if user_id is None and email is None:
        raise ProofInvalid
    if claim.user_id not in (None, user_id):
        raise ProofInvalid
    if proven.covers_all:
        if claim.email is not None and (email is None or email_key(email) != email_key(claim.email)):
            raise ProofInvalid
    elif is_backend and user_id is not None:
        # An HMAC covers the user ID alone; of the email a backend is believed, and a widget is not.
        email = claim.email
    return Claim(user_id, email, name or claim.name), tuple(ignored)


def _usable(
    member: str, value: Any, parse: Callable[[str], str | None], ignored: list[FieldError] | None
) -> str | None:
    """Read an email or a name of a proof. What can't be used is left out, and added to ``ignored`` as that
    member of a body is; without that list this raises Malformed."""
    try:
        return None if value is None else parse(identifiers.json_string(value))
    except Malformed as malformed:
        if ignored is None:
            raise
        error = FieldError(f"/{member}", malformed.code, malformed.detail)
        if error not in ignored:
            ignored.append(error)
        return None
