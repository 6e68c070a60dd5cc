"""Who is believed: nobody without a proof of the app's own making, and then as far as it goes."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.store.tables import TABLES, Keys
from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields
from tests.support.servers import ADMIN_KEY
from tests.support.signing import (
    claims,
    delete_key,
    email_key,
    hmac_key,
    hmac_of,
    identity_key,
    jwt,
    proof_of,
)
from tests.support.tenants import Tenant

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


JANE, JOE = "jane@example.org", "joe@example.org"


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
    email_secret: str
    device: str
    session: str

    @property
    def app(self) -> str:
        return self.tenant.id

    def jwt(self, secret: str | None = None, **members: Any) -> str:
        """A proof for u-1, by the app's secret unless another is given; None leaves a member out."""
        said = claims(self.app, sub="u-1") | members
        given = {name: value for name, value in said.items() if value is not None}
        return jwt(given, self.secret if secret is None else secret)


@pytest.fixture(scope="module")
def scene(app):
    """One for all: what is refused changes nothing."""
    tenant, other = (Tenant.create(app.test_client(), ADMIN_KEY) for _ in range(2))

    def secrets(make):
        deleted, gone = make(tenant)
        delete_key(tenant, deleted)
        return make(tenant)[1], make(other)[1], gone

    other.login(userId="u-1", email=JANE)
    tenant.login(userId="u-2", email=JOE, name="Joe")
    tenant.login(email="unclaimed@example.org")
    device = tenant.login()["deviceId"]
    session = tenant.session(userId="u-1", email=JANE, name="Jane", deviceId=device)
    tenant.begin(session)
    # So whoever logs in there next clears the anonymous user, but nobody who is refused.
    tenant.call("POST", "/v1/clearAnonymousUser", session, {"clear": True})
    return Scene(
        tenant, other, *secrets(identity_key), *secrets(hmac_key), email_key(tenant)[1], device, session
    )


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


# Every route that takes a proof, with every kind of key that may call it.
TAKING_A_PROOF = [("POST", "/v1/login", "pk"), ("POST", "/v1/login", "sk"), ("POST", "/v1/resolve", "sk")]


# What proves nothing, by what is tried; each claims to be u-1, unless it says who.
@pytest.mark.parametrize(("method", "path", "key"), TAKING_A_PROOF)
@cases("body",
    ("another secret", lambda s: {"proof": s.jwt("s" * 43)}),
    ("a deleted secret", lambda s: {"proof": s.jwt(s.deleted_secret)}),
    ("another user's", lambda s: {"userId": "u-1", "proof": s.jwt(sub="u-2")}),
    ("another user's, by email", lambda s: {"email": JANE, "proof": s.jwt(sub=None, email=JOE)}),
    ("the email of another", lambda s: {"email": JOE, "proof": s.jwt(email=JANE)}),
    ("an email that it does not name", lambda s: {"email": JANE, "proof": s.jwt()}),
    ("a user ID that it does not name", lambda s: {"userId": "u-1", "proof": s.jwt(sub=None, email=JANE)}),
    ("the user ID in another case", lambda s: {"userId": "U-1", "proof": s.jwt()}),
    ("another app's", lambda s: {"proof": proof_of(s.other, s.others_secret, sub="u-1")}),
    ("another app's secret", lambda s: {"proof": s.jwt(s.others_secret)}),
    ("expired", lambda s: {"proof": jwt(claims(s.app, NOON.timestamp() - 10**9, sub="u-1"), s.secret)}),
    ("a name alone", lambda s: {"proof": s.jwt(sub=None, name="Jane")}),
    ("an HMAC by another secret", lambda s: {"userId": "u-1", "proof": hmac_of("u-1", "s" * 43)}),
    ("an HMAC by a deleted secret",
     lambda s: {"userId": "u-1", "proof": hmac_of("u-1", s.deleted_hmac_secret)}),
    ("an HMAC by another app's",
     lambda s: {"userId": "u-1", "proof": hmac_of("u-1", s.others_hmac_secret)}),
    ("an HMAC of another user", lambda s: {"userId": "u-1", "proof": hmac_of("u-2", s.hmac_secret)}),
    ("an HMAC of nobody", lambda s: {"proof": hmac_of("u-1", s.hmac_secret)}),
    ("an HMAC of white space", lambda s: {"email": " ", "proof": hmac_of(" ", s.email_secret)}),
    ("an HMAC of the email beside",
     lambda s: {"userId": "u-1", "email": JOE, "proof": hmac_of(JOE, s.hmac_secret)}),
    ("an HMAC of the email as stored",
     lambda s: {"email": "Jane@example.org", "proof": hmac_of(JANE, s.email_secret)}),
    ("the secret itself", lambda s: {"userId": "u-1", "proof": s.secret}),
    ("the session itself", lambda s: {"userId": "u-1", "proof": s.session}),
    ("the publishable key", lambda s: {"userId": "u-1", "proof": s.tenant.pk}),
    ("white space", lambda s: {"userId": "u-1", "proof": " "}),
    ("a surrogate", lambda s: {"userId": "u-1", "proof": "\ud800"}),
    ("very long", lambda s: {"userId": "u-1", "proof": "a." * 20_000}),
)  # fmt: skip
def test_what_proves_nothing_is_refused_and_changes_nothing(scene, store, method, path, key, body):
    sent = {"deviceId": scene.device, "name": "Mallory"} | body(scene)
    before = rows_of(store, scene.app)
    response = scene.tenant.call(method, path, getattr(scene.tenant, key), sent)
    assert problem_of(response) == (401, "proof-invalid")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert rows_of(store, scene.app) == before


