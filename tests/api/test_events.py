"""Events: whatever changes writes them, as the API shows it then, and only the app's backend is told."""

import json
from dataclasses import dataclass
from secrets import token_hex

import pytest

from service.model.events import EventType
from service.model.identifiers import digest, new_id
from tests.support.cases import cases
from tests.support.following import all_told, told, told_by, types_of
from tests.support.responses import problem_of, refused_fields
from tests.support.signing import identity_key, proof_of

ACCOUNT = {"store": "app_store", "account": "apple-1"}
BOUGHT = {"storeAccount": ACCOUNT, "product": "gold", "transaction": "t-1", "userId": "jane"}


@dataclass
class World:
    """Jane, with an alias, who is logged in on a device and has a resolved conversation; Mary; a visitor."""

    tenant: object
    jane: str
    mary: str
    token: str
    device: str
    conversation: str
    visitor: dict
    merge: str

    def call(self, method, path, body=None, key=None, **headers):
        answer = self.tenant.call(method, f"/v1/{path}", key or self.tenant.sk, body, **headers)
        assert answer.status_code < 300, answer.text
        return answer

    def prove(self, **members):
        return proof_of(self.tenant, identity_key(self.tenant)[1], **members)

    def subscribe(self, method, path, body=None):
        return self.call(method, f"subscribers/{path}", body, self.tenant.pk)


@pytest.fixture
def world(tenant):
    tenant.set(anonymousOnLogin="merge", clientPurchases="on", revenuecat="on")
    login = tenant.login(userId="jane", email="jane@example.org", name="Jane", deviceId="device-of-jane-01")
    mary, jane = tenant.known(userId="mary"), login["user"]["id"]
    token = login["session"]["token"]
    conversation = tenant.begin(token)
    tenant.call("PATCH", f"/v1/conversations/{conversation}", tenant.sk, {"status": "resolved"})
    visitor = tenant.login(deviceId="device-of-nobody-1")
    merge = tenant.merge(tenant.known(userId="judy"), mary)
    return World(tenant, jane, mary, token, "device-of-jane-01", conversation, visitor, merge)


def log_in(w, **claim):
    return w.tenant.login(**claim)


