"""A login that is sent twice with one idempotency key: the same user, rule and `created`, and a new token in
place of the first. The key alone opens nothing."""

from dataclasses import replace

import pytest

from service.model.identifiers import digest
from service.store.tables import Devices
from service.times import now
from tests.support.cases import cases
from tests.support.responses import refused_fields
from tests.support.signing import delete_key, identity_key, proof_of

MANY = 16
REUSED = [("/Idempotency-Key", "idempotency-key-reused")]
CLAIMS = {
    "by user ID": {"userId": "u-1"},
    "by email": {"email": "jane@example.org"},
    "by both and a name": {"userId": "u-1", "email": "jane@example.org", "name": "Jane"},
    "anonymous": {},
}
claims = pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
# A device that the backend names, or that is issued.
devices = pytest.mark.parametrize("device", [{"deviceId": "device-of-jane-1"}, {}], ids=["named", "issued"])


def log_in(tenant, key="k-1", by=None, **sent):
    return tenant.call("POST", "/v1/login", by or tenant.sk, sent, Idempotency_Key=key)


def lives(tenant, answer):
    return tenant.get("/v1/me", answer.json["session"]["token"]).status_code == 200


def without_session(answer):
    return {name: value for name, value in answer.json.items() if name != "session"}


@pytest.mark.usefixtures("sound")
@claims
@devices
def test_the_same_login_again_is_answered_the_same_with_a_new_token(tenant, rows, claim, device):
    first = log_in(tenant, **claim, **device)
    before = rows()
    again = log_in(tenant, **claim, **device)

    assert (first.status_code, again.status_code) == (201, 200)
    assert without_session(first) == without_session(again)
    assert first.json["created"] is again.json["created"] is True
    assert (lives(tenant, first), lives(tenant, again)) == (False, True)
    assert {table for table, was in before.items() if rows()[table] != was} == {"sessions"}
    assert len(rows()["sessions"]) == 1


@claims
@devices
def test_of_many_at_once_one_creates_and_all_answer_it(tenant, rows, claim, device):
    answers = tenant.at_once(*[lambda own: log_in(own, **claim, **device)] * MANY)

    assert sorted(answer.status_code for answer in answers) == [200] * (MANY - 1) + [201]
    assert [without_session(answer) for answer in answers] == [without_session(answers[0])] * MANY
    assert [lives(tenant, answer) for answer in answers].count(True) == 1
    assert {table: len(rows()[table]) for table in ("users", "devices", "sessions")} == dict.fromkeys(
        ("users", "devices", "sessions"), 1
    )


@claims
def test_a_login_of_somebody_known_is_repeated_too(tenant, claim):
    device = tenant.login(**claim)["deviceId"]

    first, again = (log_in(tenant, **claim, deviceId=device) for _ in range(2))

    assert (first.status_code, again.status_code) == (200, 200)
    assert without_session(first) == without_session(again)
    assert (lives(tenant, first), lives(tenant, again)) == (False, True)


@cases(
    "other",
    ("user ID", {"userId": "u-2"}),
    ("name", {"userId": "u-1", "name": "Jane"}),
    ("device", {"userId": "u-1", "deviceId": "another-device-1"}),
    ("nobody", {}),
)
def test_the_same_key_with_another_login_is_refused_and_changes_nothing(tenant, rows, other):
    first = log_in(tenant, userId="u-1")
    before = rows()

    assert refused_fields(log_in(tenant, **other)) == REUSED
    assert rows() == before
    assert lives(tenant, first)


def test_a_refused_login_leaves_the_key_free(tenant):
    assert log_in(tenant, userId="null").status_code == 422
    assert log_in(tenant, by=tenant.pk, userId="u-1").status_code == 401
    assert log_in(tenant, userId="u-1").status_code == 201


def test_a_malformed_key_is_refused_and_nobody_logged_in(tenant, rows):
    device = tenant.login(userId="u-1")["deviceId"]
    before = rows()

    refused = log_in(tenant, "k k", userId="u-1", deviceId=device)

    assert refused_fields(refused) == [("/Idempotency-Key", "invalid-idempotency-key")]
    assert rows() == before


def test_a_repeat_says_nothing_again_of_the_user(tenant):
    device = {"deviceId": tenant.login(userId="u-1")["deviceId"]}
    log_in(tenant, userId="u-1", name="Jane", **device)
    tenant.login(userId="u-1", name="Janet", **device)

    again = log_in(tenant, userId="u-1", name="Jane", **device).json

    assert again["user"]["name"] == "Janet"
    assert again["resolution"]["changes"] == ["name"]


