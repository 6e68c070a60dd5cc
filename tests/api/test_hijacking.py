"""Nobody can prepare a record that its owner later walks into, nor walk into the owner's."""

from dataclasses import dataclass

import pytest

from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.signing import email_key, hmac_key, hmac_of, identity_key, proof_of

EMAIL = "jane@example.org"
BODIES = {"attacker": "It is a trap.", "owner": "It is a secret."}

# What somebody claims who can prove nothing.
CLAIMS = {
    "the owner's email": {"email": EMAIL},
    "the owner's user ID": {"userId": "u-1"},
    "the owner's user ID and email": {"userId": "u-1", "email": EMAIL.upper()},
    "the owner's user ID and an own email": {"userId": "u-1", "email": "mallory@example.org"},
    "an own user ID and the owner's email": {"userId": "mallory", "email": EMAIL},
}

# By what the owner is known who comes later.
IDENTITIES = {
    "by user ID": {"userId": "u-1"},
    "by email": {"email": EMAIL},
    "by both": {"userId": "u-1", "email": EMAIL},
}


def through_the_backend(tenant, identity):
    return tenant.sk, identity


def with_a_jwt(tenant, identity):
    members = {"sub" if name == "userId" else name: value for name, value in identity.items()}
    return tenant.pk, {"proof": proof_of(tenant, identity_key(tenant)[1], **members)}


def with_an_hmac(tenant, identity):
    covered = identity.get("userId") or identity["email"]
    make = hmac_key if "userId" in identity else email_key
    return tenant.pk, identity | {"proof": hmac_of(covered, make(tenant)[1])}


@dataclass(frozen=True)
class Device:
    """A device on which somebody is logged in, and what the login answered."""

    tenant: object
    token: str
    id: str
    answer: dict

    @classmethod
    def of(cls, tenant, key, **claim):
        response = tenant.try_login(key=key, **claim)
        assert response.status_code in (200, 201), response.text
        answer = response.json
        return cls(tenant, answer["session"]["token"], answer["deviceId"], answer)

    def everything(self):
        """All that this device is told."""
        listed = self.tenant.get("/v1/conversations", self.token)
        paths = ["/v1/me"] + [f"/v1/conversations/{one['id']}/messages" for one in listed.json["data"]]
        answers = [self.tenant.get(path, self.token) for path in paths]
        assert {answer.status_code for answer in answers} == {200}
        return str(self.answer) + listed.text + "".join(answer.text for answer in answers)

    def conversations(self):
        return sorted(self.tenant.conversations(self.token))

    def begin(self, message):
        return self.tenant.begin(self.token, message)

    def tries_at(self, conversation):
        """What comes of every call that reaches into a conversation."""
        path = f"/v1/conversations/{conversation}"
        calls = [
            ("GET", path, None),
            ("GET", f"{path}/messages", None),
            ("POST", f"{path}/messages", {"body": "Let me in."}),
            ("POST", f"{path}/read", None),
            ("PATCH", path, {"status": "resolved"}),
        ]
        return {self.tenant.call(method, path, self.token, body).status_code for method, path, body in calls}


@pytest.fixture
def trusting(tenant):
    """An app that asks for no proof, and merges whatever it can."""
    tenant.set(identityVerification="off", anonymousOnLogin="merge")
    return tenant


def attacker_on(tenant, claim):
    """Somebody who began anonymously, and then says to be somebody."""
    anonymous = Device.of(tenant, tenant.pk)
    anonymous.begin(BODIES["attacker"])
    return Device.of(tenant, tenant.pk, deviceId=anonymous.id, name="Mallory", **claim)


def users_of(tenant, **query):
    """Whom agents find, by their ids, and whether they are verified."""
    return {user["id"]: user["verified"] for user in tenant.find(**query)}


def agents_view(tenant, conversation):
    """Whose conversation it is, and whether its messages are verified."""
    path = f"/v1/conversations/{conversation}"
    user = tenant.get(path).json["user"]
    return user, {message["verified"] for message in tenant.get(f"{path}/messages").json["data"]}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
@cases("way", ("backend", through_the_backend), ("JWT", with_a_jwt), ("HMAC", with_an_hmac))
def test_an_owner_who_comes_later_meets_nothing_that_was_prepared(trusting, claim, identity, way):
    tenant = trusting
    attacker = attacker_on(tenant, claim)
    trap = attacker.begin(BODIES["attacker"])
    prepared = attacker.conversations()

    key, sent = way(tenant, identity)
    owner = Device.of(tenant, key, name="Janet", **sent)
    secret = owner.begin(BODIES["owner"])
    from_agent = tenant.begin(tenant.sk, "For you alone.", user=owner.answer["user"]["id"])
    again = Device.of(tenant, key, **sent)
    attacker_again = Device.of(tenant, tenant.pk, name="Mallory", **claim)

    # The owner is somebody new, and the same one later.
    user = owner.answer["user"]
    assert owner.answer["created"] is True
    assert owner.answer["resolution"]["rule"] in ("new-user-id", "new-email")
    assert (user["name"], user["aliases"]) == ("Janet", [])
    assert user["email"] in (None, EMAIL)
    assert again.answer["user"] == user
    # Each sees what is their own, and on a device of their own.
    assert again.conversations() == sorted([secret, from_agent])
    assert attacker.conversations() == prepared
    assert attacker_again.conversations() == []
    # Neither is told a word of the other.
    told = attacker.everything() + attacker_again.everything()
    assert [word for word in ("Janet", "secret", "For you", user["id"], secret) if word in told] == []
    told = owner.everything()
    assert [word for word in ("allory", "trap", trap) if word in told] == []
    # Knowing an id opens nothing.
    assert attacker.tries_at(secret) == {404}
    # Agents see who proved to be somebody.
    claimed, verified = agents_view(tenant, trap)
    assert (claimed != user["id"], verified) == (True, {False})
    assert agents_view(tenant, secret) == (user["id"], {True})
    assert users_of(tenant, q="Janet") == {user["id"]: True}
    assert users_of(tenant, q="Mallory") == {claimed: False}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
