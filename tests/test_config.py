"""The settings: what a server starts with, and what it refuses to start with."""

from pathlib import Path

import pytest

from service.config import Config
from service.model.errors import BadSettings
from tests.support.cases import cases

ADMIN_KEY = "ak_" + "a" * 32
SECRET_KEY = "s" * 32
SECRETS = {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY}


def complaint(**environ: str) -> str:
    with pytest.raises(BadSettings) as refused:
        Config.from_environment(environ)
    return str(refused.value)


DEFAULTS = {
    "DATABASE_URL": "sqlite:///usher.sqlite",
    "PORT": "8000",
    "WEB_CONCURRENCY": "2",
    "LOGIN_RATE": "300",
    "PROOF_FAILURE_RATE": "20",
    "NEW_USER_RATE": "0",
    "TRUSTED_HOPS": "0",
    "EVENT_DAYS": "30",
    "TIDY_IDLE_DAYS": "180",
    "TIDY_EMPTY_DAYS": "30",
    "TIDY_CLEARED_DAYS": "30",
    "WORK_PORT": "0",
    "ATTACHMENT_BYTES": "10485760",
    "WEBHOOK_LOOPBACK": "off",
    "LIVE_URL": "",
    "LIVE_PORT": "0",
    "LIVE_STREAMS": "5000",
    "WEB_URL": "",
    "JOURNAL": "",
}
OTHERS = dict(
    zip(
        DEFAULTS,
        [
            *(
                "postgres://usher:pw@db/usher",
                "80",
                "4",
                "0",
                "7",
                "60",
                "1",
                "365",
                "7",
                "5",
                "1",
                "9100",
                "1",
                "on",
            ),
            *("https://live.example.org", "81", "1", "http://[::1]:8000", "/var/j"),
        ],
        strict=True,
    )
)


@pytest.mark.parametrize(
    ("given", "meant"),
    [({}, DEFAULTS), (dict.fromkeys(DEFAULTS, ""), DEFAULTS), (OTHERS, OTHERS)],
    ids=["absent", "empty", "given"],
)
def test_each_setting_is_read_from_the_variable_of_its_name_or_has_a_default(given, meant):
    config = Config.from_environment(SECRETS | given)

    assert (config.admin_key, config.secret_key) == (ADMIN_KEY, SECRET_KEY)
    assert {name: str(getattr(config, name.lower())) for name in DEFAULTS} == meant


def test_the_environment_of_the_process_is_read_unless_another_is_given(monkeypatch):
    for name, value in (SECRETS | {"PORT": "8123"}).items():
        monkeypatch.setenv(name, value)

    assert Config.from_environment().port == 8123


@pytest.mark.parametrize("name", ["ADMIN_KEY", "SECRET_KEY"])
@pytest.mark.parametrize("given", [{}, {"ADMIN_KEY": "", "SECRET_KEY": ""}], ids=["absent", "empty"])
def test_no_secret_has_a_default(name, given):
    assert complaint(**{**SECRETS, name: given.get(name, "")}) == f"{name} is missing"


def test_one_message_names_everything_that_is_wrong():
    message = complaint(DATABASE_URL="mysql://db/usher", PORT="x", LOGIN_RATE="-1")

    assert message.split("; ") == [
        "ADMIN_KEY is missing",
        "SECRET_KEY is missing",
        "DATABASE_URL must begin with postgres://, postgresql:// or sqlite:///",
        "PORT must be a whole number from 1 to 65535",
        "LOGIN_RATE must be a whole number from 0 to 1000000",
    ]


MALFORMED = {
    "ADMIN_KEY": ["a" * 40, "ak_" + "a" * 31, f"ak_{'a' * 32} b", "ak_" + "ä" * 32, f"ak_{'a' * 32}\n"],
    "SECRET_KEY": ["z" * 31],
    "DATABASE_URL": [
        "usher-db",
        "mysql://db/usher",
        "sqlite:///",
        "sqlite://usher.sqlite",
        "sqlite:///:memory:",
    ],
    # The last is beyond what Python turns into a number.
    "PORT": ["0", "65536", "8_000", "٨٠٠٠", " 8000", "9" * 5000],
    "WEB_CONCURRENCY": ["0", "65"],
    "LOGIN_RATE": ["-1"],
    "PROOF_FAILURE_RATE": ["1.5"],
    "NEW_USER_RATE": ["1000001"],
    "TRUSTED_HOPS": ["17"],
    "EVENT_DAYS": ["6", "366"],
    "TIDY_IDLE_DAYS": ["0", "36501"],
    "TIDY_EMPTY_DAYS": ["0", "36501"],
    "TIDY_CLEARED_DAYS": ["0", "36501"],
    "WORK_PORT": ["65536"],
    "WEBHOOK_LOOPBACK": ["yes", "ON", "1"],
    "LIVE_URL": ["live.example.org", "https://live.example.org/", "https://Live.example.org", "ftp://live"],
    "LIVE_PORT": ["-1", "65536"],
    "LIVE_STREAMS": ["0"],
    "WEB_URL": ["https://example.org/support"],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name} {value[:50]!r}")
        for name, values in MALFORMED.items()
        for value in values
    ],
)
def test_a_malformed_setting_is_named(name, value):
    assert complaint(**{**SECRETS, name: value}).startswith(f"{name} must ")


