"""What only claims opens nothing: with the publishable key alone nobody comes to what is another's.

Mallory knows every ID, holds the publishable key, and has a true proof of her own ID. What Vera and an
anonymous visitor wrote, and Vera's email and name, she never reads, whatever she has done before; and neither
does Vera read what is Mallory's as her own.
"""

from urllib.parse import quote

import pytest

from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.signing import proof_of
from tests.support.subscribers import ANON, ANON_2, alias, identify, kept, original, user_of

pytestmark = pytest.mark.usefixtures("sound")
SECRETS = ("vera's secret", "vera@example.org", "Vera Vale", "the visitor's secret")
TOKEN = "token-of-vera"


@pytest.fixture
def visitor(tenant):
    """A visitor's session, on a device where nobody logged in."""
    login = tenant.try_login(key=tenant.pk).json
    tenant.begin(login["session"]["token"], "the visitor's secret")
    return login


@pytest.fixture
def people(rc, tenant, visitor):
    """Make those whom Mallory is after; return by which words she knows them."""
    vera = tenant.login(userId="vera", email="vera@example.org", name="Vera Vale")
    tenant.begin(vera["session"]["token"], "vera's secret")
    as_backend(rc, tenant, "POST", "/subscribers/vera/alias", {"new_app_user_id": "vera-2"})
    as_backend(rc, tenant, "POST", f"/subscribers/{ANON_2}/alias", {"new_app_user_id": "vera-3"})
    receipt = {"app_user_id": "vera", "fetch_token": TOKEN, "product_id": "pro"}
    as_backend(rc, tenant, "POST", "/receipts", receipt)
    return {"visitor": visitor["user"]["userId"], "token": visitor["session"]["token"]}


def as_backend(rc, tenant, *call):
    answer = rc(*call, key=tenant.sk)
    assert answer.status_code < 300, answer.text
    return answer


def prove(tenant, secret, user_id):
    """Log in by a true proof; return the token."""
    login = tenant.try_login(key=tenant.pk, proof=proof_of(tenant, secret, sub=user_id))
    assert login.status_code in (200, 201), login.text
    return login.json["session"]["token"]


def read(tenant, token):
    """Return all that a session reads, as one text."""
    me, listed = (tenant.get(f"/v1/{path}", token) for path in ("me", "conversations"))
    threads = [thread["id"] for thread in listed.json.get("data", ())]
    messages = [tenant.get(f"/v1/conversations/{id}/messages", token).text for id in threads]
    return " ".join([me.text, *messages])


def receive(rc, id, token=TOKEN, **members):
    return rc("POST", "/receipts", {"app_user_id": id, "fetch_token": token, **members})


