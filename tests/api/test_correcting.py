"""User IDs that are taken away, and primary ones that are corrected: nobody is known by them from then on."""

from datetime import UTC, datetime, timedelta

import pytest

from service.model.identifiers import digest, new_credential
from service.store.tables import Sessions
from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields
from tests.support.signing import proof_of
from tests.support.subscribers import ANON

pytestmark = pytest.mark.usefixtures("sound")

EMAIL = "jane@example.org"
ACCOUNT = {"store": "app_store", "account": "apple-1"}


def events(tenant, id):
    return [(one["event"], one["rule"], one["before"], one["after"]) for one in tenant.history(id)]


def undo(tenant, merge):
    return tenant.call("DELETE", f"/v1/merges/{merge}", tenant.sk)


def is_logged_in(tenant, token):
    return tenant.get("/v1/me", token).status_code == 200


def shown(answer):
    assert answer.status_code == 200, answer.text
    return answer.json["userId"], answer.json["aliases"]


# --- an ID is taken away ----------------------------------------------------------------------------------


def test_an_id_that_was_taken_away_is_unknown(tenant):
    jane = tenant.known(userId="u-1")
    tenant.alias(jane, "rita")
    assert shown(tenant.remove_id(jane, "rita")) == ("u-1", [])
    assert tenant.find(userId="rita") == []
    rita = tenant.login(userId="rita")
    assert (rita["created"], rita["user"]["id"] != jane) == (True, True)


def test_the_answer_is_the_user_as_they_are_shown(tenant):
    jane = tenant.known(userId="u-1", email=EMAIL, name="Jane")
    tenant.alias(jane, "u-2")
    answer = tenant.remove_id(jane, "u-2").json
    assert tenant.user(jane) == answer | {"purchases": [], "contacts": []}


def test_the_oldest_alias_takes_the_place_of_the_primary_id(tenant, time_machine):
    jane = tenant.known(userId="u-1")
    for day, user_id in enumerate(("u-3", "u-2", "u-4"), 1):
        time_machine.move_to(datetime(2030, 1, day, tzinfo=UTC))
        tenant.alias(jane, user_id)
    assert shown(tenant.remove_id(jane, "u-1")) == ("u-3", ["u-2", "u-4"])


def test_who_keeps_an_email_alone_is_unclaimed(tenant):
    jane = tenant.known(userId="u-1", email=EMAIL)
    assert shown(tenant.remove_id(jane, "u-1")) == (None, [])
    assert tenant.known(email=EMAIL) == jane
    claimed = tenant.login(userId="u-2", email=EMAIL)
    assert (claimed["user"]["id"], claimed["resolution"]["rule"]) == (jane, "attach-user-id")


@cases(
    "claim, others, user_id, refusal",
    ("the last identifier", {"userId": "u-1"}, [], "u-1", (409, "nothing-left")),
    ("an anonymous user's only ID", {}, [], None, (409, "nothing-left")),
    ("who would be a second unclaimed user", {"userId": "u-1", "email": EMAIL}, [{"email": EMAIL}], "u-1",
     (409, "unclaimed-email")),
    ("another's ID", {"userId": "u-1", "email": EMAIL}, [{"userId": "u-2"}], "u-2", (404, "not-found")),
    ("nobody's ID", {"userId": "u-1", "email": EMAIL}, [], "u-3", (404, "not-found")),
    ("the same ID in other letters", {"userId": "u-1", "email": EMAIL}, [], "U-1", (404, "not-found")),
)  # fmt: skip
def test_what_may_not_be_taken_away_stays(tenant, rows, claim, others, user_id, refusal):
    for other in others:
        tenant.known(**other)
    jane = tenant.login(**{name: claim[name] for name in claim if name != "email"})["user"]
    if "email" in claim:
        tenant.change(jane["id"], email=claim["email"])
    before = rows()
    assert problem_of(tenant.remove_id(jane["id"], user_id or jane["userId"])) == refusal
    assert rows() == before


