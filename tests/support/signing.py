"""Make proofs as an app's backend does, and as somebody does who would like to be taken for one.

Written out by hand, so that what a library refuses to make can be made too.
"""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from service.store import Store
from service.store.tables import Keys
from tests.support.tenants import Tenant

HEADER = {"alg": "HS256", "typ": "JWT"}
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def identity_key(tenant: Tenant, **members: str) -> tuple[str, str]:
    """Make an identity key of an app, for JWTs unless ``proof`` says else; return its id and the secret."""
    kind = {"kind": "identity", **members}
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, kind)
    assert made.status_code == 201, made.text
    return made.json["id"], made.json["key"]


def hmac_key(tenant: Tenant) -> tuple[str, str]:
    """The same for HMACs of user IDs."""
    return identity_key(tenant, proof="hmac")


def email_key(tenant: Tenant) -> tuple[str, str]:
    """The same for HMACs of emails."""
    return identity_key(tenant, proof="hmac-email")


def prove_in_both_ways(store: Store, tenant: Tenant, key: str) -> None:
    """Have a key be as those are that were made, and used, when each one proved in both ways."""
    with store.transaction():
        store.database.change(Keys.update(proof="both").where((Keys.app == tenant.id) & (Keys.id == key)))


def delete_key(tenant: Tenant, id: str) -> None:
    """Delete a key of an app."""
    deleted = tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{id}", tenant.admin_key)
    assert deleted.status_code == 204, deleted.text


def claims(audience: str, now: float | None = None, **members: Any) -> dict[str, Any]:
    """Return who somebody is, for ten minutes."""
    at = int(time.time() if now is None else now)
    return {"iat": at, "exp": at + 600, "aud": audience} | members


def jwt(payload: dict[str, Any] | bytes, secret: str, **header: Any) -> str:
    """Sign a payload; further members of the header go beside ``alg`` and ``typ``, or replace them."""
    signing_input = unsigned(payload, HEADER | header)
    hash = HASHES.get(header.get("alg", "HS256"), hashlib.sha256)
    signature = hmac.digest(secret.encode(), signing_input.encode(), hash)
    return f"{signing_input}.{urlsafe(signature)}"


def unsigned(payload: dict[str, Any] | bytes, header: dict[str, Any] | bytes) -> str:
    """Write the two parts that are signed; text that is no JSON may be given as bytes."""
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload))
    return ".".join(urlsafe(part) for part in parts)


def proof_of(tenant: Tenant, secret: str, **members: Any) -> str:
    """Sign who somebody is in an app, from now on for ten minutes."""
    return jwt(claims(tenant.id, **members), secret)


def hmac_of(identifier: str, secret: str) -> str:
    """Sign one identifier as Helpshift's backends do."""
    digest = hmac.digest(secret.encode(), identifier.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return base64.b64encode(digest).decode()


def urlsafe(data: bytes) -> str:
    """Write bytes as the parts of a JWT."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
