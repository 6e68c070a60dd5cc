"""Secrets at rest: an identity key is readable by what encrypted it alone, every other secret not at all."""

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.api.context import NAME
from service.encryption import Encryption
from service.model.identifiers import digest
from service.store.tables import TABLES, Keys
from tests.support import signing

SECRET_KEY = "a secret key of thirty-two letters"
PLAIN = "ik_0123456789abcdef0123456789abcdef_" + "k" * 43


@pytest.mark.parametrize("secret_key", [SECRET_KEY, "s" * 32, "s" * 5000, "schlüssel " * 4], ids=len)
@pytest.mark.parametrize("plain", [PLAIN, "", "ünïcödé \N{KEY}"], ids=["key", "empty", "unicode"])
def test_what_was_encrypted_is_decrypted_after_a_restart(secret_key, plain):
    assert Encryption(secret_key).decrypt(Encryption(secret_key).encrypt(plain)) == plain


def test_what_is_encrypted_differs_each_time_and_shows_nothing_of_what_it_is():
    encryption = Encryption(SECRET_KEY)
    sealed = [encryption.encrypt(PLAIN) for _ in range(2)]

    assert sealed[0] != sealed[1]
    for shown in (*sealed, repr(encryption)):
        assert (shown.isascii(), "k" * 8 in shown, SECRET_KEY in shown) == (True, False, False)


@pytest.mark.parametrize("other", [SECRET_KEY + " ", SECRET_KEY[:-1], SECRET_KEY.upper()])
def test_another_secret_key_decrypts_nothing(other):
    assert Encryption(other).decrypt(Encryption(SECRET_KEY).encrypt(PLAIN)) is None


@pytest.mark.parametrize("place", [0, 10, 60, -6], ids=["version", "time", "text", "signature"])
def test_what_was_tampered_with_is_not_decrypted(place):
    encryption = Encryption(SECRET_KEY)
    letters = list(encryption.encrypt(PLAIN))
    letters[place] = "A" if letters[place] != "A" else "B"

    assert encryption.decrypt("".join(letters)) is None


@pytest.fixture
def identity_key(tenant):
    return signing.identity_key(tenant)[1]


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


def test_no_column_holds_a_secret_in_clear(store, tenant, secrets):
    queries = [table.select().where(table.app == tenant.id) for table in TABLES]
    values = [str(value) for query in queries for row in store.database.rows(query) for value in row]

    assert {digest(secret) for secret in secrets.values()} <= set(values)
    assert [kind for kind, secret in secrets.items() if any(secret[-20:] in value for value in values)] == []


def test_no_byte_of_the_database_file_holds_a_secret_in_clear(config, store, secrets):
    if not store.database.is_sqlite:
        pytest.skip("PostgreSQL keeps its files to itself")
    file = Path(urlsplit(config.database_url).path[1:])
    parts = sorted(file.parent.glob(f"{file.name}*"))

    # Closed in this process, any of these files would take SQLite's locks with it.
    raw = subprocess.run(["cat", *parts], capture_output=True, check=True).stdout

    assert digest(secrets["secret key"]).encode() in raw
    assert [kind for kind, secret in secrets.items() if secret[-20:].encode() in raw] == []


def test_an_identity_key_is_decrypted_with_the_servers_secret_key_only_and_no_other_key_at_all(
    app, store, tenant, identity_key
):
    of_app = Keys.select(Keys.kind, Keys.sealed).where(Keys.app == tenant.id)
    sealed = dict(store.database.rows(of_app))

    assert app.extensions[NAME].encryption.decrypt(sealed["identity"]) == identity_key
    assert Encryption(SECRET_KEY).decrypt(sealed["identity"]) is None
    assert (sealed["publishable"], sealed["secret"]) == (None, None)
