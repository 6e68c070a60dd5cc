"""Who is believed: nobody without a proof of the app's own making, and then as far as it goes."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from service.api.context import NAME
from service.app import create_app
from service.store.tables import TABLES, Keys
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.servers import ADMIN_KEY
from tests.support.signing import (
    claims,
    delete_key,
    hmac_key,
    hmac_of,
    identity_key,
    jwt,
    proof_of,
    unsigned,
    urlsafe,
)
from tests.support.tenants import Tenant

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Scene:
    """An app with users, and whatever somebody may try to be one of them with."""

    tenant: Tenant
    other: Tenant
    secret: str
    others_secret: str
    deleted_secret: str
    hmac_secret: str
    others_hmac_secret: str
    deleted_hmac_secret: str
    device: str
    session: str
    user: str
    conversation: str

    @property
    def app(self) -> str:
        return self.tenant.id

    def jwt(self, **members: Any) -> str:
        """A proof for u-1, with some members changed; None leaves one out."""
        return jwt(self.payload(**members), self.secret)

    def payload(self, **members: Any) -> dict[str, Any]:
        said = claims(self.app, sub="u-1") | members
        return {name: value for name, value in said.items() if value is not None}

    def forged(self, secret: str = "s" * 43, **header: Any) -> str:
        return jwt(self.payload(), secret, **header)


@pytest.fixture(scope="module")
def scene(app):
    """One for all: what is refused changes nothing."""
    client = app.test_client()
    tenant, other = Tenant.create(client, ADMIN_KEY), Tenant.create(client, ADMIN_KEY)
    _, secret = identity_key(tenant)
    _, others_secret = identity_key(other)
    deleted, deleted_secret = identity_key(tenant)
    _, hmac_secret = hmac_key(tenant)
    _, others_hmac_secret = hmac_key(other)
    deleted_hmac, deleted_hmac_secret = hmac_key(tenant)
    for key in (deleted, deleted_hmac):
        delete_key(tenant, key)
    other.login(userId="u-1", email="jane@example.org")
    tenant.login(userId="u-2", email="joe@example.org", name="Joe")
    tenant.login(email="unclaimed@example.org")
    device = tenant.login()["deviceId"]
    jane = tenant.login(userId="u-1", email="jane@example.org", name="Jane", deviceId=device)
    session, user = jane["session"]["token"], jane["user"]["id"]
    conversation = tenant.begin(session)
    for_jwts, for_hmacs = (
        (secret, others_secret, deleted_secret),
        (hmac_secret, others_hmac_secret, deleted_hmac_secret),
    )
    return Scene(tenant, other, *for_jwts, *for_hmacs, device, session, user, conversation)


def log_in(tenant, **claim):
    return tenant.try_login(key=tenant.pk, **claim)


def rows_of(store, app):
    """Every row of an app, but for rates, and when the key that calls was last used."""
    found = {}
    for table in TABLES:
        if table._meta.table_name == "rates":
            continue
        rows = store.database.rows(table.select().where(table.app == app))
        if table is Keys:
            rows = [row if row[2] == "identity" else row[:-1] for row in rows]
        found[table._meta.table_name] = sorted(rows, key=repr)
    return found


def signed_by_rsa(scene):
    numbers = RSA.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": urlsafe(numbers.n.to_bytes(256)), "e": urlsafe(b"\1\0\1")}
    signing_input = unsigned(scene.payload(), {"alg": "RS256", "typ": "JWT", "jwk": jwk})
    signature = RSA.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signing_input}.{urlsafe(signature)}"


def under_another_name(scene, alg):
    signing_input = unsigned(scene.payload(), {"alg": alg, "typ": "JWT"})
    return f"{signing_input}.{urlsafe(hmac.digest(scene.secret.encode(), signing_input.encode(), 'sha256'))}"


def twice(scene, member, value):
    payload = jwt(scene.payload(), scene.secret).split(".")[1]
    text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    return jwt(f'{text[:-1]}, "{member}": {value}}}'.encode(), scene.secret)


# What proves nothing, by what is tried; each claims to be u-1, unless it says who.
UNPROVEN = {
    "another secret": lambda s: {"proof": s.forged()},
    "no secret": lambda s: {"proof": s.forged("")},
    "the app's id as secret": lambda s: {"proof": s.forged(s.app)},
    "the secret key as secret": lambda s: {"proof": s.forged(s.tenant.sk)},
    "a deleted secret": lambda s: {"proof": s.forged(s.deleted_secret)},
    "another user's": lambda s: {"userId": "u-1", "proof": s.jwt(sub="u-2")},
    "another user's, by email": lambda s: {
        "email": "jane@example.org",
        "proof": s.jwt(sub=None, email="joe@example.org"),
    },
    "the email of another": lambda s: {"email": "joe@example.org", "proof": s.jwt(email="jane@example.org")},
    "an email that it does not name": lambda s: {"email": "jane@example.org", "proof": s.jwt()},
    "a user ID that it does not name": lambda s: {
        "userId": "u-1",
        "proof": s.jwt(sub=None, email="jane@example.org"),
    },
    "the user ID in another case": lambda s: {"userId": "U-1", "proof": s.jwt()},
    "another app's": lambda s: {"proof": proof_of(s.other, s.others_secret, sub="u-1")},
    "another app's secret": lambda s: {"proof": s.forged(s.others_secret)},
    "for another app": lambda s: {"proof": s.jwt(aud=s.other.id)},
    "aud a list of two": lambda s: {"proof": s.jwt(aud=[s.app, s.other.id])},
    "aud another app in a list": lambda s: {"proof": s.jwt(aud=[s.other.id])},
    "aud of two apps": lambda s: {"proof": s.jwt(aud=[s.app, s.other.id])},
    "aud missing": lambda s: {"proof": s.jwt(aud=None)},
    "aud the app's name": lambda s: {"proof": s.jwt(aud="Shop")},
    "expired": lambda s: {"proof": jwt(claims(s.app, NOON.timestamp() - 10**9, sub="u-1"), s.secret)},
    "issued in the future": lambda s: {"proof": jwt(claims(s.app, 10**10, sub="u-1"), s.secret)},
    "holds later": lambda s: {"proof": s.jwt(nbf=10**10)},
    "exp as text": lambda s: {"proof": s.jwt(exp=str(s.payload()["exp"]))},
    "exp huge": lambda s: {"proof": s.jwt(exp=10**18)},
    "nbf beyond all floats": lambda s: {"proof": twice(s, "nbf", "1e400")},
    "exp missing": lambda s: {"proof": s.jwt(exp=None)},
    "exp a boolean": lambda s: {"proof": s.jwt(exp=True)},
    "lives for 25 hours": lambda s: {"proof": s.jwt(exp=s.payload()["iat"] + 25 * 60 * 60)},
    "iat missing": lambda s: {"proof": s.jwt(iat=None)},
    "alg none": lambda s: {"proof": unsigned(s.payload(), {"alg": "none"}) + "."},
    "alg NONE, with a signature": lambda s: {"proof": under_another_name(s, "NONE")},
    "HS384": lambda s: {"proof": s.forged(s.secret, alg="HS384")},
    "HS512": lambda s: {"proof": s.forged(s.secret, alg="HS512")},
    "HS256 under another name": lambda s: {"proof": under_another_name(s, "RS256")},
    "RS256 with a jwk": lambda s: {"proof": signed_by_rsa(s)},
    "jwk": lambda s: {"proof": s.forged("k" * 32, jwk={"kty": "oct", "k": urlsafe(b"k" * 32)})},
    "jku": lambda s: {"proof": s.forged("k" * 32, jku="https://attacker.example/keys.json")},
    "kid a path": lambda s: {"proof": s.forged("", kid="/dev/null")},
    "kid a query": lambda s: {"proof": s.forged("k", kid="x' UNION SELECT 'k' --")},
    "kid another app's key": lambda s: {"proof": s.forged(s.others_secret, kid=s.other.id)},
    "crit": lambda s: {"proof": s.forged(s.secret, crit=["x"], x=1)},
    "b64": lambda s: {"proof": s.forged(s.secret, crit=["b64"], b64=False)},
    "sub empty": lambda s: {"proof": s.jwt(sub="")},
    "sub empty beside an email": lambda s: {"proof": s.jwt(sub="", email="jane@example.org")},
    "sub a number": lambda s: {"proof": s.jwt(sub=1)},
    "sub a list": lambda s: {"proof": s.jwt(sub=["u-1"])},
    "sub twice": lambda s: {"proof": twice(s, "sub", '"u-1"')},
    "nobody": lambda s: {"proof": s.jwt(sub=None)},
    "an email of white space": lambda s: {"proof": s.jwt(sub=None, email="  ")},
    "a name alone": lambda s: {"proof": s.jwt(sub=None, name="Jane")},
    "an HMAC by another secret": lambda s: {"userId": "u-1", "proof": hmac_of("u-1", "s" * 43)},
    "an HMAC by a deleted secret": lambda s: {
        "userId": "u-1",
        "proof": hmac_of("u-1", s.deleted_hmac_secret),
    },
    "an HMAC by another app's": lambda s: {"userId": "u-1", "proof": hmac_of("u-1", s.others_hmac_secret)},
    "an HMAC of another user": lambda s: {"userId": "u-1", "proof": hmac_of("u-2", s.hmac_secret)},
    "an HMAC of nobody": lambda s: {"proof": hmac_of("u-1", s.hmac_secret)},
    "an HMAC of nothing": lambda s: {"proof": hmac_of("", s.hmac_secret)},
    "an HMAC of an empty email": lambda s: {"email": "", "proof": hmac_of("", s.hmac_secret)},
    "an HMAC of white space": lambda s: {"email": " ", "proof": hmac_of(" ", s.hmac_secret)},
    "an HMAC of the email beside": lambda s: {
        "userId": "u-1",
        "email": "joe@example.org",
        "proof": hmac_of("joe@example.org", s.hmac_secret),
    },
    "an HMAC of both": lambda s: {
        "userId": "u-1",
        "email": "jane@example.org",
        "proof": hmac_of("u-1jane@example.org", s.hmac_secret),
    },
    "an HMAC of the email as stored": lambda s: {
        "email": "Jane@example.org",
        "proof": hmac_of("jane@example.org", s.hmac_secret),
    },
    "an HMAC in hex": lambda s: {
        "userId": "u-1",
        "proof": hmac.new(s.hmac_secret.encode(), b"u-1", hashlib.sha256).hexdigest(),
    },
    "the secret itself": lambda s: {"userId": "u-1", "proof": s.secret},
    "the session itself": lambda s: {"userId": "u-1", "proof": s.session},
    "the publishable key": lambda s: {"userId": "u-1", "proof": s.tenant.pk},
    "white space": lambda s: {"userId": "u-1", "proof": " "},
    "a word": lambda s: {"userId": "u-1", "proof": "null"},
    "letters beyond ASCII": lambda s: {"userId": "u-1", "proof": "é.é.é"},
    "a surrogate": lambda s: {"userId": "u-1", "proof": "\ud800"},
    "very long": lambda s: {"userId": "u-1", "proof": "a." * 20_000},
    "levels without end": lambda s: {"proof": f"{urlsafe(b'[' * 6_000)}.e30.e30"},
}

# Who claims an identity and gives nothing that could prove it.
WITHOUT = {
    "no proof for a user ID": {"userId": "u-1"},
    "no proof for an email": {"email": "jane@example.org"},
    "no proof for both": {"userId": "u-1", "email": "jane@example.org"},
    "no proof for somebody new": {"userId": "u-99"},
    "no proof for an unclaimed user": {"email": "unclaimed@example.org"},
    "an empty proof": {"userId": "u-1", "proof": ""},
    "a null proof": {"userId": "u-1", "proof": None},
}

# Every route that takes a proof, with every kind of key that may call it.
TAKING_A_PROOF = [("POST", "/v1/login", "pk"), ("POST", "/v1/login", "sk"), ("POST", "/v1/resolve", "sk")]


@pytest.mark.parametrize(("method", "path", "key"), TAKING_A_PROOF)
@pytest.mark.parametrize("body", UNPROVEN.values(), ids=UNPROVEN)
def test_what_proves_nothing_is_refused_and_changes_nothing(scene, store, method, path, key, body):
    sent = {"deviceId": scene.device, "name": "Mallory"} | body(scene)
    before = rows_of(store, scene.app)
    response = scene.tenant.call(method, path, getattr(scene.tenant, key), sent)
    assert problem_of(response) == (401, "proof-invalid")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert rows_of(store, scene.app) == before


@pytest.mark.parametrize("body", WITHOUT.values(), ids=WITHOUT)
def test_an_identity_without_a_proof_is_refused_and_changes_nothing(scene, store, body):
    sent = {"deviceId": scene.device, "name": "Mallory"} | body
    before = rows_of(store, scene.app)
    response = scene.tenant.call("POST", "/v1/login", scene.tenant.pk, sent)
    assert problem_of(response) == (401, "proof-required")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert rows_of(store, scene.app) == before


@cases(
    "proof",
    ("a word", lambda secret, id: "null"),
    ("an HMAC by a key for JWTs", lambda secret, id: hmac_of("u-1", secret)),
    ("expired", lambda secret, id: jwt(claims(id, 10**9, sub="u-1"), secret)),
    ("another secret", lambda secret, id: jwt(claims(id, sub="u-1"), "s" * 43)),
)
def test_a_failed_proof_is_no_login_even_where_none_is_needed(tenant, store, secret, proof):
    tenant.set(identityVerification="off")
    before = rows_of(store, tenant.id)
    assert problem_of(log_in(tenant, userId="u-1", proof=proof(secret, tenant.id))) == (401, "proof-invalid")
    assert rows_of(store, tenant.id) == before


@pytest.mark.parametrize("proof", [17, True, ["a"], {"a": 1}], ids=["number", "boolean", "list", "object"])
def test_a_proof_that_is_no_text_is_refused_as_such(scene, store, proof):
    before = rows_of(store, scene.app)
    response = scene.tenant.try_login(key=scene.tenant.pk, userId="u-1", proof=proof)
    assert response.status_code == 422
    assert response.json["errors"][0]["pointer"] == "/proof"
    assert rows_of(store, scene.app) == before


# --- All routes ---
def routes(app):
    return sorted(
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/") and not rule.endpoint.startswith("revenuecat.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    )


def address(scene, rule):
    """A route's address, with the ids of what is there."""
    ids = {"apps": scene.app, "users": scene.user, "conversations": scene.conversation}
    id = ids.get(rule.split("/")[2], "mrg_" + "0" * 32)
    return rule.replace("<id>", id).replace("<key>", "key_" + "0" * 32)