# Every call that changes something, and what it tells.
CHANGES = {
    "a known user on a known device": (lambda w: log_in(w, userId="jane", deviceId=w.device), []),
    "a known user on a new device": (lambda w: log_in(w, userId="jane", deviceId="another-device-01"), []),
    "a known user, as known": (lambda w: log_in(w, userId="jane", name="Jane", deviceId=w.device), []),
    "a new user": (lambda w: log_in(w, userId="new"), ["user.created"]),
    "a new email": (lambda w: log_in(w, email="new@example.org"), ["user.created"]),
    "a visitor": (log_in, ["user.created"]),
    "another name": (lambda w: log_in(w, userId="jane", name="Jane D"), ["user.updated"]),
    "another name and email": (
        lambda w: log_in(w, userId="jane", name="Jane D", email="j@example.org"),
        ["user.updated"],
    ),
    "a user ID for an email": (
        lambda w: [log_in(w, email="new@example.org"), log_in(w, email="new@example.org", userId="new")],
        ["user.created", "user.updated"],
    ),
    "somebody else on a device": (
        lambda w: log_in(w, userId="mary", deviceId=w.device),
        ["session.ended"],
    ),
    "somebody new on a device": (
        lambda w: log_in(w, userId="new", deviceId=w.device),
        ["user.created", "session.ended"],
    ),
    "who was a visitor": (
        lambda w: log_in(w, userId="jane", deviceId="device-of-nobody-1"),
        ["user.merged"],
    ),
    "whose device clears": (
        lambda w: [
            w.call("POST", "clearAnonymousUser", {"deviceId": "device-of-nobody-1"}),
            log_in(w, userId="jane", deviceId="device-of-nobody-1"),
        ],
        ["user.cleared"],
    ),
    "a widget's login with a proof": (
        lambda w: w.tenant.try_login(key=w.tenant.pk, proof=w.prove(sub="new")),
        ["user.created"],
    ),
    "a user is added": (lambda w: w.call("POST", "users", {"userId": "new"}), ["user.created"]),
    "a user is added again": (lambda w: w.call("POST", "users", {"userId": "jane"}), []),
    "a logout": (lambda w: w.call("POST", "logout", key=w.token), ["session.ended"]),
    "a logout of a device": (lambda w: w.call("POST", "logout", {"deviceId": w.device}), ["session.ended"]),
    "a logout of a user ID": (lambda w: w.call("POST", "logout", {"userId": "jane"}), ["session.ended"]),
    "a logout of a user": (lambda w: w.call("POST", "logout", {"user": w.jane}), ["session.ended"]),
    "a second logout": (
        lambda w: [w.call("POST", "logout", key=w.token), w.call("POST", "logout", key=w.token)],
        ["session.ended"],
    ),
    "a flag": (lambda w: w.call("POST", "clearAnonymousUser", key=w.token), []),
    "sharing": (lambda w: w.call("POST", "allowSharingStoreAccount", {"allow": True}, w.token), []),
    "a conversation": (
        lambda w: w.call("POST", "conversations", {"message": "Hello"}, w.token),
        ["conversation.created", "message.created"],
    ),
    "an agent's conversation": (
        lambda w: w.call("POST", "conversations", {"message": "Hello", "user": w.jane}),
        ["conversation.created", "message.created"],
    ),
    "a conversation that is sent twice": (
        lambda w: [
            w.call("POST", "conversations", {"message": "Hi"}, w.token, Idempotency_Key="k") for _ in "12"
        ],
        ["conversation.created", "message.created"],
    ),
    "a message": (
        lambda w: w.call("POST", f"conversations/{w.conversation}/messages", {"body": "Hi"}, w.token),
        ["message.created", "conversation.reopened"],
    ),
    "a message with a key": (
        lambda w: [
            w.call(
                "POST",
                f"conversations/{w.conversation}/messages",
                {"body": "Hi"},
                w.token,
                Idempotency_Key="k",
            )
            for _ in "12"
        ],
        ["message.created", "conversation.reopened"],
    ),
    "a second message": (
        lambda w: [
            w.call("POST", f"conversations/{w.conversation}/messages", {"body": "Hi"}, w.token) for _ in "12"
        ],
        ["message.created", "conversation.reopened", "message.created"],
    ),
    "an agent's message": (
        lambda w: w.call("POST", f"conversations/{w.conversation}/messages", {"body": "Hi"}),
        ["message.created"],
    ),
    "it is read": (lambda w: w.call("POST", f"conversations/{w.conversation}/read"), []),
    "it is reopened": (
        lambda w: w.call("PATCH", f"conversations/{w.conversation}", {"status": "open"}),
        ["conversation.reopened"],
    ),
    "it is reopened by the user": (
        lambda w: w.call("PATCH", f"conversations/{w.conversation}", {"status": "open"}, w.token),
        ["conversation.reopened"],
    ),
    "it is resolved again": (
        lambda w: w.call("PATCH", f"conversations/{w.conversation}", {"status": "resolved"}),
        [],
    ),
    "it is reopened and resolved": (
        lambda w: [
            w.call("PATCH", f"conversations/{w.conversation}", {"status": status})
            for status in ("open", "resolved")
        ],
        ["conversation.reopened", "conversation.resolved"],
    ),
    "a contact": (lambda w: w.call("PUT", "me/contact", {"phone": "030 1"}, w.token), ["user.updated"]),
    "a contact that is left again, and taken back": (
        lambda w: [
            w.call("PUT", "me/contact", said, w.token) for said in ({"name": "J"}, {"name": "J"}, {}, {})
        ],
        ["user.updated", "user.updated"],
    ),
    "a correction": (lambda w: w.call("PATCH", f"users/{w.jane}", {"name": None}), ["user.updated"]),
    "a correction of nothing": (lambda w: w.call("PATCH", f"users/{w.jane}", {"name": "Jane"}), []),
    "an alias": (
        lambda w: w.call("POST", f"users/{w.jane}/aliases", {"userId": "janet"}),
        ["user.updated"],
    ),
    "one's own alias": (
        lambda w: w.call("POST", "aliases", {"userId": "janet", "proof": w.prove(sub="janet")}, w.token),
        ["user.updated"],
    ),
    "an alias of a visitor": (
        lambda w: w.call("POST", f"users/{w.jane}/aliases", {"userId": w.visitor["user"]["userId"]}),
        ["user.merged"],
    ),
    "an ID is taken away": (
        lambda w: w.call("DELETE", f"users/{w.mary}/aliases", {"userId": "judy"}),
        ["user.updated"],
    ),
    "an ID is corrected": (
        lambda w: w.call("PUT", f"users/{w.jane}/userId", {"userId": "janet"}),
        ["user.updated"],
    ),
    "a merge": (lambda w: w.call("POST", "merges", {"from": w.mary, "into": w.jane}), ["user.merged"]),
    "a merge in thought": (
        lambda w: w.call("POST", "merges", {"from": w.mary, "into": w.jane, "dryRun": True}),
        [],
    ),
    "an undo": (lambda w: w.call("DELETE", f"merges/{w.merge}"), ["user.unmerged"]),
    "a purchase": (lambda w: w.call("POST", "purchases", BOUGHT), ["purchase.recorded"]),
    "a purchase that is known": (
        lambda w: [w.call("POST", "purchases", BOUGHT), w.call("POST", "purchases", BOUGHT)],
        ["purchase.recorded"],
    ),
    "a restore that merges": (
        lambda w: [
            w.call("POST", "purchases", BOUGHT),
            w.call("POST", "restore", {"storeAccount": ACCOUNT, "userId": "mary"}),
        ],
        ["purchase.recorded", "user.merged"],
    ),
    "a restore that transfers": (
        lambda w: [
            w.tenant.set(restoreBehavior="transfer"),
            w.call("POST", "purchases", BOUGHT),
            w.call("POST", "restore", {"storeAccount": ACCOUNT, "userId": "mary"}),
        ],
        ["purchase.recorded", "user.updated", "user.updated"],
    ),
    "a first claim": (lambda w: w.call("POST", "restore", {"storeAccount": ACCOUNT, "userId": "jane"}), []),
    "an erase": (lambda w: w.call("DELETE", f"users/{w.jane}"), ["session.ended", "user.erased"]),
    "an erase by a subscriber's ID": (
        lambda w: w.call("DELETE", "subscribers/jane"),
        ["session.ended", "user.erased"],
    ),
    "a subscriber": (lambda w: w.subscribe("GET", "new"), ["user.created"]),
    "a known subscriber": (lambda w: w.call("GET", "subscribers/jane"), []),
    "a subscriber's attributes": (
        lambda w: w.subscribe("POST", "new/attributes", {"attributes": {"color": {"value": "red"}}}),
        ["user.created", "user.updated"],
    ),
    "a subscriber's receipt": (
        lambda w: w.call(
            "POST", "receipts", {"app_user_id": "new", "fetch_token": "x", "product_id": "y"}, w.tenant.pk
        ),
        ["user.created", "purchase.recorded"],
    ),
    "a subscriber's alias": (
        lambda w: [
            w.subscribe("GET", "new"),
            w.subscribe("POST", "new/alias", {"new_app_user_id": "newer"}),
        ],
        ["user.created", "user.updated"],
    ),
    "a subscriber's login": (
        lambda w: w.subscribe(
            "POST",
            "identify",
            {"app_user_id": "$RCAnonymousID:" + "a" * 32, "new_app_user_id": "new"},
        ),
        ["user.created", "user.updated"],
    ),
    "a claim that nobody proves": (
        lambda w: [
            w.tenant.set(identityVerification="off"),
            w.tenant.try_login(key=w.tenant.pk, userId="jane"),
        ],
        ["user.created"],
    ),
}


