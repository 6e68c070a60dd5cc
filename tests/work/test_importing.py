"""A file of people is read by whoever works: cut off anywhere, it is taken up again as if it had not been."""

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from service.config import Config
from service.desk import imports as desk
from service.desk.imports import LEASE, MAX_TRIES, LeaseLost
from service.desk.tidying import Interrupted
from service.encryption import IMPORTS, Encryption
from service.model.errors import Conflict, FilesUnavailable, StoreUnavailable
from service.model.imports import ImportState, Options
from service.moving.sources.plain import PLAIN
from service.moving.uploads import Report
from service.store.apps import AllApps
from service.store.files import FileStore
from service.store.imports import ImportStore
from service.store.tables import Imports, Removals
from service.times import now
from service.work import importing
from service.work.importing import FAULT, GONE, Importer, begin_to_import
from tests.support.cases import cases
from tests.support.logbook import on_standard_output
from tests.support.servers import SECRET_KEY

PEOPLE = "user_id,email,name\n" + "".join(f"u-{n},p{n}@example.org,Person {n}\n" for n in range(7))
MAILS = "".join(f",m{n}@example.org,Mail {n}\n" for n in range(3))
# In steps of two: four of those with an ID, two of those with an email alone.
STEPS = 6
TALKS = "".join(
    f'{{"external_id": "u-{n}", "role": "end-user", "id": {n}}}\n'
    f'{{"id": {n}00, "requester_id": {n}, "created_at": "2026-01-01T00:00:00Z", "comments":'
    f' [{{"author_id": {n}, "body": "Hello", "public": true}}]}}\n'
    for n in range(1, 4)
)


@pytest.fixture(autouse=True)
def _one_app_only(tenant, monkeypatch, time_machine):
    """Leave alone what other tests have sent; take two people in at a time."""
    everything = AllApps.with_imports
    monkeypatch.setattr(AllApps, "with_imports", lambda self: {tenant.id} & {*everything(self)})
    monkeypatch.setattr(importing, "PEOPLE", 2)
    monkeypatch.setattr(importing, "REST", 0)
    time_machine.move_to(now() / 1000, tick=False)


@pytest.fixture
def encryption():
    return Encryption(SECRET_KEY, IMPORTS)


@pytest.fixture
def own(store, tenant):
    return store.of(tenant.id)


@pytest.fixture
def work(store):
    """Return somebody new who works."""
    return lambda: Importer(store, SECRET_KEY, threading.Event())


@pytest.fixture
def send(own, encryption):
    """Send a file; return its id."""

    def send(text, source=PLAIN.name):
        return desk.receive(own, encryption, Options(source), [text.encode()]).id

    return send


@pytest.fixture
def begun(own, send, work):
    """Send a file, have it read, and have its people taken in; return its id."""

    def begun(text, source=PLAIN.name):
        id = send(text, source)
        work().turn()
        desk.begin(own, id)
        return id

    return begun


@pytest.fixture
def report(own, encryption):
    """Return what came of a file, and what would."""

    def report(id):
        one = desk.show_import(own, id)
        cipher = desk.cipher_of(encryption, one)
        return [Report.of(cipher.decrypt(text)) for text in (one.report, one.preview)]

    return report


@pytest.fixture
def why(own, encryption):
    """Return why a file can't be read."""

    def why(id):
        one = desk.show_import(own, id)
        assert one.state is ImportState.FAILED
        return one.failed and desk.cipher_of(encryption, one).decrypt(one.failed)

    return why


class Killed(BaseException):
    """Whoever worked is gone."""


def die_at(monkeypatch, number):
    """Have whoever works be killed in the midst of a step, before it is committed."""
    left, note = [number], ImportStore.note

    def dying(self, id, lease, **members):
        if "steps" in members:
            left[0] -= 1
            if not left[0]:
                raise Killed
        return note(self, id, lease, **members)

    monkeypatch.setattr(ImportStore, "note", dying)


