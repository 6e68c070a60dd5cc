"""Aliases, merges and their undo, over HTTP: many IDs, one person, and two again."""

from datetime import UTC, datetime

import pytest

from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.signing import hmac_key, hmac_of, identity_key, proof_of


def merge(tenant, source, target, **members):
    return tenant.call("POST", "/v1/merges", tenant.sk, {"from": source, "into": target, **members})


def merged(tenant, source, target):
    made = merge(tenant, source, target)
    assert made.status_code == 201, made.text
    return made.json


def undo(tenant, merge):
    return tenant.call("DELETE", f"/v1/merges/{merge['id']}", tenant.sk)


def test_an_unknown_id_becomes_an_alias_and_logs_in(tenant):
    jane = tenant.known(userId="u-1")
    response = tenant.alias(jane, "u-2")
    assert response.status_code == 201
    assert (response.json["userId"], response.json["aliases"]) == ("u-1", ["u-2"])
    assert tenant.known(userId="u-2") == jane


def test_aliases_are_listed_in_the_order_in_which_they_were_given(tenant, time_machine):
    jane = tenant.known(userId="u-1")
    for day, user_id in enumerate(("u-3", "u-2", "u-4"), 1):
        time_machine.move_to(datetime(2030, 1, day, tzinfo=UTC))
        tenant.alias(jane, user_id)
    assert tenant.user(jane)["aliases"] == ["u-3", "u-2", "u-4"]


def test_who_loses_the_primary_id_to_an_undo_is_known_by_the_oldest_that_stays(tenant, sound, time_machine):
    jane, joan = tenant.known(email="jane@example.org"), tenant.known(userId="u-1")
    made = merged(tenant, joan, jane)
    for day, user_id in enumerate(("u-3", "u-2"), 1):
        time_machine.move_to(datetime(2030, 1, day, tzinfo=UTC))
        tenant.alias(jane, user_id)
    undo(tenant, made)
    shown = tenant.user(jane)
    assert (shown["userId"], shown["aliases"]) == ("u-3", ["u-2"])


def test_an_alias_given_twice_changes_nothing(tenant):
    jane = tenant.known(userId="u-1")
    tenant.alias(jane, "u-2")
    again = tenant.alias(jane, "u-2")
    assert (again.status_code, again.json["aliases"]) == (200, ["u-2"])


def test_another_identified_users_id_is_taken(tenant):
    jane, _ = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    assert problem_of(tenant.alias(jane, "u-2")) == (409, "alias-taken")


def test_an_anonymous_users_id_brings_that_user_along(tenant, sound):
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"])
    token = tenant.session(userId="u-1")
    jane = tenant.known(userId="u-1")
    response = tenant.alias(jane, visit["user"]["userId"])
    assert (response.status_code, response.json["aliases"]) == (200, [visit["user"]["userId"]])
    assert tenant.conversations(token) == [thread]
    assert tenant.user(visit["user"]["id"])["id"] == jane


def test_an_id_of_an_anonymous_user_who_is_none_is_refused(tenant):
    response = tenant.alias(tenant.known(userId="u-1"), "$anon:nobody")
    assert (response.status_code, response.json["errors"][0]["code"]) == (422, "reserved")


def test_an_unclaimed_user_who_is_given_an_id_is_identified_by_it(tenant):
    jane = tenant.known(email="jane@example.org")
    response = tenant.alias(jane, "u-1")
    assert (response.json["userId"], response.json["aliases"]) == ("u-1", [])
    assert tenant.known(userId="u-1") == jane


def test_an_anonymous_user_who_is_given_an_id_is_somebody_and_the_device_nobodys(tenant, sound):
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"])
    response = tenant.alias(visit["user"]["id"], "u-1")
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