@cases(
    "body",
    ("no proof for a user ID", {"userId": "u-1"}),
    ("no proof for an email", {"email": JANE}),
    ("no proof for both", {"userId": "u-1", "email": JANE}),
    ("no proof for somebody new", {"userId": "u-99"}),
    ("no proof, on an unknown device", {"userId": "u-1", "deviceId": "device-nobody-has-seen-1"}),
    ("no proof for an unclaimed user", {"email": "unclaimed@example.org"}),
    ("an empty proof", {"userId": "u-1", "proof": ""}),
    ("a null proof", {"userId": "u-1", "proof": None}),
)
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
)
def test_a_failed_proof_is_no_login_even_where_none_is_needed(tenant, store, secret, proof):
    tenant.set(identityVerification="off")
    before = rows_of(store, tenant.id)
    assert problem_of(log_in(tenant, userId="u-1", proof=proof(secret, tenant.id))) == (401, "proof-invalid")
    assert rows_of(store, tenant.id) == before


def test_the_routes_that_take_a_proof_are_the_ones_above(client):
    document = client.get("/openapi.json").json
    schemas = document["components"]["schemas"]
    taking = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            shape = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = shape.get("schema", {}).get("$ref", "").rpartition("/")[2]
            proof = schemas.get(name, {}).get("properties", {}).get("proof")
            # Of a new key it says in which way that one will prove.
            if proof and "enum" not in proof:
                taking.add((method.upper(), path))

    # A session takes one for a further user ID, and for a store account.
    by_sessions = {("POST", path) for path in ("/v1/aliases", "/v1/purchases", "/v1/restore")}
    assert taking == {(method, path) for method, path, _ in TAKING_A_PROOF} | by_sessions


@pytest.mark.parametrize("key", ["pk", "sk"])
@cases("body", ("nothing", {}), ("user ID", {"userId": "u-1"}), ("email", {"email": JANE}))
def test_a_jwt_says_who_logs_in(tenant, secret, key, body):
    proof = proof_of(tenant, secret, sub="u-1", email=JANE, name="Jane")
    response = tenant.try_login(key=getattr(tenant, key), proof=proof, **body)
    assert response.status_code == 201
    user = response.json["user"]
    assert (user["userId"], user["email"], user["name"]) == ("u-1", JANE, "Jane")
    assert response.json["session"]["verified"] is True
    assert response.json["resolution"]["rule"] == "new-user-id"


