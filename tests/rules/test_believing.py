"""Who is believed: each situation has its rule, and each login is answered as the rule says."""

import pytest

from service.model.apps import Verification
from service.rules.believing import (
    BELIEVING,
    Act,
    Caller,
    IdentityVerification,
    Proof,
    Says,
    decide,
    is_word_believed,
)
from tests.support.rulebook import every
from tests.support.signing import hmac_key, hmac_of, identity_key, proof_of

BACKEND, WIDGET, REVENUECAT = Caller
NOBODY, NOTHING_USABLE, AN_IDENTITY = Says
REQUIRED, OFF = Verification

WITHOUT_PROOF = [
    (BACKEND, NOBODY, REQUIRED, "word-of-the-backend"),
    (BACKEND, NOBODY, OFF, "word-of-the-backend"),
    (BACKEND, NOTHING_USABLE, REQUIRED, "nothing-usable"),
    (BACKEND, NOTHING_USABLE, OFF, "nothing-usable"),
    (BACKEND, AN_IDENTITY, REQUIRED, "word-of-the-backend"),
    (BACKEND, AN_IDENTITY, OFF, "word-of-the-backend"),
    (WIDGET, NOBODY, REQUIRED, "nobody-claimed"),
    (WIDGET, NOBODY, OFF, "nobody-claimed"),
    (WIDGET, NOTHING_USABLE, REQUIRED, "nothing-usable"),
    (WIDGET, NOTHING_USABLE, OFF, "nothing-usable"),
    (WIDGET, AN_IDENTITY, REQUIRED, "no-proof-sent"),
    (WIDGET, AN_IDENTITY, OFF, "no-proof-needed"),
]
ACTS = {
    "trust-of-revenuecat": Act.CLAIM,
    "by-proof": Act.PROVE,
    "nothing-usable": Act.REFUSE,
    "word-of-the-backend": Act.BELIEVE,
    "nobody-claimed": Act.ANONYMOUS,
    "no-proof-needed": Act.CLAIM,
    "no-proof-sent": Act.REQUIRE,
}


@pytest.mark.parametrize(("caller", "says", "verification", "name"), WITHOUT_PROOF)
def test_without_a_proof_it_matters_who_says_it(caller, says, verification, name):
    rule = decide(caller, says, Proof.NONE, verification)

    assert (rule.name, rule.then) == (name, ACTS[name])


@pytest.mark.parametrize("proof", Proof.GIVEN)
@pytest.mark.parametrize(("caller", "says", "verification"), [case[:3] for case in WITHOUT_PROOF])
def test_a_proof_decides_whoever_sends_it(caller, says, verification, proof):
    assert decide(caller, says, proof, verification).name == "by-proof"


def test_whatever_clients_of_revenuecat_send_is_only_claimed():
    rules = {
        BELIEVING.decide(*situation).name for situation in BELIEVING.situations() if REVENUECAT in situation
    }

    assert rules == {"trust-of-revenuecat"}


@pytest.mark.parametrize("verification", Verification)
def test_the_backends_word_alone_is_enough(verification):
    believed = [caller for caller in Caller if is_word_believed(caller, verification)]

    assert believed == [BACKEND]


def test_each_rule_has_its_act():
    assert {rule.name: rule.then for rule in BELIEVING.rules} == ACTS


SETTINGS = {IdentityVerification.REQUIRED: "required", IdentityVerification.OFF: "off"}
SENT = {NOBODY: {}, NOTHING_USABLE: {"email": "nobody"}, AN_IDENTITY: {"userId": "u-1"}}


@pytest.mark.parametrize(("caller", "says", "proof", "verification"), every(BELIEVING, but=[(REVENUECAT,)]))
def test_each_login_is_answered_as_its_rule_says(tenant, caller, says, proof, verification):
    tenant.set(identityVerification=SETTINGS[verification])
    sent = dict(SENT[says])
    if proof is Proof.JWT:
        sent["proof"] = proof_of(tenant, identity_key(tenant)[1], sub="u-1")
    if proof is Proof.HMAC:
        sent["proof"] = hmac_of("u-1", hmac_key(tenant)[1])

    answer = tenant.try_login(key=tenant.sk if caller is BACKEND else tenant.pk, **sent)

    assert seen(answer) == expected(BELIEVING.decide(caller, says, proof, verification), says, proof)


def seen(answer):
    """Say how far a login was believed: whether it is verified and of whom, or how it was refused."""
    if answer.status_code >= 400:
        return answer.json["code"]
    user = answer.json["user"]
    return answer.json["session"]["verified"], user.get("anonymous", False), "id" in user


def expected(rule, says, proof):
    if proof is Proof.HMAC and says is not AN_IDENTITY:
        # An HMAC shows nothing of what is not sent.
        return "proof-invalid"
    verified, anonymous, claimed = (True, False, True), (False, True, True), (False, False, False)
    return {
        Act.PROVE: verified,
        Act.BELIEVE: anonymous if says is NOBODY else verified,
        Act.ANONYMOUS: anonymous,
        Act.CLAIM: claimed,
        Act.REQUIRE: "proof-required",
        Act.REFUSE: "refused",
    }[rule.then]
