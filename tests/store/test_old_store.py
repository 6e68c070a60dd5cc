"""The migrations sort what public calls and unproven words did to a store before they had a world of their
own, as far as its history tells; ``check`` lists what is left to decide."""

from typing import Any

import pytest

from service.api.context import NAME
from service.config import Config
from service.desk.checking import Verdict, check
from service.store import Store
from service.store.migrating import migrate
from tests.conftest import ENGINES, Databases, patient
from tests.support import old_store as old
from tests.support.servers import ADMIN_KEY, SECRET_KEY
from tests.support.signing import proof_of
from tests.support.tenants import Tenant


class Moved:
    """An old store, moved to this version, and what is known of it."""

    def __init__(self, url: str, known: dict[str, Any]) -> None:
        app = patient(Config(ADMIN_KEY, SECRET_KEY, url, login_rate=0, proof_failure_rate=0))
        self.store: Store = app.extensions[NAME].store
        self.tenant = Tenant(app.test_client(), ADMIN_KEY, known["app"], known["sk"], known["pk"])
        self.known = known

    def call(self, path: str) -> Any:
        return self.tenant.call("GET", f"/v1/{path}", self.tenant.sk).json

    def reads(self, token: str) -> set[str] | None:
        """Return all that a session reads, or None where it has ended."""
        listed = self.tenant.call("GET", "/v1/conversations?limit=100", token)
        if listed.status_code == 401:
            return None
        paths = [f"/v1/conversations/{one['id']}/messages?limit=100" for one in listed.json["data"]]
        return {
            message["body"] for path in paths for message in self.tenant.call("GET", path, token).json["data"]
        }

    def kept(self, who: str) -> set[str] | None:
        """Return what somebody reads with the session that they had."""
        return self.reads(self.known["tokens"][who])

    def coming(self, user_id: str) -> set[str] | None:
        """Return what whoever proves an ID reads."""
        proof = proof_of(self.tenant, self.known["ik"], sub=user_id)
        return self.reads(self.tenant.try_login(key=self.tenant.pk, proof=proof).json["session"]["token"])

    def back(self, visitor: str) -> set[str] | None:
        """Return what a visitor reads who is there again when their device is."""
        login = self.tenant.login(deviceId=self.known["devices"][visitor])
        assert (login["user"]["id"], login["user"]["anonymous"]) == (self.known["people"][visitor], True)
        return self.reads(login["session"]["token"])

    def shown(self, id: str) -> Any:
        """Return a user, by our id or by the name they have here."""
        return self.call(f"users/{self.known['people'].get(id, id)}")

    def exported(self, id: str) -> Any:
        return self.call(f"users/{self.known['people'].get(id, id)}/export")

    def removed(self, who: str) -> list[Any]:
        """Return by whom, and which, user IDs were taken from somebody."""
        lines = self.call(f"users/{self.known['people'][who]}/history")["data"]
        return [(line["by"], line["before"]) for line in lines if line["event"] == "user-id-removed"]

    def having(self, user_id: str) -> list[Any]:
        """Return the users who have an ID, the proven one first."""
        found = self.call(f"users?userId={user_id}")["data"]
        return sorted((self.shown(user["id"]) for user in found), key=lambda user: not user["verified"])

    def undo(self, *merges: str) -> None:
        """Undo merges, by their ids or by the names they have here."""
        for merge in merges:
            self.tenant.undo(self.known["merges"].get(merge, merge))

    def merge_of(self, one: str, other: str) -> str:
        both = {self.known["people"][who] for who in (one, other)}
        merges = self.exported(min(both))["merges"]
        [found] = [merge["id"] for merge in merges if {merge["from"], merge["into"]} == both]
        return str(found)

    def found(self) -> dict[str, tuple[Verdict, set[str]]]:
        """Return what the self-test finds that does not hold."""
        names = {id: who for who, id in reversed(self.known["people"].items()) if id}
        names |= {id: name for name, id in self.known["merges"].items()}

        def named(place: str) -> str:
            for id, name in names.items():
                place = place.replace(id, name)
            return place.removesuffix(f" in {self.tenant.id}")

        findings = [finding for finding in check(self.store) if finding.places]
        return {one.name: (one.verdict, set(map(named, one.places))) for one in findings}


