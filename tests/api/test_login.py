"""Login over HTTP: each rule, what the answers hold, who is believed, what is refused."""

import re

import pytest

from tests.support.cases import cases
from tests.support.engines import one_engine

EMAIL = "jane@example.org"
DEVICE = "device-of-the-test-0001"
ABSENT = "device-nobody-has-seen-1"

# What is claimed, what is known of it, the rule, and whom it finds; None is a new user.
SITUATIONS = [
    ("known", "not-given", "known-user-id", "known"),
    ("known", "unknown", "known-user-id", "known"),
    ("known", "unclaimed", "known-user-id", "known"),
    ("known", "claimed", "known-user-id", "known"),
    ("known", "shared", "known-user-id", "known"),
    ("unknown", "not-given", "new-user-id", None),
    ("unknown", "unknown", "new-user-id", None),
    ("unknown", "unclaimed", "attach-user-id", "unclaimed"),
    ("unknown", "claimed", "new-user-id", None),
    ("unknown", "shared", "new-user-id", None),
    ("not-given", "not-given", "anonymous", None),
    ("not-given", "unknown", "new-email", None),
    ("not-given", "unclaimed", "known-email", "unclaimed"),
    ("not-given", "claimed", "known-email", "claimed"),
    ("not-given", "shared", "shared-email", None),
]


def populate(tenant, user_id, email):
    """Log in whoever makes a situation, and return the id of each."""
    logins = {
        "known": {"userId": "u-17", "email": "jane@old.example"} if user_id == "known" else None,
        "claimed": {"userId": "u-18", "email": EMAIL} if email in ("claimed", "shared") else None,
        "sharing": {"userId": "u-19", "email": EMAIL} if email == "shared" else None,
        "unclaimed": {"email": EMAIL} if email == "unclaimed" else None,
    }
    return {who: tenant.known(**claim) for who, claim in logins.items() if claim}


def refusal(response):
    """Return the status and the code of a problem, and the pointer and code of each member refused."""
    errors = [(error["pointer"], error["code"]) for error in response.json.get("errors", [])]
    return response.status_code, response.json["code"], errors


@pytest.mark.parametrize(
    ("user_id", "email", "rule", "whom"),
    [pytest.param(*case, id=f"{case[0]}-and-{case[1]}") for case in SITUATIONS],
)
def test_each_situation_is_answered_with_its_rule(tenant, user_id, email, rule, whom):
    people = populate(tenant, user_id, email)
    response = tenant.try_login(
        userId=None if user_id == "not-given" else "u-17", email=None if email == "not-given" else EMAIL
    )
    body = response.json
    assert body["resolution"]["rule"] == rule
    assert (response.status_code, body["created"]) == ((200, False) if whom else (201, True))
    assert people.get(whom) == body["user"]["id"] if whom else body["user"]["id"] not in people.values()


def test_a_known_user_id_has_its_email_and_name_replaced(tenant):
    before = tenant.login(userId="u-17", email="jane@old.example", name="Jane")
    again = tenant.login(userId="u-17", email=EMAIL, name="Jane Doe")
    assert again["user"] == before["user"] | {"email": EMAIL, "emails": [EMAIL], "name": "Jane Doe"}
    assert again["resolution"] == {
        "rule": "known-user-id",
        "because": "A user has this user ID, which outranks any email.",
        "changes": ["email", "name"],
        "ignored": [],
    }


def test_an_attached_user_id_comes_with_all_that_the_unclaimed_user_had(tenant):
    unclaimed = tenant.login(email=EMAIL)
    thread = tenant.begin(unclaimed["session"]["token"])
    attached = tenant.login(userId="u-17", email=EMAIL.upper(), name="Jane")
    assert attached["user"] == unclaimed["user"] | {"userId": "u-17", "name": "Jane"}
    assert attached["resolution"]["changes"] == ["userId", "name"]
    assert tenant.conversations(attached["session"]["token"]) == [thread]
    me = tenant.get("/v1/me", unclaimed["session"]["token"]).json["user"]
    assert me == attached["user"] | {"purchases": []}


def test_a_shared_email_shows_nothing_of_those_who_share_it(tenant):
    for user_id in ("u-17", "u-18"):
        tenant.begin(tenant.session(userId=user_id, email=EMAIL))
    third = tenant.login(email=EMAIL)
    assert third["resolution"]["rule"] == "shared-email"
    assert tenant.conversations(third["session"]["token"]) == []


