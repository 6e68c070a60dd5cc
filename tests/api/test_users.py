"""Users as their app's backend finds, shows and corrects them."""

import pytest

from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.responses import problem_of, refused_fields
from tests.support.tenants import Tenant

MEMBERS = {"id", "userId", "email", "emails", "name", "anonymous", "aliases", "createdAt"}
MEMBERS |= {"attributes", "verified"}
UNCLAIMED = "jane@example.org"

either = pytest.mark.parametrize("proven", [True, False], ids=["verified", "unverified"])


def found(tenant: Tenant, **query) -> list[str]:
    """Find users, and return their ids."""
    return [user["id"] for user in tenant.find(**query)]


def unproven(tenant: Tenant, **claim) -> str:
    """Have somebody claim an identity without proof, and return our id of them."""
    before = {user["id"] for user in tenant.find(limit=100)}
    tenant.set(identityVerification="off")
    assert tenant.try_login(key=tenant.pk, **claim).status_code == 200
    (id,) = {user["id"] for user in tenant.find(limit=100)} - before
    return id


def made(tenant: Tenant, proven: bool, **claim) -> str:
    return tenant.known(**claim) if proven else unproven(tenant, **claim)


@one_engine
@pytest.mark.parametrize("parameter", ["userId", "email", "q", "cursor"])
@cases(
    "bytes",
    ("latin-1", "M%E5ns"),
    ("another of latin-1", "M%E4ns"),
    ("cut", "%C3"),
    ("surrogate", "%ED%A0%80"),
    ("overlong", "%C0%AF"),
    ("mark", "%FF%FE"),
    ("raw", "M\xe5ns"),
    ("continuation", "%80"),
)
def test_what_is_asked_in_bytes_that_are_no_text_is_refused(tenant, parameter, bytes):
    tenant.known(userId="M\ufffdns")
    response = tenant.client.get(
        "/v1/users",
        environ_overrides={"QUERY_STRING": f"{parameter}={bytes}"},
        headers={"Authorization": f"Bearer {tenant.sk}"},
    )
    assert problem_of(response) == (400, "bad-request")


def test_of_several_parameters_of_a_name_the_first_is_read(tenant):
    jane, _ = tenant.known(userId="u-jane"), tenant.known(userId="u-joe")
    response = tenant.get("/v1/users?userId=u-jane&userId=u-joe&userId=")
    assert [user["id"] for user in response.json["data"]] == [jane]


def test_a_user_id_with_a_replacement_character_is_found_by_it(tenant):
    id = tenant.known(userId="M\ufffdns")
    assert found(tenant, userId="M\ufffdns") == [id]


def test_a_user_is_found_with_all_members_and_nothing_else(tenant):
    id = tenant.known(userId="u-17", email="Jane@Example.org", name="Jane")

    response = tenant.get("/v1/users", userId="u-17")

    assert set(response.json) == {"data", "nextCursor"}
    assert response.json["nextCursor"] is None
    [user] = response.json["data"]
    assert set(user) == MEMBERS
    assert user == {
        "id": id,
        "userId": "u-17",
        "email": "Jane@example.org",
        "emails": ["Jane@example.org"],
        "name": "Jane",
        "anonymous": False,
        "aliases": [],
        "createdAt": user["createdAt"],
        "attributes": {},
        "verified": True,
    }
    assert user | {"purchases": [], "contacts": []} == tenant.user(id)


def test_nobody_is_found_where_nobody_fits(tenant, other_tenant):
    other_tenant.known(userId="u-17", email=UNCLAIMED, name="Jane")
    queries = ({"userId": "u-17"}, {"email": UNCLAIMED}, {"q": "J"})
    assert [found(tenant, **query) for query in queries] == [[], [], []]


def test_a_user_id_finds_whoever_has_it_in_either_world(tenant):
    owner = tenant.known(userId="u-17")
    claimant = unproven(tenant, userId="u-17")
    ids = found(tenant, userId="u-17")
    assert ids == [owner, claimant]
    assert [tenant.user(id)["verified"] for id in ids] == [True, False]