def test_no_value_is_shown():
    names = [*SECRETS, "DATABASE_URL", "PORT", "WEB_CONCURRENCY", "LOGIN_RATE", "PROOF_FAILURE_RATE"]

    message = complaint(**dict.fromkeys(names, "hunter2"))

    assert len(message.split("; ")) == len(names)
    assert "hunter2" not in message


@pytest.mark.parametrize("url", ["", "sqlite:////data/usher.sqlite"], ids=["by default", "by name"])
def test_a_dyno_refuses_sqlite_says_why_and_takes_postgresql(url):
    on_a_dyno = {**SECRETS, "DYNO": "web.1"}

    assert "thrown away" in complaint(**on_a_dyno, DATABASE_URL=url)
    assert Config.from_environment({**on_a_dyno, "DATABASE_URL": "postgres://db/usher"})


def test_the_demo_has_the_three_keys_that_it_is_given():
    config = Config.from_environment({**SECRETS, "DEMO_KEYS": "pk_1 sk_1 ik_1"})

    assert (config.demo_keys, "pk_1" in repr(config)) == ("pk_1 sk_1 ik_1", False)


NO_DEMOS = {
    "on a dyno": {"DYNO": "web.1", "DATABASE_URL": "postgres://db/usher"},
    "on PostgreSQL": {"DATABASE_URL": "postgres://db/usher"},
    "with a key too few": {"DEMO_KEYS": "pk_1 sk_1"}, "in another order": {"DEMO_KEYS": "sk_1 pk_1 ik_1"},
    "without keys": {"DEMO_KEYS": "yes"},
}  # fmt: skip


@pytest.mark.parametrize("environ", NO_DEMOS.values(), ids=NO_DEMOS)
def test_the_demo_is_for_make_run_alone(environ):
    message = complaint(**{**SECRETS, "DEMO_KEYS": "pk_1 sk_1 ik_1", **environ})

    assert message.startswith("DEMO_KEYS is for make run alone")
    assert "_1" not in message


@cases(
    "environ, place",
    ("beside the file of SQLite", {"DATABASE_URL": "sqlite:////data/a b.sqlite"}, "file:///data/a%20b.files"),
    ("nowhere on PostgreSQL", {"DATABASE_URL": "postgres://db/usher"}, ""),
    ("in a folder", {"FILES_URL": "file:///data/files"}, "file:///data/files"),
    ("in a bucket", {"FILES_URL": "s3://files/a?region=x"}, "s3://files/a?region=x"),
    ("in a bucket, on a dyno", {"FILES_URL": "s3://files", "DYNO": "web.1"}, "s3://files"),
    ("nowhere on a dyno, whose disk is thrown away", {"FILES_URL": "file:///data", "DYNO": "web.1"}, ""),
)
def test_files_are_in_a_place_that_outlives_a_restart(environ, place):
    database = {"DATABASE_URL": "postgres://db/usher"}
    assert Config.from_environment({**SECRETS, **database, **environ}).files_url == place


def test_without_settings_files_are_beside_the_database():
    assert Config.from_environment(SECRETS).files_url == f"file://{Path.cwd()}/usher.files"


@pytest.mark.parametrize(
    "url", ["/data", "file://data", "file:///", "s3://", "s3://UP", "https://a", "s3://k:s@a"]
)
def test_what_is_no_place_for_files_is_named(url):
    assert complaint(**SECRETS, FILES_URL=url).startswith("FILES_URL must be")


def test_its_repr_shows_no_secret_and_no_password():
    config = Config.from_environment({**SECRETS, "DATABASE_URL": "postgres://usher:hunter2@db/usher"})

    assert repr(config) == (
        "Config(port=8000, web_concurrency=2, login_rate=300, proof_failure_rate=20, new_user_rate=0,"
        " trusted_hops=0, event_days=30, tidy_idle_days=180, tidy_empty_days=30, tidy_cleared_days=30,"
        " work_port=0, attachment_bytes=10485760, webhook_loopback='off', live_url='', live_port=0,"
        " live_streams=5000, web_url='')"
    )