def test_what_was_left_out_is_named_again(tenant):
    first, again = (log_in(tenant, userId="u-1", email="jane").json for _ in range(2))

    assert first["resolution"]["ignored"] == again["resolution"]["ignored"] != []


# --- whose a key is ----------------------------------------------------------------------------------


def test_each_app_and_each_key_of_an_app_has_keys_of_its_own(tenant, other_tenant):
    path = f"/v1/apps/{tenant.id}/keys"
    other = tenant.call("POST", path, tenant.admin_key, {"kind": "secret"}).json["key"]

    answers = [
        log_in(tenant, userId="u-1"),
        log_in(tenant, by=other, userId="u-2"),
        log_in(other_tenant, userId="u-3"),
    ]

    assert [answer.status_code for answer in answers] == [201] * 3


def test_a_widgets_key_opens_nobodys_anonymous_user(tenant):
    visits = [log_in(tenant, by=tenant.pk) for _ in range(3)]

    assert [visit.status_code for visit in visits] == [201] * 3
    assert len({visit.json["user"]["id"] for visit in visits}) == 3
    assert len({visit.json["deviceId"] for visit in visits}) == 3
    assert all(lives(tenant, visit) for visit in visits)


def test_a_widgets_key_is_its_devices(tenant):
    devices = [tenant.login()["deviceId"] for _ in range(2)]
    first, other = (log_in(tenant, by=tenant.pk, deviceId=device) for device in devices)
    again = log_in(tenant, by=tenant.pk, deviceId=devices[0])

    assert first.json["user"]["id"] != other.json["user"]["id"]
    assert without_session(again) == without_session(first)
    assert refused_fields(log_in(tenant, by=tenant.pk, deviceId=devices[0], name="Jane")) == REUSED
    assert [lives(tenant, answer) for answer in (first, other, again)] == [False, True, True]


def test_a_widget_that_proves_who_it_is_repeats_its_login_without_a_device(tenant, secret):
    proof = proof_of(tenant, secret, sub="u-1")
    first, again = (log_in(tenant, by=tenant.pk, proof=proof) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert without_session(first) == without_session(again)
    assert (lives(tenant, first), lives(tenant, again)) == (False, True)


def test_each_whom_a_proof_shows_has_keys_of_their_own(tenant, secret):
    proofs = [proof_of(tenant, secret, **who) for who in ({"sub": "u-1"}, {"email": "u-1@example.org"})]
    answers = [log_in(tenant, by=tenant.pk, proof=proof) for proof in proofs]

    assert [answer.status_code for answer in answers] == [201, 201]


def test_a_wrong_proof_is_refused_before_any_key_is_looked_at(tenant):
    id, secret = identity_key(tenant)
    proof = proof_of(tenant, secret, sub="u-1")
    first = log_in(tenant, by=tenant.pk, proof=proof)
    delete_key(tenant, id)

    answers = [log_in(tenant, by=tenant.pk, proof=sent) for sent in (proof, "a.b.c")]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(401, "proof-invalid")] * 2
    assert lives(tenant, first)


def test_a_repeat_in_the_unproven_world_tells_what_was_said_and_no_more(tenant):
    device = tenant.login()["deviceId"]
    tenant.set(identityVerification="off")

    first, again = (log_in(tenant, by=tenant.pk, userId="u-1", deviceId=device) for _ in range(2))
    apart = [log_in(tenant, by=tenant.pk, userId="u-1") for _ in range(2)]

    assert without_session(first) == without_session(again)
    assert (lives(tenant, first), lives(tenant, again)) == (False, True)
    assert len({answer.json["deviceId"] for answer in apart}) == 2


def test_a_key_that_was_forgotten_opens_no_device_of_before(tenant, store):
    first = log_in(tenant).json
    store.of(tenant.id).idempotency_keys.forget_before(now() + 1)

    again = log_in(tenant)

    assert again.status_code == 201
    assert again.json["deviceId"] != first["deviceId"]
    assert again.json["user"]["id"] != first["user"]["id"]


# --- what became of it since -------------------------------------------------------------------------


@claims
def test_after_a_logout_a_repeat_logs_in_again_as_any_login_would(tenant, claim):
    device = {"deviceId": "device-of-jane-1"}
    first = log_in(tenant, **claim, **device)
    tenant.call("POST", "/v1/logout", first.json["session"]["token"])

    again = log_in(tenant, **claim, **device)

    assert without_session(again) == without_session(first)
    assert (lives(tenant, first), lives(tenant, again)) == (False, True)


