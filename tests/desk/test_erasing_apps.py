"""An app that is erased is gone at once, and what is in it goes a piece at a time, whoever is cut off."""

from collections import Counter
from types import SimpleNamespace

import pytest

from service import cli
from service.desk import apps, emptying
from service.desk.apps import erase_app
from service.desk.tidying import Kept, tidy_if_due
from service.encryption import Encryption
from service.model.errors import NotFound, StaleState, StoreUnavailable
from service.model.revocations import Revoked
from service.store import apps as store_of_apps
from service.store import forgetting
from service.store.checks import every_row_has_its_app
from service.store.database import Database
from service.store.tables import Apps, Webhooks
from service.times import MINUTE, now
from tests.api.test_apps import add_attempt, fill
from tests.support.rows import rows_of

KEPT = Kept(idle_days=10, empty_days=10, cleared_days=3, event_days=30)


@pytest.fixture
def filled(start, store, tenant):
    """A token of somebody in an app that has something of each kind."""
    fill(tenant, start(login_rate=1000))
    add_attempt(store, tenant.id)
    token = tenant.session(userId="jane")
    for number in range(3):
        tenant.begin(token, subject=f"Parcel {number}")
    return token


@pytest.fixture
def in_small_pieces(monkeypatch):
    pieces_of(monkeypatch, 1)


def pieces_of(monkeypatch, rows):
    monkeypatch.setattr(forgetting, "PAGE", rows)
    monkeypatch.setattr(store_of_apps, "USERS", rows)
    monkeypatch.setattr(emptying, "PIECE", rows)


def give_up():
    raise StoreUnavailable


def left(store, tenant):
    """Return how many rows there are, but for what says which bytes are to be removed."""
    rows = rows_of(store, tenant.id)
    del rows["removals"]
    return sum(map(len, rows.values()))


def test_from_the_first_transaction_on_it_is_gone_for_everybody(store, tenant, filled, monkeypatch):
    monkeypatch.setattr(apps, "empty_app", lambda *_: give_up())

    erase_app(store, tenant.id)

    assert left(store, tenant) > 50
    answers = [tenant.call("GET", "/v1/me", key).status_code for key in (filled, tenant.sk, tenant.pk)]
    assert answers == [401] * 3
    assert tenant.try_login(key=tenant.pk).status_code == 401
    path = f"/v1/apps/{tenant.id}"
    for method in ("GET", "PATCH", "DELETE"):
        assert tenant.call(method, path, tenant.admin_key, {}).status_code == 404
    assert tenant.call("POST", f"{path}/keys", tenant.admin_key, {"kind": "secret"}).status_code == 404
    assert tenant.id not in [app.id for app in store.apps.all()]
    [(name,)] = store.database.rows(Apps.select(Apps.name).where(Apps.app == tenant.id))
    assert name == ""
    on = Webhooks.select(Webhooks.id).where((Webhooks.app == tenant.id) & Webhooks.disabled.is_null())
    assert store.database.rows(on) == []


def test_the_journal_has_it_before_anything_goes(store, tenant, filled, monkeypatch):
    revoked = []
    monkeypatch.setattr(store.database, "journal", SimpleNamespace(write=revoked.extend))
    monkeypatch.setattr(apps, "empty_app", lambda *_: give_up())

    erase_app(store, tenant.id)

    assert [(one.what, one.app, one.id) for one in revoked] == [(Revoked.APP_ERASED, tenant.id, tenant.id)]


def test_whoever_is_cut_off_has_a_store_in_which_all_holds_and_another_goes_on(
    store, tenant, other_tenant, filled, in_small_pieces, monkeypatch
):
    tenant.session(userId="bob")
    before = rows_of(store, other_tenant.id)
    monkeypatch.setattr(apps, "empty_app", lambda *_: give_up())
    erase_app(store, tenant.id)
    lefts = []
    for pieces in range(2, 200, 6):
        lefts.append(left(store, tenant))
        steps = iter(range(pieces))
        try:
            # Whoever goes on comes a few pieces further.
            emptying.empty_app(store, tenant.id, lambda steps=steps: next(steps, None) is None and give_up())
        except StoreUnavailable:
            assert tenant.id not in [app.id for app in store.apps.all()]
            assert [where for where in every_row_has_its_app(store.database) if tenant.id in where] == []
        else:
            break

    assert len(set(lefts)) > 5
    assert left(store, tenant) == 0
    assert rows_of(store, other_tenant.id) == before


