"""The settings: what a server starts with, and what it refuses to start with."""

import pytest

from service.config import Config
from service.model.errors import BadSettings

ADMIN_KEY = "ak_" + "a" * 32
SECRET_KEY = "s" * 32
SECRETS = {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY}


def complaint(**environ: str) -> str:
    with pytest.raises(BadSettings) as refused:
        Config.from_environment(environ)
    return str(refused.value)


def test_two_secrets_are_enough_and_the_rest_has_defaults():
    config = Config.from_environment(SECRETS)

    assert config == Config(
        admin_key=ADMIN_KEY,
        secret_key=SECRET_KEY,
        database_url="sqlite:///usher.sqlite",
        port=8000,
        web_concurrency=2,
        login_rate=300,
        proof_failure_rate=20,
        trusted_hops=0,
    )


def test_each_setting_is_read_from_the_variable_of_its_name():
    config = Config.from_environment(
        {
            **SECRETS,
            "DATABASE_URL": "postgres://usher:pw@db/usher",
            "PORT": "80",
            "WEB_CONCURRENCY": "4",
            "LOGIN_RATE": "0",
            "PROOF_FAILURE_RATE": "7",
            "TRUSTED_HOPS": "1",
        }
    )

    assert config == Config(
        admin_key=ADMIN_KEY,
        secret_key=SECRET_KEY,
        database_url="postgres://usher:pw@db/usher",
        port=80,
        web_concurrency=4,
        login_rate=0,
        proof_failure_rate=7,
        trusted_hops=1,
    )


def test_the_environment_of_the_process_is_read_unless_another_is_given(monkeypatch):
    monkeypatch.setenv("ADMIN_KEY", ADMIN_KEY)
    monkeypatch.setenv("SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("PORT", "8123")

    assert Config.from_environment().port == 8123


@pytest.mark.parametrize("name", ["ADMIN_KEY", "SECRET_KEY"])
@pytest.mark.parametrize("given", [{}, {"ADMIN_KEY": "", "SECRET_KEY": ""}], ids=["absent", "empty"])
def test_no_secret_has_a_default(name, given):
    assert complaint(**{**SECRETS, name: given.get(name, "")}) == f"{name} is missing"


def test_an_empty_setting_is_a_missing_one():
    names = ["DATABASE_URL", "PORT", "WEB_CONCURRENCY", "LOGIN_RATE", "PROOF_FAILURE_RATE", "TRUSTED_HOPS"]

    config = Config.from_environment({**SECRETS, **dict.fromkeys(names, "")})

    assert config == Config.from_environment(SECRETS)


def test_one_message_names_everything_that_is_wrong():
    message = complaint(DATABASE_URL="mysql://db/usher", PORT="x", LOGIN_RATE="-1")

    assert message.split("; ") == [
        "ADMIN_KEY is missing",
        "SECRET_KEY is missing",
        "DATABASE_URL must begin with postgres://, postgresql:// or sqlite:///",
        "PORT must be a whole number from 1 to 65535",
        "LOGIN_RATE must be a whole number from 0 to 1000000",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("ADMIN_KEY", "a" * 40, id="admin key without its prefix"),
        pytest.param("ADMIN_KEY", "ak_" + "a" * 31, id="admin key too short"),
        pytest.param("ADMIN_KEY", "ak_" + "a" * 32 + " b", id="admin key with a space"),
        pytest.param("ADMIN_KEY", "ak_" + "ä" * 32, id="admin key not ASCII"),
        pytest.param("ADMIN_KEY", "ak_" + "a" * 32 + "\n", id="admin key with a line's end"),
        pytest.param("SECRET_KEY", "z" * 31, id="secret key too short"),
        pytest.param("DATABASE_URL", "usher-db", id="database without a scheme"),
        pytest.param("DATABASE_URL", "mysql://db/usher", id="database of another kind"),
        pytest.param("DATABASE_URL", "sqlite:///", id="SQLite without a file"),
        pytest.param("DATABASE_URL", "sqlite://usher.sqlite", id="SQLite with two slashes"),
        pytest.param("DATABASE_URL", "sqlite:///:memory:", id="SQLite without a file to share"),
        pytest.param("PORT", "0", id="port too small"),
        pytest.param("PORT", "65536", id="port too large"),
        pytest.param("PORT", "8_000", id="port with an underscore"),
        pytest.param("PORT", "٨٠٠٠", id="port in other digits"),
        pytest.param("PORT", " 8000", id="port with a space"),
        pytest.param("PORT", "9" * 5000, id="port beyond what Python turns into a number"),
        pytest.param("WEB_CONCURRENCY", "0", id="no worker"),
        pytest.param("WEB_CONCURRENCY", "65", id="too many workers"),
        pytest.param("LOGIN_RATE", "-1", id="rate below zero"),
        pytest.param("PROOF_FAILURE_RATE", "1.5", id="rate with a fraction"),
        pytest.param("TRUSTED_HOPS", "17", id="too many hops"),
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
def test_a_dyno_refuses_sqlite_and_says_why(url):
    assert "thrown away" in complaint(**SECRETS, DYNO="web.1", DATABASE_URL=url)


def test_a_dyno_takes_postgresql():
    config = Config.from_environment({**SECRETS, "DYNO": "web.1", "DATABASE_URL": "postgres://db/usher"})

    assert config.database_url == "postgres://db/usher"


def test_the_demo_has_the_three_keys_that_it_is_given():
    config = Config.from_environment({**SECRETS, "DEMO_KEYS": "pk_1 sk_1 ik_1"})

    assert config.demo_keys == "pk_1 sk_1 ik_1"
    assert "pk_1" not in repr(config)


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"DYNO": "web.1", "DATABASE_URL": "postgres://db/usher"}, id="on a dyno"),
        pytest.param({"DATABASE_URL": "postgres://db/usher"}, id="on PostgreSQL"),
        pytest.param({"DEMO_KEYS": "pk_1 sk_1"}, id="with a key too few"),
        pytest.param({"DEMO_KEYS": "sk_1 pk_1 ik_1"}, id="in another order"),
        pytest.param({"DEMO_KEYS": "yes"}, id="without keys"),
    ],
)
def test_the_demo_is_for_make_run_alone(environ):
    message = complaint(**{**SECRETS, "DEMO_KEYS": "pk_1 sk_1 ik_1", **environ})

    assert message.startswith("DEMO_KEYS is for make run alone")
    assert "_1" not in message


def test_its_repr_shows_no_secret_and_no_password():
    config = Config.from_environment({**SECRETS, "DATABASE_URL": "postgres://usher:hunter2@db/usher"})

    assert repr(config) == (
        "Config(port=8000, web_concurrency=2, login_rate=300, proof_failure_rate=20, trusted_hops=0)"
    )