IDENTIFY = {
    "from a visitor's ID": lambda rc, v: [identify(rc, v, "mallory")],
    "to a visitor's ID": lambda rc, v: [identify(rc, "mallory", v)],
    "from a known ID": lambda rc, v: [identify(rc, "vera", "mallory")],
    "to a known ID": lambda rc, v: [identify(rc, ANON, "mallory"), identify(rc, "mallory", "vera")],
    "from a client's ID that the backend made known": lambda rc, v: [identify(rc, ANON_2, "mallory")],
    "to a known ID, and on from there": lambda rc, v: [
        identify(rc, ANON, "vera"), identify(rc, "vera", "mallory"),
    ],
}  # fmt: skip
ANONYMOUS = {
    "her ID for a visitor's": lambda rc, v: [alias(rc, v, "mallory")],
    "a visitor's for hers": lambda rc, v: [rc("GET", "/subscribers/mallory"), alias(rc, "mallory", v)],
    "her ID for a client's that the backend made known": lambda rc, v: [alias(rc, ANON_2, "mallory")],
    "such a client's for hers": lambda rc, v: [
        rc("GET", "/subscribers/mallory"),
        alias(rc, "mallory", ANON_2),
    ],
    "a visitor's for a client's": lambda rc, v: [alias(rc, ANON, v), alias(rc, ANON, "mallory")],
    "an encoded one": lambda rc, v: [alias(rc, quote(v, safe=""), "mallory")],
}
KNOWN = {
    "her ID for a known one": lambda rc, v: [alias(rc, "vera", "mallory")],
    "her ID for an alias": lambda rc, v: [alias(rc, "vera-2", "mallory")],
    "a known one for hers": lambda rc, v: [rc("GET", "/subscribers/mallory"), alias(rc, "mallory", "vera")],
    "after a look at it": lambda rc, v: [rc("GET", "/subscribers/vera"), alias(rc, "vera", "mallory")],
    "by way of a client's ID": lambda rc, v: [alias(rc, ANON, "vera"), alias(rc, ANON, "mallory")],
    "the other way round": lambda rc, v: [alias(rc, ANON, "mallory"), alias(rc, "mallory", "vera")],
}
RECEIPT = {
    "a restore": lambda rc, v: [receive(rc, "mallory", is_restore=True)],
    "a purchase": lambda rc, v: [receive(rc, "mallory", product_id="pro")],
    "a token alone": lambda rc, v: [receive(rc, "mallory")],
    "by a client's ID that becomes hers": lambda rc, v: [
        receive(rc, ANON, is_restore=True), identify(rc, ANON, "mallory"),
    ],
    "as the one who has it": lambda rc, v: [
        receive(rc, "vera", is_restore=True), receive(rc, "mallory", is_restore=True),
    ],
    "as a visitor": lambda rc, v: [receive(rc, v, "new"), receive(rc, "mallory", "new", is_restore=True)],
}  # fmt: skip
KINDS = {
    "identify": (IDENTIFY, ["alias"]),
    "an anonymous alias": (ANONYMOUS, ["alias"]),
    "a known alias": (KNOWN, ["alias"]),
    "a receipt": (RECEIPT, ["alias", "transfer", "keep"]),
}
WAYS = [
    pytest.param(way, behavior, id=f"{kind}: {name}: {behavior}")
    for kind, (ways, behaviors) in KINDS.items()
    for name, way in ways.items()
    for behavior in behaviors
]


def proven(tenant, user_id):
    """Return who has an ID in the proven world, as agents see them."""
    found = tenant.get(f"/v1/users?userId={quote(user_id)}").json["data"]
    return [user for user in found if user["verified"] or user["userId"].startswith("$anon:")]


@pytest.mark.parametrize(("way", "behavior"), WAYS)
def test_whoever_holds_the_publishable_key_alone_reads_nothing(rc, tenant, secret, people, way, behavior):
    tenant.set(restoreBehavior=behavior)
    names = ("vera", "vera-2", "vera-3", ANON_2, people["visitor"])
    was = [proven(tenant, name) for name in names]

    assert not [word for one in way(rc, people["visitor"]) for word in SECRETS if word in one.text]
    mallory = prove(tenant, secret, "mallory")
    tenant.begin(mallory, "mallory's secret")
    assert not [word for word in SECRETS if word in read(tenant, mallory)]
    assert [proven(tenant, name) for name in names] == was
    vera, as_visitor = read(tenant, prove(tenant, secret, "vera")), read(tenant, people["token"])
    assert "vera's secret" in vera
    assert "the visitor's secret" in as_visitor
    assert "mallory's secret" not in vera + as_visitor
    assert tenant.get("/v1/me", people["token"]).json["session"]["verified"] is False


