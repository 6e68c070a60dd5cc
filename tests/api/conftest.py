"""What several tests of the API begin with."""

import pytest

from tests.support.signing import hmac_key, identity_key


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
    """The identity key with which the backend makes HMACs."""
    return hmac_key(tenant)[1]
