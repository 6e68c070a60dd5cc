"""Secrets at rest: an identity key is readable by what encrypted it alone, every other secret not at all."""

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.api.context import NAME
from service.encryption import Encryption
from service.model.identifiers import digest
from service.store.tables import TABLES, Keys

SECRET_KEY = "a secret key of thirty-two letters"
PLAIN = "ik_0123456789abcdef0123456789abcdef_" + "k" * 43


# --- the encryption ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret_key",
    [SECRET_KEY, "s" * 32, "s" * 5000, "schlüssel " * 4],
    ids=["usual", "shortest", "long", "accent"],
)
@pytest.mark.parametrize("plain", [PLAIN, "", "ünïcödé \N{KEY}"], ids=["key", "empty", "unicode"])
def test_what_was_closed_opens_again_after_a_restart(secret_key, plain):
    sealed = Encryption(secret_key).encrypt(plain)

    assert Encryption(secret_key).decrypt(sealed) == plain


def test_what_was_closed_shows_nothing_of_what_it_is():
    sealed = Encryption(SECRET_KEY).encrypt(PLAIN)

    assert sealed.isascii()
    assert "k" * 8 not in sealed
    assert SECRET_KEY not in sealed


def test_the_same_secret_is_closed_differently_each_time():
    encryption = Encryption(SECRET_KEY)

    assert encryption.encrypt(PLAIN) != encryption.encrypt(PLAIN)


@pytest.mark.parametrize(
    "other", [SECRET_KEY + " ", SECRET_KEY[:-1], SECRET_KEY.upper()], ids=["longer", "shorter", "upper-case"]
)
def test_another_secret_key_opens_nothing(other):
    sealed = Encryption(SECRET_KEY).encrypt(PLAIN)

    assert Encryption(other).decrypt(sealed) is None


@pytest.mark.parametrize("place", [0, 10, 60, -6], ids=["version", "time", "text", "signature"])
def test_what_was_tampered_with_does_not_open(place):
    encryption = Encryption(SECRET_KEY)
    letters = list(encryption.encrypt(PLAIN))
    letters[place] = "A" if letters[place] != "A" else "B"

    assert encryption.decrypt("".join(letters)) is None


def test_a_seal_shows_no_key():
    assert SECRET_KEY not in repr(Encryption(SECRET_KEY))


# --- the store -----------------------------------------------------------------------------------


@pytest.fixture
def identity_key(tenant):
    """An identity key of the app."""
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "identity"})
    return made.json["key"]


@pytest.fixture
def secrets(tenant, identity_key):
    """One of each kind of secret that is given out, in use."""
    named = tenant.login(userId="jane")
    anonymous = tenant.try_login(key=tenant.pk).json
    own = "own-device-0123456789abcdef"
    tenant.login(deviceId=own)
    return {
        "secret key": tenant.sk,
        "publishable key": tenant.pk,
        "identity key": identity_key,
        "session token": named["session"]["token"],
        "anonymous session token": anonymous["session"]["token"],
        "device ID": named["deviceId"],
        "anonymous device ID": anonymous["deviceId"],
        "device ID of the app's own": own,
    }


def random_part(secret):
    return secret[-20:]


def test_no_column_holds_a_secret_in_clear(store, tenant, secrets):
    values = [
        str(value)
        for table in TABLES
        for row in store.database.rows(table.select().where(table.app == tenant.id))
        for value in row
    ]

    held = [kind for kind, secret in secrets.items() if any(random_part(secret) in value for value in values)]

    assert {digest(secret) for secret in secrets.values()} <= set(values)
    assert held == []


def test_no_byte_of_the_database_file_holds_a_secret_in_clear(config, store, secrets):
    if not store.database.is_sqlite:
        pytest.skip("PostgreSQL keeps its files to itself")
    file = Path(urlsplit(config.database_url).path[1:])
    parts = sorted(file.parent.glob(f"{file.name}*"))

    # Closed in this process, any of these files would take SQLite's locks with it.
    raw = subprocess.run(["cat", *parts], capture_output=True, check=True).stdout

    assert digest(secrets["secret key"]).encode() in raw
    assert [kind for kind, secret in secrets.items() if random_part(secret).encode() in raw] == []


def test_an_identity_key_opens_under_the_servers_secret_key_only(app, store, tenant, identity_key):
    [(sealed,)] = store.database.rows(
        Keys.select(Keys.sealed).where((Keys.app == tenant.id) & (Keys.kind == "identity"))
    )

    opened = app.extensions[NAME].encryption.decrypt(sealed)

    assert opened == identity_key
    assert Encryption(SECRET_KEY).decrypt(sealed) is None


def test_no_other_key_can_be_read_again(store, tenant, identity_key):
    sealed = store.database.rows(
        Keys.select(Keys.kind, Keys.sealed).where((Keys.app == tenant.id) & (Keys.kind != "identity"))
    )

    assert sorted(sealed) == [("publishable", None), ("secret", None)]