@pytest.mark.parametrize("arrives", ["by the backend", "by a proof"])
@cases(
    "way",
    ("as an alias", lambda rc: [rc("GET", "/subscribers/mallory"), alias(rc, "mallory", "victim")]),
    ("as an alias of a client's ID", lambda rc: [alias(rc, ANON, "mallory"), alias(rc, ANON, "victim")]),
    ("by a look", lambda rc: [rc("GET", "/subscribers/victim"), alias(rc, "victim", "mallory")]),
    ("by a login", lambda rc: [identify(rc, ANON, "victim"), alias(rc, "victim", "mallory")]),
    ("by a receipt", lambda rc: [receive(rc, "victim"), receive(rc, "mallory", is_restore=True)]),
    (
        "by what is said",
        lambda rc: [
            rc("POST", "/subscribers/victim/attributes", {"attributes": {"color": {"value": "blue"}}}),
            alias(rc, "victim", "mallory"),
        ],
    ),
)
def test_an_id_that_somebody_took_first_is_new_to_its_owner(rc, tenant, secret, way, arrives):
    assert [one.status_code for one in way(rc) if one.status_code >= 300] == []
    proof = proof_of(tenant, secret, sub="victim", name="Victor")
    claim = {"userId": "victim", "name": "Victor"} if arrives == "by the backend" else {"proof": proof}
    login = tenant.try_login(key=tenant.sk if "userId" in claim else tenant.pk, **claim).json
    tenant.begin(login["session"]["token"], "victor's secret")
    mallory = prove(tenant, secret, "mallory")
    assert (login["created"], login["user"]["aliases"]) == (True, [])
    assert "victor" not in read(tenant, mallory)
    assert "mallory" not in read(tenant, login["session"]["token"])


# --- what a visitor is ---
@pytest.mark.parametrize("known", [False, True], ids=["never seen", "known"])
def test_a_login_by_the_backend_leaves_a_visitors_session_unproven(rc, tenant, secret, visitor, known):
    if known:
        prove(tenant, secret, "jane")
    answer = identify(lambda *call: rc(*call, key=tenant.sk), visitor["user"]["userId"], "jane")
    assert answer.status_code == (200 if known else 201)
    assert original(answer) == visitor["user"]["userId"]
    # They are one, so Jane reads it, and whoever holds the visitor's device has to log in as her.
    assert tenant.get("/v1/me", visitor["session"]["token"]).status_code == 401
    assert "the visitor's secret" in read(tenant, prove(tenant, secret, "jane"))
    again = tenant.try_login(key=tenant.pk, deviceId=visitor["deviceId"]).json
    assert (again["user"]["anonymous"], tenant.conversations(again["session"]["token"])) == (True, [])


def test_the_backends_alias_is_its_word_for_a_visitor(rc, tenant, visitor):
    assert alias(lambda *call: rc(*call, key=tenant.sk), visitor["user"]["userId"], "jane").status_code == 201
    assert tenant.get("/v1/me", visitor["session"]["token"]).json["session"]["verified"] is True


@cases(
    "call",
    ("look", lambda rc, id: rc("GET", f"/subscribers/{id}")),
    ("identify", lambda rc, id: identify(rc, id, "jane")),
    ("alias", lambda rc, id: alias(rc, id, "jane")),
)
def test_the_backend_makes_no_visitor(rc, tenant, call):
    answer = call(lambda *sent: rc(*sent, key=tenant.sk), "$anon:00000000-0000-4000-8000-000000000000")
    assert problem_of(answer) == (400, 7220)