@pytest.fixture(scope="module", params=ENGINES)
def moved_once(request: pytest.FixtureRequest, databases: Databases, tmp_path_factory) -> Any:
    """The old store on each engine, moved, which nobody has open."""
    url = databases.fresh(request.param)
    known = old.fill(url, tmp_path_factory.mktemp("old"))
    migrate(url)
    return url, known


@pytest.fixture
def moved(moved_once: tuple[str, Any], databases: Databases) -> Any:
    """A copy of it."""
    moved = Moved(databases.copy(moved_once[0]), moved_once[1])
    yield moved
    moved.store.database.close()


@pytest.fixture(scope="module")
def only_read(moved_once: tuple[str, Any], databases: Databases) -> Any:
    """A copy in which nobody is changed, though they may log in."""
    moved = Moved(databases.copy(moved_once[0]), moved_once[1])
    yield moved
    moved.store.database.close()


CLIENT_MADE = "$RCAnonymousID:"


def test_check_lists_what_is_left_to_decide_with_the_merges_to_undo(moved):
    one_8, one_9 = (moved.merge_of(f"victim-{number}", f"mallory-{number}") for number in (8, 9))
    one_10 = moved.merge_of("victim-10", "other-10")
    key = next(row[1] for row in moved.known["tables"]["keys"]["rows"] if row[-1] and row[2] == "identity")

    assert moved.found() == {
        "identity_keys_prove_in_one_way": (Verdict.DECIDE, {key}),
        "nobody_proven_rests_on_a_claim": (
            Verdict.VIOLATED,
            {
                "created of visitor-7: proven, undo mina-7 into visitor-7",
                "created of visitor-m: proven, undo mona into visitor-m",
                "created of visitor-7b: proven, undo jane-7 into visitor-7b, undo joan-7 into visitor-7b",
                f"merged of victim-8: undo {one_8}",
                f"merged of victim-9: undo {one_9}",
            },
        ),
        "nobody_proven_rests_on_what_is_not_known": (
            Verdict.DECIDE,
            {
                "email-changed of one-2: shown",
                "name-changed of one-2: shown",
                "alias-added of vera-10: a user ID",
                "alias-added of visitor-p: a user ID",
                "purchase of victim-10: a purchase",
                f"merged of victim-10: undo {one_10}",
            },
        ),
    }


def test_once_those_merges_are_undone_nobody_rests_on_a_claim(moved):
    moved.undo("mina-7 into visitor-7", "mona into visitor-m")
    moved.undo("jane-7 into visitor-7b", "joan-7 into visitor-7b")
    for number in (8, 9):
        moved.undo(moved.merge_of(f"victim-{number}", f"mallory-{number}"))

    assert "nobody_proven_rests_on_a_claim" not in moved.found()
    read = [moved.coming(who) for who in ("mallory-8", "mallory-9", "victim-8")]
    assert read == [{"of mallory 8"}, set(), {"secret 8"}]


def test_what_was_said_of_one_who_was_part_of_another_is_left_until_somebody_corrects_it(moved):
    tenant, one = moved.tenant, moved.known["people"]["one-2"]
    body = {"email": "one-2@x.example", "name": "One"}

    assert tenant.call("PATCH", f"/v1/users/{one}", tenant.sk, body).status_code == 200

    _, left = moved.found()["nobody_proven_rests_on_what_is_not_known"]
    assert not any("one-2" in place for place in left)
    proof = proof_of(tenant, moved.known["ik"], email="new-2@x.example")
    login = tenant.try_login(key=tenant.pk, proof=proof).json
    assert moved.reads(login["session"]["token"]) == set()


@pytest.mark.parametrize(("way", "own"), [("3", {"of mallory 3"}), ("4b", set())], ids=["3", "4b"])
def test_a_visitor_whom_a_public_call_named_is_a_visitor_again(moved, way, own):
    visitor, mallory = f"visitor-{way}", f"mallory-{way}"

    assert (moved.kept(mallory), moved.coming(mallory)) == (None, own)
    assert f"secret {way}" in moved.kept(visitor)
    assert not own & moved.kept(visitor)
    me = moved.tenant.call("GET", "/v1/me", moved.known["tokens"][visitor]).json
    assert (me["user"]["anonymous"], me["session"]["verified"]) == (True, False)
    moved.back(visitor)


def test_a_visitor_whom_a_public_call_joined_with_somebody_stands_apart(moved):
    assert (moved.kept("mallory-4"), moved.coming("mallory-4")) == (set(), set())
    assert moved.back("visitor-4") == {"secret 4"}