def test_no_transaction_erases_more_rows_of_a_kind_than_a_page(store, tenant, filled, monkeypatch):
    pieces_of(monkeypatch, 2)
    each, count, begin = [], Database._count, Database.transaction

    def counted(self, query):
        rows = count(self, query)
        each[-1][query.model.__name__] += rows
        return rows

    def begun(self):
        each.append(Counter())
        return begin(self)

    tenant.session(userId="bob")
    monkeypatch.setattr(Database, "_count", counted)
    monkeypatch.setattr(Database, "transaction", begun)

    erase_app(store, tenant.id)

    most = Counter()
    for one in each:
        most |= one
    # Keys are few, and go at once.
    del most["Keys"]
    assert max(most.values()) == 2


def test_those_who_are_part_of_others_go_in_whatever_order(store, tenant, in_small_pieces):
    first = tenant.known(userId="u-1")
    for number in range(3):
        # Unclaimed by then, all with one email.
        part = tenant.known(email="jane@example.org")
        tenant.call("POST", "/v1/merges", tenant.sk, {"from": part, "into": first})
        last = tenant.known(userId=f"v-{number}")
        tenant.call("POST", "/v1/merges", tenant.sk, {"from": first, "into": last})
        first = last

    erase_app(store, tenant.id)

    assert left(store, tenant) == 0


def test_what_takes_longer_than_an_answer_may_wait_for_is_left_to_whoever_tidies(
    store, tenant, filled, time_machine, monkeypatch
):
    monkeypatch.setattr(apps, "PATIENCE", -1)
    begun = now()
    time_machine.move_to(begun / 1000, tick=False)

    assert tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key).status_code == 204
    assert left(store, tenant) > 0
    # Nobody does it at once: who was asked might be about it still.
    assert tenant.id not in [app.id for app in store.apps.untidy(now())]

    time_machine.move_to((begun + MINUTE) / 1000, tick=False)
    [app] = [app for app in store.apps.untidy(now()) if app.id == tenant.id]
    assert tidy_if_due(store, app, KEPT, lambda: None) is None
    assert left(store, tenant) == 0


def test_the_command_finishes_it(store, tenant, filled, monkeypatch, capsys, config):
    monkeypatch.setattr(apps, "PATIENCE", -1)
    erase_app(store, tenant.id)
    for name, value in (
        ("DATABASE_URL", config.database_url),
        ("ADMIN_KEY", config.admin_key),
        ("SECRET_KEY", config.secret_key),
    ):
        monkeypatch.setenv(name, value)

    # The apps of other tests are many.
    monkeypatch.setattr(cli, "list_apps", lambda _: ())

    cli.main(["tidy"])

    assert f"{tenant.id}: erased\n" in capsys.readouterr().out
    assert left(store, tenant) == 0


def test_nobody_makes_a_key_of_it_any_more(store, tenant, monkeypatch):
    monkeypatch.setattr(apps, "empty_app", lambda *_: give_up())
    erase_app(store, tenant.id)

    with pytest.raises(NotFound):
        apps.create_key(store, Encryption("x" * 32), tenant.id, apps.KeyKind.SECRET)
    emptying.empty_app(store, tenant.id)


def test_whoever_made_it_with_an_idempotency_key_makes_another(client, store, config, monkeypatch):
    headers = {"Authorization": f"Bearer {config.admin_key}", "Idempotency-Key": f"key-{now()}"}
    first = client.post("/v1/apps", json={"name": "Shop"}, headers=headers).json["id"]
    monkeypatch.setattr(apps, "empty_app", lambda *_: give_up())
    erase_app(store, first)

    again = client.post("/v1/apps", json={"name": "Shop"}, headers=headers)

    assert (again.status_code, again.json["id"] != first) == (201, True)
    emptying.empty_app(store, first)


def test_of_an_app_to_which_somebody_adds_meanwhile_nothing_is_erased(store, tenant, monkeypatch):
    # As if what is in it had come after its tables were gone through.
    monkeypatch.setattr(store_of_apps, "ERASED_TABLES", (Apps,))
    before = left(store, tenant)

    with pytest.raises(StaleState), store.transaction():
        store.apps.erase(tenant.id)

    assert left(store, tenant) == before > 0