@cases(
    "covered, beside",
    ("letter case", JANE, "JANE@Example.ORG"),
    ("letter case in the proof", "Jane@example.org", JANE),
    ("white space", JANE, "  jane@example.org "),
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


def test_an_hmac_of_a_user_id_leaves_the_email_beside_it_out(tenant, hmac_secret):
    tenant.login(userId="u-1", email=JANE)
    tenant.login(email=JOE)
    joe = {"userId": "u-1", "email": JOE, "proof": hmac_of("u-1", hmac_secret)}
    response = log_in(tenant, **joe)
    assert response.json["resolution"]["rule"] == "known-user-id"
    assert response.json["resolution"]["changes"] == []
    assert response.json["user"]["email"] == JANE


@cases("email", ("plain", JANE), ("letters", "Jane@Example.org"), ("spaces", " jane@example.org "))
def test_an_hmac_of_an_email_covers_it_as_it_was_sent(tenant, email_secret, email):
    tenant.login(userId="u-1", email=JANE)
    response = log_in(tenant, email=email, proof=hmac_of(email, email_secret))
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
    ("a placeholder", {"sub": "null"}),
    ("a surrogate", {"sub": "\ud800"}),
    ("an anonymous user's", {"sub": "$anon:0123"}),
    ("no email", {"email": "jane"}),
)
@pytest.mark.parametrize("key", ["pk", "sk"])
def test_a_proven_identifier_that_is_none_is_refused(tenant, secret, store, key, members):
    before = rows_of(store, tenant.id)
    response = tenant.try_login(key=getattr(tenant, key), proof=proof_of(tenant, secret, **members))
    assert [pointer for pointer, _ in refused_fields(response)] == ["/proof"]
    assert rows_of(store, tenant.id) == before


def test_an_hmac_of_an_identifier_that_is_none_is_refused(tenant, hmac_secret):
    response = log_in(tenant, userId="null", proof=hmac_of("null", hmac_secret))
    assert refused_fields(response) == [("/userId", "placeholder")]


def test_a_widget_with_a_proof_cannot_name_a_device_that_nobody_knows(tenant, secret, store):
    before = rows_of(store, tenant.id) | {"keys": None}
    response = log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"), deviceId="d" * 32)
    assert problem_of(response) == (422, "unknown-device")
    assert rows_of(store, tenant.id) | {"keys": None} == before


@cases(
    "seconds, status",
    ("30 s before it is issued", -30, 201),
    ("29 s after", 629, 201),
    ("30 s after", 630, 401),
)
def test_a_proof_holds_from_its_issue_to_its_end_and_half_a_minute_more(
    tenant, secret, time_machine, seconds, status
):
    proof = jwt(claims(tenant.id, NOON.timestamp(), sub="u-1"), secret)
    time_machine.move_to(NOON + timedelta(seconds=seconds), tick=False)
    assert log_in(tenant, proof=proof).status_code == status


def last_used(tenant):
    return {key["id"]: key["lastUsedAt"] for key in tenant.list_keys() if key["kind"] == "identity"}


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
    assert tenant.get("/v1/me", token).status_code == 200


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


@cases("body", ("for somebody else", {"userId": "u-2"}), ("for another email", {"email": JOE}))
def test_a_refused_login_uses_no_secret(tenant, body):
    id, secret = identity_key(tenant)
    assert log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"), **body).status_code == 401
    assert last_used(tenant)[id] is None


def test_no_identity_secret_can_be_read_in_the_store(tenant, store, secret):
    kept = repr(rows_of(store, tenant.id)["keys"])
    assert "identity" in kept
    assert secret not in kept
    assert secret.removeprefix("ik_") not in kept
    assert base64.b64encode(secret.encode()).decode() not in kept


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_that_nobody_can_open_any_more_proves_nothing_and_the_others_do(tenant, kind, start):
    _, old = identity_key(tenant, proof=kind)
    there = tenant.on(start(secret_key="n" * 40))
    _, new = identity_key(there, proof=kind)
    by_old, by_new = (log_in(there, **proof_by(tenant, kind, secret)) for secret in (old, new))
    assert (by_old.status_code, by_new.status_code) == (401, 201)