@pytest.mark.parametrize("absorbed", [False, True], ids=["of a device", "that one who claims took in"])
@cases("method, path, body",
    ("look", "GET", "/subscribers/{id}", None),
    ("offerings", "GET", "/subscribers/{id}/offerings", None),
    ("identify from", "POST", "/subscribers/identify", {"app_user_id": "{id}", "new_app_user_id": "u-1"}),
    ("identify as", "POST", "/subscribers/identify", {"app_user_id": "u-1", "new_app_user_id": "{id}"}),
    ("identify as oneself", "POST", "/subscribers/identify",
     {"app_user_id": "{id}", "new_app_user_id": "{id}"}),
    ("alias of", "POST", "/subscribers/{id}/alias", {"new_app_user_id": "u-1"}),
    ("alias", "POST", "/subscribers/u-1/alias", {"new_app_user_id": "{id}"}),
    ("describe", "POST", "/subscribers/{id}/attributes", {"attributes": {"color": {"value": "blue"}}}),
    ("receipt", "POST", "/receipts", {"app_user_id": "{id}", "fetch_token": "t"}),
)  # fmt: skip
def test_no_public_call_names_a_devices_anonymous_user(rc, tenant, visitor, method, path, body, absorbed):
    if absorbed:
        tenant.set(identityVerification="off", anonymousOnLogin="merge")
        claim = tenant.try_login(key=tenant.pk, deviceId=visitor["deviceId"], userId="u-1")
        assert claim.status_code == 200
    rc("GET", "/subscribers/u-1")
    id = visitor["user"]["userId"]
    sent = body and {name: id if value == "{id}" else value for name, value in body.items()}
    assert problem_of(rc(method, path.format(id=id), sent)) == (400, 7220)
    assert id not in rc("GET", "/subscribers/u-1").text


# --- what is claimed, and what is shown of it ---
def bought(user):
    return [(purchase["product"], purchase["claimed"]) for purchase in user["purchases"]]


def shown(tenant, id):
    return bought(tenant.user(id))


def buy(tenant, user_id, product, at, account="A-1"):
    body = {
        "userId": user_id, "product": product, "transaction": product, "purchasedAt": at,
        "storeAccount": {"store": "revenuecat", "account": account},
    }  # fmt: skip
    answer = tenant.call("POST", "/v1/purchases", tenant.sk, body)
    assert answer.status_code == 200, answer.text
    return answer.json


def products(answer):
    return list(answer.json["subscriber"]["non_subscriptions"])


@pytest.mark.parametrize("id", ["vera", "vera-2"], ids=["primary", "alias"])
def test_a_proven_user_shows_what_is_claimed_under_an_id_of_theirs(rc, tenant, id):
    vera = tenant.login(userId="vera")
    tenant.alias(vera["user"]["id"], "vera-2")
    buy(tenant, "vera", "first", "2026-01-01T00:00:00Z")
    claimed = receive(rc, id, "T-1", product_id="second")
    answer = buy(tenant, "vera", "third", "2099-01-01T00:00:00Z")

    all_of_them = [("first", False), ("second", True), ("third", False)]
    assert products(claimed) == ["first", "second"]
    assert bought(answer["user"]) == shown(tenant, vera["user"]["id"]) == all_of_them
    assert bought(tenant.get("/v1/me", vera["session"]["token"]).json["user"]) == all_of_them
    assert shown(tenant, claimant(tenant, id)) == [("second", True)]
    # A backend is told what is proven.
    assert products(rc("GET", f"/subscribers/{id}", key=tenant.sk)) == ["first", "third"]


def test_an_account_may_be_claimed_once_in_each_world(rc, tenant):
    receive(rc, "mallory", "T-1", product_id="pro")
    vera = tenant.known(userId="vera")
    mine = buy(tenant, "vera", "pro", "2026-01-01T00:00:00Z", account="T-1")
    again = receive(rc, "other", "T-1", product_id="pro")
    assert mine["resolution"]["rule"] == "first-claim"
    assert shown(tenant, vera) == [("pro", False)]
    assert problem_of(again) == (409, 7102)
    [exported] = tenant.get(f"/v1/users/{vera}/export").json["storeAccounts"]
    assert exported == {"store": "revenuecat", "account": "T-1", "verified": True}


def test_of_two_who_claim_to_be_one_the_ids_are_one_in_their_world_alone(rc, tenant):
    vera = tenant.login(userId="vera")["user"]
    receive(rc, "vera", "T-1", product_id="pro")
    restored = receive(rc, "mallory", "T-1", is_restore=True)
    assert original(restored) == original(rc("GET", "/subscribers/mallory")) == "vera"
    assert tenant.get(f"/v1/users/{vera['id']}").json["aliases"] == []
    assert tenant.login(userId="mallory")["created"]