def test_the_routes_that_take_a_proof_are_the_ones_above(app, client):
    document = client.get("/openapi.json").json
    schemas = document["components"]["schemas"]

    taking, documented = set(), set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            documented.add((method.upper(), re.sub(r"{(\w+)}", r"<\1>", path)))
            shape = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = shape.get("schema", {}).get("$ref", "").rpartition("/")[2]
            proof = schemas.get(name, {}).get("properties", {}).get("proof")
            # Of a new key it says in which way that one will prove.
            if proof and "enum" not in proof:
                taking.add((method.upper(), path))

    # A session takes one for a further user ID, and for a store account.
    by_sessions = {("POST", path) for path in ("/v1/aliases", "/v1/purchases", "/v1/restore")}
    assert taking == {(method, path) for method, path, _ in TAKING_A_PROOF} | by_sessions
    assert documented >= set(routes(app))


@cases(
    "credential",
    ("a JWT", lambda scene: scene.jwt()),
    ("an HMAC", lambda scene: hmac_of("u-1", scene.hmac_secret)),
    ("an identity secret", lambda scene: scene.secret),
    ("an identity secret as a secret key", lambda scene: scene.secret.replace("ik_", "sk_")),
    ("a device ID", lambda scene: scene.device),
    ("a forged JWT", lambda scene: scene.forged()),
    ("nothing", lambda scene: ""),
)
def test_no_route_takes_a_proof_for_a_credential(app, scene, store, credential):
    before = rows_of(store, scene.app)

    answered = {
        (method, rule): scene.tenant.call(method, address(scene, rule), credential(scene), {}).status_code
        for method, rule in routes(app)
    }

    assert {route: status for route, status in answered.items() if status != 401} == {}
    assert rows_of(store, scene.app) == before