def test_an_id_that_a_public_call_took_is_its_owners(moved):
    token = moved.tenant.session(userId="victim-5")
    moved.tenant.begin(token, "from now on")

    assert moved.reads(token) == {"from now on"}
    assert "from now on" not in moved.coming("mallory-5")
    assert moved.removed("mallory-5") == [("migration", {"userId": "victim-5"})]


def test_an_id_that_a_public_call_put_on_somebody_leads_to_them_no_more(only_read):
    read = only_read.kept("mallory-6"), only_read.coming("mallory-6"), only_read.coming("vera-6")

    assert read == (None, set(), {"secret 6"})
    assert only_read.shown("vera-6")["aliases"] == []


def test_a_device_that_a_merge_verified_is_logged_out_and_has_its_visitor_again_by_the_undo(moved):
    assert moved.kept("visitor-7") is None

    moved.undo("mina-7 into visitor-7")

    assert moved.coming("mina-7") == {"secret 7"}
    assert moved.back("visitor-7") == {"of visitor 7"}


@pytest.mark.parametrize(
    "whose", [("jane-7", "joan-7"), ("joan-7", "jane-7")], ids=["in order", "in reverse"]
)
def test_a_visitor_is_back_on_the_device_in_whatever_order_merges_are_undone(moved, whose):
    moved.undo(*[f"{who} into visitor-7b" for who in whose])

    assert moved.back("visitor-7b") == {"of visitor 7b"}
    assert moved.shown("jane-7")["email"] == "jane-7@x.example"


def test_a_visitor_who_was_somebody_by_a_merge_is_nobody_whatever_an_agent_said(moved):
    tenant, visitor = moved.tenant, moved.known["people"]["visitor-7"]
    body = {"email": "agent@x.example"}
    assert tenant.call("PATCH", f"/v1/users/{visitor}", tenant.sk, body).status_code == 200

    moved.undo("mina-7 into visitor-7")

    assert (moved.shown(visitor)["anonymous"], moved.shown(visitor)["email"]) == (True, None)


def test_what_a_public_call_bought_for_somebody_is_claimed(only_read):
    for who, claimed in (("victim-8", True), ("clara", True), ("victim-9", False)):
        [bought] = only_read.shown(who)["purchases"]
        assert bought["claimed"] is claimed
    assert only_read.kept("clara") == {"of clara"}


def test_whom_only_public_calls_made_is_unproven(only_read):
    [hugo], [anonymous] = only_read.having("hugo"), only_read.having(CLIENT_MADE + "b" * 32)

    assert (hugo["verified"], hugo["aliases"]) == (False, [CLIENT_MADE + "a" * 32])
    assert [bought["claimed"] for bought in hugo["purchases"]] == [True]
    assert [one["value"] for one in only_read.exported(hugo["id"])["attributes"]] == ["Bern"]
    subscriber = only_read.tenant.call("GET", "/v1/subscribers/hugo", only_read.tenant.pk).json["subscriber"]
    assert subscriber["original_app_user_id"] == CLIENT_MADE + "a" * 32
    assert list(subscriber["non_subscriptions"] | subscriber["subscriptions"])
    assert (anonymous["verified"], anonymous["anonymous"]) == (False, True)


def test_who_had_become_part_of_somebody_proven_by_a_public_call_is_of_it_too(only_read):
    [petra], [other] = only_read.having("petra"), only_read.having(CLIENT_MADE + "c" * 32)

    assert (petra["verified"], petra["aliases"], petra["purchases"]) == (True, [], [])
    assert (petra["email"], only_read.kept("petra")) == ("petra@x.example", {"of petra"})
    assert (other["verified"], [bought["claimed"] for bought in other["purchases"]]) == (False, [True])


def test_whom_the_backend_made_by_the_same_calls_is_of_the_proven_world(only_read):
    [berta], [anonymous] = only_read.having("berta"), only_read.having(CLIENT_MADE + "e" * 32)

    assert (berta["verified"], berta["aliases"]) == (True, [CLIENT_MADE + "d" * 32])
    assert [bought["claimed"] for bought in berta["purchases"]] == [False]
    assert (anonymous["verified"], anonymous["anonymous"]) == (True, True)


