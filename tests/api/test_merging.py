"""Aliases, merges and their undo, over HTTP: many IDs, one person, and two again."""

import pytest

from service.model.identifiers import new_id
from service.store.checks import CHECKS
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.signing import hmac_key, hmac_of, identity_key, proof_of


def known(tenant, **claim):
    return tenant.login(**claim)["user"]["id"]


def merge(tenant, source, target, **members):
    return tenant.call("POST", "/v1/merges", tenant.sk, {"from": source, "into": target, **members})


def merged(tenant, source, target):
    made = merge(tenant, source, target)
    assert made.status_code == 201, made.text
    return made.json


def undo(tenant, merge):
    return tenant.call("DELETE", f"/v1/merges/{merge['id']}", tenant.sk)


def alias(tenant, id, user_id):
    return tenant.call("POST", f"/v1/users/{id}/aliases", tenant.sk, {"userId": user_id})


def user(tenant, id):
    return tenant.call("GET", f"/v1/users/{id}", tenant.sk).json


def bodies(tenant, key, conversation):
    listed = tenant.call("GET", f"/v1/conversations/{conversation}/messages", key).json["data"]
    return [message["body"] for message in listed]


def write(tenant, key, conversation, body):
    made = tenant.call("POST", f"/v1/conversations/{conversation}/messages", key, {"body": body})
    assert made.status_code == 201, made.text
    return made.json


@pytest.fixture
def sound(store, tenant):
    """The store's invariants hold for the app after the test."""
    yield
    violated = {question.__name__: list(question(store.database, tenant.id)) for question in CHECKS}
    assert violated == dict.fromkeys(violated, [])


# --- aliases ---
def test_an_unknown_id_becomes_an_alias_and_logs_in(tenant):
    jane = known(tenant, userId="u-1")
    response = alias(tenant, jane, "u-2")
    assert response.status_code == 201
    assert (response.json["userId"], response.json["aliases"]) == ("u-1", ["u-2"])
    assert known(tenant, userId="u-2") == jane


def test_an_alias_given_twice_changes_nothing(tenant):
    jane = known(tenant, userId="u-1")
    alias(tenant, jane, "u-2")
    again = alias(tenant, jane, "u-2")
    assert (again.status_code, again.json["aliases"]) == (200, ["u-2"])


def test_another_identified_users_id_is_taken(tenant):
    jane, _ = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    assert problem_of(alias(tenant, jane, "u-2")) == (409, "alias-taken")


def test_an_anonymous_users_id_brings_that_user_along(tenant, sound):
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"])
    token = tenant.session(userId="u-1")
    jane = known(tenant, userId="u-1")

    response = alias(tenant, jane, visit["user"]["userId"])

    assert (response.status_code, response.json["aliases"]) == (200, [visit["user"]["userId"]])
    assert tenant.conversations(token) == [thread]
    assert user(tenant, visit["user"]["id"])["id"] == jane


def test_an_id_of_an_anonymous_user_who_is_none_is_refused(tenant):
    response = alias(tenant, known(tenant, userId="u-1"), "$anon:nobody")
    assert (response.status_code, response.json["errors"][0]["code"]) == (422, "reserved")


def test_an_unclaimed_user_who_is_given_an_id_is_identified_by_it(tenant):
    jane = known(tenant, email="jane@example.org")
    response = alias(tenant, jane, "u-1")
    assert (response.json["userId"], response.json["aliases"]) == ("u-1", [])
    assert known(tenant, userId="u-1") == jane


def test_an_anonymous_user_who_is_given_an_id_is_somebody_and_the_device_nobodys(tenant, sound):
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"])
    response = alias(tenant, visit["user"]["id"], "u-1")
    assert (response.json["anonymous"], response.json["verified"]) == (False, True)
    assert tenant.conversations(tenant.session(userId="u-1")) == [thread]
    assert tenant.login(deviceId=visit["deviceId"])["created"] is True


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
def test_a_session_adds_an_id_that_a_proof_covers(tenant, kind):
    secret = identity_key(tenant, proof=kind)[1]
    token = tenant.session(userId="u-1")
    proof = proof_of(tenant, secret, sub="u-2") if kind == "jwt" else hmac_of("u-2", secret)
    response = tenant.call("POST", "/v1/aliases", token, {"userId": "u-2", "proof": proof})
    assert (response.status_code, response.json["aliases"]) == (201, ["u-2"])


