"""A user has every email that was said of those who are one with them: each of them finds the user."""

import pytest

from service.store.tables import Fields
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.signing import identity_key, proof_of

pytestmark = pytest.mark.usefixtures("sound")

WORK, HOME, OTHER = "lena@work.example", "lena@home.example", "lena@other.example"


@pytest.fixture
def lena(tenant) -> str:
    """One customer who had two records with an email each, and an ID each."""
    stays, goes = tenant.known(userId="u-work", email=WORK), tenant.known(userId="u-home", email=HOME)
    tenant.merge(goes, stays)
    return stays


@pytest.fixture
def unclaimed(tenant) -> str:
    """One customer who had two records with an email each, and has no ID."""
    stays, goes = tenant.known(email=WORK), tenant.known(email=HOME)
    tenant.merge(goes, stays)
    return stays


def emails(tenant, id):
    """Return all emails of a user, of which the first is the primary one."""
    user = tenant.user(id)
    assert user["email"] == (user["emails"] or [None])[0]
    return user["emails"]


def decided(login):
    """Return whom a login found, by which rule, and what it changed."""
    return login["user"]["id"], login["resolution"]["rule"], login["resolution"]["changes"]


# --- each email finds the user


@cases("email", ("primary", WORK), ("further", HOME), ("further, in capitals", HOME.upper()))
def test_each_email_finds_the_user(tenant, lena, email):
    assert [user["id"] for user in tenant.find(email=email)] == [lena]
    assert [user["id"] for user in tenant.find(q=email[:8])] == [lena]
    assert tenant.get("/v1/users", email=email, userId="u-work").json["data"][0]["id"] == lena
    assert tenant.get("/v1/users", email=email, q=email[:6]).json["data"][0]["id"] == lena


def test_mail_from_either_address_is_of_the_one_customer(tenant, lena):
    assert emails(tenant, lena) == [WORK, HOME]
    assert decided(tenant.login(email=HOME)) == (lena, "known-email", ["email"])
    assert emails(tenant, lena) == [HOME, WORK]
    assert decided(tenant.login(email=HOME)) == (lena, "known-email", [])
    assert decided(tenant.login(email=WORK)) == (lena, "known-email", ["email"])
    assert emails(tenant, lena) == [WORK, HOME]


def test_a_user_is_told_all_of_their_emails(tenant, lena):
    login = tenant.login(userId="u-work")
    assert login["user"]["emails"] == [WORK, HOME]
    assert tenant.get("/v1/me", login["session"]["token"]).json["user"]["emails"] == [WORK, HOME]
    assert tenant.get(f"/v1/users/{lena}/export").json["user"]["emails"] == [WORK, HOME]


def test_one_with_a_device_of_theirs_is_told_all_of_their_emails(tenant, lena):
    device = {"userId": "u-home", "deviceId": "a-device-of-lena"}
    assert [tenant.login(**device)["user"]["emails"] for _ in range(2)] == [[WORK, HOME]] * 2


def test_of_many_users_each_has_their_own_emails(tenant, lena):
    jane, joe = tenant.known(userId="u-jane", email=OTHER), tenant.known(userId="u-joe")
    tenant.merge(tenant.known(email="joe@example.org"), joe)
    tenant.merge(tenant.known(email="joe@example.com"), joe)
    assert {user["id"]: user["emails"] for user in tenant.find()} == {
        lena: [WORK, HOME],
        jane: [OTHER],
        joe: ["joe@example.org", "joe@example.com"],
    }


def test_who_is_part_of_a_part_is_found_by_their_email(tenant, lena):
    last = tenant.known(userId="u-last")
    tenant.merge(lena, last)
    assert [tenant.known(email=email) for email in (HOME, WORK)] == [last, last]
    assert emails(tenant, last) == [WORK, HOME]


def test_one_email_of_two_records_is_one(tenant):
    stays, goes = tenant.known(userId="u-1", email=WORK), tenant.known(userId="u-2", email=WORK.upper())
    tenant.merge(goes, stays)
    assert emails(tenant, stays) == [WORK]
    assert decided(tenant.login(email=WORK.upper())) == (stays, "known-email", [])


# --- which is the primary one, and which are forgotten


def test_a_given_email_replaces_the_one_of_the_record_whose_id_it_came_with(tenant, lena):
    tenant.login(userId="u-work", email=OTHER)
    assert emails(tenant, lena) == [OTHER, HOME]
    assert decided(tenant.login(email=WORK))[1] == "new-email"
    tenant.login(userId="u-home", email="home@example.org")
    assert emails(tenant, lena) == ["home@example.org", OTHER]