@cases(
    "body, fields",
    ("no ID", {}, [("/userId", "required")]),
    ("null", {"userId": None}, [("/userId", "null")]),
    ("a number", {"userId": 7}, [("/userId", "not-a-string")]),
    ("what stands for none", {"userId": "null"}, [("/userId", "placeholder")]),
    ("something else", {"userId": "u-1", "keep": True}, [("/keep", "unknown")]),
)
def test_a_removal_names_an_id(tenant, body, fields):
    jane = tenant.known(userId="u-1", email=EMAIL)
    assert refused_fields(tenant.call("DELETE", f"/v1/users/{jane}/aliases", tenant.sk, body)) == fields


def test_the_id_of_who_was_merged_leads_to_whose_ids_they_are(tenant):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    tenant.merge(joan, jane)
    answer = tenant.remove_id(joan, "u-2")
    assert (answer.json["id"], shown(answer)) == (jane, ("u-1", []))


def test_the_history_of_whom_it_was_given_to_tells_that_it_went(tenant):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    tenant.alias(jane, "u-3")
    tenant.remove_id(jane, "u-3")
    assert events(tenant, jane)[-1] == ("user-id-removed", "alias-removed", {"userId": "u-3"}, None)
    made = tenant.merge(joan, jane)
    tenant.alias(joan, "u-4")
    tenant.remove_id(jane, "u-2")
    undo(tenant, made)
    assert [one[0] for one in events(tenant, jane)].count("user-id-removed") == 1
    assert ("user-id-removed", "alias-removed", {"userId": "u-2"}, None) in events(tenant, joan)


def test_what_was_said_and_bought_and_written_under_it_stays(tenant):
    jane = tenant.known(userId="u-1")
    tenant.alias(jane, "u-2")
    thread = tenant.begin(tenant.session(userId="u-2", email=EMAIL, name="Jane"))
    bought = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1", "userId": "u-2"}
    assert tenant.call("POST", "/v1/purchases", tenant.sk, bought).status_code == 200
    tenant.remove_id(jane, "u-2")
    user = tenant.user(jane)
    products = [one["product"] for one in user["purchases"]]
    assert (user["email"], user["name"], products) == (EMAIL, "Jane", ["pro"])
    assert tenant.conversations(tenant.session(userId="u-1")) == [thread]
    assert tenant.call("POST", "/v1/purchases", tenant.sk, bought).status_code == 404


def test_the_unproven_world_keeps_its_own(tenant):
    jane = tenant.known(userId="u-1", email=EMAIL)
    claimed = tenant.claimed("u-1")
    tenant.remove_id(jane, "u-1")
    assert [user["id"] for user in tenant.find(userId="u-1")] == [claimed]
    assert problem_of(tenant.remove_id(claimed, "u-1")) == (409, "nothing-left")


