"""The migrations sort what public calls and unproven words did to a store before they had a world of their
own, as far as its history tells; ``check`` lists what is left to decide."""

from dataclasses import dataclass
from typing import Any

import pytest

from service.api.context import NAME
from service.app import create_app
from service.config import Config
from service.desk.checking import Verdict, check
from service.store import Store
from service.store.migrating import migrate
from tests.conftest import ENGINES, Databases
from tests.support import old_store as old
from tests.support.servers import ADMIN_KEY, SECRET_KEY
from tests.support.signing import proof_of
from tests.support.tenants import Tenant


@dataclass(frozen=True)
class Moved:
    """The old store, moved to this version, and what is known of it."""

    tenant: Tenant
    store: Store
    known: dict[str, Any]

    def reads(self, token: str) -> set[str] | None:
        """Return all that a session reads, or None where it has ended."""
        listed = self.tenant.call("GET", "/v1/conversations?limit=100", token)
        if listed.status_code == 401:
            return None
        threads = [f"/v1/conversations/{one['id']}/messages" for one in listed.json["data"]]
        told = [self.tenant.call("GET", f"{thread}?limit=100", token).json["data"] for thread in threads]
        return {message["body"] for messages in told for message in messages}

    def kept(self, who: str) -> set[str] | None:
        """Return what somebody reads with the session that they had."""
        return self.reads(self.known["tokens"][who])

    def proven(self, user_id: str) -> Any:
        """Log in with a proof, and return the answer."""
        proof = proof_of(self.tenant, self.known["ik"], sub=user_id)
        return self.tenant.try_login(key=self.tenant.pk, proof=proof).json

    def coming(self, user_id: str) -> set[str] | None:
        """Return what whoever proves an ID reads."""
        return self.reads(self.proven(user_id)["session"]["token"])

    def shown(self, id: str) -> Any:
        """Return a user, by our id or by the name they have here."""
        id = self.known["people"].get(id, id)
        return self.tenant.call("GET", f"/v1/users/{id}", self.tenant.sk).json

    def having(self, user_id: str) -> list[Any]:
        """Return the users who have an ID, the proven one first."""
        found = self.tenant.call("GET", f"/v1/users?userId={user_id}", self.tenant.sk).json["data"]
        return sorted((self.shown(user["id"]) for user in found), key=lambda user: not user["verified"])

    def undo(self, merge: str) -> None:
        """Undo a merge, by its id or by the name it has here."""
        id = self.known["merges"].get(merge, merge)
        assert self.tenant.call("DELETE", f"/v1/merges/{id}", self.tenant.sk).status_code == 200

    def merge_of(self, one: str, other: str) -> str:
        """Return the merge of two."""
        both = {self.known["people"][who] for who in (one, other)}
        [found] = [
            merge["id"]
            for merge in self.tenant.call("GET", f"/v1/users/{min(both)}/export", self.tenant.sk).json[
                "merges"
            ]
            if {merge["from"], merge["into"]} == both
        ]
        return str(found)

    def found(self) -> dict[str, tuple[Verdict, set[str]]]:
        """Return what the self-test finds that does not hold."""
        names = {id: who for who, id in reversed(self.known["people"].items()) if id}
        names |= {id: name for name, id in self.known["merges"].items()}

        def named(place: str) -> str:
            for id, name in names.items():
                place = place.replace(id, name)
            return place.removesuffix(f" in {self.tenant.id}")

        return {
            finding.name: (finding.verdict, set(map(named, finding.places)))
            for finding in check(self.store)
            if finding.places
        }


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
    url, known = databases.copy(moved_once[0]), moved_once[1]
    app = create_app(Config(ADMIN_KEY, SECRET_KEY, url, login_rate=0, proof_failure_rate=0))
    store = app.extensions[NAME].store
    tenant = Tenant(app.test_client(), ADMIN_KEY, known["app"], known["sk"], known["pk"])
    yield Moved(tenant, store, known)
    store.database.close()


CLIENT_MADE = "$RCAnonymousID:"


