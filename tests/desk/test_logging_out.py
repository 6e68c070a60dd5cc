"""Of somebody with many sessions a piece is ended at a time: whoever is logged out meanwhile, or logs in, and
however far it came."""

import pytest

from service.desk import sessions
from service.model.errors import StoreUnavailable
from service.model.events import EventType
from service.model.identifiers import digest
from service.store import AppStore
from service.store.tables import Devices, Events
from tests.support.cases import cases

pytestmark = pytest.mark.usefixtures("sound")

PIECE = 2
DEVICES = [f"device-of-the-test-{number:04}" for number in range(2 * PIECE + 1)]


@pytest.fixture(autouse=True)
def in_pieces(monkeypatch):
    """Have a piece be small."""
    monkeypatch.setattr(sessions, "PIECE", PIECE)


@pytest.fixture
def tokens(tenant):
    """Log somebody in on many devices, none of which shares their store account; return the tokens, in the
    order in which they end."""
    each = sorted(DEVICES, key=digest)
    tokens = [tenant.session(userId="kim", deviceId=device) for device in each]
    for token in tokens:
        tenant.call("POST", "/v1/allowSharingStoreAccount", token, {"allow": False})
    return dict(zip(each, tokens, strict=True))


@pytest.fixture
def before_each(monkeypatch):
    """Have something happen before each transaction of a logout, which is told how many there were."""

    def set_up(happen):
        begun, begin = [], AppStore.transaction

        def wait_and_begin(store):
            begun.append(True)
            with monkeypatch.context() as patched:
                # What happens then has transactions, too.
                patched.setattr(AppStore, "transaction", begin)
                happen(len(begun))
            return begin(store)

        monkeypatch.setattr(AppStore, "transaction", wait_and_begin)
        return begun

    return set_up


def alive(tenant, tokens):
    return [tenant.get("/v1/me", token).status_code == 200 for token in tokens]


def told(tenant, store):
    """Return of whom is told that sessions ended."""
    ended = Events.select(Events.user).where(
        (Events.app == tenant.id) & (Events.type == EventType.SESSION_ENDED.value)
    )
    return [user for (user,) in store.database.rows(ended)]


def log_out(tenant, **which):
    return tenant.call("POST", "/v1/logout", tenant.sk, which)


@cases("by", ("user ID", "userId"), ("our id", "user"))
def test_many_sessions_end_a_piece_at_a_time_and_all_is_told(tenant, store, tokens, before_each, by):
    id = tenant.find(userId="kim")[0]["id"]
    other = tenant.session(userId="lee")
    left = []
    begun = before_each(lambda _: left.append(sum(alive(tenant, tokens.values()))))

    assert log_out(tenant, **{by: {"userId": "kim", "user": id}[by]}).status_code == 204

    assert (len(begun), left) == (3, [5, 3, 1])
    assert alive(tenant, [*tokens.values(), other]) == [False] * 5 + [True]
    assert told(tenant, store) == [id] * 5
    shares = Devices.select(Devices.sharing).where(
        (Devices.app == tenant.id) & Devices.digest.in_([digest(device) for device in DEVICES])
    )
    assert store.database.rows(shares) == [(True,)] * 5


def test_a_piece_of_sessions_is_one_transaction(tenant, tokens, before_each):
    for device in DEVICES[PIECE:]:
        log_out(tenant, deviceId=device)
    begun = before_each(lambda _: None)
    assert log_out(tenant, userId="kim").status_code == 204
    assert len(begun) == 1


def test_who_logs_in_meanwhile_stays_and_who_is_logged_out_is_told_once(tenant, store, tokens, before_each):
    *_, mine, last = tokens
    new = []

    def come_and_go(transaction):
        if transaction == 2:
            new.append(tenant.session(userId="kim", deviceId=mine))
            new.append(tenant.session(userId="kim"))
            log_out(tenant, deviceId=last)

    before_each(come_and_go)

    assert log_out(tenant, userId="kim").status_code == 204

    assert alive(tenant, [*tokens.values(), *new]) == [False] * 5 + [True, True]
    # Who logs in anew as themselves ends nothing that is told.
    assert len(told(tenant, store)) == 4
    assert log_out(tenant, userId="kim").status_code == 204
    assert alive(tenant, new) == [False, False]


@cases("ended, code", ("at once", 0, "store-unavailable"), ("after a piece", 1, "outcome-unknown"))
def test_a_logout_that_is_cut_off_says_so_and_a_repeat_ends_the_rest(
    tenant, store, tokens, before_each, ended, code
):
    def fail(transaction):
        if transaction == ended + 1:
            raise StoreUnavailable

    before_each(fail)

    answer = log_out(tenant, userId="kim")

    assert (answer.status_code, answer.json["code"]) == (503, code)
    assert alive(tenant, tokens.values()).count(False) == len(told(tenant, store)) == PIECE * ended
    assert log_out(tenant, userId="kim").status_code == 204
    assert alive(tenant, tokens.values()) == [False] * 5
    assert len(told(tenant, store)) == 5
