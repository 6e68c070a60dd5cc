"""Is this claim signed? Two kinds of proof: a JWT, and the HMAC that Helpshift's clients send.

The identity is taken from the proof, never from beside it. What a library would let pass is refused
here: the algorithm is ours whatever the header says, members stand once, times are numbers, the audience
is the app alone. This module knows no store and no clock: secrets and the time are given.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import jwt

from service import strict_json
from service.model.errors import ProofInvalid

LEEWAY = 30  # seconds
MAX_LIFE = 24 * 60 * 60  # seconds from `iat` to `exp`

_JWS = jwt.PyJWS()


@dataclass(frozen=True)
class Proven:
    """What a proof says of an identity, as it was sent: ``email``, ``name``, ``store_account`` and
    ``attributes`` are whatever JSON can say, the first two None for an empty text. ``covers_all`` unless only
    one identifier is signed, and what stands beside it is not."""

    user_id: str | None
    email: Any
    name: Any
    covers_all: bool
    store_account: Any = None
    attributes: Any = None


def read_jwt(proof: str, secrets: tuple[str, ...], audience: str, now: int) -> tuple[Proven, str]:
    """Read a JWT that one of the secrets signed; return what it says, and that secret.

    ``now`` is in seconds since 1970 UTC. Raises ProofInvalid.
    """
    # The library lets padding pass, which a JWT has none of.
    if proof.endswith("="):
        raise ProofInvalid
    for secret in secrets:
        try:
            payload = _JWS.decode(proof, secret.encode(), algorithms=["HS256"])
        except (jwt.PyJWTError, ValueError):
            # Signed with another secret, or not at all, or no JWT: the next secret says.
            continue
        return _claims(_strict_json(payload), audience, now), secret
    raise ProofInvalid


def read_hmac(
    proof: str, secrets: tuple[str, ...], user_id: str | None, email: str | None
) -> tuple[Proven, str]:
    """Check Helpshift's proof: the HMAC-SHA256 of the user ID, or of the email where there is none, in
    base64, padded or not.

    Covers that one identifier; two values run together could be cut elsewhere. Raises ProofInvalid.
    """
    identifier = user_id if user_id is not None else email
    if identifier is None:
        raise ProofInvalid
    given, message = (text.encode("utf-8", "surrogatepass") for text in (proof, identifier))
    for secret in secrets:
        padded = base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256))
        # Compared as text: several texts stand for the same bytes.
        if any(hmac.compare_digest(expected, given) for expected in (padded, padded.rstrip(b"="))):
            return Proven(user_id, None if user_id is not None else email, None, covers_all=False), secret
    raise ProofInvalid


def is_jwt(proof: str) -> bool:
    """Return whether a proof is a JWT: it has dots, and base64 has none."""
    return "." in proof


def _claims(claims: dict[str, Any], audience: str, now: int) -> Proven:
    user_id, email, name = (claims.get(name) for name in ("sub", "email", "name"))
    issued: Any = claims.get("iat")
    expires: Any = claims.get("exp")
    not_before: Any = claims.get("nbf", now)
    if not all(type(moment) in (int, float) for moment in (issued, expires, not_before)):
        raise ProofInvalid
    if not (
        # An email or a name that is none locks nobody out beside a user ID, which has to be one.
        (user_id is None or (isinstance(user_id, str) and user_id))
        and (user_id or (isinstance(email, str) and email))
        and claims.get("aud") in (audience, [audience])
        and issued <= now + LEEWAY
        and not_before <= now + LEEWAY
        and now - LEEWAY < expires
        and issued <= expires <= issued + MAX_LIFE
    ):
        raise ProofInvalid
    also = {"store_account": claims.get("storeAccount"), "attributes": claims.get("attributes")}
    return Proven(user_id, _given(email), _given(name), covers_all=True, **also)


def _given(value: Any) -> Any:
    """Return what a member says, or None if it is empty, as clients send it for want of one."""
    return None if value == "" else value


def _strict_json(payload: bytes) -> dict[str, Any]:
    try:
        claims = strict_json.read(payload)
    except ValueError:
        raise ProofInvalid from None
    if not isinstance(claims, dict):
        raise ProofInvalid
    return claims
