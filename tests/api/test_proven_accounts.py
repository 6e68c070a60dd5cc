"""A session's word about a store account is no evidence: a proof names its own user and the account."""

import pytest

from tests.support.cases import cases
from tests.support.responses import refused_fields
from tests.support.signing import claims, hmac_key, hmac_of, identity_key, jwt, proof_of
from tests.support.tenants import Tenant

ACCOUNT = {"store": "app_store", "account": "apple-1"}
ANOTHER = {"store": "app_store", "account": "apple-2"}
ACTS = {
    "restore": ("/v1/restore", {}),
    "purchase": ("/v1/purchases", {"product": "pro", "transaction": "t-1"}),
}


@pytest.fixture
def shop(tenant):
    """An app whose clients may tell of purchases."""
    tenant.set(clientPurchases="on")
    return tenant


@pytest.fixture(params=ACTS)
def act(request):
    return request.param


def tell(tenant, key, act, account=ACCOUNT, **members):
    path, more = ACTS[act]
    return tenant.call("POST", path, key, {"storeAccount": account, **more, **members})


def proof_for(tenant, secret, account=ACCOUNT, **members):
    return proof_of(tenant, secret, storeAccount=account, **members)


def code_of(answer):
    return answer.status_code, answer.json.get("code") or answer.json["resolution"]["rule"]


@pytest.fixture
def thread(shop):
    """What the victim wrote, whose account everybody knows the name of."""
    thread = shop.begin(shop.session(userId="victim", email="victim@example.org"))
    assert code_of(tell(shop, shop.sk, "purchase", userId="victim")) == (200, "first-claim")
    return thread


@pytest.fixture
def mallory(shop, secret):
    """The token of a session that mallory proved to be hers."""
    return shop.try_login(key=shop.pk, proof=proof_of(shop, secret, sub="mallory")).json["session"]["token"]


@pytest.mark.parametrize("behavior", ["alias", "transfer", "keep"])
def test_who_knows_somebodys_account_neither_becomes_one_with_them_nor_takes_it(
    shop, secret, rows, thread, mallory, act, behavior
):
    shop.set(restoreBehavior=behavior)
    before = rows()
    without = tell(shop, mallory, act)
    with_her_own = tell(shop, mallory, act, proof=proof_of(shop, secret, sub="mallory"))
    assert code_of(without) == (401, "proof-required")
    assert code_of(with_her_own) == (401, "proof-invalid")
    assert without.headers["WWW-Authenticate"].startswith("Bearer")
    assert shop.conversations(mallory) == []
    assert rows() == before
    assert shop.conversations(shop.session(userId="victim")) == [thread]


def test_nor_does_anybody_wait_for_them_in_an_account_that_nobody_has_yet(shop, secret, mallory, act):
    waiting = tell(shop, mallory, act, proof=proof_of(shop, secret, sub="mallory"))
    shop.login(userId="victim")
    owned = tell(shop, shop.sk, act, userId="victim")
    assert waiting.status_code == 401
    assert code_of(owned) == (200, "first-claim")


class Desk:
    """Where mallory gets what she hands in as a proof."""

    def __init__(self, tenant: Tenant, secret: str, other_tenant: Tenant) -> None:
        self.tenant, self.secret, self.other = tenant, secret, other_tenant

    def own(self, account=ACCOUNT, **members):
        """A proof that the backend made for her, of whatever account."""
        return proof_for(self.tenant, self.secret, account, **({"sub": "mallory"} | members))

    def of_text(self, text):
        """The same with a text of JSON for the account."""
        payload = claims(self.tenant.id, sub="mallory")
        written = ", ".join(f'"{name}": {value!r}'.replace("'", '"') for name, value in payload.items())
        return jwt(f'{{{written}, "storeAccount": {text}}}'.encode(), self.secret)


@pytest.fixture
def desk(shop, secret, other_tenant):
    return Desk(shop, secret, other_tenant)