@pytest.mark.parametrize(("proof", "code"), [(None, "proof-required"), ("x", "proof-invalid")])
def test_a_session_adds_no_id_that_nothing_proves(tenant, proof, code):
    token = tenant.session(userId="u-1")
    response = tenant.call("POST", "/v1/aliases", token, {"userId": "u-2", "proof": proof})
    assert problem_of(response) == (401, code)
    assert tenant.login(userId="u-2")["created"] is True


@cases(
    "proof",
    ("a proof that holds", lambda tenant, secret: proof_of(tenant, secret, sub="u-2")),
    ("an HMAC that holds", lambda tenant, secret: hmac_of("u-2", hmac_key(tenant)[1])),
    ("another's proof", lambda tenant, secret: proof_of(tenant, secret, sub="u-3")),
    ("a forged proof", lambda tenant, secret: proof_of(tenant, "s" * 43, sub="u-2")),
    ("no proof at all", lambda tenant, secret: "x"),
    ("an empty proof", lambda tenant, secret: ""),
    ("none", lambda tenant, secret: None),
)
@cases("claim", ("user ID", {"userId": "u-1"}), ("email", {"email": "jane@example.org"}))
def test_an_unproven_session_adds_nothing_whatever_its_proof_is(tenant, claim, proof):
    tenant.set(identityVerification="off")
    secret = identity_key(tenant)[1]
    token = tenant.try_login(key=tenant.pk, **claim).json["session"]["token"]
    response = tenant.call("POST", "/v1/aliases", token, {"userId": "u-2", "proof": proof(tenant, secret)})
    assert problem_of(response) == (403, "not-allowed")
    assert tenant.login(userId="u-2")["created"] is True


def test_the_proofs_of_an_unproven_session_are_no_failures(tenant, config):
    tenant.set(identityVerification="off")
    token = tenant.try_login(key=tenant.pk, userId="u-1").json["session"]["token"]

    answers = [
        tenant.call("POST", "/v1/aliases", token, {"userId": "u-2", "proof": "x"})
        for _ in range(config.proof_failure_rate + 5)
    ]

    assert {answer.status_code for answer in answers} == {403}


# --- merges ---
def test_a_merge_brings_ids_and_conversations_and_ends_sessions(tenant, sound):
    jane = tenant.login(userId="u-1", name="Jane")
    joan = tenant.login(userId="u-2", email="joan@example.org")
    hers = tenant.begin(joan["session"]["token"], "hers")

    made = merged(tenant, joan["user"]["id"], jane["user"]["id"])

    assert made["moved"]["userIds"] == ["u-2"]
    assert made["moved"]["conversations"] == [hers]
    assert made["filled"] == ["email"]
    assert made["undoneAt"] is None
    assert tenant.call("GET", "/v1/me", joan["session"]["token"]).status_code == 401
    assert tenant.conversations(jane["session"]["token"]) == [hers]
    assert user(tenant, joan["user"]["id"])["id"] == jane["user"]["id"]
    assert known(tenant, userId="u-2") == jane["user"]["id"]


def test_a_dry_run_says_the_same_and_changes_nothing(tenant):
    one, two = known(tenant, userId="u-1"), known(tenant, userId="u-2", email="joan@example.org")

    preview = merge(tenant, two, one, dryRun=True)

    assert preview.status_code == 200
    assert user(tenant, two)["id"] == two
    made = merged(tenant, two, one)
    assert {name: made[name] for name in preview.json if name != "createdAt"} == {
        name: value for name, value in preview.json.items() if name != "createdAt"
    }
    assert "id" not in preview.json


def test_the_record_stands_and_its_id_is_in_the_history_of_both(tenant):
    one, two = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    made = merged(tenant, two, one)
    assert tenant.call("GET", f"/v1/merges/{made['id']}", tenant.sk).json == made
    last = tenant.call("GET", f"/v1/users/{one}/history", tenant.sk).json["data"][-1]
    assert (last["event"], last["rule"], last["after"]["merge"]) == ("merged", "explicit", made["id"])


def test_nobody_is_merged_who_is_gone_or_oneself(tenant):
    one, two, three = (known(tenant, userId=f"u-{number}") for number in range(3))
    merged(tenant, two, one)
    tenant.call("DELETE", f"/v1/users/{three}", tenant.sk)

    answers = [
        merge(tenant, *pair) for pair in [(one, one), (two, one), (one, two), (three, one), (one, three)]
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(409, "merge-conflict")}


@pytest.mark.parametrize("id", ["usr_0", "u-1", new_id("usr")], ids=["malformed", "a user ID", "unknown"])
def test_whom_nobody_knows_is_not_found(tenant, id):
    one = known(tenant, userId="u-1")
    answers = [merge(tenant, id, one), merge(tenant, one, id)]
    assert [answer.status_code for answer in answers] == [404, 404]