@pytest.mark.parametrize("step", [1, 2, 5, STEPS + 1])
def test_who_is_killed_in_any_step_leaves_the_rest_to_another_who_counts_nobody_twice(
    monkeypatch, tenant, begun, work, report, time_machine, step
):
    id = begun(PEOPLE + MAILS)
    with monkeypatch.context() as patch:
        die_at(patch, step)
        with suppress(Killed):
            work().turn()
    tenant.known(userId="u-0", email="p0@example.org", name="Renamed")
    time_machine.shift(LEASE / 1000 - 0.001)
    assert work().turn() is False or step > STEPS
    time_machine.shift(0.001)
    work().turn()

    came, would = report(id)
    assert came.people == would.people == 10
    assert sum(came.tally.created.values()) == 10 - (step == 1)
    assert tenant.find(userId="u-0")[0]["name"] == ("Person 0" if step == 1 else "Renamed")


def test_conversations_go_on_where_they_were_cut_off(
    monkeypatch, tenant, begun, work, report, own, time_machine
):
    id = begun(TALKS, "zendesk")
    monkeypatch.setattr("service.moving.sourcing.MAX_TALKS", 1)
    with monkeypatch.context() as patch:
        die_at(patch, 4)
        with suppress(Killed):
            work().turn()
    tenant.erase(tenant.find(userId="u-1")[0]["id"])
    time_machine.shift(LEASE / 1000)
    work().turn()

    came, would = report(id)
    assert (came.tally.talks, came.tally.new_talks, would.tally.new_talks) == (3, 3, 3)
    listed = tenant.get("/v1/conversations", tenant.sk).json["data"]
    assert len(listed) == 2


def test_who_is_asked_to_stop_leaves_the_rest_at_once(begun, work, report):
    id = begun(PEOPLE)
    first = work()
    first.stopped.set()
    with pytest.raises(Interrupted):
        first.turn()
    second = work()
    told = second.stopped.wait
    second.stopped.wait = lambda _: True
    with pytest.raises(Interrupted):
        second.turn()
    second.stopped.wait = told
    work().turn()

    assert report(id)[0].tally.created.total() == 7


def test_two_never_read_one_file(monkeypatch, send, work, own):
    send(PEOPLE)
    other, found, options_of = work(), [], desk.options_of

    def and_another(one, cipher):
        found.append(other.turn())
        return options_of(one, cipher)

    monkeypatch.setattr(desk, "options_of", and_another)
    assert work().turn()
    assert found == [False]


def test_a_file_that_is_removed_meanwhile_is_read_no_further(monkeypatch, tenant, begun, work, own):
    id = begun(PEOPLE)
    go_on = desk.go_on

    def remove_then_go_on(store, leased, **members):
        if members.get("steps") == 2:
            desk._forget(store, leased.one)
        go_on(store, leased, **members)

    monkeypatch.setattr(desk, "go_on", remove_then_go_on)
    assert work().turn()
    # The step in which it went is undone, and so is its removal in this test.
    assert own.imports.find(id, now()).steps == 1
    assert len(tenant.get("/v1/users?q=u-", tenant.sk).json["data"]) == 2


def test_what_is_read_while_somebody_removes_it_leaves_nothing_behind(monkeypatch, store, own, send, work):
    id, write = send(PEOPLE), desk._write

    def remove_then_write(*about):
        desk.forget(own, id)
        return write(*about)

    monkeypatch.setattr(desk, "_write", remove_then_write)
    assert work().turn()
    assert store.database.rows(Removals.select().where(Removals.app == own.app_id)) == []


def test_how_far_a_long_file_is_shows_while_it_is_read(monkeypatch, send, work, own):
    monkeypatch.setattr(importing, "BEAT", 0)
    id, seen, go_on = send(PEOPLE + MAILS), [], desk.go_on

    def watched(store, leased, **members):
        go_on(store, leased, **members)
        seen.append(own.imports.find(id, now()).people)

    monkeypatch.setattr(desk, "go_on", watched)
    work().turn()
    assert (min(seen), max(seen)) == (0, 7)


def test_a_file_at_which_all_fail_is_given_up(monkeypatch, send, work, why, time_machine):
    id = send(PEOPLE)
    with monkeypatch.context() as patch:
        patch.setattr(desk, "opened", _raising(StoreUnavailable))
        for _ in range(MAX_TRIES):
            with pytest.raises(StoreUnavailable):
                work().turn()
            time_machine.shift(LEASE / 1000)
    assert work().turn() is False
    assert why(id) == "whoever read it was cut off 10 times in a row"


def test_under_another_secret_key_it_is_given_up(store, send, why):
    id = send(PEOPLE)
    assert Importer(store, "y" * 40, threading.Event()).turn() is False
    assert why(id) is None