def test_a_given_further_email_is_the_primary_one_and_the_former_is_forgotten_unless_it_came_by_a_merge(
    tenant, lena
):
    tenant.login(userId="u-home", email=HOME)
    assert emails(tenant, lena) == [HOME, WORK]
    tenant.login(userId="u-work", email=HOME)
    assert emails(tenant, lena) == [HOME]


def test_what_an_agent_says_is_the_primary_email(tenant, lena):
    assert tenant.change(lena, email=OTHER).json["emails"] == [OTHER, HOME]
    assert tenant.change(lena, email=HOME).json["emails"] == [HOME]


def test_whose_email_an_agent_removes_is_found_by_none_until_another_is_said(tenant, lena):
    assert tenant.change(lena, email=None).json["emails"] == []
    for email in (WORK, HOME):
        assert tenant.find(email=email) == tenant.find(q=email) == []
    assert decided(tenant.login(email=WORK))[1] == "new-email"
    assert tenant.login(userId="u-work", email=OTHER)["user"]["emails"] == [OTHER, HOME]


# --- the login table, with further emails


def two_with(tenant, email):
    """Have two others take in somebody with an email each, which they share then."""
    for number, spelled in enumerate((email, email.upper())):
        owner = tenant.known(userId=f"u-owner-{number}")
        tenant.merge(tenant.known(userId=f"u-part-{number}", email=spelled), owner)


def one_with(tenant, email):
    """Have somebody with an email of their own take in somebody with another."""
    owner = tenant.known(userId="u-owner", email="owner@example.org")
    tenant.merge(tenant.known(email=email), owner)


def nobody_with(tenant, email):
    """Have nobody take in anybody with an email."""


def unclaimed_with(tenant, email):
    """Have somebody without an ID take in somebody with an email."""
    tenant.merge(tenant.known(email=email), tenant.known(email="owner@example.org"))


EMAIL = "jane@example.org"


@cases(
    "rule, before, claim",
    ("known-user-id, any", "known-user-id", unclaimed_with, {"userId": "u-1", "email": EMAIL}),
    ("unknown, unclaimed", "attach-user-id", unclaimed_with, {"userId": "u-new", "email": EMAIL}),
    ("unknown, claimed", "new-user-id", one_with, {"userId": "u-new", "email": EMAIL}),
    ("unknown, shared", "new-user-id", two_with, {"userId": "u-new", "email": EMAIL}),
    ("unknown, unknown", "new-user-id", nobody_with, {"userId": "u-new", "email": EMAIL}),
    ("not given, unclaimed", "known-email", unclaimed_with, {"email": EMAIL}),
    ("not given, claimed", "known-email", one_with, {"email": EMAIL}),
    ("not given, shared", "shared-email", two_with, {"email": EMAIL}),
    ("not given, unknown", "new-email", nobody_with, {"email": EMAIL}),
    ("not given, not given", "anonymous", one_with, {}),
)
def test_a_further_email_is_in_the_table_what_a_primary_one_is(tenant, rule, before, claim):
    tenant.known(userId="u-1")
    before(tenant, EMAIL)
    explained = tenant.call("POST", "/v1/resolve", tenant.sk, claim).json
    login = tenant.login(**claim)
    assert [explained["rule"], login["resolution"]["rule"]] == [rule, rule]
    assert explained["changes"] == login["resolution"]["changes"]


def test_an_id_is_attached_to_the_unclaimed_user_whose_further_email_came_with_it(tenant, unclaimed):
    attached = tenant.login(userId="u-1", email=HOME)
    assert decided(attached) == (unclaimed, "attach-user-id", ["userId", "email"])
    assert attached["user"]["emails"] == [HOME, WORK]


def test_nobody_else_is_unclaimed_with_a_further_email_of_one_who_is(tenant, unclaimed):
    other = tenant.known(email=OTHER)
    assert problem_of(tenant.change(other, email=HOME)) == (409, "unclaimed-email")
    named = tenant.known(userId="u-1", email=HOME)
    assert named == unclaimed


def test_whose_only_id_is_taken_away_needs_each_email_for_themselves(tenant, lena):
    tenant.known(userId="u-1", email=HOME)
    rival = tenant.login(email=HOME)
    assert rival["resolution"]["rule"] == "shared-email"
    assert tenant.remove_id(lena, "u-home").status_code == 200
    assert problem_of(tenant.remove_id(lena, "u-work")) == (409, "unclaimed-email")


# --- an undo