def test_nothing_of_an_owner_who_was_there_is_met_or_changed(trusting, claim, identity):
    tenant = trusting
    owner = Device.of(tenant, tenant.sk, name="Janet", **identity)
    secret = owner.begin(BODIES["owner"])
    path = f"/v1/users/{owner.answer['user']['id']}"
    before = [tenant.get(path + more).json for more in ("", "/history")]
    attacker = attacker_on(tenant, claim)

    trap = attacker.begin(BODIES["attacker"])
    after = [tenant.get(path + more).json for more in ("", "/history")]
    assert after == before
    assert owner.conversations() == [secret]
    assert secret not in attacker.conversations()
    assert attacker.tries_at(secret) == owner.tries_at(trap) == {404}
    assert not any(private in attacker.everything() for private in ("Janet", BODIES["owner"]))
    again = Device.of(tenant, tenant.sk, **identity)
    assert again.answer["user"] == owner.answer["user"]
    assert again.answer["resolution"]["changes"] == []


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_no_record_crosses_when_proofs_are_required_and_no_more(trusting, claim):
    tenant = trusting
    before = attacker_on(tenant, claim)
    trap = before.begin(BODIES["attacker"])
    tenant.set(identityVerification="required")

    refused = tenant.try_login(key=tenant.pk, deviceId=before.id, **claim)
    owner = Device.of(tenant, tenant.sk, userId="u-1", email=EMAIL)
    secret = owner.begin(BODIES["owner"])
    while_required = before.conversations()
    tenant.set(identityVerification="off")
    after = Device.of(tenant, tenant.pk, deviceId=before.id, **claim)

    assert problem_of(refused) == (401, "proof-required")
    assert owner.answer["created"] is True
    assert owner.conversations() == [secret]
    assert trap in while_required
    assert after.conversations() == while_required
    assert before.tries_at(trap) == {401}
    assert after.tries_at(secret) == owner.tries_at(trap) == {404}


def test_a_backend_logs_a_user_id_out_in_both_worlds(trusting):
    owner = Device.of(trusting, trusting.sk, userId="u-1")
    attacker = attacker_on(trusting, {"userId": "u-1"})
    trusting.call("POST", "/v1/logout", trusting.sk, {"userId": "u-1"})
    statuses = [trusting.get("/v1/me", one.token).status_code for one in (owner, attacker)]
    assert statuses == [401, 401]


def test_a_backend_logs_one_of_two_out_by_our_id(trusting):
    owner = Device.of(trusting, trusting.sk, userId="u-1")
    attacker = attacker_on(trusting, {"userId": "u-1"})
    (claimed,) = [id for id, verified in users_of(trusting, userId="u-1").items() if not verified]
    trusting.call("POST", "/v1/logout", trusting.sk, {"user": claimed})
    statuses = [trusting.get("/v1/me", one.token).status_code for one in (owner, attacker)]
    assert statuses == [200, 401]


def test_erasing_who_only_claims_leaves_the_owner_alone(trusting):
    owner = Device.of(trusting, trusting.sk, userId="u-1", email=EMAIL)
    secret = owner.begin(BODIES["owner"])
    attacker = attacker_on(trusting, {"userId": "u-1", "email": EMAIL})
    (claimed,) = [id for id, verified in users_of(trusting, userId="u-1").items() if not verified]
    trusting.erase(claimed)
    assert owner.conversations() == [secret]
    assert trusting.get("/v1/me", attacker.token).status_code == 401
    assert users_of(trusting, email=EMAIL) == {owner.answer["user"]["id"]: True}


def test_a_proven_user_is_not_changed_by_who_shares_the_email_unproven(trusting):
    """A login by email alone still finds the one who proved to have it."""
    owner = Device.of(trusting, trusting.sk, userId="u-1", email=EMAIL)
    for number in range(3):
        attacker_on(trusting, {"userId": f"mallory-{number}", "email": EMAIL})
    by_email = Device.of(trusting, trusting.sk, email=EMAIL)
    assert by_email.answer["resolution"]["rule"] == "known-email"
    assert by_email.answer["user"]["id"] == owner.answer["user"]["id"]