def test_no_other_route_is_open_to_a_publishable_key(app, scene, store):
    before = rows_of(store, scene.app)

    answered = {
        (method, rule): scene.tenant.call(
            method, address(scene, rule), scene.tenant.pk, {"userId": "u-1", "proof": scene.jwt()}
        ).status_code
        for method, rule in routes(app)
        if rule != "/v1/login"
    }

    assert {route: status for route, status in answered.items() if status != 403} == {}
    assert rows_of(store, scene.app) == before


# --- What is believed ---
@pytest.mark.parametrize("key", ["pk", "sk"])
@cases("body", ("nothing", {}), ("user ID", {"userId": "u-1"}), ("email", {"email": "jane@example.org"}))
def test_a_jwt_says_who_logs_in(tenant, secret, key, body):
    proof = proof_of(tenant, secret, sub="u-1", email="jane@example.org", name="Jane")

    response = tenant.try_login(key=getattr(tenant, key), proof=proof, **body)

    assert response.status_code == 201
    user = response.json["user"]
    assert (user["userId"], user["email"], user["name"]) == ("u-1", "jane@example.org", "Jane")
    assert response.json["session"]["verified"] is True
    assert response.json["resolution"]["rule"] == "new-user-id"


@cases(
    "covered, beside",
    ("letter case", "jane@example.org", "JANE@Example.ORG"),
    ("letter case in the proof", "Jane@example.org", "jane@example.org"),
    ("white space", "jane@example.org", "  jane@example.org "),
    ("an international domain", "jane@bücher.example", "jane@xn--bcher-kva.example"),
)
def test_an_email_beside_a_jwt_is_compared_as_emails_are(tenant, secret, covered, beside):
    proof = proof_of(tenant, secret, sub="u-1", email=covered)
    response = log_in(tenant, proof=proof, email=beside)
    assert response.status_code == 201
    assert response.json["user"]["email"] == covered.replace("bücher", "xn--bcher-kva")