def test_after_a_logout_nobody_is_let_in_whose_key_is_gone(tenant, secret):
    path = f"/v1/apps/{tenant.id}/keys"
    made = tenant.call("POST", path, tenant.admin_key, {"kind": "secret"}).json
    assert log_in(tenant, by=made["key"], userId="u-1").status_code == 201
    tenant.call("DELETE", f"{path}/{made['id']}", tenant.admin_key)

    assert log_in(tenant, by=made["key"], userId="u-1").status_code == 401


@pytest.mark.usefixtures("sound")
def test_a_repeat_leads_to_whoever_the_user_has_become_part_of_and_back(tenant):
    first = log_in(tenant, userId="u-1", name="Jane")
    survivor = tenant.known(userId="u-2", name="Mary")
    merge = tenant.merge(first.json["user"]["id"], survivor)

    merged = log_in(tenant, userId="u-1", name="Jane")
    assert (merged.status_code, merged.json["user"]["id"]) == (200, survivor)
    assert merged.json["created"] is True

    tenant.undo(merge)

    again = log_in(tenant, userId="u-1", name="Jane")
    assert (again.status_code, without_session(again)) == (200, without_session(first))
    assert (lives(tenant, merged), lives(tenant, again)) == (False, True)


@pytest.mark.usefixtures("sound")
def test_whose_id_leads_elsewhere_by_now_is_logged_in_there(tenant):
    part, survivor = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    merge = tenant.merge(part, survivor)
    assert log_in(tenant, userId="u-1").json["user"]["id"] == survivor
    tenant.undo(merge)

    anew, again = (log_in(tenant, userId="u-1") for _ in range(2))

    assert anew.json["user"]["id"] == again.json["user"]["id"] == part
    assert (lives(tenant, anew), lives(tenant, again)) == (False, True)


@cases("claim", ("by user ID", {"userId": "u-1"}), ("anonymous", {}))
def test_the_key_of_somebody_who_was_erased_is_free(tenant, rows, claim):
    first = log_in(tenant, **claim, deviceId="device-of-jane-1").json
    tenant.erase(first["user"]["id"])
    assert rows()["idempotency_keys"] == []

    again = log_in(tenant, **claim, deviceId="device-of-jane-1")

    assert (again.status_code, again.json["created"]) == (201, True)
    assert again.json["user"]["id"] != first["user"]["id"]


@cases("policy", ("merge", "merge"), ("clear", "clear"))
def test_an_anonymous_login_never_opens_who_its_user_became_or_was(tenant, policy):
    tenant.set(anonymousOnLogin=policy)
    device = {"deviceId": "device-of-jane-1"}
    visitor = log_in(tenant, **device).json["user"]["id"]
    jane = log_in(tenant, "k-2", userId="u-1", **device).json["user"]["id"]

    again = log_in(tenant, **device)

    assert (again.status_code, again.json["user"]["anonymous"]) == (201, True)
    assert again.json["user"]["id"] not in (visitor, jane)


def test_an_email_that_several_have_by_now_opens_nobody(tenant):
    first = log_in(tenant, userId="u-1", email="jane@example.org").json["user"]["id"]
    by_email = {"email": "jane@example.org"}
    assert log_in(tenant, "k-2", **by_email).json["user"]["id"] == first
    tenant.known(userId="u-2", **by_email)

    again = log_in(tenant, "k-2", **by_email).json

    assert (again["user"]["id"] != first, again["resolution"]["rule"]) == (True, "shared-email")


def test_a_device_that_was_to_be_cleared_is_cleared_by_a_repeat_too(tenant, store):
    device = {"deviceId": "device-of-jane-1"}
    first = log_in(tenant, userId="u-1", **device).json
    tenant.call("POST", "/v1/clearAnonymousUser", tenant.sk, device)
    tenant.call("POST", "/v1/logout", first["session"]["token"])
    tenant.login(**device)

    again = log_in(tenant, userId="u-1", **device)

    assert again.json["user"]["id"] == first["user"]["id"]
    row = store.database.row(
        Devices.select(Devices.anonymous).where(
            (Devices.app == tenant.id) & (Devices.digest == digest(device["deviceId"]))
        )
    )
    assert row == (None,)


def test_under_another_secret_key_a_repeat_is_on_another_device(tenant, start):
    first = log_in(tenant, userId="u-1")
    other = start(secret_key="another-secret-key-of-thirty-two-characters")

    again = log_in(replace(tenant, client=other.test_client()), userId="u-1")

    assert again.json["user"] == first.json["user"]
    assert again.json["deviceId"] != first.json["deviceId"]