def test_an_anonymous_user_belongs_to_its_device(tenant):
    first = tenant.login(deviceId=DEVICE)
    tenant.login(deviceId="another-device-of-the-test")
    again = tenant.login(deviceId=DEVICE)
    assert again["user"] == first["user"]
    assert again["created"] is False
    assert re.fullmatch(r"\$anon:[0-9a-f-]{36}", first["user"]["userId"])


def test_a_login_without_a_body_is_anonymous(tenant):
    response = tenant.call("POST", "/v1/login", tenant.sk)
    assert response.status_code == 201
    assert response.json["resolution"]["rule"] == "anonymous"


def test_an_app_knows_nobody_of_another(tenant, other_tenant):
    here = tenant.login(userId="u-17", email=EMAIL, deviceId=DEVICE)
    there = other_tenant.login(userId="u-17", email=EMAIL, deviceId=DEVICE)
    assert there["resolution"]["rule"] == "new-user-id"
    assert there["user"]["id"] != here["user"]["id"]
    assert tenant.get("/v1/me", here["session"]["token"]).status_code == 200


@cases(
    "stored, sent",
    ("capitals", "jane@example.org", "JANE@Example.ORG"),
    ("stored with capitals", "Jane@Example.org", "jane@example.org"),
    ("white space at the ends", "jane@example.org", " jane@example.org\t\n"),
    ("international domain", "jane@b\u00fccher.example", "jane@xn--bcher-kva.example"),
)
def test_an_email_written_otherwise_names_the_same_user(tenant, stored, sent):
    first = tenant.login(email=stored)
    again = tenant.login(email=sent)
    assert again["resolution"]["rule"] == "known-email"
    assert again["user"] == first["user"]


@cases(
    "sent, kept",
    ("trailing space", "distriqt@distriqt.com ", "distriqt@distriqt.com"),
    ("capitals", "Jane@Example.org", "Jane@example.org"),
    ("international domain", "jane@b\u00fccher.example", "jane@xn--bcher-kva.example"),
)
def test_an_email_is_kept_with_its_domain_in_ascii(tenant, sent, kept):
    assert tenant.login(email=sent)["user"]["email"] == kept


@cases(
    "first, second",
    ("capitals", "u-17", "U-17"),
    ("composed and decomposed", "\u00e9", "e\u0301"),
    ("folded letters", "stra\u00dfe", "strasse"),
    ("the last of 750", "a" * 749 + "b", "a" * 749 + "c"),
    ("longer", "u-17", "u-17\u00a0x"),
)
def test_user_ids_are_compared_exactly(tenant, first, second):
    tenant.login(userId=first)
    assert tenant.login(userId=second)["resolution"]["rule"] == "new-user-id"


@cases(
    "user_id",
    ("3000 bytes", "\U0001f600" * 750),
    ("letters of any script", "\u041d\u0438\u043a-\u540d\u524d \u0627"),
    ("words of a database", "'; DROP TABLE users; --%s?"),
    ("nearly a placeholder", "00"),
)
def test_a_legal_user_id_is_kept_as_it_is(tenant, user_id):
    tenant.login(userId=user_id)
    again = tenant.login(userId=user_id)
    assert again["user"]["userId"] == user_id
    assert again["resolution"]["rule"] == "known-user-id"


@cases("name", ("letters", "n" * 300), ("four bytes each", "\U0001f600" * 256))
def test_a_name_is_cut_to_255_code_points(tenant, name):
    assert tenant.login(userId="u-17", name=name)["user"]["name"] == name[:255]


def test_the_same_login_again_changes_nothing(tenant):
    claim = {"userId": "u-17", "email": EMAIL, "name": "n" * 300}
    first = tenant.login(**claim)
    again = tenant.login(**claim)
    assert again["user"] == first["user"]
    assert again["resolution"]["changes"] == []


@cases(
    "blanks",
    ("missing", {}),
    ("null", dict.fromkeys(["email", "name", "deviceId", "proof"], None)),
    ("empty", dict.fromkeys(["email", "name", "deviceId", "proof"], "")),
    ("email of white space", {"email": " \t\u3000"}),
)
def test_what_is_not_given_changes_nothing(tenant, blanks):
    before = tenant.login(userId="u-17", email=EMAIL, name="Jane", deviceId=DEVICE)
    again = tenant.login(userId="u-17", **blanks)
    assert again["user"] == before["user"]
    assert again["resolution"]["changes"] == []
    assert again["deviceId"] != DEVICE