def test_an_unproven_user_is_merged_without_their_ids(tenant, sound):
    tenant.set(identityVerification="off")
    token = tenant.try_login(key=tenant.pk, userId="u-1").json["session"]["token"]
    thread = tenant.begin(token, "from nobody sure")
    owner = known(tenant, userId="u-2")
    found = tenant.call("GET", "/v1/users?userId=u-1", tenant.sk).json["data"]

    assert merged(tenant, found[0]["id"], owner)["moved"]["userIds"] == []
    assert tenant.conversations(tenant.session(userId="u-2")) == [thread]
    assert user(tenant, owner)["aliases"] == []
    assert tenant.login(userId="u-1")["user"]["id"] != owner


def test_a_proven_user_is_not_merged_into_an_unproven_one(tenant):
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, userId="u-1")
    [unproven] = tenant.call("GET", "/v1/users?userId=u-1", tenant.sk).json["data"]
    assert problem_of(merge(tenant, known(tenant, userId="u-2"), unproven["id"])) == (409, "merge-conflict")


# --- undo ---
def test_an_undo_gives_each_what_they_had(tenant, sound):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2", email="j@example.org", name="Joan")
    hers = tenant.begin(tenant.session(userId="u-2"), "hers")
    before = [user(tenant, jane), user(tenant, joan)]
    made = merged(tenant, joan, jane)

    response = undo(tenant, made)

    assert response.status_code == 200
    assert response.json == made | {"undoneAt": response.json["undoneAt"]}
    assert [user(tenant, jane), user(tenant, joan)] == before
    assert tenant.conversations(tenant.session(userId="u-2")) == [hers]
    assert tenant.conversations(tenant.session(userId="u-1")) == []


def test_what_came_since_stays_with_whoever_it_came_from(tenant, sound):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2")
    hers = tenant.begin(tenant.session(userId="u-2"), "hers")
    made = merged(tenant, joan, jane)
    as_joan, as_jane = tenant.session(userId="u-2"), tenant.session(userId="u-1")
    since = tenant.begin(as_joan, "as Joan")
    write(tenant, as_jane, hers, "Jane in hers")
    alias(tenant, jane, "u-3")

    undo(tenant, made)

    assert tenant.call("GET", "/v1/me", as_joan).status_code == 401
    assert tenant.call("GET", "/v1/me", as_jane).status_code == 200
    joans = tenant.session(userId="u-2")
    assert sorted(tenant.conversations(joans)) == sorted([hers, since])
    assert bodies(tenant, joans, hers) == ["hers"]
    assert bodies(tenant, tenant.sk, hers) == ["hers", "Jane in hers"]
    assert user(tenant, jane)["aliases"] == ["u-3"]
    assert user(tenant, joan)["aliases"] == []


def test_a_filled_field_that_was_changed_since_stays(tenant):
    jane, joan = known(tenant, userId="u-1"), known(tenant, userId="u-2", email="j@example.org", name="Joan")
    made = merged(tenant, joan, jane)
    tenant.login(userId="u-1", name="Jane")
    undo(tenant, made)
    assert (user(tenant, jane)["name"], user(tenant, jane)["email"]) == ("Jane", None)


def test_an_unclaimed_survivor_is_unclaimed_again(tenant, sound):
    jane, joan = known(tenant, email="jane@example.org"), known(tenant, userId="u-2")
    made = merged(tenant, joan, jane)
    assert user(tenant, jane)["userId"] == "u-2"

    undo(tenant, made)

    assert user(tenant, jane)["userId"] is None
    assert known(tenant, email="jane@example.org") == jane
    assert known(tenant, userId="u-2") == joan


def test_an_undo_twice_is_refused(tenant):
    made = merged(tenant, known(tenant, userId="u-2"), known(tenant, userId="u-1"))
    undo(tenant, made)
    assert problem_of(undo(tenant, made)) == (409, "already-undone")


def a_later_merge(tenant, made):
    merged(tenant, made["into"], known(tenant, userId="u-3"))


def an_erased_survivor(tenant, made):
    tenant.call("DELETE", f"/v1/users/{made['into']}", tenant.sk)


def a_new_unclaimed_user(tenant, made):
    assert tenant.login(email="joan@example.org")["created"] is True