@cases(
    "proven, beside, name",
    ("in both", "Jane", "Mallory", "Jane"),
    ("in the proof", "Jane", None, "Jane"),
    ("beside it", None, "Jane", "Jane"),
    ("a long one", "J" * 300, None, "J" * 255),
)
def test_a_name_may_stand_in_either_place_and_the_proofs_wins(tenant, secret, proven, beside, name):
    proof = proof_of(tenant, secret, sub="u-1", name=proven)
    assert log_in(tenant, proof=proof, name=beside).json["user"]["name"] == name


def test_a_proof_finds_the_user_whom_the_backend_made(tenant, secret):
    user = tenant.login(userId="u-1", email="jane@example.org")["user"]["id"]
    by_id = log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"))
    by_email = log_in(tenant, proof=proof_of(tenant, secret, email="jane@example.org"))
    assert [by_id.status_code, by_email.status_code] == [200, 200]
    assert [by_id.json["user"]["id"], by_email.json["user"]["id"]] == [user, user]


def test_an_hmac_of_a_user_id_leaves_the_email_beside_it_out(tenant, hmac_secret):
    tenant.login(userId="u-1", email="jane@example.org")
    tenant.login(email="joe@example.org")
    joe = {"userId": "u-1", "email": "joe@example.org", "proof": hmac_of("u-1", hmac_secret)}

    response = log_in(tenant, **joe)

    assert response.json["resolution"]["rule"] == "known-user-id"
    assert response.json["resolution"]["changes"] == []
    assert response.json["user"]["email"] == "jane@example.org"