def test_a_merge_brings_ids_and_conversations_and_ends_sessions(tenant, sound):
    jane = tenant.login(userId="u-1", name="Jane")
    joan = tenant.login(userId="u-2", email="joan@example.org")
    hers = tenant.begin(joan["session"]["token"], "hers")
    made = merged(tenant, joan["user"]["id"], jane["user"]["id"])

    assert made["moved"]["userIds"] == ["u-2"]
    assert made["moved"]["conversations"] == [hers]
    assert made["filled"] == ["email"]
    assert made["undoneAt"] is None
    assert tenant.get("/v1/me", joan["session"]["token"]).status_code == 401
    assert tenant.conversations(jane["session"]["token"]) == [hers]
    assert tenant.user(joan["user"]["id"])["id"] == jane["user"]["id"]
    assert tenant.known(userId="u-2") == jane["user"]["id"]


def test_a_dry_run_says_the_same_and_changes_nothing(tenant):
    one, two = tenant.known(userId="u-1"), tenant.known(userId="u-2", email="joan@example.org")
    preview = merge(tenant, two, one, dryRun=True)
    assert preview.status_code == 200
    assert tenant.user(two)["id"] == two
    made = merged(tenant, two, one)
    assert {name: made[name] for name in preview.json if name != "createdAt"} == {
        name: value for name, value in preview.json.items() if name != "createdAt"
    }
    assert "id" not in preview.json


def test_the_record_stands_and_its_id_is_in_the_history_of_both(tenant):
    one, two = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    made = merged(tenant, two, one)
    assert tenant.get(f"/v1/merges/{made['id']}").json == made
    last = tenant.history(one)[-1]
    assert (last["event"], last["rule"], last["after"]["merge"]) == ("merged", "explicit", made["id"])


def test_nobody_is_merged_who_is_gone_or_oneself(tenant):
    one, two, three = (tenant.known(userId=f"u-{number}") for number in range(3))
    merged(tenant, two, one)
    tenant.erase(three)
    answers = [
        merge(tenant, *pair) for pair in [(one, one), (two, one), (one, two), (three, one), (one, three)]
    ]
    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(409, "merge-conflict")}


def test_an_unproven_user_is_merged_without_their_ids(tenant, sound):
    tenant.set(identityVerification="off")
    token = tenant.try_login(key=tenant.pk, userId="u-1").json["session"]["token"]
    thread = tenant.begin(token, "from nobody sure")
    owner = tenant.known(userId="u-2")
    assert merged(tenant, tenant.find(userId="u-1")[0]["id"], owner)["moved"]["userIds"] == []
    assert tenant.conversations(tenant.session(userId="u-2")) == [thread]
    assert tenant.user(owner)["aliases"] == []
    assert tenant.known(userId="u-1") != owner


def test_a_proven_user_is_not_merged_into_an_unproven_one(tenant):
    proven, claimed = tenant.known(userId="u-2"), tenant.claimed("u-1")
    assert problem_of(merge(tenant, proven, claimed)) == (409, "merge-conflict")


def test_an_undo_gives_each_what_they_had(tenant, sound):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2", email="j@example.org", name="Joan")
    hers = tenant.begin(tenant.session(userId="u-2"), "hers")
    before = [tenant.user(jane), tenant.user(joan)]
    made = merged(tenant, joan, jane)
    response = undo(tenant, made)
    assert response.status_code == 200
    assert response.json == made | {"undoneAt": response.json["undoneAt"]}
    assert [tenant.user(jane), tenant.user(joan)] == before
    assert tenant.conversations(tenant.session(userId="u-2")) == [hers]
    assert tenant.conversations(tenant.session(userId="u-1")) == []


def test_what_came_since_stays_with_whoever_it_came_from(tenant, sound):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    hers = tenant.begin(tenant.session(userId="u-2"), "hers")
    made = merged(tenant, joan, jane)
    as_joan, as_jane = tenant.session(userId="u-2"), tenant.session(userId="u-1")
    since = tenant.begin(as_joan, "as Joan")
    tenant.write(hers, as_jane, "Jane in hers")
    tenant.alias(jane, "u-3")
    undo(tenant, made)

    assert tenant.get("/v1/me", as_joan).status_code == 401
    assert tenant.get("/v1/me", as_jane).status_code == 200
    joans = tenant.session(userId="u-2")
    assert sorted(tenant.conversations(joans)) == sorted([hers, since])
    assert [message["body"] for message in tenant.messages(hers, joans)] == ["hers"]
    assert [message["body"] for message in tenant.messages(hers)] == ["hers", "Jane in hers"]
    assert tenant.user(jane)["aliases"] == ["u-3"]
    assert tenant.user(joan)["aliases"] == []


