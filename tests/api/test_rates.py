"""How often is too often: per address, per identifier and per app, in a minute, over all workers."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.api.context import NAME
from service.store.tables import Rates, Users
from tests.conftest import patient
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.rows import rows_of
from tests.support.servers import ADMIN_KEY, ADMITTING, serve
from tests.support.signing import email_key, hmac_key, hmac_of, identity_key, proof_of
from tests.support.tenants import Tenant

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LOGINS, FAILURES, SHARE = 4, 2, 100
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def clock(request):
    """Stands at noon in each test that calls no server, so that no minute ends by itself."""
    if "server" in request.fixturenames:
        return None
    clock = request.getfixturevalue("time_machine")
    clock.move_to(NOON, tick=False)
    return clock


@pytest.fixture(scope="module")
def applications(config):
    """Applications on one store that differ in a setting, made when first asked for."""
    made = {}

    def application(**settings):
        key = tuple(sorted(settings.items()))
        if key not in made:
            limited = {"login_rate": LOGINS, "proof_failure_rate": FAILURES} | settings
            made[key] = patient(replace(config, **limited))
        return made[key]

    yield application
    for app in made.values():
        app.extensions[NAME].store.database.close()


@pytest.fixture
def limited(applications):
    """An app in an application with low limits."""
    return Tenant.create(applications().test_client(), ADMIN_KEY)


@pytest.fixture
def secret(limited):
    return identity_key(limited)[1]


def log_in(tenant, *, address=HERE, key=None, forwarded=None, **claim):
    headers = {"Authorization": f"Bearer {key or tenant.pk}"}
    if forwarded is not None:
        headers["X-Forwarded-For"] = forwarded
    return tenant.client.post(
        "/v1/login", json=claim, headers=headers, environ_overrides={"REMOTE_ADDR": address}
    )


def statuses(times, call):
    return [call().status_code for _ in range(times)]


def addresses(number):
    """As many addresses as are wanted, each of another customer."""
    return [f"10.{index // 256}.{index % 256}.1" for index in range(number)]


# --- Logins ---
@pytest.mark.parametrize("claim", [{}, {"userId": "u-1"}], ids=["anonymous", "claimed"])
def test_an_address_logs_in_so_often_in_a_minute(limited, claim):
    limited.set(identityVerification="off")
    seen = statuses(LOGINS + 2, lambda: log_in(limited, **claim))
    assert [status < 300 for status in seen] == [True] * LOGINS + [False] * 2
    assert seen[LOGINS:] == [429, 429]


def test_a_login_that_is_refused_counts_as_well(limited):
    assert statuses(LOGINS, lambda: log_in(limited, userId="u-1")) == [401] * LOGINS
    assert log_in(limited).status_code == 429


def test_one_login_too_many_is_told_when_to_come_again(limited, clock):
    clock.move_to(NOON + timedelta(seconds=42), tick=False)
    statuses(LOGINS, lambda: log_in(limited))
    refused = log_in(limited)
    assert problem_of(refused) == (429, "too-many-requests")
    assert refused.content_type == "application/problem+json"
    assert refused.headers["Retry-After"] == "18"


def test_when_it_may_come_again_it_is_served(limited, clock):
    statuses(LOGINS, lambda: log_in(limited))
    wait = int(log_in(limited).headers["Retry-After"])
    clock.shift(timedelta(seconds=wait))
    seen = statuses(LOGINS + 1, lambda: log_in(limited))
    assert wait == 60
    assert seen == [201] * LOGINS + [429]


def test_a_moment_before_it_is_not_served(limited, clock):
    statuses(LOGINS, lambda: log_in(limited))
    clock.shift(timedelta(milliseconds=59_999))
    assert log_in(limited).headers["Retry-After"] == "1"


def test_apps_do_not_use_up_each_others_rates(limited):
    other = Tenant.create(limited.client, ADMIN_KEY)
    statuses(LOGINS + 1, lambda: log_in(limited))
    assert log_in(other).status_code == 201


def test_both_publishable_keys_of_an_app_share_its_rates(limited):
    made = limited.call("POST", f"/v1/apps/{limited.id}/keys", ADMIN_KEY, {"kind": "publishable"}).json["key"]
    statuses(LOGINS, lambda: log_in(limited))
    assert log_in(limited, key=made).status_code == 429


@cases(
    "first, second, is_one",
    ("one network of IPv6", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
    ("two networks of IPv6", "2001:db8:0:1::1", "2001:db8:0:2::1", False),
    ("one address, written twice", "2001:db8:0:1::1", "2001:DB8:0:1:0:0:0:1", True),
    ("two of IPv4 written as IPv6", "::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ("one of IPv4, also written as IPv6", "::ffff:192.0.2.1", "192.0.2.1", True),
    ("one network on two interfaces", "fe80::1%eth0", "fe80::1%eth1", True),
    ("no address", "", "192.0.2.1", False),
    ("a socket without an address", "", "", True),
    ("what is no address", "unknown", "unknown", True),
    ("neighbours of IPv4", "192.0.2.1", "192.0.2.2", False),
)
def test_a_customer_is_counted_once(limited, first, second, is_one):
    statuses(LOGINS, lambda: log_in(limited, address=first))
    assert (log_in(limited, address=second).status_code == 429) is is_one


def test_all_of_an_app_log_in_so_often_in_a_minute(limited, applications):
    # The total of an app is a hundred addresses' rates.
    few = limited.on(applications(login_rate=1))
    for address in addresses(SHARE):
        assert log_in(few, address=address).status_code == 201
    refused = log_in(few, address=THERE)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"


def test_somebody_proven_logs_in_so_often_from_everywhere(limited, secret):
    proof = proof_of(limited, secret, sub="u-1")
    seen = [log_in(limited, address=address, proof=proof).status_code for address in addresses(LOGINS + 1)]
    assert seen == [201] + [200] * (LOGINS - 1) + [429]
    assert log_in(limited, proof=proof_of(limited, secret, sub="u-2")).status_code == 201


def test_a_refused_login_changes_nothing_but_rates(limited, store):
    login = log_in(limited).json
    statuses(LOGINS, lambda: log_in(limited, address=THERE))
    before = rows_of(store, limited.id)
    assert log_in(limited, address=THERE, deviceId=login["deviceId"], name="One too many").status_code == 429
    # How far events were followed for searches is up to somebody else, who may be at it.
    others = {"rates": [], "search_progress": []}
    assert rows_of(store, limited.id) | others == before | others


def test_a_backend_logs_in_as_often_as_it_likes_and_uses_up_nothing(limited):
    statuses(LOGINS - 1, lambda: log_in(limited))
    seen = statuses(LOGINS * 3, lambda: log_in(limited, key=limited.sk, userId="u-1"))
    assert seen == [201] + [200] * (LOGINS * 3 - 1)
    assert statuses(2, lambda: log_in(limited)) == [201, 429]


@pytest.mark.parametrize("path", ["/v1/login", "/v1/resolve"])
def test_a_backend_passes_on_as_many_failed_proofs_as_it_gets(limited, path):
    def call(proof):
        return limited.call("POST", path, limited.sk, {"userId": "u-1", "proof": proof}).status_code

    seen = [call("wrong") for _ in range(FAILURES * 3)]

    assert seen == [401] * (FAILURES * 3)
    assert call(hmac_of("u-1", hmac_key(limited)[1])) in (200, 201)


def test_what_a_session_does_is_not_counted(limited):
    token = log_in(limited).json["session"]["token"]
    seen = {limited.get("/v1/me", token).status_code for _ in range(LOGINS * 3)}
    assert seen == {200}


def test_zero_is_no_limit(limited, applications):
    free = limited.on(applications(login_rate=0, proof_failure_rate=0))
    logins = statuses(LOGINS * 3, lambda: log_in(free))
    failures = statuses(FAILURES * 3, lambda: log_in(free, userId="u-1", proof="wrong"))
    assert logins == [201] * (LOGINS * 3)
    assert failures == [401] * (FAILURES * 3)


# --- Proofs that fail ---
@pytest.fixture
def guessed(applications):
    """An app where proofs that fail are limited, and logins are not."""
    return Tenant.create(applications(login_rate=0).test_client(), ADMIN_KEY)


@pytest.mark.parametrize("claim", [{"userId": "u-1"}, {}], ids=["a user ID", "nobody"])
def test_an_address_fails_so_often_in_a_minute(guessed, claim, clock):
    seen = statuses(FAILURES + 2, lambda: log_in(guessed, proof="a.b.c", **claim))
    clock.shift(timedelta(minutes=1))
    assert seen == [401] * FAILURES + [429] * 2
    assert log_in(guessed, proof="a.b.c", **claim).status_code == 401


def test_an_address_that_fails_too_often_is_not_believed_until_the_minute_ends(guessed, clock):
    _, secret = hmac_key(guessed)
    statuses(FAILURES, lambda: log_in(guessed, userId="u-1", proof="wrong"))
    proof = hmac_of("u-1", secret)
    during = log_in(guessed, userId="u-1", proof=proof)
    clock.shift(timedelta(seconds=int(during.headers["Retry-After"])))
    assert (during.status_code, log_in(guessed, userId="u-1", proof=proof).status_code) == (429, 201)


def test_an_address_that_fails_too_often_is_anonymous_still(guessed):
    statuses(FAILURES + 1, lambda: log_in(guessed, userId="u-1", proof="wrong"))
    assert log_in(guessed).status_code == 201


def test_proofs_that_hold_are_no_failures(guessed):
    _, secret = hmac_key(guessed)
    seen = statuses(FAILURES * 3, lambda: log_in(guessed, userId="u-1", proof=hmac_of("u-1", secret)))
    assert seen == [201] + [200] * (FAILURES * 3 - 1)


def test_a_missing_proof_is_no_failed_one(guessed):
    assert statuses(FAILURES * 3, lambda: log_in(guessed, userId="u-1")) == [401] * (FAILURES * 3)


def test_failures_under_one_identifier_are_limited_over_all_addresses(guessed):
    seen = [
        log_in(guessed, address=address, userId="u-1", proof="wrong").status_code
        for address in addresses(FAILURES + 2)
    ]
    assert seen == [401] * FAILURES + [429] * 2


def test_failures_under_an_email_are_one_in_any_letters(guessed):
    emails = ["jane@example.org", "JANE@example.org", "Jane@Example.org"]
    seen = [
        log_in(guessed, address=address, email=email, proof="wrong").status_code
        for address, email in zip(addresses(FAILURES + 1), emails, strict=True)
    ]
    assert seen == [401] * FAILURES + [429]


def test_failures_that_name_nobody_are_not_taken_for_one_persons(guessed):
    seen = {
        log_in(guessed, address=address, proof="a.b.c").status_code for address in addresses(FAILURES * 3)
    }
    assert seen == {401}


@pytest.mark.parametrize("claim", [{"userId": "u-1"}, {"email": "jane@example.org"}], ids=["ID", "email"])
def test_nobody_is_locked_out_by_who_fails_under_their_name(guessed, claim):
    _, secret = hmac_key(guessed) if "userId" in claim else email_key(guessed)
    for address in addresses(FAILURES * 3):
        statuses(FAILURES, lambda address=address: log_in(guessed, address=address, **claim, proof="wrong"))
    (identifier,) = claim.values()
    assert log_in(guessed, address=THERE, **claim, proof=hmac_of(identifier, secret)).status_code == 201


def test_nobody_is_locked_out_by_who_claims_to_be_them(limited, secret):
    limited.set(identityVerification="off")
    for address in addresses(LOGINS):
        statuses(LOGINS, lambda address=address: log_in(limited, address=address, userId="u-1"))
    proven = log_in(limited, address=THERE, proof=proof_of(limited, secret, sub="u-1"))
    claimed = log_in(limited, address=THERE, userId="u-1")
    assert proven.status_code == 201
    # Nor does anybody learn by it that others make the same claim.
    assert claimed.status_code == 200


def test_all_of_an_app_fail_so_often_in_a_minute(guessed, applications):
    few = guessed.on(applications(login_rate=0, proof_failure_rate=1))
    for number, address in enumerate(addresses(SHARE)):
        assert log_in(few, address=address, userId=f"u-{number}", proof="wrong").status_code == 401
    _, secret = hmac_key(guessed)
    failed = log_in(few, address=THERE, userId="u-1000", proof="wrong")
    proven = log_in(few, address=HERE, userId="u-1000", proof=hmac_of("u-1000", secret))
    assert (failed.status_code, proven.status_code) == (429, 201)


def test_a_session_that_fails_to_prove_an_account_is_an_address_that_fails(guessed, clock):
    guessed.set(clientPurchases="on")
    token, account = guessed.session(userId="u-1"), {"store": "app_store", "account": "apple-1"}
    proof = proof_of(guessed, identity_key(guessed)[1], sub="u-1", storeAccount=account)

    def restore(proof=None):
        return guessed.call("POST", "/v1/restore", token, {"storeAccount": account, "proof": proof})

    without = statuses(FAILURES + 1, restore)
    failed = statuses(FAILURES + 1, lambda: restore("a.b.c"))
    during = restore(proof)
    clock.shift(timedelta(seconds=int(during.headers["Retry-After"])))

    assert without == [401] * (FAILURES + 1)
    assert failed == [401] * FAILURES + [429]
    assert (during.status_code, restore(proof).status_code) == (429, 200)


# --- New users ---
NEW = 3


@pytest.fixture
def bounded(limited, applications):
    """An app in which so many may be new in a minute, from any number of addresses."""
    return limited.on(applications(login_rate=0, new_user_rate=NEW))


def come(tenant, times, **claim):
    """Log in from as many addresses."""
    return [log_in(tenant, address=address, **claim) for address in addresses(times)]


def test_so_many_visitors_are_new_in_a_minute_from_all_addresses(bounded, store, clock):
    answers = come(bounded, NEW + 2)

    assert [one.status_code for one in answers] == [201] * NEW + [429] * 2
    assert answers[-1].headers["Retry-After"] == "60"
    assert len(store.database.rows(Users.select(Users.id).where(Users.app == bounded.id))) == NEW
    clock.shift(timedelta(minutes=1))
    assert log_in(bounded).status_code == 201


def test_who_is_known_or_proven_or_vouched_for_comes_beyond_that(bounded, secret):
    device = come(bounded, NEW)[0].json["deviceId"]
    assert log_in(bounded).status_code == 429

    proof = proof_of(bounded, secret, sub="u-1")
    assert log_in(bounded, deviceId=device).status_code == 200
    assert log_in(bounded, deviceId=device, proof=proof).status_code == 201
    assert log_in(bounded, key=bounded.sk).status_code == 201
    assert log_in(bounded).status_code == 429


def test_who_only_claims_is_new_as_well(bounded):
    bounded.set(identityVerification="off")
    known = log_in(bounded, userId="u-0")
    seen = [log_in(bounded, userId=f"u-{number}").status_code for number in range(1, NEW + 2)]

    # An unproven login is not told whether somebody was made.
    assert [known.status_code, *seen] == [200] * NEW + [429] * 2
    assert log_in(bounded, userId="u-0").status_code == 200


def test_a_client_of_revenuecats_makes_no_more_either(bounded):
    bounded.set(revenuecat="on")

    def see(id, key=bounded.pk):
        return bounded.call("GET", f"/v1/subscribers/{id}", key)

    assert [see(f"u-{number}").status_code for number in range(NEW + 1)] == [201] * NEW + [429]
    assert (see("u-0").status_code, see("u-9", bounded.sk).status_code) == (200, 201)
    assert see("u-8").json["code"] == 7638


def test_by_default_nobody_counts_who_is_new(limited, store):
    come(limited, 1)
    kinds = store.database.rows(Rates.select(Rates.kind).where(Rates.app == limited.id))
    assert ("new user",) not in kinds


# --- Behind routers ---
@cases(
    "hops, forwarded, taken",
    ("nobody is believed", 0, "198.51.100.7", HERE),
    ("one router", 1, "198.51.100.7", "198.51.100.7"),
    ("one router, and a forged hop", 1, "203.0.113.9, 198.51.100.7", "198.51.100.7"),
    ("two routers", 2, "203.0.113.9, 198.51.100.7, 10.0.0.1", "198.51.100.7"),
    ("fewer hops than routers", 2, "198.51.100.7", HERE),
    ("no header", 1, None, HERE),
    ("IPv6", 1, "2001:db8:0:1::7", "2001:db8:0:1::8"),
)
def test_the_address_is_taken_from_the_hop_that_our_own_router_wrote(
    limited, applications, hops, forwarded, taken
):
    behind = limited.on(applications(trusted_hops=hops))
    statuses(LOGINS, lambda: log_in(behind, forwarded=forwarded))
    same = log_in(limited, address=taken)
    assert (same.status_code, log_in(limited, address="203.0.113.200").status_code) == (429, 201)


@pytest.mark.parametrize(
    "forwarded", ["", "unknown", "_hidden", "1.2.3.4:99", "[::1]:80", "é", "9" * 5_000, ",,"]
)
def test_a_hop_that_is_no_address_is_counted_too(limited, applications, forwarded):
    behind = limited.on(applications(trusted_hops=1))
    assert statuses(LOGINS + 1, lambda: log_in(behind, forwarded=forwarded)) == [201] * LOGINS + [429]


# --- What is kept ---
def test_addresses_and_identifiers_are_kept_as_keyed_digests(limited, secret, store):
    people = {"userId": "somebody", "email": "jane@example.org"}
    log_in(limited, proof=proof_of(limited, secret, sub="somebody"))
    log_in(limited, address="2001:db8::1", **people, proof="wrong")
    log_in(limited, email="jane@example.org", proof="wrong")
    rows = store.database.rows(Rates.select().where(Rates.app == limited.id))

    kept = repr(rows)
    assert {kind for _, kind, *_ in rows} == {
        f"{what} {of}" for what in ("login", "failure") for of in ("address", "app", "identifier")
    }
    for subject in (HERE, "2001:db8", "somebody", "jane"):
        assert subject not in kept
    # Whoever has the store and tries all addresses finds nothing without the key.
    for plain in (HERE, f"{HERE}/32", "userId somebody", "somebody", "email jane@example.org"):
        for hash in (hashlib.sha256, hashlib.sha1, hashlib.md5, hashlib.blake2b, hashlib.blake2s):
            assert hash(plain.encode()).hexdigest()[:32] not in kept
        assert hashlib.blake2b(plain.encode(), digest_size=16).hexdigest() not in kept


def test_a_server_with_another_key_keeps_other_digests(limited, applications, store):
    other = limited.on(applications(secret_key="n" * 40))
    log_in(limited)
    log_in(other)
    query = Rates.select(Rates.address).where((Rates.app == limited.id) & (Rates.kind == "login address"))
    assert len({address for (address,) in store.database.rows(query)}) == 2


def test_a_subject_has_one_row_however_often_it_comes(limited, store, clock):
    for _ in range(3):
        statuses(LOGINS + 1, lambda: log_in(limited))
        clock.shift(timedelta(minutes=1))
    rows = store.database.rows(Rates.select().where(Rates.app == limited.id))
    assert sorted(kind for _, kind, *_ in rows) == ["login address", "login app"]


# --- Over all workers ---
@pytest.fixture(scope="module")
def server(database_url):
    limits = {"LOGIN_RATE": "12", "PROOF_FAILURE_RATE": "5"}
    with serve(database_url, application=ADMITTING, **limits) as server:
        yield server


@cases(
    "calls, claim, served, limit",
    ("logins", 32, {}, 201, 12),
    ("failures", 12, {"userId": "u-1", "proof": "wrong"}, 401, 5),
)
def test_the_workers_count_together(server, calls, claim, served, limit):
    answers = within_a_minute(lambda: burst(server, calls, claim))
    codes = [answer.status_code for answer in answers]
    waits = [int(answer.headers["Retry-After"]) for answer in answers if answer.status_code == 429]
    assert sorted(codes) == [served] * limit + [429] * (calls - limit)
    assert all(1 <= wait <= 60 for wait in waits)


def burst(server, calls, claim):
    """Have many callers at once in an app of their own; each has a connection, so any worker serves it."""
    tenant = server.tenant()
    with ThreadPoolExecutor(calls) as callers:
        return list(callers.map(lambda _: tenant.try_login(key=tenant.pk, **claim), range(calls)))


def within_a_minute(act):
    """Act until no minute ended meanwhile, and return what that time came of it."""
    while True:
        began = minute()
        outcome = act()
        if minute() == began:
            return outcome


def minute():
    return int(datetime.now(UTC).timestamp()) // 60