@cases(
    "way",
    ("the victim's proof", lambda desk: desk.own(sub="victim")),
    ("the victim's by email", lambda desk: desk.own(sub=None, email="victim@example.org")),
    ("the victim's ID beside her email", lambda desk: desk.own(sub="victim", email="mallory@example.org")),
    ("by email, where she has an ID", lambda desk: desk.own(sub=None, email="mallory@example.org")),
    ("her ID in another case", lambda desk: desk.own(sub="Mallory")),
    ("no account", lambda desk: proof_of(desk.tenant, desk.secret, sub="mallory")),
    ("no account, but null", lambda desk: desk.own(None)),
    ("another account", lambda desk: desk.own(ANOTHER)),
    ("another store", lambda desk: desk.own(ACCOUNT | {"store": "play_store"})),
    ("store and account exchanged", lambda desk: desk.own({"store": "apple-1", "account": "app_store"})),
    ("the account in another case", lambda desk: desk.own(ACCOUNT | {"account": "Apple-1"})),
    ("further members", lambda desk: desk.own(ACCOUNT | {"product": "pro"})),
    ("accounts in the account", lambda desk: desk.own(ACCOUNT | {"account": ["apple-2", "apple-1"]})),
    ("a text that would be JSON", lambda desk: desk.own('{"store": "app_store", "account": "apple-1"}')),
    (
        "the account twice",
        lambda desk: desk.of_text('{"store": "app_store", "account": "apple-2", "account": "apple-1"}'),
    ),
    (
        "both accounts, one after the other",
        lambda desk: desk.of_text(
            '{"store": "app_store", "account": "apple-2"}, "storeAccount":'
            ' {"store": "app_store", "account": "apple-1"}'
        ),
    ),
    ("members beside, not within", lambda desk: proof_of(desk.tenant, desk.secret, sub="mallory", **ACCOUNT)),
    ("an account by another name", lambda desk: desk.own(None, store_account=ACCOUNT)),
    ("by another app's key", lambda desk: proof_for(desk.tenant, identity_key(desk.other)[1], sub="mallory")),
    ("by a key for HMACs", lambda desk: proof_for(desk.tenant, hmac_key(desk.tenant)[1], sub="mallory")),
    ("forged", lambda desk: proof_for(desk.tenant, "s" * 43, sub="mallory")),
    ("an HMAC of her ID", lambda desk: hmac_of("mallory", hmac_key(desk.tenant)[1])),
    ("an HMAC of the account", lambda desk: hmac_of("apple-1", hmac_key(desk.tenant)[1])),
)
def test_nothing_else_shows_that_an_account_is_hers(desk, rows, thread, mallory, act, way):
    shop, proof = desk.tenant, way(desk)
    before = rows()
    assert code_of(tell(shop, mallory, act, proof=proof)) == (401, "proof-invalid")
    assert rows() == before
    assert shop.conversations(mallory) == []


@pytest.mark.parametrize("proof", ["", None], ids=["empty", "null"])
def test_a_blank_proof_is_none(shop, mallory, act, proof):
    assert code_of(tell(shop, mallory, act, proof=proof)) == (401, "proof-required")


def test_a_proof_of_ones_own_account_makes_it_ones_own(shop, secret, mallory, act):
    proof = proof_for(shop, secret, sub="mallory")
    answer = tell(shop, mallory, act, proof=proof)
    assert code_of(answer) == (200, "first-claim")
    assert answer.json["user"]["userId"] == "mallory"


def test_where_a_proof_shows_it_two_ids_turn_out_to_be_one_person(shop, secret, thread):
    again = shop.session(userId="victim-again")
    answer = tell(shop, again, "restore", proof=proof_for(shop, secret, sub="victim-again"))
    assert code_of(answer) == (200, "restore")
    assert answer.json["user"]["aliases"] == ["victim-again"]
    assert shop.conversations(shop.session(userId="victim-again")) == [thread]


def test_one_proof_does_for_the_purchase_and_the_restore_on_each_device(shop, secret):
    first, second = shop.session(userId="u-1"), shop.session(userId="u-1")
    proof = proof_for(shop, secret, sub="u-1")
    answers = [
        tell(shop, first, "purchase", proof=proof),
        tell(shop, first, "restore", proof=proof),
        tell(shop, second, "restore", proof=proof),
    ]
    assert [code_of(answer)[1] for answer in answers] == ["first-claim", "same-user", "same-user"]
    assert [len(answer.json["user"]["purchases"]) for answer in answers] == [1, 1, 1]


def test_a_proof_of_one_account_restores_no_other_afterwards(shop, secret, thread, mallory):
    proof = proof_for(shop, secret, ANOTHER, sub="mallory")
    bought = tell(shop, mallory, "purchase", ANOTHER, proof=proof)
    restored = tell(shop, mallory, "restore", ACCOUNT, proof=proof)
    assert (code_of(bought), code_of(restored)) == ((200, "first-claim"), (401, "proof-invalid"))


def test_it_is_told_when_a_key_proved_an_account(shop, act):
    id, secret = identity_key(shop)
    token = shop.session(userId="u-1")

    def last_used():
        return next(key["lastUsedAt"] for key in shop.list_keys() if key["id"] == id)

    tell(shop, token, act, proof=proof_for(shop, secret, sub="u-2"))
    after_a_failure = last_used()
    tell(shop, token, act, proof=proof_for(shop, secret, sub="u-1"))

    assert after_a_failure is None
    assert last_used() is not None


def test_an_anonymous_session_is_named_by_its_own_id_and_by_no_other(shop, secret, act):
    visitor, other = shop.login(), shop.login()
    token = visitor["session"]["token"]
    foreign = proof_for(shop, secret, sub=other["user"]["userId"])
    own = proof_for(shop, secret, sub=visitor["user"]["userId"])
    refused = tell(shop, token, act, proof=foreign)
    taken = tell(shop, token, act, proof=own)
    assert code_of(refused) == (401, "proof-invalid")
    assert code_of(taken) == (200, "first-claim")
    assert taken.json["user"]["id"] == visitor["user"]["id"]