def test_an_unclaimed_survivor_is_unclaimed_again(tenant, sound):
    jane, joan = tenant.known(email="jane@example.org"), tenant.known(userId="u-2")
    made = merged(tenant, joan, jane)
    assert tenant.user(jane)["userId"] == "u-2"
    undo(tenant, made)
    assert tenant.user(jane)["userId"] is None
    assert tenant.known(email="jane@example.org") == jane
    assert tenant.known(userId="u-2") == joan


def test_an_undo_twice_is_refused(tenant):
    made = merged(tenant, tenant.known(userId="u-2"), tenant.known(userId="u-1"))
    undo(tenant, made)
    assert problem_of(undo(tenant, made)) == (409, "already-undone")


@cases(
    "since",
    ("a later merge", lambda tenant, made: tenant.merge(made["into"], tenant.known(userId="u-3"))),
    ("an erased survivor", lambda tenant, made: tenant.erase(made["into"])),
    (
        "a new unclaimed user",
        lambda tenant, made: [
            tenant.known(email="joan@example.org", **who) for who in ({"userId": "u-3"}, {})
        ],
    ),
)
def test_an_undo_that_would_break_something_is_refused_and_changes_nothing(tenant, store, sound, since):
    jane = tenant.known(userId="u-1", email="jane@example.org")
    joan = tenant.known(email="joan@example.org")
    made = merged(tenant, joan, jane)
    since(tenant, made)
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")
    assert tenant.get(f"/v1/merges/{made['id']}").json["undoneAt"] is None


def test_an_undo_that_would_leave_two_unclaimed_users_with_one_email_is_refused(tenant, sound):
    jane, joan = tenant.known(email="jane@example.org"), tenant.known(email="joan@example.org")
    made = merged(tenant, joan, jane)
    corrected = tenant.change(jane, email="Joan@example.org")
    assert corrected.status_code == 200, corrected.text
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")


def test_an_undo_that_would_leave_somebody_with_nothing_is_refused(tenant, sound):
    jane, joan = tenant.known(email="jane@example.org"), tenant.known(userId="u-2")
    made = merged(tenant, joan, jane)
    tenant.change(jane, email=None)
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")


def test_an_unproven_user_has_their_ids_again_after_an_undo(tenant, sound):
    claimed, owner = tenant.claimed("u-1"), tenant.known(userId="u-2")
    before = [tenant.user(claimed), tenant.user(owner)]
    assert undo(tenant, merged(tenant, claimed, owner)).status_code == 200
    assert [tenant.user(claimed), tenant.user(owner)] == before
    assert tenant.claimed("u-1") == claimed


def test_an_undo_is_refused_when_somebody_else_claims_the_id_by_now(tenant, sound):
    claimed, owner = tenant.claimed("u-1"), tenant.known(userId="u-2")
    made = merged(tenant, claimed, owner)
    other = tenant.claimed("u-1")
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")
    assert tenant.claimed("u-1") == other != claimed


def test_a_merge_by_login_is_undone_and_the_device_has_its_anonymous_user_again(tenant, sound):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"])
    jane = tenant.known(userId="u-1", deviceId=visit["deviceId"])
    assert undo(tenant, {"id": tenant.history(jane)[-1]["after"]["merge"]}).status_code == 200
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
    assert tenant.get("/v1/me", token).json["session"]["verified"] is False
    assert merged(tenant, visit["user"]["id"], jane["user"]["id"])["into"] == jane["user"]["id"]
    assert tenant.get("/v1/me", token).status_code == 401


def test_of_two_visitors_one_becomes_part_of_the_other(tenant, sound):
    one, other = (tenant.known() for _ in range(2))
    assert merged(tenant, one, other)["into"] == other