@cases(
    "blanks",
    ("null", dict.fromkeys(["userId", "email", "name", "deviceId", "proof"], None)),
    ("empty", dict.fromkeys(["userId", "email", "name", "deviceId", "proof"], "")),
    ("email of white space", {"email": " \t\u3000"}),
)
@pytest.mark.parametrize("key", ["sk", "pk"])
def test_blanks_alone_claim_nobody(tenant, key, blanks):
    login = tenant.login(key=getattr(tenant, key), **blanks)
    assert login["resolution"]["rule"] == "anonymous"
    assert login["user"]["anonymous"] is True


def test_an_answer_has_its_members_and_no_others(tenant):
    body = tenant.login(userId="u-17", email=EMAIL, name="Jane", deviceId=DEVICE)

    time = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert {name: set(value) for name, value in body.items() if isinstance(value, dict)} == {
        "user": {
            "id",
            "userId",
            "email",
            "emails",
            "name",
            "anonymous",
            "aliases",
            "createdAt",
            "attributes",
        },
        "session": {"token", "expiresAt", "verified"},
        "resolution": {"rule", "because", "changes", "ignored"},
    }
    assert set(body) == {"user", "session", "deviceId", "created", "resolution"}
    assert (body["deviceId"], body["created"]) == (DEVICE, True)
    assert re.fullmatch(r"usr_[0-9a-f]{32}", body["user"]["id"])
    assert re.fullmatch(time, body["user"]["createdAt"])
    assert re.fullmatch(time, body["session"]["expiresAt"])
    assert re.fullmatch(rf"st_{tenant.id[4:]}_[\w-]{{43}}\.[\w-]{{43}}", body["session"]["token"], re.ASCII)


@cases(
    "claim, shown",
    ("user-id", {"userId": "u-17"}, {"userId": "u-17", "email": None, "name": None, "anonymous": False}),
    ("email", {"email": EMAIL}, {"userId": None, "email": EMAIL, "name": None, "anonymous": False}),
    ("name", {"name": "Jane"}, {"email": None, "name": "Jane", "anonymous": True}),
)
def test_what_a_user_has_not_is_null(tenant, claim, shown):
    user = tenant.login(**claim)["user"]
    assert user == user | shown | {"aliases": []}


def test_a_device_that_is_issued_can_be_named_by_a_widget(tenant):
    issued = tenant.login(userId="u-17")["deviceId"]
    response = tenant.try_login(key=tenant.pk, deviceId=issued)
    assert re.fullmatch(r"dev_[\w-]{43}", issued, re.ASCII)
    assert response.json["deviceId"] == issued


def test_a_token_and_a_device_id_are_kept_as_digests_only(tenant, rows):
    login = tenant.login(userId="u-17", deviceId=DEVICE)
    kept = str(rows())
    assert "u-17" in kept
    assert login["session"]["token"] not in kept
    assert DEVICE not in kept


@cases(
    "key, claim, verified",
    ("backend with a user ID", "sk", {"userId": "u-17"}, True),
    ("backend with an email", "sk", {"email": EMAIL}, True),
    ("backend with a name", "sk", {"name": "Jane"}, False),
    ("backend with nothing", "sk", {}, False),
    ("widget with a name", "pk", {"name": "Jane"}, False),
    ("widget with nothing", "pk", {}, False),
)
def test_a_session_is_verified_where_the_backend_names_somebody(tenant, key, claim, verified):
    assert tenant.login(key=getattr(tenant, key), **claim)["session"]["verified"] is verified


def test_a_widget_logs_its_device_in_anonymously(tenant):
    first = tenant.try_login(key=tenant.pk)
    again = tenant.try_login(key=tenant.pk, deviceId=first.json["deviceId"])
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json["user"] == first.json["user"]


def test_a_widget_on_a_device_where_somebody_is_logged_in_sees_nothing_of_them(tenant):
    token = tenant.session(userId="u-17", email=EMAIL, deviceId=DEVICE)
    tenant.begin(token)
    login = tenant.login(key=tenant.pk, deviceId=DEVICE)
    assert login["user"]["anonymous"] is True
    assert tenant.conversations(login["session"]["token"]) == []
    assert tenant.get("/v1/me", token).status_code == 401


@cases(
    "device",
    ("well-formed", ABSENT),
    ("short", "short"),
    ("surrogate", "device-of-the-test-\ud800"),
    ("NUL", "device-of-the-test-\x00"),
)
def test_a_widget_names_no_device_that_nobody_knows(tenant, device):
    response = tenant.try_login(key=tenant.pk, deviceId=device)
    assert refusal(response) == (422, "unknown-device", [("/deviceId", "unknown-device")])