@pytest.mark.parametrize("beside", [{}, {"storeAccount": ACCOUNT}], ids=["without an account", "with one"])
def test_an_anonymous_id_is_no_login_and_no_alias(shop, secret, beside):
    proof = proof_of(shop, secret, sub=shop.login()["user"]["userId"], **beside)
    token = shop.session(userId="u-1")
    login = shop.try_login(key=shop.pk, proof=proof)
    alias = shop.call("POST", "/v1/aliases", token, {"userId": "u-2", "proof": proof})
    assert [answer.status_code for answer in (login, alias)] == [422, 422]
    assert {error["code"] for answer in (login, alias) for error in answer.json["errors"]} == {"reserved"}


@cases(
    "members",
    ("email", {"email": "jane@example.org"}),
    ("as emails are compared", {"email": " Jane@Example.org"}),
    ("null sub", {"email": "jane@example.org", "sub": None}),
)
def test_who_has_no_user_id_is_named_by_email(shop, secret, act, members):
    token = shop.session(email="jane@example.org")
    assert code_of(tell(shop, token, act, proof=proof_for(shop, secret, **members))) == (200, "first-claim")


@cases(
    "members",
    ("another's", {"email": "joe@example.org"}),
    ("beside an ID", {"sub": "u-1", "email": "jane@example.org"}),
    ("a number beside an ID", {"sub": "u-1", "email": 17}),
    ("an ID alone", {"sub": "u-1"}),
    ("none", {"email": "jane"}),
    ("nothing to see", {"email": "\u200b"}),
)
def test_who_has_no_user_id_is_named_by_nothing_else(shop, secret, act, members):
    token = shop.session(email="jane@example.org")
    assert code_of(tell(shop, token, act, proof=proof_for(shop, secret, **members))) == (401, "proof-invalid")


def aliased(tenant, secret):
    """A session of u-2, whom u-1 became part of, with the record of that."""
    former, token = tenant.login(userId="u-1"), tenant.session(userId="u-2")
    into = tenant.get("/v1/me", token).json["user"]["id"]
    both = {"from": former["user"]["id"], "into": into}
    return former["session"]["token"], token, tenant.call("POST", "/v1/merges", tenant.sk, both).json["id"]


def test_an_alias_names_its_user_too_and_the_account_goes_back_with_it(shop, secret, act):
    _, token, merge = aliased(shop, secret)
    taken = tell(shop, token, act, proof=proof_for(shop, secret, sub="u-1"))
    shop.call("DELETE", f"/v1/merges/{merge}", shop.sk)
    assert code_of(taken) == (200, "first-claim")
    assert code_of(tell(shop, shop.sk, "restore", userId="u-1")) == (200, "same-user")


def test_an_alias_that_went_back_names_its_former_user_no_more(shop, secret, act):
    _, token, merge = aliased(shop, secret)
    proof = proof_for(shop, secret, sub="u-1")
    shop.call("DELETE", f"/v1/merges/{merge}", shop.sk)
    assert code_of(tell(shop, token, act, proof=proof)) == (401, "proof-invalid")


def test_who_was_merged_away_or_logged_out_shows_nothing(shop, secret, act):
    merged_away, token, _ = aliased(shop, secret)
    shop.call("POST", "/v1/logout", token)
    proofs = [(merged_away, "u-1"), (token, "u-2")]
    answers = [tell(shop, key, act, proof=proof_for(shop, secret, sub=sub)) for key, sub in proofs]
    assert [code_of(answer) for answer in answers] == [(401, "invalid-credential")] * 2


def test_a_backend_is_believed_and_sends_no_proof(shop, secret, act):
    shop.login(userId="u-1")
    refused = tell(shop, shop.sk, act, userId="u-1", proof=proof_for(shop, secret, sub="u-1"))
    assert refused_fields(refused) == [("/proof", "sessions-only")]
    assert code_of(tell(shop, shop.sk, act, userId="u-1", proof="")) == (200, "first-claim")


def test_where_clients_may_not_tell_of_purchases_no_proof_helps(tenant, secret, act):
    token = tenant.session(userId="u-1")
    answers = [
        tell(tenant, token, act, proof=proof) for proof in (None, proof_for(tenant, secret, sub="u-1"))
    ]
    assert [code_of(answer) for answer in answers] == [(403, "not-allowed")] * 2


def test_an_unproven_session_shows_nothing_whatever_its_proof_is(shop, secret, act):
    shop.set(identityVerification="off")
    token = shop.try_login(key=shop.pk, userId="u-1").json["session"]["token"]
    answers = [tell(shop, token, act, proof=proof) for proof in (None, proof_for(shop, secret, sub="u-1"))]
    assert [code_of(answer) for answer in answers] == [(403, "not-allowed")] * 2