def test_an_hmac_of_a_new_user_id_attaches_no_unclaimed_email(tenant, hmac_secret):
    victim = tenant.login(email="joe@example.org")["user"]["id"]
    response = log_in(tenant, userId="u-1", email="joe@example.org", proof=hmac_of("u-1", hmac_secret))
    assert response.status_code == 201
    assert response.json["user"]["id"] != victim
    assert response.json["user"]["email"] is None


def test_of_an_email_beside_an_hmac_a_backend_is_believed(tenant, hmac_secret):
    response = tenant.try_login(userId="u-1", email="joe@example.org", proof=hmac_of("u-1", hmac_secret))
    assert response.status_code == 201
    assert response.json["user"]["email"] == "joe@example.org"


@cases(
    "email", ("plain", "jane@example.org"), ("letters", "Jane@Example.org"), ("spaces", " jane@example.org ")
)
@pytest.mark.parametrize("pad", ["=", ""], ids=["padded", "not padded"])
def test_an_hmac_of_an_email_covers_it_as_it_was_sent(tenant, hmac_secret, email, pad):
    tenant.login(userId="u-1", email="jane@example.org")
    response = log_in(tenant, email=email, proof=hmac_of(email, hmac_secret).rstrip("=") + pad)
    assert response.json["user"]["userId"] == "u-1"
    assert response.json["resolution"]["rule"] == "known-email"