@pytest.mark.parametrize(("act", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_tells_what_it_changes_and_nothing_else(world, act, expected):
    assert types_of(told_by(world.tenant, lambda: act(world))) == expected


def test_every_type_is_told_by_some_call():
    assert {type for _, expected in CHANGES.values() for type in expected} == set(EventType)


def test_a_change_that_is_refused_tells_nothing(world):
    def be_refused():
        refused = [
            ("PATCH", f"users/{world.jane}", {"email": "no email"}),
            ("POST", f"users/{world.jane}/aliases", {"userId": "mary"}),
            ("POST", "merges", {"from": world.mary, "into": world.mary}),
            ("POST", "conversations", {"message": ""}),
        ]
        answers = [
            world.tenant.call(how, f"/v1/{path}", world.tenant.sk, body) for how, path, body in refused
        ]
        assert {answer.status_code for answer in answers} == {409, 422}

    assert told_by(world.tenant, be_refused) == []


# --- what is told ------------------------------------------------------------------------------------


def test_a_user_is_told_as_they_are_listed(world):
    [event] = told_by(world.tenant, lambda: world.tenant.change(world.jane, name="Jane D"))

    assert event["data"] == {"user": world.tenant.find(userId="jane")[0]}
    assert event["app"] == world.tenant.id


def test_a_merge_is_told_with_its_record_and_the_survivor(world):
    [event] = told_by(world.tenant, lambda: world.tenant.merge(world.mary, world.jane))

    merge = event["data"]["merge"]
    assert merge == world.tenant.get(f"/v1/merges/{merge['id']}").json
    assert event["data"]["user"] == world.tenant.find(userId="mary")[0]


def test_an_undo_is_told_with_both_as_they_stand_again(world):
    [event] = told_by(world.tenant, lambda: world.tenant.undo(world.merge))

    assert event["data"] == {
        "user": world.tenant.find(userId="mary")[0],
        "separated": world.tenant.find(userId="judy")[0],
        "merge": world.tenant.get(f"/v1/merges/{world.merge}").json,
    }


def test_what_happens_to_a_part_is_told_of_the_survivor(world):
    world.tenant.merge(world.mary, world.jane)

    [event] = told_by(world.tenant, lambda: world.tenant.login(userId="mary", name="Mary"))

    assert event["data"]["user"]["id"] == world.jane
    assert event["data"]["user"]["name"] == "Mary"


@cases("who", ("a user", "st"), ("an agent", "sk"))
def test_a_message_is_told_as_agents_see_it(world, who):
    key = world.token if who == "st" else world.tenant.sk
    event = told_by(world.tenant, lambda: world.tenant.write(world.conversation, key, "Hi"))[0]

    assert event["data"] == {
        "user": {"id": world.jane},
        "conversation": {"id": world.conversation},
        "message": world.tenant.messages(world.conversation)[-1],
    }


@cases(
    "act",
    ("a user's message", lambda w: w.tenant.write(w.conversation, w.token)),
    ("a message with a key", lambda w: w.call(
        "POST", f"conversations/{w.conversation}/messages", {"body": "Hi"}, w.token, Idempotency_Key="k"
    )),
    ("an agent", lambda w: w.call("PATCH", f"conversations/{w.conversation}", {"status": "open"})),
    ("the user", lambda w: w.call("PATCH", f"conversations/{w.conversation}", {"status": "open"}, w.token)),
    ("a conversation", lambda w: w.call("POST", "conversations", {"message": "Hi", "subject": "A"}, w.token)),
    ("an agent's", lambda w: w.call("POST", "conversations", {"message": "Hi", "user": w.jane})),
)  # fmt: skip
def test_a_conversation_is_told_as_agents_see_it(world, act):
    events = told_by(world.tenant, lambda: act(world))

    [event] = [event for event in events if event["type"].startswith("conversation.")]
    shown = world.tenant.get(f"/v1/conversations/{event['data']['conversation']['id']}").json
    assert event["data"] == {"user": {"id": world.jane}, "conversation": shown, "verified": True}


def test_a_purchase_is_told_as_it_is_shown_with_its_user(world):
    [event] = told_by(
        world.tenant,
        lambda: world.call("POST", "purchases", BOUGHT | {"expiresAt": "2020-01-01T00:00:00Z"}),
    )

    shown = world.tenant.user(world.jane)
    assert event["data"]["purchase"] == shown["purchases"][0]
    assert event["data"]["user"] == world.tenant.find(userId="jane")[0]


@cases(
    "act, reason",
    ("logout", lambda w: w.call("POST", "logout", key=w.token), "logout"),
    ("replacement", lambda w: w.tenant.login(userId="mary", deviceId=w.device), "replacement"),
)
def test_of_a_session_that_ended_is_told_whose_it_was_and_where(world, act, reason):
    [session] = [
        one
        for one in world.tenant.get(f"/v1/users/{world.jane}/export").json["sessions"]
        if one["device"] == digest(world.device)
    ]

    [event] = told_by(world.tenant, lambda: act(world))

    session.pop("claim")
    used = [one.pop("lastUsedAt") for one in (session, event["data"]["session"])]
    assert used[0] <= used[1]
    assert event["data"] == {"user": {"id": world.jane}, "session": session, "reason": reason}


def test_of_who_is_erased_only_ids_are_told(world):
    world.tenant.merge(world.mary, world.jane)

    events = told_by(world.tenant, lambda: world.tenant.erase(world.jane))

    ended, erased = events[:-1], events[-1]
    assert [one["data"] for one in ended] == [{"user": {"id": world.jane}, "reason": "erase"}] * len(ended)
    merged = erased["data"].pop("mergedUsers")
    assert world.mary in merged
    assert erased["data"] == {"user": {"id": world.jane}}


def test_who_proves_nothing_is_told_as_not_verified(world):
    tenant = world.tenant
    tenant.set(identityVerification="off")

    def claim():
        token = tenant.try_login(key=tenant.pk, userId="jane").json["session"]["token"]
        id = tenant.begin(token)
        tenant.call("PATCH", f"/v1/conversations/{id}", token, {"status": "resolved"})
        tenant.write(id, token)
        tenant.call("POST", "/v1/logout", token)

    events = told_by(tenant, claim)

    said = {}
    for event in events:
        data = event["data"]
        where = {"user.created": data["user"], "message.created": data.get("message")}
        where |= {"session.ended": data.get("session")}
        said[event["type"]] = where.get(event["type"], data)["verified"]
    assert said == dict.fromkeys(
        (
            *("user.created", "conversation.created", "message.created", "conversation.resolved"),
            *("conversation.reopened", "session.ended"),
        ),
        False,
    )


# --- who is told -------------------------------------------------------------------------------------


def test_another_app_is_told_nothing_of_it(world, other_tenant):
    assert all_told(other_tenant)[0] == []

    last = all_told(world.tenant)[1]
    assert problem_of(other_tenant.get("/v1/events", after=last)) == (410, "event-gone")


def test_an_app_that_is_erased_leaves_no_events(world, store):
    erased = world.tenant.call("DELETE", f"/v1/apps/{world.tenant.id}", world.tenant.admin_key)

    assert erased.status_code == 204
    assert store.of(world.tenant.id).feed.after((0, ""), (), 1).data == ()


def test_nothing_that_was_told_of_who_is_erased_tells_of_them_still(tenant):
    canary = f"zq{token_hex(8)}"
    say = {"email": f"{canary}@example.org", "name": f"{canary} Doe"}
    login = tenant.login(userId=f"{canary}-1", deviceId="device-of-canary", **say)
    other = tenant.known(userId="other")
    token, id = login["session"]["token"], login["user"]["id"]
    conversation = tenant.begin(token, f"{canary} asks", subject=f"{canary}'s")
    tenant.call("PATCH", f"/v1/conversations/{conversation}", tenant.sk, {"status": "resolved"})
    tenant.write(conversation, token, f"{canary} again")
    bought = {"storeAccount": {"store": "s", "account": canary}, "product": canary, "transaction": canary}
    tenant.call("POST", "/v1/purchases", tenant.sk, bought | {"userId": f"{canary}-1"})
    # It was one with somebody else for a while, who had been part of a third.
    third = tenant.known(userId="third")
    merge = tenant.merge(id, other)
    tenant.change(other, name=f"{canary} as other")
    upper = tenant.merge(other, third)
    tenant.undo(upper)
    tenant.undo(merge)
    part = tenant.known(userId=f"{canary}-2")
    tenant.merge(part, id)
    tenant.call("POST", "/v1/logout", tenant.sk, {"userId": f"{canary}-1"})
    assert canary in json.dumps(all_told(tenant)[0])

    tenant.erase(id)

    events = all_told(tenant)[0]
    assert canary not in json.dumps(events)
    assert "message.created" in types_of(events)


# --- how it is asked for -----------------------------------------------------------------------------


@cases(
    "query, expected",
    ("no id", {"after": "evt_1"}, ("/after", "invalid-cursor")),
    ("another kind", {"after": new_id("usr")}, ("/after", "invalid-cursor")),
    ("no type", {"types": "user.created,user.eaten"}, ("/types", "unknown-choice")),
    ("no types", {"types": ""}, ("/types", "unknown-choice")),
    ("too many", {"limit": 101}, ("/limit", "not-a-whole-number")),
    ("none", {"limit": 0}, ("/limit", "not-a-whole-number")),
    ("something else", {"cursor": "x"}, ("/cursor", "unknown")),
)
def test_what_is_asked_for_has_to_be_possible(tenant, query, expected):
    assert refused_fields(tenant.get("/v1/events", **query)) == [expected]


def test_after_an_event_that_is_not_kept_nobody_knows_what_came(tenant):
    assert problem_of(tenant.get("/v1/events", after=new_id("evt"))) == (410, "event-gone")


def test_before_anything_has_changed_there_is_nothing_to_go_on_after(tenant):
    assert tenant.get("/v1/events").json == {"data": [], "after": None, "more": False}
    assert tenant.get("/v1/events", types="user.created").json == {"data": [], "after": None, "more": False}


def test_at_the_end_there_is_nothing_and_the_same_to_go_on_after(tenant):
    _, last = all_told(tenant)

    assert tenant.get("/v1/events", after=last).json == {"data": [], "after": last, "more": False}
    only = tenant.get("/v1/events", after=last, types="user.erased").json
    assert only == {"data": [], "after": last, "more": False}


def test_they_come_in_pieces_without_a_gap(tenant):
    for number in range(5):
        tenant.known(userId=f"u-{number}")
    everything, _ = all_told(tenant)

    pieces, after = [], None
    for _ in range(3):
        page = tenant.get("/v1/events", limit=2, **({"after": after} if after else {})).json
        pieces.append([event["id"] for event in page["data"]])
        after = page["after"]

    assert [len(piece) for piece in pieces] == [2, 2, 2]
    assert page["more"] is False
    assert sum(pieces, [])[:5] == [event["id"] for event in everything]


def test_of_some_types_are_only_those_and_the_end_is_that_of_all(world):
    everything, last = all_told(world.tenant)

    some, after = told(world.tenant, types="user.merged,message.created,user.merged", limit=1)

    assert some == [event for event in everything if event["type"] in ("user.merged", "message.created")]
    assert after == last


def test_who_looks_for_some_types_looks_through_a_piece_at_a_time(world, monkeypatch):
    everything, last = all_told(world.tenant)
    monkeypatch.setattr("service.store.feed.WINDOW", 2)

    first = world.tenant.get("/v1/events", types="user.merged").json
    some, after = told(world.tenant, types="user.merged")

    assert first == {"data": [], "after": everything[2]["id"], "more": True}
    assert some == [event for event in everything if event["type"] == "user.merged"]
    assert after == last