def test_two_who_claim_and_become_one_see_what_began_on_their_own_device(rc, tenant):
    tenant.set(identityVerification="off")
    ids = ("u-1", "u-2")
    devices = {id: tenant.try_login(key=tenant.pk, userId=id).json for id in ids}
    for id, login in devices.items():
        tenant.begin(login["session"]["token"], f"what {id} wrote")
    receive(rc, "u-1", "T-1", product_id="pro")
    assert original(receive(rc, "u-2", "T-1", is_restore=True)) == "u-1"

    for id, other in (ids, reversed(ids)):
        login = tenant.try_login(key=tenant.pk, userId=id, deviceId=devices[id]["deviceId"]).json
        seen = read(tenant, login["session"]["token"])
        assert (f"what {id} wrote" in seen, f"what {other} wrote" in seen) == (True, False)


def test_an_id_that_a_client_made_is_ones_in_each_world(rc, tenant):
    public, backend = rc("GET", f"/subscribers/{ANON}"), rc("GET", f"/subscribers/{ANON}", key=tenant.sk)
    found = tenant.find(userId=ANON)
    assert (public.status_code, backend.status_code) == (201, 201)
    assert sorted(user["verified"] for user in found) == [False, True]


def test_an_id_that_only_public_calls_made_known_is_no_alias_of_a_proven_user(rc, tenant):
    vera = tenant.known(userId="vera")
    rc("GET", f"/subscribers/{ANON}")
    answer = tenant.alias(vera, ANON)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "reserved")


def test_a_visitor_is_no_alias_of_one_who_only_claims(rc, tenant, visitor):
    rc("GET", "/subscribers/u-1")
    path = f"/v1/users/{user_of(tenant, 'u-1')['id']}/aliases"
    assert tenant.call("POST", path, tenant.sk, {"userId": visitor["user"]["userId"]}).status_code == 422
    assert "the visitor's secret" in read(tenant, visitor["session"]["token"])


def test_a_clients_id_that_the_backend_made_known_may_be_a_visitors(rc, tenant, secret, visitor):
    rc("GET", f"/subscribers/{ANON}", key=tenant.sk)
    path = f"/v1/users/{visitor['user']['id']}/aliases"
    answer = tenant.call("POST", path, tenant.sk, {"userId": ANON})
    public = rc("GET", f"/subscribers/{ANON}")
    assert (answer.status_code, answer.json["aliases"]) == (200, [ANON])
    assert (public.status_code, original(public)) == (201, ANON)
    assert "the visitor's secret" in read(tenant, visitor["session"]["token"])


def test_what_is_said_by_public_calls_is_said_of_who_only_claims(rc, tenant):
    vera = tenant.known(userId="vera")
    rc("POST", "/subscribers/vera/attributes", {"attributes": {"$email": {"value": "mallory@example.org"}}})
    assert tenant.get(f"/v1/users/{vera}/export").json["attributes"] == []


def test_the_backends_purchase_for_an_id_that_is_only_claimed_stays_a_claim(rc, tenant):
    rc("GET", "/subscribers/u-1")
    assert bought(buy(tenant, "u-1", "pro", "2026-01-01T00:00:00Z")["user"]) == [("pro", True)]


def test_the_backend_erases_whoever_has_an_id_in_either_world(rc, tenant):
    tenant.login(userId="u-1")
    rc("GET", "/subscribers/u-1")
    assert rc("DELETE", "/subscribers/u-1", key=tenant.sk).status_code == 200
    assert tenant.find(userId="u-1") == []
    assert rc("DELETE", "/subscribers/u-1", key=tenant.sk).json["code"] == 7259


# --- merges by agents ---