@cases(
    "members",
    ("a user ID", {"sub": "\N{GRINNING FACE}" * 750}),
    ("a name", {"sub": "u-1", "name": "\N{GRINNING FACE}" * 255}),
    ("both", {"sub": "\N{GRINNING FACE}" * 750, "name": "\N{GRINNING FACE}" * 255}),
    ("a name that is cut", {"sub": "u-1", "name": "Jane" * 2_500}),
    ("members that nobody reads", {"sub": "u-1", "roles": ["agent"] * 2_000}),
)
def test_a_proof_of_whatever_is_legal_is_not_too_long(tenant, secret, members):
    response = log_in(tenant, proof=proof_of(tenant, secret, **members))
    assert response.status_code == 201
    assert response.json["user"]["userId"] == members["sub"]


@cases(
    "members",
    ("user ID", {"sub": "u-1"}),
    ("email", {"email": "jane@example.org"}),
    ("all", {"sub": "u-1", "email": "jane@example.org", "name": "Jane"}),
)
@pytest.mark.parametrize("key", ["pk", "sk"])
def test_the_audience_may_be_a_list_of_the_app_alone(tenant, secret, key, members):
    proof = proof_of(tenant, secret, **members, aud=[tenant.id])
    response = tenant.try_login(key=getattr(tenant, key), proof=proof)
    assert (response.status_code, response.json["session"]["verified"]) == (201, True)


def test_an_alias_may_be_proven_to_a_list_of_the_app_alone(tenant, secret):
    token = tenant.session(userId="u-1")
    proof = proof_of(tenant, secret, sub="u-2", aud=[tenant.id])
    assert tenant.call("POST", "/v1/aliases", token, {"userId": "u-2", "proof": proof}).status_code == 201


@pytest.mark.parametrize("blank", ["", None], ids=["empty", "null"])
def test_nobody_in_particular_needs_no_proof(tenant, blank):
    response = log_in(tenant, userId=blank, email="  ", name="Jane", proof=blank)
    assert response.status_code == 201
    assert response.json["user"]["anonymous"] is True
    assert response.json["session"]["verified"] is False