def test_the_purchases_of_who_claims_the_id_are_shown_no_more(tenant, rc):
    jane = tenant.known(userId="u-1", email=EMAIL)
    rc("POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "token", "product_id": "pro"})
    assert [one["claimed"] for one in tenant.user(jane)["purchases"]] == [True]
    tenant.remove_id(jane, "u-1")
    assert tenant.user(jane)["purchases"] == []


def test_a_proof_of_it_shows_nothing_of_the_user(tenant, secret):
    tenant.set(clientPurchases="on")
    jane, token = tenant.known(userId="u-1"), tenant.session(userId="u-1")
    tenant.alias(jane, "u-2")
    tenant.remove_id(jane, "u-2")
    token = tenant.session(userId="u-1")
    proof = proof_of(tenant, secret, sub="u-2", storeAccount=ACCOUNT)
    answer = tenant.call("POST", "/v1/restore", token, {"storeAccount": ACCOUNT, "proof": proof})
    assert problem_of(answer) == (401, "proof-invalid")


# --- the sessions -----------------------------------------------------------------------------------------


def test_the_sessions_that_began_under_it_end(tenant):
    jane = tenant.known(userId="u-1", email=EMAIL)
    tenant.alias(jane, "u-2")
    under_it = [tenant.session(userId="u-2"), tenant.session(userId="u-2", email=EMAIL)]
    others = [tenant.session(userId="u-1"), tenant.session(email=EMAIL), tenant.session(userId="u-9")]
    tenant.remove_id(jane, "u-2")
    assert [is_logged_in(tenant, token) for token in under_it + others] == [False] * 2 + [True] * 3


def test_a_former_releases_session_ends_as_it_may_have_begun_under_it(tenant, store):
    jane = tenant.known(userId="u-1")
    tenant.alias(jane, "u-2")
    tenant.session(userId="u-1", deviceId="device-of-the-test-0001")
    token = new_credential("st", tenant.id)
    theirs = (Sessions.app == tenant.id) & (Sessions.device == digest("device-of-the-test-0001"))
    store.database.change(Sessions.update(token=digest(token)).where(theirs))
    tenant.remove_id(jane, "u-2")
    assert not is_logged_in(tenant, token)


def test_a_session_that_began_under_the_id_of_another_record_stays(tenant):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    tenant.merge(joan, jane)
    under_one, under_other = tenant.session(userId="u-1"), tenant.session(userId="u-2")
    tenant.remove_id(jane, "u-2")
    assert [is_logged_in(tenant, token) for token in (under_one, under_other)] == [True, False]


def test_a_claimed_session_ends_with_the_claimed_id(tenant):
    claimed = tenant.claimed("u-1")
    token = tenant.try_login(key=tenant.pk, userId="u-1").json["session"]["token"]
    assert shown(tenant.correct_id(claimed, "u-2")) == ("u-2", [])
    assert not is_logged_in(tenant, token)


# --- anonymous users' IDs ---------------------------------------------------------------------------------


def test_a_visitors_id_is_taken_away_as_any_alias(tenant):
    visit = tenant.login()
    jane = tenant.known(userId="u-1")
    tenant.alias(jane, visit["user"]["userId"])
    assert shown(tenant.remove_id(jane, visit["user"]["userId"])) == ("u-1", [])
    again = tenant.login(deviceId=visit["deviceId"])
    assert (again["created"], again["user"]["anonymous"]) == (True, True)


def test_a_visitor_without_their_id_stands_again_by_none(tenant, rows):
    visit = tenant.login()
    jane = tenant.known(userId="u-1")
    made = tenant.merge(visit["user"]["id"], jane)
    tenant.remove_id(jane, visit["user"]["userId"])
    before = rows()
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")
    assert rows() == before
    tenant.alias(visit["user"]["id"], "u-2")
    assert undo(tenant, made).status_code == 200
    assert shown(tenant.get(f"/v1/users/{visit['user']['id']}")) == ("u-2", [])
    assert tenant.login(deviceId=visit["deviceId"])["created"] is True


def test_a_visitor_whom_only_a_widget_made_rests_on_no_claim_without_their_id(tenant):
    visit = tenant.try_login(key=tenant.pk).json
    jane = tenant.known(userId="u-1")
    made = tenant.merge(visit["user"]["id"], jane)
    tenant.alias(visit["user"]["id"], "u-2")
    tenant.remove_id(jane, visit["user"]["userId"])
    # That nobody proven rests on a claim is asked of the store after the test.
    assert undo(tenant, made).status_code == 200


def test_the_id_of_a_client_of_revenuecat_is_taken_away_too(tenant, rc):
    rc("POST", "/subscribers/identify", {"app_user_id": ANON, "new_app_user_id": "u-1"}, key=tenant.sk)
    (user,) = tenant.find(userId="u-1")
    assert shown(tenant.remove_id(user["id"], ANON)) == ("u-1", [])
    assert problem_of(tenant.remove_id(user["id"], "u-1")) == (409, "nothing-left")


def test_a_visitors_alias_keeps_nobody_known(tenant):
    visit = tenant.login()
    tenant.alias(visit["user"]["id"], "u-1")
    assert problem_of(tenant.remove_id(visit["user"]["id"], "u-1")) == (409, "nothing-left")


def test_who_was_known_is_no_visitor_again_by_an_undo(tenant):
    visit = tenant.login()
    device, id, anonymous = visit["deviceId"], visit["user"]["id"], visit["user"]["userId"]
    tenant.alias(id, "u-1")
    tenant.begin(tenant.session(userId="u-1", email=EMAIL), "from another device")
    made = tenant.merge(tenant.known(userId="u-2"), id)
    assert shown(tenant.remove_id(id, "u-1")) == ("u-2", [anonymous])
    assert undo(tenant, made).status_code == 200
    user = tenant.user(id)
    assert (user["userId"], user["email"], user["anonymous"]) == (None, EMAIL, False)
    login = tenant.login(deviceId=device)
    assert login["user"]["id"] != id
    assert tenant.conversations(login["session"]["token"]) == []


def test_who_was_known_as_another_and_has_nothing_left_does_not_stand_again(tenant):
    visit = tenant.login()
    jane = tenant.known(userId="u-1")
    made = tenant.merge(visit["user"]["id"], jane)
    tenant.alias(visit["user"]["id"], "rita")
    tenant.remove_id(jane, "rita")
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")


def test_who_is_known_by_an_email_after_the_id_of_a_part_went_is_no_visitor_again(tenant):
    first, second = tenant.login(), tenant.login()
    inner = tenant.merge(second["user"]["id"], first["user"]["id"])
    tenant.alias(second["user"]["id"], "u-2")
    tenant.change(first["user"]["id"], email=EMAIL)
    assert shown(tenant.remove_id(first["user"]["id"], "u-2"))[0] is None
    assert problem_of(undo(tenant, inner)) == (409, "undo-conflict")
    told = [one for one in events(tenant, first["user"]["id"]) if one[0] == "user-id-removed"]
    assert [one[2] for one in told] == [{"userId": "u-2"}, None]


# --- an undo ----------------------------------------------------------------------------------------------


def test_an_undo_does_not_bring_back_what_was_taken_away(tenant):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2", email=EMAIL)
    made = tenant.merge(joan, jane)
    tenant.remove_id(jane, "u-2")
    assert undo(tenant, made).status_code == 200
    assert tenant.find(userId="u-2") == []
    assert (tenant.user(joan)["userId"], tenant.user(joan)["email"]) == (None, EMAIL)


def test_an_undo_that_would_leave_who_goes_with_nothing_is_refused(tenant, rows):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    made = tenant.merge(joan, jane)
    tenant.remove_id(jane, "u-2")
    before = rows()
    assert problem_of(undo(tenant, made)) == (409, "undo-conflict")
    assert rows() == before
    # Somebody who is to stand again is given an ID first.
    tenant.alias(joan, "u-3")
    assert undo(tenant, made).status_code == 200
    assert tenant.user(joan)["userId"] == "u-3"


def test_an_id_that_is_another_persons_by_now_stays_theirs_after_an_undo(tenant):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2", email=EMAIL)
    made = tenant.merge(joan, jane)
    tenant.remove_id(jane, "u-2")
    rita = tenant.known(userId="u-2")
    undo(tenant, made)
    assert [user["id"] for user in tenant.find(userId="u-2")] == [rita]


def test_who_has_another_id_left_is_known_by_it_after_an_undo(tenant):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    tenant.alias(joan, "u-3")
    made = tenant.merge(joan, jane)
    tenant.remove_id(jane, "u-2")
    undo(tenant, made)
    assert shown(tenant.get(f"/v1/users/{joan}")) == ("u-3", [])


def test_a_corrected_id_goes_with_whom_the_former_one_was_given_to(tenant):
    jane, joan = tenant.known(email=EMAIL), tenant.known(userId="u-2")
    tenant.alias(joan, "u-3")
    made = tenant.merge(joan, jane)
    assert shown(tenant.correct_id(jane, "u-4")) == ("u-4", ["u-3"])
    undo(tenant, made)
    assert shown(tenant.get(f"/v1/users/{joan}")) == ("u-4", ["u-3"])
    assert shown(tenant.get(f"/v1/users/{jane}")) == (None, [])


def test_an_alias_of_a_part_that_became_primary_goes_with_the_part(tenant):
    jane, joan = tenant.known(userId="u-1", email=EMAIL), tenant.known(userId="u-2")
    made = tenant.merge(joan, jane)
    assert shown(tenant.correct_id(jane, "u-2")) == ("u-2", [])
    entry = events(tenant, jane)[-1]
    assert entry == ("user-id-changed", "user-id-corrected", {"userId": "u-1"}, {"userId": None})
    undo(tenant, made)
    assert shown(tenant.get(f"/v1/users/{joan}")) == ("u-2", [])
    assert shown(tenant.get(f"/v1/users/{jane}")) == (None, [])


# --- the primary ID is corrected --------------------------------------------------------------------------


def test_a_corrected_id_leads_to_the_user_and_the_former_one_to_nobody(tenant):
    token = tenant.session(userId="jnae", email=EMAIL)
    jane = tenant.known(userId="jnae")
    answer = tenant.correct_id(jane, "jane")
    assert (answer.json["id"], shown(answer)) == (jane, ("jane", []))
    assert tenant.known(userId="jane") == jane
    assert not is_logged_in(tenant, token)
    assert tenant.login(userId="jnae")["created"] is True
    entry = next(one for one in events(tenant, jane) if one[0] == "user-id-changed")
    assert entry == ("user-id-changed", "user-id-corrected", {"userId": "jnae"}, {"userId": "jane"})


def test_a_former_id_that_is_kept_is_an_alias_and_its_sessions_stay(tenant):
    token = tenant.session(userId="u-1")
    jane = tenant.known(userId="u-1")
    assert shown(tenant.correct_id(jane, "u-2", keep=True)) == ("u-2", ["u-1"])
    assert tenant.known(userId="u-1") == jane
    assert is_logged_in(tenant, token)
    assert events(tenant, jane)[-1][1] == "user-id-renamed"


@pytest.mark.parametrize(("keep", "aliases"), [(False, ["u-3"]), (True, ["u-1", "u-3"])])
def test_an_alias_becomes_the_primary_id(tenant, time_machine, keep, aliases):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    jane = tenant.known(userId="u-1")
    for user_id in ("u-2", "u-3"):
        time_machine.shift(timedelta(seconds=1))
        tenant.alias(jane, user_id)
    assert shown(tenant.correct_id(jane, "u-2", keep=keep)) == ("u-2", aliases)
    assert shown(tenant.get(f"/v1/users/{jane}")) == ("u-2", aliases)


@pytest.mark.parametrize("keep", [False, True])
def test_the_primary_id_corrected_to_itself_changes_nothing(tenant, rows, keep):
    jane = tenant.known(userId="u-1", email=EMAIL)
    before = rows()
    assert shown(tenant.correct_id(jane, "u-1", keep=keep)) == ("u-1", [])
    assert rows() == before


@pytest.mark.parametrize("user_id", ["u-2", "u-3"])
def test_another_users_id_is_taken(tenant, rows, user_id):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    tenant.alias(joan, "u-3")
    before = rows()
    assert problem_of(tenant.correct_id(jane, user_id)) == (409, "alias-taken")
    assert rows() == before


@pytest.mark.parametrize("claim", [{"email": EMAIL}, {}], ids=["an unclaimed user", "a visitor"])
def test_who_has_no_id_of_their_own_is_given_one(tenant, claim):
    login = tenant.login(**claim)
    id, anonymous = login["user"]["id"], login["user"]["userId"]
    answer = tenant.correct_id(id, "u-1")
    assert shown(answer) == ("u-1", [anonymous] if anonymous else [])
    assert answer.json["verified"] is True
    assert is_logged_in(tenant, login["session"]["token"])
    assert events(tenant, id)[-1][:2] == ("user-id-attached", "first-user-id")


@cases(
    "body, fields",
    ("no ID", {}, [("/userId", "required")]),
    ("an anonymous user's ID", {"userId": "$anon:1"}, [("/userId", "reserved")]),
    ("a client's anonymous ID", {"userId": ANON}, [("/userId", "reserved")]),
    ("white space", {"userId": " u-2"}, [("/userId", "white-space")]),
    ("a word for yes", {"userId": "u-2", "keep": "yes"}, [("/keep", "not-a-boolean")]),
    ("something else", {"userId": "u-2", "email": EMAIL}, [("/email", "unknown")]),
)
def test_a_correction_names_an_id_that_a_person_may_have(tenant, body, fields):
    jane = tenant.known(userId="u-1")
    assert refused_fields(tenant.call("PUT", f"/v1/users/{jane}/userId", tenant.sk, body)) == fields


def test_nothing_is_given_to_who_only_claims_and_is_part_of_a_proven_user(tenant):
    claimed, jane = tenant.claimed("u-1"), tenant.known(email=EMAIL)
    tenant.merge(claimed, jane)
    assert problem_of(tenant.correct_id(claimed, "u-2")) == (409, "merge-conflict")
    # Their IDs, which nobody proved, are none of the user's.
    assert problem_of(tenant.remove_id(jane, "u-1")) == (404, "not-found")


def test_a_conflict_is_within_a_world(tenant):
    jane = tenant.known(userId="u-1")
    claimed = tenant.claimed("u-2")
    assert shown(tenant.correct_id(jane, "u-2")) == ("u-2", [])
    assert shown(tenant.correct_id(claimed, "u-1")) == ("u-1", [])
    assert [user["verified"] for user in tenant.find(userId="u-2")] == [True]


def test_a_session_of_one_whose_id_was_corrected_proves_the_new_one(tenant, secret):
    tenant.set(clientPurchases="on")
    jane = tenant.known(userId="u-1")
    tenant.correct_id(jane, "u-2")
    token = tenant.session(userId="u-2")
    proof = proof_of(tenant, secret, sub="u-2", storeAccount=ACCOUNT)
    answer = tenant.call("POST", "/v1/restore", token, {"storeAccount": ACCOUNT, "proof": proof})
    assert answer.status_code == 200


# --- at once ----------------------------------------------------------------------------------------------


def test_of_two_corrections_to_one_id_one_is_made(tenant):
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    answers = tenant.at_once(*(lambda own, id=id: own.correct_id(id, "u-9") for id in (jane, joan)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (user,) = tenant.find(userId="u-9")
    assert user["id"] in (jane, joan)


def test_an_id_is_taken_away_once(tenant):
    jane = tenant.known(userId="u-1")
    tenant.alias(jane, "u-2")
    answers = tenant.at_once(*[lambda own: own.remove_id(jane, "u-2")] * 4)
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert [one[0] for one in events(tenant, jane)].count("user-id-removed") == 1


@pytest.mark.parametrize("attempt", range(5))
def test_nobody_begins_a_session_under_an_id_after_it_went(tenant, attempt):
    jane = tenant.known(userId="u-1", email=EMAIL)
    device = tenant.login(userId="u-1")["deviceId"]
    removed, *logins = tenant.at_once(
        lambda own: own.remove_id(jane, "u-1"),
        lambda own: own.login(userId="u-1", deviceId=device),
        *[lambda own: own.login(userId="u-1")] * 3,
    )
    assert removed.status_code == 200
    for login in logins:
        is_jane = login["user"]["id"] == jane
        assert is_logged_in(tenant, login["session"]["token"]) is not is_jane