def test_check_lists_what_is_left_to_decide_with_the_merges_to_undo(moved):
    one_8, one_9, one_10 = (
        moved.merge_of(f"victim-{number}", f"{other}-{number}")
        for number, other in ((8, "mallory"), (9, "mallory"), (10, "other"))
    )
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
    into = {"visitor-7": ["mina-7"], "visitor-7b": ["jane-7", "joan-7"], "visitor-m": ["mona"]}
    for merge in [f"{who} into {visitor}" for visitor, known in into.items() for who in known]:
        moved.undo(merge)
    for one, other in (("victim-8", "mallory-8"), ("victim-9", "mallory-9")):
        moved.undo(moved.merge_of(one, other))

    assert "nobody_proven_rests_on_a_claim" not in moved.found()
    assert moved.coming("mallory-8") == {"of mallory 8"}
    assert moved.coming("mallory-9") == set()
    assert moved.coming("victim-8") == {"secret 8"}


def test_what_was_said_of_one_who_was_part_of_another_is_left_until_somebody_corrects_it(moved):
    tenant, one = moved.tenant, moved.known["people"]["one-2"]
    sent = {"email": "one-2@x.example", "name": "One"}

    assert tenant.call("PATCH", f"/v1/users/{one}", tenant.sk, sent).status_code == 200

    _, left = moved.found()["nobody_proven_rests_on_what_is_not_known"]
    assert not any("one-2" in place for place in left)
    proof = proof_of(tenant, moved.known["ik"], email="new-2@x.example")
    login = tenant.try_login(key=tenant.pk, proof=proof).json
    assert moved.reads(login["session"]["token"]) == set()


@pytest.mark.parametrize(("way", "own"), [("3", {"of mallory 3"}), ("4b", set())], ids=["3", "4b"])
def test_a_visitor_whom_a_public_call_named_is_a_visitor_again(moved, way, own):
    visitor, mallory = f"visitor-{way}", f"mallory-{way}"

    assert moved.kept(mallory) is None
    assert moved.coming(mallory) == own
    assert f"secret {way}" in moved.kept(visitor)
    assert not own & moved.kept(visitor)
    me = moved.tenant.call("GET", "/v1/me", moved.known["tokens"][visitor]).json
    assert (me["user"]["anonymous"], me["session"]["verified"]) == (True, False)
    back = moved.tenant.login(deviceId=moved.known["devices"][visitor])
    assert back["user"]["id"] == moved.known["people"][visitor]


def test_a_visitor_whom_a_public_call_joined_with_somebody_stands_apart(moved):
    assert moved.kept("mallory-4") == set()
    assert moved.coming("mallory-4") == set()
    back = moved.tenant.login(deviceId=moved.known["devices"]["visitor-4"])
    assert back["user"]["id"] == moved.known["people"]["visitor-4"]
    assert moved.reads(back["session"]["token"]) == {"secret 4"}


def test_an_id_that_a_public_call_took_is_its_owners(moved):
    token = moved.tenant.session(userId="victim-5")
    moved.tenant.begin(token, "from now on")

    assert moved.reads(token) == {"from now on"}
    assert "from now on" not in moved.coming("mallory-5")
    told = moved.tenant.call(
        "GET", f"/v1/users/{moved.known['people']['mallory-5']}/history", moved.tenant.sk
    )
    removed = [line for line in told.json["data"] if line["event"] == "user-id-removed"]
    assert [(line["by"], line["before"]) for line in removed] == [("migration", {"userId": "victim-5"})]


def test_an_id_that_a_public_call_put_on_somebody_leads_to_them_no_more(moved):
    assert moved.kept("mallory-6") is None
    assert moved.coming("mallory-6") == set()
    assert moved.coming("vera-6") == {"secret 6"}
    assert moved.shown("vera-6")["aliases"] == []


def test_a_device_that_a_merge_verified_is_logged_out_and_has_its_visitor_again_by_the_undo(moved):
    assert moved.kept("visitor-7") is None

    moved.undo("mina-7 into visitor-7")

    assert moved.coming("mina-7") == {"secret 7"}
    back = moved.tenant.login(deviceId=moved.known["devices"]["visitor-7"])
    assert (back["user"]["id"], back["user"]["anonymous"]) == (moved.known["people"]["visitor-7"], True)
    assert moved.reads(back["session"]["token"]) == {"of visitor 7"}