def claimant(tenant, user_id):
    return next(user["id"] for user in tenant.find(userId=user_id) if not user["verified"])


def try_merge(tenant, source, target, **members):
    return tenant.call("POST", "/v1/merges", tenant.sk, {"from": source, "into": target, **members})


def restored(tenant, user_id):
    account = {"storeAccount": {"store": "app_store", "account": "vera's"}, "userId": user_id}
    return tenant.call("POST", "/v1/restore", tenant.sk, account)


# What an agent may do who takes the visitor for Vera; each is given the API, her and the visitor.
INTO_A_VISITOR = {
    "a merge": lambda rc, t, vera, v: [try_merge(t, vera["id"], v["id"])],
    "a merge that was tried before": lambda rc, t, vera, v: [
        try_merge(t, vera["id"], v["id"], dryRun=True), try_merge(t, vera["id"], v["id"]),
    ],
    "a merge after the other way round was undone": lambda rc, t, vera, v: [
        t.undo(t.merge(v["id"], vera["id"])), try_merge(t, vera["id"], v["id"]),
    ],
    "a merge into who took in another visitor": lambda rc, t, vera, v: [
        try_merge(t, t.known(), v["id"]), try_merge(t, vera["id"], v["id"]),
    ],
    "a merge by way of a client's ID": lambda rc, t, vera, v: [
        as_backend(rc, t, "GET", f"/subscribers/{ANON}"),
        try_merge(t, user_of(t, ANON)["id"], v["id"]), try_merge(t, vera["id"], v["id"]),
    ],
    "a login of a client in her name": lambda rc, t, vera, v: [
        identify(lambda *call: rc(*call, key=t.sk), "vera", v["userId"])
    ],
    "an alias for her": lambda rc, t, vera, v: [alias(rc, "vera", v["userId"])],
    "an account of hers": lambda rc, t, vera, v: [restored(t, "vera"), restored(t, v["userId"])],
    "an account of the visitor's": lambda rc, t, vera, v: [restored(t, v["userId"]), restored(t, "vera")],
}  # fmt: skip


@cases(
    "claim",
    ("user ID", {"userId": "vera"}),
    ("with an email", {"userId": "vera", "email": "vera@example.org"}),
)
@pytest.mark.parametrize("way", INTO_A_VISITOR.values(), ids=INTO_A_VISITOR)
def test_a_visitors_device_is_nobody_elses_whomever_an_agent_takes_it_for(rc, tenant, visitor, way, claim):
    vera = tenant.login(name="Vera Vale", **claim)
    tenant.begin(vera["session"]["token"], "vera's secret")
    token = visitor["session"]["token"]
    way(rc, tenant, vera["user"], visitor["user"])
    assert not tenant.get("/v1/me", token).json.get("session", {}).get("verified")
    assert not any(word in read(tenant, token) for word in ("vera's secret", "Vera Vale", "vera@"))
    assert tenant.known(userId="vera") == vera["user"]["id"]


def test_an_agent_may_say_that_a_claim_is_true_and_take_it_back(rc, tenant):
    vera = tenant.known(userId="vera")
    receive(rc, "u-1", "T-1", product_id="pro")
    source = claimant(tenant, "u-1")
    made = tenant.merge(source, vera)
    merged = shown(tenant, vera)
    tenant.undo(made)
    assert merged == [("pro", True)]
    assert (shown(tenant, vera), shown(tenant, source)) == ([], [("pro", True)])
    assert original(rc("GET", "/subscribers/u-1")) == "u-1"


def test_an_account_that_an_agent_led_out_of_its_world_waits_for_nobody(rc, tenant):
    vera = tenant.known(userId="vera", name="Vera Vale")
    receive(rc, "u-1", "T-1", product_id="pro")
    tenant.merge(claimant(tenant, "u-1"), vera)
    restored = receive(rc, "mallory", "T-1", is_restore=True)
    assert (restored.status_code, original(restored), products(restored)) == (200, "mallory", ["pro"])
    assert shown(tenant, vera) == []