@pytest.mark.parametrize("asked", ["U-17", "u-1", "u-17 x", "u-170"])
def test_a_user_id_finds_nobody_who_has_another(tenant, asked):
    tenant.known(userId="u-17")
    assert found(tenant, userId=asked) == []


def test_an_alias_finds_its_user(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    owner = tenant.known(userId="u-17", deviceId=visit["deviceId"])
    assert found(tenant, userId=visit["user"]["userId"]) == [owner]


def test_an_anonymous_user_is_found_by_its_generated_user_id(tenant):
    visit = tenant.login(name="Somebody")["user"]
    assert tenant.get("/v1/users", userId=visit["userId"]).json["data"] == [{**visit, "verified": False}]
    assert visit["anonymous"] is True


def test_an_email_finds_all_who_share_it_in_either_world_whatever_its_letters(tenant):
    sharing = [tenant.known(userId=f"u-{number}", email="Jane@Example.org") for number in range(3)]
    sharing.append(tenant.known(email="jane@example.org"))
    sharing.append(unproven(tenant, email="JANE@example.org"))
    tenant.known(userId="u-9", email="jane@example.com")
    assert sorted(found(tenant, email="jANE@EXAMPLE.org")) == sorted(sharing)


def test_an_international_domain_finds_the_user_who_has_its_ascii_form(tenant):
    id = tenant.known(email="jane@xn--bcher-kva.example")
    assert found(tenant, email="jane@BÜCHER.example") == [id]


@cases(
    "stored, beginning, decoy",
    ("letters of either case", "Jane Doe", "jANE d", "Janet"),
    ("all of it", "Jane", "Jane", "Jan"),
    ("percent", "a%b", "a%", "axb"),
    ("underscore", "a_b", "a_", "axb"),
    ("brackets", "a[x]b", "a[x]", "axb"),
    ("backslash", "a\\b", "a\\", "ab"),
    ("quote", "a'b", "a'", "ab"),
    ("beyond ASCII", "Łukasz", "łU", "Lukasz"),
    ("sharp s found by two letters", "Straße", "STRASSE", "Strand"),
    ("two letters found by sharp s", "STRASSE", "straß", "STRAND"),
    ("capital sharp s", "GROẞ", "groß", "GROB"),
    ("final sigma", "ΟΔΥΣΣΕΥΣ", "οδυσσευς", "ΟΔΥΣΣΕΙΑ"),
    ("final sigma found by capitals", "Οδυσσευς", "ΟΔΥΣΣΕΥΣ", "Οδυσσεια"),
    ("beyond 16 bits", "\U0001f600 Jo", "\U0001f600", "\U0001f601 Jo"),
    ("last before the surrogates", "\ud7ffx", "\ud7ff", "\ue000x"),
    ("highest code point", "a\U0010ffffx", "a\U0010ffff", "bx"),
    ("nothing comes after", "\U0010ffffx", "\U0010ffff", "\U0010fffex"),
    ("ligature", "ﬁx", "FI", "fa"),
)
def test_a_name_is_found_by_how_it_begins(tenant, stored, beginning, decoy):
    id = tenant.known(userId="x-1", name=stored)
    tenant.known(userId="x-2", name=decoy)
    assert found(tenant, q=beginning) == [id]


@cases(
    "claim, beginning",
    ("user ID", {"userId": "Größe-%_1"}, "GRÖSSE-%"),
    ("email", {"email": "J_ane@Example.org"}, "j_ANE@EX"),
    ("domain", {"userId": "x", "email": "jane@bücher.example"}, "JANE@xn--B"),
    ("name", {"userId": "x", "name": "Jane"}, "jan"),
)
def test_each_identifier_is_found_by_how_it_begins(tenant, claim, beginning):
    id = tenant.known(**claim)
    tenant.known(userId="other", email="joan@example.org", name="Joan")
    assert found(tenant, q=beginning) == [id]


def test_a_beginning_finds_a_user_once_by_however_many_of_their_identifiers(tenant):
    id = tenant.known(userId="jane-1", email=UNCLAIMED, name="Jane")
    assert found(tenant, q="jane") == [id]


def test_a_beginning_finds_users_of_both_worlds_by_aliases_too(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    owner = tenant.known(userId="u-17", deviceId=visit["deviceId"])
    claimant = unproven(tenant, userId=visit["user"]["userId"].replace("$anon:", "anon-"))
    assert found(tenant, q=visit["user"]["userId"][:12]) == [owner]
    assert found(tenant, q="ANON-") == [claimant]


@cases(
    "claim, beginning",
    ("name", {"userId": "x", "name": "n" * 300}, "N" * 255),
    ("user ID of 750", {"userId": "i" * 750}, "I" * 255),
    ("four-byte letters", {"userId": "\U0001f600" * 750}, "\U0001f600" * 255),
    ("letters that grow when lowered", {"userId": "x", "name": "ß" * 255}, "ẞ" * 255),
)
def test_a_beginning_has_up_to_255_characters(tenant, claim, beginning):
    id = tenant.known(**claim)
    tenant.known(userId="other", name="Joan")
    assert found(tenant, q=beginning) == [id]


def test_a_name_that_was_replaced_is_no_longer_found(tenant):
    id = tenant.known(userId="u-17", email="jane@old.example", name="Jane")
    tenant.known(userId="u-17", email="joan@new.example", name="Joan")
    assert found(tenant, q="jane") == []
    assert found(tenant, email="jane@old.example") == []
    assert found(tenant, q="joan") == [id]


def test_all_that_is_asked_has_to_fit(tenant):
    both = tenant.known(userId="u-1", email=UNCLAIMED, name="Jane")
    tenant.known(userId="u-2", email=UNCLAIMED, name="Joan")
    assert found(tenant, email=UNCLAIMED, q="jane d") == []
    assert found(tenant, email=UNCLAIMED, q="jAn", userId="u-1") == [both]
    assert found(tenant, email=UNCLAIMED, userId="u-3") == []


def test_pages_hold_each_user_once_the_oldest_first(tenant):
    everyone = [tenant.known(userId=f"u-{number}", name="Jane") for number in range(7)]
    pages, cursor = [], {}
    while cursor is not None:
        body = tenant.get("/v1/users", q="jane", limit=3, **cursor).json
        pages.append([user["id"] for user in body["data"]])
        cursor = body["nextCursor"] and {"cursor": body["nextCursor"]}
    assert pages == [everyone[:3], everyone[3:6], everyone[6:]]


@one_engine
@cases(
    "asked, pointer, code",
    ("empty beginning", {"q": ""}, "/q", "empty"),
    ("long beginning", {"q": "a" * 256}, "/q", "too-long"),
    ("NUL", {"q": "a\0"}, "/q", "forbidden-character"),
    ("empty email", {"email": ""}, "/email", "invalid-email"),
    ("white space", {"email": " "}, "/email", "invalid-email"),
    ("no email", {"email": "jane"}, "/email", "invalid-email"),
    ("empty user ID", {"userId": ""}, "/userId", "empty"),
    ("placeholder", {"userId": "null"}, "/userId", "placeholder"),
    ("long user ID", {"userId": "a" * 751}, "/userId", "too-long"),
    ("unknown member", {"name": "Jane"}, "/name", "unknown"),
    ("no limit", {"limit": "0"}, "/limit", "not-a-whole-number"),
    ("high limit", {"limit": "101"}, "/limit", "not-a-whole-number"),
    ("made-up cursor", {"cursor": "x"}, "/cursor", "invalid-cursor"),
)
def test_a_question_that_makes_no_sense_is_refused_by_member(tenant, asked, pointer, code):
    assert refused_fields(tenant.get("/v1/users", **asked)) == [(pointer, code)]


def test_the_id_of_a_merged_user_leads_to_the_one_it_became(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    owner = tenant.known(userId="u-17", deviceId=visit["deviceId"])
    response = tenant.get(f"/v1/users/{visit['user']['id']}")
    assert (response.status_code, response.json["id"]) == (200, owner)
    assert response.json["aliases"] == [visit["user"]["userId"]]
    assert response.json["anonymous"] is False
    assert found(tenant) == [owner]


@either
@cases(
    "changes, after",
    ("name", {"name": "Joan"}, {"name": "Joan"}),
    ("email", {"email": "Joan@Example.com"}, {"email": "Joan@example.com"}),
    ("spaces around", {"email": " joan@example.com "}, {"email": "joan@example.com"}),
    ("both", {"email": "joan@example.com", "name": "Joan"}, {"email": "joan@example.com", "name": "Joan"}),
    ("letters of the email", {"email": "JANE@example.org"}, {"email": "JANE@example.org"}),
    ("no name", {"name": None}, {"name": None}),
    ("no email", {"email": None}, {"email": None}),
    ("neither", {"email": None, "name": None}, {"email": None, "name": None}),
    ("long name", {"name": "n" * 300}, {"name": "n" * 255}),
    ("nothing", {}, {}),
)
def test_a_change_sets_what_is_given_and_removes_what_is_null(tenant, proven, changes, after):
    id = made(tenant, proven, userId="u-17", email=UNCLAIMED, name="Jane")
    before = tenant.user(id)
    response = tenant.change(id, **changes)
    if "email" in after:
        after = after | {"emails": [email for email in [after["email"]] if email]}
    assert (response.status_code, response.json) == (200, {**before, **after})
    assert tenant.user(id) == response.json


def test_a_change_reaches_the_user_that_a_merged_one_became(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login()
    owner = tenant.known(userId="u-17", deviceId=visit["deviceId"])
    response = tenant.change(visit["user"]["id"], email=UNCLAIMED)
    assert (response.json["id"], response.json["email"]) == (owner, UNCLAIMED)


@cases(
    "changes, pointer",
    ("no email", {"email": "jane"}, "/email"),
    ("number", {"email": 7}, "/email"),
    ("array", {"name": ["Joan"]}, "/name"),
    ("number for a name", {"name": 7}, "/name"),
    ("user ID", {"name": "Joan", "userId": "u-18"}, "/userId"),
    ("world", {"name": "Joan", "verified": True}, "/verified"),
)
def test_a_change_that_is_refused_in_one_member_changes_none(tenant, changes, pointer):
    id = tenant.known(userId="u-17", email=UNCLAIMED, name="Jane")
    before = tenant.user(id)
    [(refused, _)] = refused_fields(tenant.change(id, **changes))
    assert refused == pointer
    assert tenant.user(id) == before


@either
def test_a_second_unclaimed_user_of_an_email_is_a_conflict(tenant, proven):
    made(tenant, proven, email=UNCLAIMED)
    id = made(tenant, proven, email="joan@example.org")
    assert problem_of(tenant.change(id, email="JANE@example.org", name="Joan")) == (409, "unclaimed-email")
    assert (tenant.user(id)["email"], tenant.user(id)["name"]) == ("joan@example.org", None)


def test_an_unclaimed_user_of_the_other_world_is_no_conflict(tenant):
    tenant.known(email=UNCLAIMED)
    unproven(tenant, email="ann@example.org")
    ids = [unproven(tenant, email="joan@example.org"), tenant.known(email="joan@example.org")]
    answers = [tenant.change(ids[0], email=UNCLAIMED), tenant.change(ids[1], email="ann@example.org")]
    assert [answer.status_code for answer in answers] == [200, 200]


@either
@cases(
    "mine, theirs",
    ("a user ID beside an unclaimed user", {"userId": "u-1"}, {"email": UNCLAIMED}),
    ("an unclaimed user", {"email": "x@y.example"}, {"userId": "u-2", "email": UNCLAIMED}),
    ("two with user IDs", {"userId": "u-1"}, {"userId": "u-2", "email": UNCLAIMED}),
)
def test_an_email_may_be_shared_with_users_who_have_user_ids(tenant, proven, mine, theirs):
    made(tenant, proven, **theirs)
    id = made(tenant, proven, **mine)
    response = tenant.change(id, email=UNCLAIMED)
    assert (response.status_code, response.json["email"]) == (200, UNCLAIMED)


@either
@pytest.mark.parametrize("empty", [None, "", " "], ids=["null", "empty", "white space"])
def test_an_unclaimed_user_keeps_their_email(tenant, proven, empty):
    id = made(tenant, proven, email=UNCLAIMED)
    assert problem_of(tenant.change(id, email=empty)) == (409, "nothing-left")
    assert tenant.user(id)["email"] == UNCLAIMED


def test_an_anonymous_user_is_given_no_email(tenant):
    id = tenant.known()
    assert problem_of(tenant.change(id, email=UNCLAIMED, name="Jane")) == (409, "anonymous-email")
    assert (tenant.user(id)["email"], tenant.user(id)["name"]) == (None, None)


def test_an_anonymous_user_may_have_a_name(tenant):
    id = tenant.known()
    response = tenant.change(id, name="Jane", email=None)
    assert (response.status_code, response.json["name"]) == (200, "Jane")


def test_a_changed_email_leads_to_its_user_and_the_old_one_to_nobody(tenant):
    id = tenant.known(email="jane@old.example")
    tenant.change(id, email="jane@new.example")
    by_new = tenant.login(email="Jane@New.example")
    by_old = tenant.login(email="jane@old.example")
    assert (by_new["user"]["id"], by_new["resolution"]["rule"]) == (id, "known-email")
    assert (by_old["user"]["id"] == id, by_old["resolution"]["rule"]) == (False, "new-email")


def test_a_change_shows_in_the_sessions_that_are_open(tenant):
    login = tenant.login(userId="u-17", name="Jane")
    tenant.change(login["user"]["id"], name="Joan", email=UNCLAIMED)
    me = tenant.get("/v1/me", login["session"]["token"]).json["user"]
    assert (me["name"], me["email"]) == ("Joan", UNCLAIMED)


@pytest.mark.parametrize("round", range(4))
def test_changes_and_logins_at_once_never_make_two_unclaimed_users(tenant, round):
    target = f"target-{round}@example.org"
    first, second = (tenant.known(email=f"{name}-{round}@example.org") for name in ("first", "second"))

    answers = tenant.at_once(
        lambda own: own.change(first, email=target),
        lambda own: own.change(second, email=target),
        lambda own: own.try_login(email=target),
        lambda own: own.try_login(email=target.upper()),
        lambda own: own.try_login(userId="u-17", email=target),
        lambda own: own.change(first, name="Jane"),
    )

    statuses = [answer.status_code for answer in answers]
    unclaimed = [user for user in tenant.find(email=target) if user["userId"] is None]
    attached = answers[4].json["resolution"]["rule"] == "attach-user-id"
    assert set(statuses[:2]) <= {200, 409}
    assert set(statuses[2:]) <= {200, 201}
    # Each time that somebody unclaimed came to have the email, whoever had it before was attached.
    assert len(unclaimed) <= 1
    became = statuses[:2].count(200) + statuses[2:4].count(201)
    assert became - attached == len(unclaimed)


def test_two_unclaimed_users_who_swap_emails_at_once_are_both_a_conflict(tenant):
    one, other = tenant.known(email="one@example.org"), tenant.known(email="other@example.org")
    answers = tenant.at_once(
        lambda own: own.change(one, email="other@example.org"),
        lambda own: own.change(other, email="one@example.org"),
    )
    assert [answer.status_code for answer in answers] == [409, 409]


def test_changes_of_one_user_at_once_all_count(tenant):
    id = tenant.known(userId="u-17")
    answers = tenant.at_once(
        lambda own: own.change(id, name="Jane"),
        lambda own: own.change(id, email=UNCLAIMED),
        lambda own: own.try_login(userId="u-17"),
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    user = tenant.user(id)
    assert (user["name"], user["email"]) == ("Jane", UNCLAIMED)