@pytest.mark.parametrize(
    "order", [("jane-7", "joan-7"), ("joan-7", "jane-7")], ids=["in order", "in reverse"]
)
def test_a_visitor_is_back_on_the_device_in_whatever_order_merges_are_undone(moved, order):
    for who in order:
        moved.undo(f"{who} into visitor-7b")

    back = moved.tenant.login(deviceId=moved.known["devices"]["visitor-7b"])
    assert back["user"]["id"] == moved.known["people"]["visitor-7b"]
    assert moved.reads(back["session"]["token"]) == {"of visitor 7b"}
    assert moved.shown("jane-7")["email"] == "jane-7@x.example"


def test_a_visitor_who_was_somebody_by_a_merge_is_nobody_whatever_an_agent_said(moved):
    tenant, visitor = moved.tenant, moved.known["people"]["visitor-7"]
    sent = {"email": "agent@x.example"}
    assert tenant.call("PATCH", f"/v1/users/{visitor}", tenant.sk, sent).status_code == 200

    moved.undo("mina-7 into visitor-7")

    assert (moved.shown(visitor)["anonymous"], moved.shown(visitor)["email"]) == (True, None)


def test_what_a_public_call_bought_for_somebody_is_claimed(moved):
    for who in ("victim-8", "clara"):
        [bought] = moved.shown(who)["purchases"]
        assert (bought["product"], bought["claimed"]) == ("pro", True)
    [bought] = moved.shown("victim-9")["purchases"]
    assert bought["claimed"] is False
    assert moved.kept("clara") == {"of clara"}


def test_whom_only_public_calls_made_is_of_the_unproven_world(moved):
    [hugo] = moved.having("hugo")

    assert (hugo["verified"], hugo["aliases"]) == (False, [CLIENT_MADE + "a" * 32])
    assert [bought["claimed"] for bought in hugo["purchases"]] == [True]
    told = moved.tenant.call("GET", f"/v1/users/{hugo['id']}/export", moved.tenant.sk).json["attributes"]
    assert [one["value"] for one in told] == ["Bern"]
    answer = moved.tenant.call("GET", "/v1/subscribers/hugo", moved.tenant.pk)
    assert answer.json["subscriber"]["original_app_user_id"] == CLIENT_MADE + "a" * 32
    assert list(answer.json["subscriber"]["non_subscriptions"] | answer.json["subscriber"]["subscriptions"])
    [anonymous] = moved.having(CLIENT_MADE + "b" * 32)
    assert (anonymous["verified"], anonymous["anonymous"]) == (False, True)


def test_who_had_become_part_of_somebody_proven_by_a_public_call_is_of_it_too(moved):
    [petra], [other] = moved.having("petra"), moved.having(CLIENT_MADE + "c" * 32)

    assert (petra["verified"], petra["aliases"], petra["purchases"]) == (True, [], [])
    assert (petra["email"], moved.kept("petra")) == ("petra@x.example", {"of petra"})
    assert (other["verified"], [bought["claimed"] for bought in other["purchases"]]) == (False, [True])


def test_whom_the_backend_made_by_the_same_calls_is_of_the_proven_world(moved):
    [berta], [anonymous] = moved.having("berta"), moved.having(CLIENT_MADE + "e" * 32)

    assert (berta["verified"], berta["aliases"]) == (True, [CLIENT_MADE + "d" * 32])
    assert [bought["claimed"] for bought in berta["purchases"]] == [False]
    assert (anonymous["verified"], anonymous["anonymous"]) == (True, True)


def test_what_public_calls_gave_to_who_is_claimed_already_is_that_claims(moved):
    [ida] = moved.having("ida")

    assert (ida["verified"], [bought["claimed"] for bought in ida["purchases"]]) == (False, [True])


