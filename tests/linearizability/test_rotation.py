"""Identity secrets change while people log in: nobody notices, and what is deleted is dead at once."""

import itertools
import threading
from contextlib import contextmanager

import pytest

from tests.support.servers import TIMEOUT, serve
from tests.support.signing import delete_key, hmac_of, identity_key, proof_of

CALLERS = 6
ROTATIONS = 3
# How many logins of each kind are seen before the next step.
ENOUGH = 10


@pytest.fixture(scope="module")
def server(database_url):
    with serve(database_url) as server:
        yield server


class Logins:
    """Callers that log in without pause, with the last secret and with the one before in turn. Of the
    secrets, every other one is for JWTs.

    Of a secret it is known whether it was dead when a login began, and whether it lived until it ended;
    in between, either answer is right.
    """

    def __init__(self, server, tenant):
        self.server, self.tenant = server, tenant
        self.secrets, self.doomed, self.dead = [], set(), set()
        self.wrong, self.refused, self.served = [], {}, {}
        self.stopped = threading.Event()
        self.changed = threading.Condition()

    def run(self, number):
        """Log in until it is enough; every other caller stays with one worker."""
        connection = self.server.connect() if number % 2 else None
        for turn in itertools.count(number):
            if self.stopped.is_set():
                break
            last = [*enumerate(self.secrets)][-2:]
            place, secret = last[turn % len(last)]
            was_dead = secret in self.dead
            status = self.log_in(connection, f"u-{number}", secret, is_jwt=place % 2 == 0)
            self.note(secret, status, was_dead=was_dead, lives=secret not in self.doomed)
        if connection is not None:
            connection.close()

    def log_in(self, connection, user_id, secret, *, is_jwt):
        if is_jwt:
            claim = {"proof": proof_of(self.tenant, secret, sub=user_id)}
        else:
            claim = {"userId": user_id, "proof": hmac_of(user_id, secret)}
        headers = {"Authorization": f"Bearer {self.tenant.pk}"}
        caller = connection or self.server
        return caller.open("/v1/login", method="POST", json=claim, headers=headers).status_code

    def note(self, secret, status, *, was_dead, lives):
        allowed = {401} if was_dead else {200, 201} if lives else {200, 201, 401}
        with self.changed:
            if status not in allowed:
                self.wrong.append((status, "dead" if was_dead else "alive" if lives else "doomed"))
            if was_dead:
                self.refused[secret] = self.refused.get(secret, 0) + 1
            elif lives:
                self.served[secret] = self.served.get(secret, 0) + 1
            self.changed.notify_all()

    def wait(self, counts, *secrets):
        """Wait until enough logins with each of these secrets were counted, or one went wrong."""
        wanted = {secret: counts.get(secret, 0) + ENOUGH for secret in secrets}
        with self.changed:
            self.changed.wait_for(
                lambda: self.wrong or all(counts.get(secret, 0) >= least for secret, least in wanted.items()),
                TIMEOUT,
            )


@contextmanager
def running(logins):
    """Have the callers call meanwhile."""
    failed = []

    def run(number):
        try:
            logins.run(number)
        except BaseException as error:  # noqa: BLE001 - a caller's failure is the test's
            failed.append(error)

    callers = [threading.Thread(target=run, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        logins.stopped.set()
        for caller in callers:
            caller.join(TIMEOUT)
    assert failed == []


def test_secrets_change_under_load_and_no_login_notices(server):
    tenant = server.tenant()
    logins = Logins(server, tenant)
    old_id, old = identity_key(tenant)
    logins.secrets.append(old)

    with running(logins):
        logins.wait(logins.served, old)
        for proof in itertools.islice(itertools.cycle(("hmac", "jwt")), ROTATIONS):
            new_id, new = identity_key(tenant, proof=proof)
            logins.secrets.append(new)
            logins.wait(logins.served, old, new)
            logins.doomed.add(old)
            delete_key(tenant, old_id)
            logins.dead.add(old)
            logins.wait(logins.refused, old)
            logins.wait(logins.served, new)
            old_id, old = new_id, new

    assert logins.wrong == []
    assert set(logins.served) == set(logins.secrets)
    assert set(logins.refused) == set(logins.secrets[:-1])
    assert min([*logins.served.values(), *logins.refused.values()]) >= ENOUGH
    assert [key["id"] for key in identity_keys(tenant)] == [old_id]
    assert identity_keys(tenant)[0]["lastUsedAt"] is not None
    assert {line["status"] for line in server.log if line.get("route") == "/v1/login"} <= {200, 201, 401}


def test_each_user_is_one_whichever_secret_proved_them(server):
    tenant = server.tenant()
    secrets = [identity_key(tenant)[1] for _ in range(3)]
    answers, barrier = [], threading.Barrier(len(secrets))

    def log_in(secret):
        barrier.wait(TIMEOUT)
        answers.append(tenant.try_login(key=tenant.pk, proof=proof_of(tenant, secret, sub="u-1")))

    callers = [threading.Thread(target=log_in, args=(secret,)) for secret in secrets]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(TIMEOUT)

    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert len({answer.json["user"]["id"] for answer in answers}) == 1
    assert all(key["lastUsedAt"] for key in identity_keys(tenant))


@pytest.mark.parametrize("what", ["key", "app"])
def test_what_is_deleted_proves_nothing_on_any_worker(server, what):
    tenant = server.tenant()
    id, secret = identity_key(tenant)
    connections = [server.connect() for _ in range(16)]
    log_in(connections, tenant, secret)

    if what == "key":
        delete_key(tenant, id)
    else:
        tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key)
    statuses = log_in(connections, tenant, secret)

    for connection in connections:
        connection.close()
    assert statuses == {401}


def log_in(connections, tenant, secret):
    """Log in over each of many connections, which all workers serve."""
    claim = {"proof": proof_of(tenant, secret, sub="u-1")}
    headers = {"Authorization": f"Bearer {tenant.pk}"}
    return {
        connection.open("/v1/login", method="POST", json=claim, headers=headers).status_code
        for connection in connections
    }


def identity_keys(tenant):
    listed = tenant.call("GET", f"/v1/apps/{tenant.id}/keys", tenant.admin_key)
    return [key for key in listed.json["data"] if key["kind"] == "identity"]
