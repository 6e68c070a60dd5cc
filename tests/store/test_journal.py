"""The journal has a line for whatever was revoked, whoever writes beside it, and for nothing that was not."""

import gzip
import subprocess
import sys

import orjson
import pytest

from service.app import create_app
from service.config import Config
from service.model.errors import BadSettings, StaleState, StoreUnavailable
from service.model.revocations import Revocation, Revoked
from service.store import journal
from service.store.engine.prepared import inserting
from service.store.journal import Journal, read
from service.store.tables import Apps
from tests.support.cases import cases
from tests.support.logbook import on_standard_output
from tests.support.servers import ADMIN_KEY, HERE, SECRET_KEY

AT = 1_795_953_600_123
ERASED = Revocation(Revoked.USER_ERASED, "app_1", "usr_1", AT)
LINE = b'{"revoked":"user.erased","app":"app_1","id":"usr_1","at":"2026-11-29T12:00:00.123Z"}'
PROCESSES, EACH = 4, 50
WRITES = f"""
import sys
from service.model.revocations import Revocation, Revoked
from service.store.journal import Journal
for number in range({EACH}):
    Journal(sys.argv[1]).write([Revocation(Revoked.USER_ERASED, sys.argv[2], f"usr_{{number}}", 1)])
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


def test_a_line_says_what_when_and_nothing_else_and_the_log_has_it_too(path, capsys):
    with on_standard_output():
        Journal(str(path)).write([ERASED])

    assert path.read_bytes() == LINE + b"\n"
    logged = orjson.loads(capsys.readouterr().out)
    assert logged == orjson.loads(LINE) | {
        "timestamp": logged["timestamp"],
        "level": "info",
        "event": "revoked",
    }
    assert [line.says for line in read(path)] == [ERASED]


def test_without_a_file_the_log_has_it_alone(capsys):
    with on_standard_output():
        Journal().write([ERASED])

    assert orjson.loads(capsys.readouterr().out)["revoked"] == "user.erased"


def test_several_processes_write_at_once_and_each_line_is_whole(path):
    started = [
        subprocess.Popen([sys.executable, "-c", WRITES, str(path), f"app_{number}"], cwd=HERE, stdout=-3)
        for number in range(PROCESSES)
    ]

    assert [process.wait() for process in started] == [0] * PROCESSES
    assert [line for line in read(path) if line.is_damaged] == []
    said = [(line.says.app, line.says.id) for line in read(path) if line.says]
    assert sorted(said) == sorted((f"app_{one}", f"usr_{n}") for one in range(PROCESSES) for n in range(EACH))


def test_what_is_renamed_meanwhile_is_begun_anew(path):
    written = Journal(str(path))
    written.write([ERASED])
    path.rename(path.with_name("journal.1"))
    written.write([ERASED])

    assert [file.name for file in journal.journals(str(path))] == ["journal.1", "journal"]
    assert journal.journals(str(path.with_name("none"))) == []


@cases(
    "text, expected",
    ("a line of ours", LINE, (True, False)),
    ("a platform's words before it", b"2026-11-29T12:00:00Z app[web.1]: " + LINE, (True, False)),
    ("braces before it", b"{web} " + LINE, (True, True)),
    ("behind what was torn", LINE[:40] + LINE, (True, True)),
    ("torn", LINE[:-1], (False, True)),
    ("torn in its first letters", LINE[:5], (False, True)),
    ("something behind it", LINE + b'" 200', (False, True)),
    ("another event of ours", b'{"event": "request"}', None),
    ("words", b"Booting {worker}", None),
    ("an empty line", b"", None),
    ("of a later release", LINE.replace(b"user.erased", b"user.praised"), (False, True)),
    ("no time", LINE.replace(b"2026-11-29T12", b"noon"), (False, True)),
    ("a list within", b'x {"revoked": [1]}', (False, True)),
)
def test_what_a_line_says_is_read_wherever_it_stands(path, text, expected):
    path.write_bytes(text + b"\n")

    lines = [(line.says == ERASED, line.is_damaged) for line in read(path)]
    assert lines == ([] if expected is None else [expected])


def test_a_compressed_file_that_was_cut_off_is_read_as_far_as_it_goes(path):
    lines = [LINE.replace(b"usr_1", b"usr_%d" % number) for number in range(20_000)]
    whole = gzip.compress(b"\n".join(lines))
    path.write_bytes(whole[: len(whole) // 2])

    *before, last = read(path)

    assert [line.says.id for line in before] == [f"usr_{number}" for number in range(last.number - 1)]
    assert (len(before) > 1000, last.says, last.is_damaged) == (True, None, True)


def test_a_digest_is_told_by_nothing_but_the_secret_key():
    one, other = Journal("", "s"), Journal("", "t")

    assert one.digest("app_1", "usr_1", "u-1") == one.digest("app_1", "usr_1", "u-1")
    assert len({one.digest("app_1", "usr_1", "u-1"), one.digest("app_1", "usr_2", "u-1")}) == 2
    assert one.digest("app_1", "usr_1", "u-1") != other.digest("app_1", "usr_1", "u-1")


@pytest.fixture
def written(database, path):
    database.journal = Journal(str(path))
    return database


def an_app(id):
    return Apps.insert(app=id, name="Shop", settings="{}", created_at=1)


def test_what_is_undone_is_not_in_it_and_what_is_within_ends_with_the_whole(written, path):
    with pytest.raises(ZeroDivisionError), written.transaction():
        written.revoke(Revoked.USER_ERASED, "app_1", "usr_1")
        raise ZeroDivisionError
    with written.transaction():
        with pytest.raises(ZeroDivisionError), written.transaction():
            written.revoke(Revoked.USER_ERASED, "app_1", "usr_2")
            raise ZeroDivisionError
        with written.transaction():
            written.revoke(Revoked.USER_ERASED, "app_1", "usr_3")
        assert not path.exists()
        written.revoke(Revoked.USER_ERASED, "app_1", "usr_4")

    assert [line.says.id for line in read(path)] == ["usr_3", "usr_4"]


def test_whoever_loses_a_race_at_the_end_has_revoked_nothing(written, path, app_id):
    with pytest.raises(StaleState), written.transaction():
        written.revoke(Revoked.USER_ERASED, "app_1", "usr_1")
        written.add(inserting(Apps.app, Apps.name, Apps.settings, Apps.created_at)(app_id, "Shop", "{}", 1))

    assert not path.exists()


def test_where_it_cannot_be_written_nothing_is_changed_and_no_server_starts(
    written, path, app_id, database_url
):
    path.mkdir()
    with pytest.raises(StoreUnavailable), written.transaction():
        written.change(an_app("app_2"))
        written.revoke(Revoked.USER_ERASED, "app_1", "usr_1")

    assert written.rows(Apps.select(Apps.app).where(Apps.app == "app_2")) == []
    with pytest.raises(BadSettings, match="JOURNAL cannot be written: Is a directory"):
        create_app(Config(ADMIN_KEY, SECRET_KEY, database_url, journal=str(path)))