@pytest.mark.parametrize("since", [a_later_merge, an_erased_survivor, a_new_unclaimed_user])
def test_an_undo_that_would_break_something_is_refused_and_changes_nothing(tenant, store, sound, since):
    jane = known(tenant, userId="u-1", email="jane@example.org")
    joan = known(tenant, email="joan@example.org")
    made = merged(tenant, joan, jane)
    since(tenant, made)
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")
    assert tenant.call("GET", f"/v1/merges/{made['id']}", tenant.sk).json["undoneAt"] is None


def test_an_undo_that_would_leave_two_unclaimed_users_with_one_email_is_refused(tenant, sound):
    jane, joan = known(tenant, email="jane@example.org"), known(tenant, email="joan@example.org")
    made = merged(tenant, joan, jane)
    corrected = tenant.call("PATCH", f"/v1/users/{jane}", tenant.sk, {"email": "Joan@example.org"})
    assert corrected.status_code == 200, corrected.text
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")


def test_an_undo_that_would_leave_somebody_with_nothing_is_refused(tenant, sound):
    jane, joan = known(tenant, email="jane@example.org"), known(tenant, userId="u-2")
    made = merged(tenant, joan, jane)
    tenant.call("PATCH", f"/v1/users/{jane}", tenant.sk, {"email": None})
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")


def claimed_only(tenant, user_id):
    """Log in without proof, and answer our id of that user."""
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, userId=user_id)
    [found] = tenant.call("GET", f"/v1/users?userId={user_id}", tenant.sk).json["data"]
    return found["id"]


def test_an_unproven_user_has_their_ids_again_after_an_undo(tenant, sound):
    claimed, owner = claimed_only(tenant, "u-1"), known(tenant, userId="u-2")
    before = [user(tenant, claimed), user(tenant, owner)]
    assert undo(tenant, merged(tenant, claimed, owner)).status_code == 200
    assert [user(tenant, claimed), user(tenant, owner)] == before
    assert claimed_only(tenant, "u-1") == claimed


def test_an_undo_is_refused_when_somebody_else_claims_the_id_by_now(tenant, sound):
    claimed, owner = claimed_only(tenant, "u-1"), known(tenant, userId="u-2")
    made = merged(tenant, claimed, owner)
    other = claimed_only(tenant, "u-1")
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")
    assert claimed_only(tenant, "u-1") == other != claimed


def test_merges_are_undone_in_reverse_order(tenant, sound):
    users = [known(tenant, userId=f"u-{number}") for number in range(3)]
    threads = [tenant.begin(tenant.session(userId=f"u-{number}")) for number in range(3)]
    first = merged(tenant, users[2], users[1])
    second = merged(tenant, users[1], users[0])
    assert known(tenant, userId="u-2") == users[0]

    undone = [undo(tenant, second).status_code, undo(tenant, first).status_code]

    assert undone == [200, 200]
    found = [tenant.conversations(tenant.session(userId=f"u-{number}")) for number in range(3)]
    assert found == [[thread] for thread in threads]


def test_a_merge_by_login_is_undone_and_the_device_has_its_anonymous_user_again(tenant, sound):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"])
    jane = tenant.login(userId="u-1", deviceId=visit["deviceId"])["user"]["id"]
    last = tenant.call("GET", f"/v1/users/{jane}/history", tenant.sk).json["data"][-1]

    assert undo(tenant, {"id": last["after"]["merge"]}).status_code == 200
    tenant.set(anonymousOnLogin="keep")
    back = tenant.login(deviceId=visit["deviceId"])
    assert back["user"]["id"] == visit["user"]["id"]
    assert tenant.conversations(back["session"]["token"]) == [thread]


@cases("claim", ("user ID", {"userId": "u-1"}), ("email", {"email": "jane@example.org"}))
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "merge"])
def test_nobody_identified_becomes_part_of_a_visitor(tenant, sound, claim, dry_run):
    jane = tenant.login(**claim)
    tenant.begin(jane["session"]["token"], "secret")
    visit = tenant.login()

    response = merge(tenant, jane["user"]["id"], visit["user"]["id"], dryRun=dry_run)

    assert problem_of(response) == (409, "merge-into-anonymous")
    token = visit["session"]["token"]
    assert tenant.conversations(token) == []
    assert tenant.call("GET", "/v1/me", token).json["session"]["verified"] is False
    assert merged(tenant, visit["user"]["id"], jane["user"]["id"])["into"] == jane["user"]["id"]
    assert tenant.call("GET", "/v1/me", token).status_code == 401


def test_of_two_visitors_one_becomes_part_of_the_other(tenant, sound):
    one, other = (tenant.login()["user"]["id"] for _ in range(2))
    assert merged(tenant, one, other)["into"] == other