def test_devices_that_send_one_placeholder_share_no_anonymous_user(tenant):
    placeholder = "00000000-0000-0000-0000-000000000000"
    assert tenant.try_login(deviceId=placeholder).status_code == 422
    response = tenant.try_login(key=tenant.pk, deviceId=placeholder)
    assert refusal(response) == (422, "unknown-device", [("/deviceId", "unknown-device")])


@one_engine
@cases(
    "member, value, code",
    ("userId: 751 code points", "userId", "u" * 751, "too-long"),
    ("userId: leading space", "userId", " u-17", "white-space"),
    ("userId: surrogate", "userId", "u\ud80017", "forbidden-character"),
    ("userId: null in capitals", "userId", "NULL", "placeholder"),
    ("userId: ours for anonymous users", "userId", "$anon:1", "reserved"),
    ("email: no domain", "email", "jane", "invalid-email"),
    ("email: surrogate", "email", "jane@example.org\ud800", "invalid-email"),
    ("email: 256 characters", "email", f"jane@{'a.' * 124}org", "too-long"),
    ("name: a number beside nobody", "name", 17, "not-a-string"),
    ("deviceId: 15 characters", "deviceId", "d" * 15, "invalid-device-id"),
    ("deviceId: 256 characters", "deviceId", "d" * 256, "invalid-device-id"),
    ("deviceId: spaces", "deviceId", "device of the test", "invalid-device-id"),
    ("deviceId: non-ASCII", "deviceId", "d" * 16 + "\u00e9", "invalid-device-id"),
    ("deviceId: zeros", "deviceId", "00000000-0000-0000-0000-000000000000", "placeholder"),
    ("a member that there is not", "userid", "u-17", "unknown"),
)
def test_a_malformed_member_is_refused_by_its_pointer(tenant, member, value, code):
    assert refusal(tenant.try_login(**{member: value})) == (422, "refused", [(f"/{member}", code)])


@one_engine
@cases("value", ("number", 17), ("false", False), ("array", ["u-17"]), ("object", {"id": "u-17"}))
@pytest.mark.parametrize("key", ["sk", "pk"])
def test_what_is_no_string_is_never_turned_into_one(tenant, key, value):
    members = ["userId", "email", "name", "deviceId", "proof"]
    response = tenant.try_login(key=getattr(tenant, key), **dict.fromkeys(members, value))
    status, code, errors = refusal(response)
    assert (status, code) == (422, "refused")
    assert sorted(errors) == [(f"/{member}", "not-a-string") for member in ("deviceId", "proof", "userId")]


@pytest.mark.parametrize("key", ["sk", "pk"])
def test_what_is_optional_is_refused_where_it_is_all_that_is_given(tenant, key):
    response = tenant.try_login(key=getattr(tenant, key), email=17, name=["Jane"])
    assert refusal(response) == (422, "refused", [("/email", "not-a-string"), ("/name", "not-a-string")])


@cases(
    "key, claim",
    ("malformed email", "sk", {"email": "jane", "name": "Jane"}),
    ("malformed email of a widget", "pk", {"email": "jane"}),
    ("placeholder", "sk", {"userId": "null", "email": EMAIL}),
    ("malformed name", "sk", {"name": 18}),
    ("number", "sk", {"userId": 18}),
    ("unknown member", "sk", {"userId": "u-18", "verified": True}),
    ("wrong proof", "sk", {"userId": "u-18", "proof": "none"}),
    ("malformed device", "sk", {"userId": "u-18", "deviceId": "short"}),
    ("on a new device", "sk", {"email": "jane", "deviceId": ABSENT}),
    ("widget without a device", "pk", {"userId": "u-18", "deviceId": None}),
    ("widget with a user ID", "pk", {"userId": "u-17"}),
    ("widget with an email", "pk", {"email": EMAIL}),
    ("widget on an unknown device", "pk", {"deviceId": ABSENT}),
)
def test_a_refused_login_changes_nothing(tenant, rows, key, claim):
    tenant.set(anonymousOnLogin="clear")
    tenant.login(userId="u-17", email=EMAIL)
    anonymous = tenant.session(deviceId=DEVICE)
    thread = tenant.begin(anonymous)
    assert tenant.call("POST", "/v1/clearAnonymousUser", anonymous, {"clear": True}).status_code == 200
    before = rows()
    response = tenant.try_login(key=getattr(tenant, key), **{"deviceId": DEVICE} | claim)
    assert response.status_code in (401, 422)
    assert rows() == before
    assert tenant.conversations(anonymous) == [thread]
