"""What several tests of the API begin with."""

import pytest

from tests.support.rows import rows_of
from tests.support.signing import email_key, hmac_key, identity_key


@pytest.fixture
def rc(tenant):
    """Call as RevenueCat's web client does."""
    tenant.set(revenuecat="on")

    def call(method, path, json=None, key="rcb_" + tenant.pk, **headers):
        return tenant.call(method, f"/v1{path}", key, json, **headers)

    return call


@pytest.fixture
def secret(tenant):
    """The identity key with which the backend signs JWTs."""
    return identity_key(tenant)[1]


@pytest.fixture
def hmac_secret(tenant):
    """The identity key with which the backend makes HMACs of user IDs."""
    return hmac_key(tenant)[1]


@pytest.fixture
def email_secret(tenant):
    """The identity key with which the backend makes HMACs of emails."""
    return email_key(tenant)[1]


@pytest.fixture
def rows(store, tenant):
    """Return all rows of the app by table, but for when a key or a session was last used."""
    return lambda: rows_of(store, tenant.id)


@pytest.fixture
def login(tenant):
    """What Jane's login answered."""
    return tenant.login(userId="jane", name="Jane")


@pytest.fixture
def jane(login):
    """The token of Jane's session."""
    return login["session"]["token"]