def test_what_became_one_by_public_calls_stands_apart_again_after_an_agents_merge(rc, tenant):
    vera = tenant.known(userId="vera")
    alias(rc, ANON, "u-2-too")
    receive(rc, "u-2-too", "T-1", product_id="pro")
    receive(rc, "u-1", "T-2", product_id="lifetime")
    second, first = claimant(tenant, "u-2-too"), claimant(tenant, "u-1")
    inner = tenant.merge(second, first)
    ids = [ANON, "u-2-too"]
    outer = tenant.merge(first, vera)
    assert [tenant.find(userId=id) for id in ids] == [[], []]
    tenant.undo(outer)
    tenant.undo(inner)

    assert [claimant(tenant, id) for id in (*ids, "u-1")] == [second, second, first]
    assert (shown(tenant, first), shown(tenant, second)) == ([("lifetime", True)], [("pro", True)])


def test_what_a_visitor_had_whom_one_who_claims_took_in_is_a_claim(rc, tenant, visitor):
    rc("GET", f"/subscribers/{ANON}"), rc("GET", f"/subscribers/{ANON}", key=tenant.sk)
    path = f"/v1/users/{visitor['user']['id']}/aliases"
    assert tenant.call("POST", path, tenant.sk, {"userId": ANON}).status_code == 200
    buy(tenant, visitor["user"]["userId"], "pro", "2026-01-01T00:00:00Z")
    tenant.set(identityVerification="off", anonymousOnLogin="merge")
    tenant.try_login(key=tenant.pk, deviceId=visitor["deviceId"], userId="vera")
    vera = tenant.known(userId="vera")
    claimed = shown(tenant, vera)
    ids = [ANON, visitor["user"]["userId"]]
    led = [rc("DELETE", f"/subscribers/{id}", key=tenant.sk).status_code for id in ids]
    restored = buy(tenant, "vera", "new", "2028-01-01T00:00:00Z")

    assert claimed == [("pro", True)]
    # The public one is erased; neither of the visitor's leads to the one who only claims.
    assert led == [200, 404]
    assert restored["resolution"]["rule"] == "first-claim"
    assert shown(tenant, vera) == [("pro", False), ("new", False)]


@pytest.mark.parametrize("since", [False, True], ids=["as it was", "with the ID made known since"])
def test_a_visitor_whom_one_who_claims_took_in_stands_again(rc, tenant, visitor, since):
    rc("GET", f"/subscribers/{ANON}", key=tenant.sk)
    path = f"/v1/users/{visitor['user']['id']}/aliases"
    assert tenant.call("POST", path, tenant.sk, {"userId": ANON}).status_code == 200
    rc("GET", "/subscribers/u-1")
    made = tenant.merge(visitor["user"]["id"], user_of(tenant, "u-1")["id"])
    rc("GET", f"/subscribers/{ANON}", key=tenant.sk if since else tenant.pk)
    undone = tenant.call("DELETE", f"/v1/merges/{made}", tenant.sk)

    assert (undone.status_code, undone.json.get("code")) == ((409, "undo-conflict") if since else (200, None))
    if not since:
        again = tenant.user(visitor["user"]["id"])
        assert (again["userId"], again["aliases"]) == (visitor["user"]["userId"], [ANON])


def test_a_client_made_user_whom_a_merge_left_alone_again_is_of_its_world(rc, tenant, visitor):
    answer = rc("GET", f"/subscribers/{ANON}", key=tenant.sk)
    made = user_of(tenant, ANON)["id"]
    tenant.undo(tenant.merge(visitor["user"]["id"], made))
    assert original(rc("GET", f"/subscribers/{ANON}", key=tenant.sk)) == original(answer)
    assert user_of(tenant, ANON)["verified"] is True
    assert kept(tenant, ANON) == {}
