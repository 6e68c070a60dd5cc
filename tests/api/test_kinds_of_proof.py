"""An identity key proves in one way, by JWT or by HMAC, as a JWT's signature is the HMAC of its start."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.logbook import on_standard_output
from tests.support.responses import problem_of
from tests.support.signing import (
    HEADER,
    claims,
    delete_key,
    hmac_of,
    identity_key,
    proof_of,
    prove_in_both_ways,
    unsigned,
    urlsafe,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
VICTIM = "victim"


@pytest.fixture
def thread(tenant):
    """What the victim wrote, and nobody else may read."""
    return tenant.begin(tenant.session(userId=VICTIM, email="victim@example.org"))


def log_in(tenant, **claim):
    return tenant.try_login(key=tenant.pk, **claim)


def start_of_a_jwt(tenant, **members):
    """The two parts of a JWT that are signed: a text that somebody may call themselves."""
    return unsigned(claims(tenant.id, **(members or {"sub": VICTIM})), HEADER)


def digest_of(text, secret):
    return hmac.digest(secret.encode(), text.encode(), "sha256")


def in_both_alphabets(digest):
    """The digest in the alphabet of URLs and in the other one, padded or not."""
    texts = [base64.urlsafe_b64encode(digest).decode(), base64.b64encode(digest).decode()]
    return [text.rstrip("=") + pad for text in texts for pad in ("", "=")]


def refused_everywhere(tenant, proofs, **beside):
    """Whether no call believes any of these proofs."""
    calls = [("/v1/login", tenant.pk), ("/v1/login", tenant.sk), ("/v1/resolve", tenant.sk)]
    answers = [
        tenant.call("POST", path, key, {"proof": proof, **beside}) for proof in proofs for path, key in calls
    ]
    return {(answer.status_code, answer.json["code"]) for answer in answers} == {(401, "proof-invalid")}


def test_a_name_that_is_the_start_of_a_jwt_makes_nobody_the_victim(tenant, secret, hmac_secret, thread):
    name = start_of_a_jwt(tenant)
    # The backend signs each user's name, and this is what somebody calls themselves.
    signed = hmac_of(name, hmac_secret)
    own = log_in(tenant, userId=name, proof=signed)
    forged = [f"{name}.{signature}" for signature in in_both_alphabets(base64.b64decode(signed))]
    assert own.json["user"]["userId"] == name
    assert tenant.conversations(own.json["session"]["token"]) == []
    assert refused_everywhere(tenant, forged)
    assert refused_everywhere(tenant, forged, userId=VICTIM)


def test_a_name_that_reads_like_an_email_makes_nobody_its_owner(tenant, hmac_secret, thread):
    name = "victim@example.com"
    owner = tenant.session(email=name)
    tenant.begin(owner)
    # The backend signs each user's name, and this is what somebody calls themselves.
    signed = hmac_of(name, hmac_secret)
    own = log_in(tenant, userId=name, proof=signed)
    assert own.json["user"]["email"] is None
    assert tenant.conversations(own.json["session"]["token"]) == []
    assert refused_everywhere(tenant, [signed], email=name)


def test_an_hmac_of_an_email_makes_nobody_who_has_it_as_their_user_id(tenant, email_secret, thread):
    signed = hmac_of(VICTIM, email_secret)
    assert refused_everywhere(tenant, [signed], userId=VICTIM)


def test_a_jwt_by_a_key_for_hmacs_shows_nothing(tenant, secret, hmac_secret, thread):
    assert refused_everywhere(tenant, [proof_of(tenant, hmac_secret, sub=VICTIM)])


def test_an_hmac_by_a_key_for_jwts_shows_nothing(tenant, secret, hmac_secret, thread):
    assert refused_everywhere(tenant, in_both_alphabets(digest_of(VICTIM, secret)), userId=VICTIM)


def test_what_is_signed_by_either_key_is_not_completed_by_the_other(tenant, secret, hmac_secret, thread):
    name, signature = start_of_a_jwt(tenant), proof_of(tenant, secret, sub="mallory").rpartition(".")[2]
    signatures = [signature, urlsafe(digest_of(name, hmac_secret))]
    assert refused_everywhere(tenant, [f"{name}.{signature}" for signature in signatures])
    assert refused_everywhere(tenant, [signature], userId=name)


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
def test_nobody_proves_anything_where_all_keys_are_for_the_other_kind(tenant, kind, thread):
    secret = identity_key(tenant, proof="hmac" if kind == "jwt" else "jwt")[1]
    proof = proof_of(tenant, secret, sub=VICTIM) if kind == "jwt" else hmac_of(VICTIM, secret)
    assert refused_everywhere(tenant, [proof], userId=VICTIM)


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
def test_no_session_links_an_id_by_the_other_kind(tenant, kind):
    secret = identity_key(tenant, proof="hmac" if kind == "jwt" else "jwt")[1]
    proof = proof_of(tenant, secret, sub="u-2") if kind == "jwt" else hmac_of("u-2", secret)
    answer = tenant.call(
        "POST", "/v1/aliases", tenant.session(userId="u-1"), {"userId": "u-2", "proof": proof}
    )
    assert problem_of(answer) == (401, "proof-invalid")


def test_a_key_of_each_kind_proves_in_its_own_way(tenant, secret, hmac_secret):
    by_jwt = log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"))
    by_hmac = log_in(tenant, userId="u-1", proof=hmac_of("u-1", hmac_secret))
    assert (by_jwt.status_code, by_hmac.status_code) == (201, 200)
    assert by_jwt.json["user"]["id"] == by_hmac.json["user"]["id"]


@pytest.fixture
def older(tenant, store):
    """The id and the secret of a key that was made, and used, when each proved in both ways."""
    id, secret = identity_key(tenant)
    prove_in_both_ways(store, tenant, id)
    return id, secret


def key_of(tenant, id):
    return next(key for key in tenant.list_keys() if key["id"] == id)


def test_an_older_key_refuses_no_login_until_it_is_rotated(tenant, older):
    id, secret = older
    statuses = [
        log_in(tenant, proof=proof_of(tenant, secret, sub="u-1")).status_code,
        log_in(tenant, userId="u-1", proof=hmac_of("u-1", secret)).status_code,
    ]
    assert statuses == [201, 200]
    assert key_of(tenant, id)["proof"] == "both"


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
def test_an_older_key_is_rotated_without_a_login_refused(tenant, older, kind):
    def proven(secret):
        proof = proof_of(tenant, secret, sub="u-1") if kind == "jwt" else hmac_of("u-1", secret)
        return log_in(tenant, userId="u-1", proof=proof).status_code

    id, old = older
    _, new = identity_key(tenant, proof=kind)
    during = proven(old), proven(new)
    delete_key(tenant, id)

    assert (during, proven(old), proven(new)) == ((201, 200), 401, 200)


def test_the_log_says_once_a_minute_that_an_older_key_is_in_use(tenant, older, capsys, time_machine):
    id, secret = older
    with on_standard_output():
        for seconds in (0, 30, 61):
            time_machine.move_to(NOON + timedelta(seconds=seconds), tick=False)
            log_in(tenant, userId="u-1", proof=hmac_of("u-1", secret))
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    warnings = [line for line in lines if line["level"] == "warning"]
    assert [(line["app"], line["key"]) for line in warnings] == [(tenant.id, id)] * 2
    assert warnings[0]["event"] == "identity key proves in both ways: rotate it"


def test_the_log_says_nothing_of_keys_that_prove_in_one_way(tenant, secret, hmac_secret, capsys):
    with on_standard_output():
        log_in(tenant, proof=proof_of(tenant, secret, sub="u-1"))
        log_in(tenant, userId="u-1", proof=hmac_of("u-1", hmac_secret))
    assert '"warning"' not in capsys.readouterr().out