def test_an_id_that_is_claimed_already_is_taken_from_whom_a_public_call_gave_it(moved):
    [ilse], [other] = moved.having("ilse"), moved.having(CLIENT_MADE + "4" * 32)

    assert (ilse["aliases"], other["userId"], other["verified"]) == ([], CLIENT_MADE + "4" * 32, False)


def test_who_was_vouched_for_since_keeps_what_was_vouched_for(moved):
    gerd, claimed = moved.having("gerd")

    assert (gerd["id"], gerd["verified"], gerd["aliases"]) == (moved.known["people"]["gerd"], True, [])
    assert (moved.kept("gerd"), moved.coming("gerd")) == (None, {"of gerd"})
    said = [
        moved.tenant.call("GET", f"/v1/users/{one['id']}/export", moved.tenant.sk).json["attributes"]
        for one in (gerd, claimed)
    ]
    assert [{one["name"]: one["value"] for one in told} for told in said] == [
        {},
        {"city": "Basel", "plan": None},
    ]


def test_all_who_became_part_of_somebody_proven_by_a_public_call_stay_one_among_themselves(moved):
    [first], [second] = moved.having(CLIENT_MADE + "1" * 32), moved.having(CLIENT_MADE + "2" * 32)

    assert (first["id"], first["verified"]) == (second["id"], False)
    assert (moved.shown("paul")["aliases"], moved.coming("paul")) == ([], {"of paul"})
    assert moved.shown("rosa")["aliases"] == []


def test_a_visitor_whom_the_backend_named_too_is_somebody_by_that_name(moved):
    assert moved.coming("kurt") == {"of kurt"}
    assert moved.coming("mallory-k") == set()
    assert moved.shown("visitor-k")["userId"] == "kurt"
    told = moved.tenant.call(
        "GET", f"/v1/users/{moved.known['people']['visitor-k']}/history", moved.tenant.sk
    )
    removed = [line["before"] for line in told.json["data"] if line["event"] == "user-id-removed"]
    assert removed == [{"userId": "extra-k"}, {"userId": "mallory-k"}]


@pytest.mark.parametrize("who", ["visitor-9", "mail-9"])
def test_an_account_that_only_a_session_told_of_waits_for_nobody(moved, who):
    account = {"storeAccount": {"store": "app_store", "account": f"apple of {who}"}, "userId": "anna"}

    restored = moved.tenant.call("POST", "/v1/restore", moved.tenant.sk, account)

    assert restored.json["resolution"]["rule"] == "first-claim"
    assert moved.shown(who)["purchases"] == []


def test_a_visitor_who_stood_again_does_so_still(moved):
    back = moved.tenant.login(deviceId=moved.known["devices"]["visitor-u"])

    assert back["user"]["id"] == moved.known["people"]["visitor-u"]


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
    assert moved.shown("visitor")["anonymous"] is True
    back = moved.tenant.login(deviceId=moved.known["devices"]["visitor"])
    assert (back["user"]["id"], moved.reads(back["session"]["token"])) == (
        moved.known["people"]["visitor"],
        {"of visitor"},
    )


def test_what_was_said_of_those_who_are_one_is_kept(moved):
    assert moved.shown("otto")["name"] is None
    moved.undo("otto-2 into otto")
    moved.undo("anna-mail into anna")
    moved.undo("claimed into olga")

    assert (moved.shown("otto")["name"], moved.shown("otto-2")["name"]) == (None, "Otto")
    assert (moved.shown("anna")["email"], moved.shown("anna")["name"]) == (None, "Anna")
    assert moved.shown("anna-mail")["email"] == "anna@x.example"
    assert (moved.shown("olga")["email"], moved.shown("claimed")["email"]) == (None, "claimed@x.example")


def test_each_key_goes_on_as_it_was_used(moved):
    tenant = moved.tenant
    keys = tenant.call("GET", f"/v1/apps/{tenant.id}/keys", tenant.admin_key).json["data"]

    assert {key["id"]: key.get("proof") for key in keys if key["kind"] == "identity"} == {
        moved.known["unusedKey"]: "jwt",
        next(key["id"] for key in keys if key.get("proof") == "both"): "both",
    }