def test_what_is_claimed_already_is_that_claims_and_taken_from_whom_a_public_call_gave_it(only_read):
    [ida], [ilse] = only_read.having("ida"), only_read.having("ilse")
    [other] = only_read.having(CLIENT_MADE + "4" * 32)

    assert (ida["verified"], [bought["claimed"] for bought in ida["purchases"]]) == (False, [True])
    assert (ilse["aliases"], other["userId"], other["verified"]) == ([], CLIENT_MADE + "4" * 32, False)


def test_who_was_vouched_for_since_keeps_what_was_vouched_for(moved):
    gerd, claimed = moved.having("gerd")

    assert (gerd["id"], gerd["verified"], gerd["aliases"]) == (moved.known["people"]["gerd"], True, [])
    assert (moved.kept("gerd"), moved.coming("gerd")) == (None, {"of gerd"})
    assert moved.exported(gerd["id"])["attributes"] == []
    attributes = moved.exported(claimed["id"])["attributes"]
    assert {one["name"]: one["value"] for one in attributes} == {"city": "Basel", "plan": None}


def test_all_who_became_part_of_somebody_proven_by_a_public_call_stay_one_among_themselves(moved):
    [first], [second] = moved.having(CLIENT_MADE + "1" * 32), moved.having(CLIENT_MADE + "2" * 32)

    assert (first["id"], first["verified"]) == (second["id"], False)
    assert (moved.shown("paul")["aliases"], moved.coming("paul")) == ([], {"of paul"})
    assert moved.shown("rosa")["aliases"] == []


def test_a_visitor_whom_the_backend_named_too_is_somebody_by_that_name(moved):
    assert (moved.coming("kurt"), moved.coming("mallory-k")) == ({"of kurt"}, set())
    assert moved.shown("visitor-k")["userId"] == "kurt"
    assert [before["userId"] for _, before in moved.removed("visitor-k")] == ["extra-k", "mallory-k"]


@pytest.mark.parametrize("who", ["visitor-9", "mail-9"])
def test_an_account_that_only_a_session_told_of_waits_for_nobody(moved, who):
    account = {"storeAccount": {"store": "app_store", "account": f"apple of {who}"}, "userId": "anna"}

    restored = moved.tenant.call("POST", "/v1/restore", moved.tenant.sk, account)

    assert restored.json["resolution"]["rule"] == "first-claim"
    assert moved.shown(who)["purchases"] == []


def test_a_visitor_who_stood_again_does_so_still(only_read):
    only_read.back("visitor-u")


def test_what_was_bought_for_who_only_claims_stays_a_claim_wherever_they_went(moved):
    [bought] = moved.shown("olga")["purchases"]
    assert bought["claimed"] is True

    moved.undo("claimed into olga")

    assert moved.shown("olga")["purchases"] == []
    assert [one["claimed"] for one in moved.shown("claimed")["purchases"]] == [True]
    [anonymous] = moved.having(CLIENT_MADE + "f" * 32)
    assert [one["claimed"] for one in anonymous["purchases"]] == [True]


def test_a_visitor_taken_in_by_who_only_claims_is_back_by_the_undo(moved):
    moved.undo(moved.merge_of("visitor", "claimed-2"))

    assert moved.shown("claimed-2")["aliases"] == []
    assert moved.back("visitor") == {"of visitor"}


def test_what_was_said_of_those_who_are_one_is_kept(moved):
    assert moved.shown("otto")["name"] is None
    moved.undo("otto-2 into otto", "anna-mail into anna", "claimed into olga")

    assert (moved.shown("otto")["name"], moved.shown("otto-2")["name"]) == (None, "Otto")
    assert (moved.shown("anna")["email"], moved.shown("anna")["name"]) == (None, "Anna")
    assert moved.shown("anna-mail")["email"] == "anna@x.example"
    assert (moved.shown("olga")["email"], moved.shown("claimed")["email"]) == (None, "claimed@x.example")


def test_each_key_goes_on_as_it_was_used(only_read):
    tenant = only_read.tenant
    keys = tenant.call("GET", f"/v1/apps/{tenant.id}/keys", tenant.admin_key).json["data"]
    proofs = {key["id"]: key.get("proof") for key in keys if key["kind"] == "identity"}

    assert proofs[only_read.known["unusedKey"]] == "jwt"
    assert sorted(proofs.values()) == ["both", "jwt"]