def test_an_undo_leaves_each_with_the_email_that_was_last_said_of_them(tenant):
    stays, goes = tenant.known(userId="u-1", email=WORK), tenant.known(email=HOME)
    merge = tenant.merge(goes, stays)
    by_home = tenant.session(email=HOME)
    assert tenant.get("/v1/me", by_home).json["user"]["id"] == stays
    thread = tenant.begin(by_home)
    tenant.undo(merge)
    assert (emails(tenant, stays), emails(tenant, goes)) == ([WORK], [HOME])
    assert tenant.get("/v1/me", by_home).status_code == 401
    assert [tenant.known(email=email) for email in (WORK, HOME)] == [stays, goes]
    assert [user["id"] for user in tenant.find(email=HOME)] == [goes]
    assert tenant.conversations(tenant.session(email=HOME)) == [thread]
    assert tenant.conversations(tenant.session(userId="u-1")) == []


def test_an_undo_is_refused_if_a_further_email_has_an_unclaimed_user_since(tenant, unclaimed):
    last = tenant.known(userId="u-1")
    merge = tenant.merge(unclaimed, last)
    tenant.known(userId="u-2", email=HOME)
    assert tenant.login(email=HOME)["resolution"]["rule"] == "shared-email"
    refused = tenant.call("DELETE", f"/v1/merges/{merge}", tenant.sk)
    assert problem_of(refused) == (409, "undo-conflict")


def test_a_merge_says_which_emails_come(tenant):
    stays, goes = tenant.known(userId="u-1", email=WORK), tenant.known(email=HOME)
    body = {"from": goes, "into": stays}
    preview = tenant.call("POST", "/v1/merges", tenant.sk, body | {"dryRun": True}).json
    done = tenant.call("POST", "/v1/merges", tenant.sk, body).json
    assert [preview["moved"]["emails"], done["moved"]["emails"]] == [[HOME], [HOME]]


# --- who only claims


def test_an_email_that_nobody_proved_finds_no_proven_user(tenant):
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, email=HOME)
    (claimed,) = tenant.find(email=HOME)
    owner = tenant.known(userId="u-1", email=WORK)
    merge = tenant.call("POST", "/v1/merges", tenant.sk, {"from": claimed["id"], "into": owner}).json
    assert (emails(tenant, owner), merge["moved"]["emails"]) == ([WORK], [])
    assert tenant.find(email=HOME) == []
    assert tenant.known(email=HOME) != owner


def test_who_only_claims_is_told_no_email_but_their_own(tenant):
    tenant.set(identityVerification="off")
    for email in (WORK, HOME):
        tenant.try_login(key=tenant.pk, email=email)
    one, other = (tenant.find(email=email)[0]["id"] for email in (WORK, HOME))
    tenant.merge(other, one)
    login = tenant.try_login(key=tenant.pk, email=HOME).json
    assert login["user"] == {"userId": None, "email": HOME, "name": None}
    token = login["session"]["token"]
    assert tenant.get("/v1/me", token).json["user"] == {"userId": None, "email": HOME, "name": None}
    assert len(tenant.find()) == 1


def test_a_proof_of_a_further_email_logs_the_user_in(tenant, lena):
    _, secret = identity_key(tenant)
    login = tenant.try_login(key=tenant.pk, proof=proof_of(tenant, secret, email=HOME)).json
    assert decided(login) == (lena, "known-email", ["email"])


# --- erased


def test_an_erased_user_has_no_email(tenant, lena):
    assert tenant.erase(lena).status_code == 204
    assert [tenant.find(email=email) for email in (WORK, HOME)] == [[], []]
    assert decided(tenant.login(email=HOME))[1] == "new-email"


# --- what the former release leaves, while a deployment goes on


@pytest.fixture
def stale(tenant, store, lena):
    """Lena, of whose part another email is said than the key is of; it is sound again after the test."""
    part = (Fields.app == tenant.id) & (Fields.name == "email") & (Fields.key == HOME)
    store.database.change(Fields.update(value=OTHER).where(part))
    yield lena
    store.database.change(Fields.update(value=HOME).where(part))


def test_an_email_that_was_changed_without_its_key_finds_nobody(tenant, stale):
    jane, joan = (tenant.known(userId=f"u-{name}", email=HOME) for name in ("jane", "joan"))
    assert tenant.login(email=HOME)["resolution"]["rule"] == "shared-email"
    candidates = tenant.call("POST", "/v1/resolve", tenant.sk, {"email": HOME}).json["candidates"]
    assert {jane, joan} < set(candidates["email"])
    assert stale not in candidates["email"]