@cases(
    "members",
    ("a placeholder", {"sub": "null"}),
    ("an object's text", {"sub": "[object Object]"}),
    ("white space", {"sub": " u-1"}),
    ("an invisible character", {"sub": "u\u200b1"}),
    ("a surrogate", {"sub": "\ud800"}),
    ("too long", {"sub": "u" * 751}),
    ("an anonymous user's", {"sub": "$anon:0123"}),
    ("RevenueCat's anonymous user's", {"sub": "$RCAnonymousID:0123"}),
    ("no email", {"email": "jane"}),
    ("a joiner where no script needs one", {"sub": "u\u200c1"}),
    ("no email and a name", {"email": "jane@example.org.", "name": "Jane"}),
)
@pytest.mark.parametrize("key", ["pk", "sk"])
def test_a_proven_identifier_that_is_none_is_refused(tenant, secret, store, key, members):
    before = rows_of(store, tenant.id)
    response = tenant.try_login(key=getattr(tenant, key), proof=proof_of(tenant, secret, **members))
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json["errors"]] == ["/proof"]
    assert rows_of(store, tenant.id) == before


def test_an_hmac_of_an_identifier_that_is_none_is_refused(tenant, hmac_secret):
    response = log_in(tenant, userId="null", proof=hmac_of("null", hmac_secret))
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json["errors"]] == ["/userId"]


def test_a_widget_with_a_proof_cannot_name_a_device_that_nobody_knows(tenant, secret, store):
    before = rows_of(store, tenant.id) | {"keys": None}
    response = log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"), deviceId="d" * 32)
    assert problem_of(response) == (422, "unknown-device")
    assert rows_of(store, tenant.id) | {"keys": None} == before


def test_a_proof_serves_more_than_one_device(tenant, secret):
    proof = proof_of(tenant, secret, sub="u-1")
    first, second = log_in(tenant, proof=proof), log_in(tenant, proof=proof)
    assert [first.status_code, second.status_code] == [201, 200]
    assert first.json["deviceId"] != second.json["deviceId"]


def test_a_proven_login_holds_though_none_is_required(tenant, secret):
    tenant.set(identityVerification="off")
    user = tenant.login(userId="u-1")["user"]["id"]
    response = log_in(tenant, userId="u-1", proof=proof_of(tenant, secret, sub="u-1"))
    assert response.json["user"]["id"] == user
    assert response.json["session"]["verified"] is True


def test_a_proof_of_one_app_is_none_in_another(tenant, other_tenant, secret):
    identity_key(other_tenant)
    assert log_in(other_tenant, proof=proof_of(tenant, secret, sub="u-1")).json["code"] == "proof-invalid"


def test_a_resolve_takes_the_identity_from_the_proof_too(tenant, secret):
    user = tenant.login(userId="u-1", email="jane@example.org")["user"]["id"]
    proof = proof_of(tenant, secret, email="jane@example.org")
    response = tenant.call("POST", "/v1/resolve", tenant.sk, {"proof": proof})
    assert response.json["rule"] == "known-email"
    assert response.json["user"]["id"] == user


# --- The time of a proof ---
@cases(
    "seconds, status",
    ("31 s before it is issued", -31, 401),
    ("30 s before it is issued", -30, 201),
    ("as it expires", 600, 201),
    ("29 s after", 629, 201),
    ("30 s after", 630, 401),
)
def test_a_proof_holds_from_its_issue_to_its_end_and_half_a_minute_more(
    tenant, secret, time_machine, seconds, status
):
    proof = jwt(claims(tenant.id, NOON.timestamp(), sub="u-1"), secret)
    time_machine.move_to(NOON + timedelta(seconds=seconds), tick=False)
    assert log_in(tenant, proof=proof).status_code == status


