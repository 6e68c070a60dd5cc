"""Who is believed: a backend, and a widget as far as a proof goes."""

from service import proofs
from service.desk.limits import Limits
from service.desk.transactions import one_transaction
from service.errors import ProofInvalid, ProofRequired, Refused
from service.identifiers import Malformed, email_key
from service.identifiers import email as parse_email
from service.identifiers import name as parse_name
from service.identifiers import user_id as parse_user_id
from service.nouns import App, Backend, Claim, Key, LoginSent, Verification, Visitor, Widget
from service.proofs import Proven
from service.sealing import Seal
from service.store import Store
from service.times import MINUTE, now


def believe(
    store: Store, seal: Seal, caller: Backend | Widget, sent: LoginSent, limits: Limits
) -> tuple[Claim, bool]:
    """Answer the claim as far as it is believed, and whether it is verified.

    Raises ProofRequired and ProofInvalid, Refused for a proven identifier that is none, and TooMany.
    """
    if sent.proof is not None:
        return _proven(store, seal, caller, sent, limits), True
    if isinstance(caller, Backend):
        return sent.claim, True
    may_be_unproven = caller.app.settings.identity_verification is Verification.OFF
    if sent.claim.names_somebody and not may_be_unproven:
        raise ProofRequired
    return sent.claim, False


def require_proof_of(
    store: Store, seal: Seal, caller: Visitor, user_id: str, proof: str | None, limits: Limits
) -> None:
    """Raise ProofRequired or ProofInvalid unless a proof covers a user ID; TooMany as ``believe``."""
    if proof is None:
        raise ProofRequired
    _proven(store, seal, caller, LoginSent(Claim(user_id), None, proof), limits)


def _proven(
    store: Store, seal: Seal, caller: Backend | Widget | Visitor, sent: LoginSent, limits: Limits
) -> Claim:
    limits.require_few_failures()
    try:
        proven, key = _check(store, seal, caller.app, sent)
        claim = _taken_from(proven, sent.claim, is_backend=isinstance(caller, Backend))
    except ProofInvalid:
        limits.count_failure(sent.claim)
        raise
    at = now()
    if (key.last_used_at or 0) < at - MINUTE:
        _note(store, caller.app.id, key.id, at)
    return claim


def _check(store: Store, seal: Seal, app: App, sent: LoginSent) -> tuple[Proven, Key]:
    """Read the proof with every live secret of the app; answer what it says, and which one it was."""
    proof = sent.proof or ""
    opened = ((key, seal.open(sealed)) for key, sealed in store.keys.identity_secrets(app.id))
    keys = {secret: key for key, secret in opened if secret is not None}
    if proofs.is_jwt(proof):
        proven, secret = proofs.read_jwt(proof, tuple(keys), app.id, now() // 1000)
    else:
        proven, secret = proofs.read_hmac(proof, tuple(keys), sent.claim.user_id, sent.email_as_sent)
    return proven, keys[secret]


@one_transaction
def _note(store: Store, app: str, key: str, at: int) -> None:
    store.keys.touch(app, key, at)


def _taken_from(proven: Proven, claim: Claim, *, is_backend: bool) -> Claim:
    """Take the identity from the proof; what stands beside it is in it and equal, or not given."""
    try:
        user_id = None if proven.user_id is None else parse_user_id(proven.user_id)
        email = None if proven.email is None else parse_email(proven.email)
        name = None if proven.name is None else parse_name(proven.name)
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
    return Claim(user_id, email, name or claim.name)