def _raising(error):
    def fail(*_args, **_kwargs):
        raise error

    return fail


def test_what_nobody_foresaw_keeps_nobody_from_other_files(monkeypatch, send, work, why, capsys):
    with monkeypatch.context() as patch, on_standard_output():
        patch.setattr(importing, "read_upload", _raising(ZeroDivisionError("jane@example.org")))
        id = send(PEOPLE)
        assert work().turn()
    assert why(id) == FAULT
    said = capsys.readouterr().out
    assert ("import failed" in said, "jane@" in said) == (True, False)


def folder_of(config: Config, own):
    return Path(config.files_url.removeprefix("file://")) / own.app_id


@cases(
    "damage, says",
    ("gone", lambda path: path.unlink(), GONE),
    ("cut off", lambda path: path.write_bytes(b""), "its bytes are not those that were sent"),
    (
        "changed",
        lambda path: path.write_bytes(path.read_bytes().replace(b"gAAA", b"gAAB")),
        "its bytes are not those that were sent",
    ),
)
def test_bytes_that_are_not_what_was_sent_are_not_read(config, own, send, work, why, damage, says):
    id = send(PEOPLE)
    [path] = [path for path in folder_of(config, own).rglob("imp_*") if path.is_file()]
    damage(path)
    work().turn()
    assert why(id) == says


def test_one_who_works_goes_on_whatever_happens_until_stopped(monkeypatch, store, send, own):
    monkeypatch.setattr(importing, "EVERY", 0)
    id, read, failed, stopped = send(PEOPLE), FileStore.read, [], threading.Event()

    def away_at_first(self, *about):
        if not failed:
            failed.append(1)
            own.imports.note(id, "", leased_until=0)
            store.database.change(Imports.update(leased_until=0).where(Imports.app == own.app_id))
            raise FilesUnavailable
        return read(self, *about)

    def stop_when_read(self, *about, **members):
        noted = note(self, *about, **members)
        if members.get("state"):
            stopped.set()
        return noted

    note = ImportStore.note
    monkeypatch.setattr(FileStore, "read", away_at_first)
    monkeypatch.setattr(ImportStore, "note", stop_when_read)
    begin_to_import(store, SECRET_KEY, stopped).join(60)
    assert desk.show_import(own, id).state is ImportState.READ


def test_one_who_is_stopped_in_the_midst_of_a_file_ends(monkeypatch, store, send):
    send(PEOPLE)
    stopped = threading.Event()
    monkeypatch.setattr(Importer, "turn", _raising(Interrupted))
    thread = begin_to_import(store, SECRET_KEY, stopped)
    thread.join(60)
    assert not thread.is_alive()


def test_of_an_app_that_is_erased_meanwhile_nothing_is_read(monkeypatch, send, work):
    send(PEOPLE)
    monkeypatch.setattr(AllApps, "with_id", lambda *_: None)
    assert work().turn() is False


def test_no_more_files_are_kept_than_an_app_may_have_when_several_come_at_once(
    monkeypatch, store, own, encryption
):
    monkeypatch.setattr(desk, "MAX_FILES", 1)

    def pieces():
        desk.receive(own, encryption, Options(PLAIN.name), [b"x"])
        yield b"x"

    with pytest.raises(Conflict):
        desk.receive(own, encryption, Options(PLAIN.name), pieces())
    assert len(store.database.rows(Removals.select().where(Removals.app == own.app_id))) == 1


def test_small_pieces_are_put_together(monkeypatch, own, encryption):
    monkeypatch.setattr(desk, "PIECE", 4)
    one = desk.receive(own, encryption, Options(PLAIN.name), [b"a", b"bcd", b"efghi", b"j"])
    leased = desk.lease(own, encryption)
    with desk.opened(own, leased) as file:
        assert file.read() == b"abcdefghij"
    assert one.size == 10
    with pytest.raises(LeaseLost):
        desk.go_on(own, replace(leased, lease="another"))


def test_whoever_lost_a_file_does_not_say_that_it_cant_be_read(own, encryption, send):
    id = send(PEOPLE)
    leased = desk.lease(own, encryption)
    desk.fail(own, leased.one, "another", None)
    assert desk.show_import(own, id).state is ImportState.READING