# --- Several secrets ---
def last_used(tenant):
    listed = tenant.call("GET", f"/v1/apps/{tenant.id}/keys", tenant.admin_key).json["data"]
    return {key["id"]: key["lastUsedAt"] for key in listed if key["kind"] == "identity"}


KINDS = ["jwt", "hmac"]


def proof_by(tenant, kind, secret):
    if kind == "jwt":
        return {"proof": proof_of(tenant, secret, sub="u-1")}
    return {"userId": "u-1", "proof": hmac_of("u-1", secret)}


@pytest.mark.parametrize("kind", KINDS)
def test_while_two_secrets_live_both_are_good(tenant, kind):
    (_, old), (_, new) = identity_key(tenant, proof=kind), identity_key(tenant, proof=kind)
    statuses = [log_in(tenant, **proof_by(tenant, kind, secret)).status_code for secret in (old, new)]
    assert statuses == [201, 200]


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_secret_proves_nothing_and_the_others_go_on(tenant, kind):
    (id, old), (_, new) = identity_key(tenant, proof=kind), identity_key(tenant, proof=kind)
    log_in(tenant, **proof_by(tenant, kind, old))
    delete_key(tenant, id)
    by_old, by_new = (log_in(tenant, **proof_by(tenant, kind, secret)) for secret in (old, new))
    assert (by_old.status_code, by_new.status_code) == (401, 200)


def test_a_session_outlives_the_secret_that_proved_it(tenant):
    id, secret = identity_key(tenant)
    token = log_in(tenant, proof=proof_of(tenant, secret, sub="u-1")).json["session"]["token"]
    delete_key(tenant, id)
    assert tenant.call("GET", "/v1/me", token).status_code == 200


def test_it_is_told_when_each_secret_was_last_used(tenant, time_machine):
    time_machine.move_to(NOON, tick=False)
    (first, secret), (second, _) = identity_key(tenant), identity_key(tenant)
    unused = last_used(tenant)
    log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"))
    assert unused == {first: None, second: None}
    assert last_used(tenant) == {first: "2030-01-01T12:00:00.000Z", second: None}


def test_when_a_secret_was_last_used_lags_a_minute_at_most(tenant, time_machine):
    time_machine.move_to(NOON, tick=False)
    id, secret = identity_key(tenant)

    seen = []
    for seconds in (0, 59, 61):
        time_machine.move_to(NOON + timedelta(seconds=seconds), tick=False)
        log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"))
        seen.append(last_used(tenant)[id][11:19])

    assert seen == ["12:00:00", "12:00:00", "12:01:01"]


@cases("body", ("for somebody else", {"userId": "u-2"}), ("for another email", {"email": "joe@example.org"}))
def test_a_refused_login_uses_no_secret(tenant, body):
    id, secret = identity_key(tenant)
    assert log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"), **body).status_code == 401
    assert last_used(tenant)[id] is None


# --- At rest ---
def test_no_identity_secret_can_be_read_in_the_store(tenant, store, secret):
    kept = repr(rows_of(store, tenant.id)["keys"])
    assert "identity" in kept
    assert secret not in kept
    assert secret.removeprefix("ik_") not in kept
    assert base64.b64encode(secret.encode()).decode() not in kept


def test_no_identity_secret_is_shown_again(tenant, secret):
    assert secret not in tenant.call("GET", f"/v1/apps/{tenant.id}/keys", tenant.admin_key).text


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_that_nobody_can_open_any_more_proves_nothing_and_the_others_do(tenant, kind, config):
    _, old = identity_key(tenant, proof=kind)
    renewed = create_app(replace(config, secret_key="n" * 40))
    there = replace(tenant, client=renewed.test_client())
    _, new = identity_key(there, proof=kind)

    by_old, by_new = (log_in(there, **proof_by(tenant, kind, secret)) for secret in (old, new))

    renewed.extensions[NAME].store.database.close()
    assert (by_old.status_code, by_new.status_code) == (401, 201)
