"""What several tests of the API begin with."""

import pytest


@pytest.fixture
def rc(tenant):
    """Call as RevenueCat's web client does."""
    tenant.set(revenuecat="on")

    def call(method, path, json=None, key="rcb_" + tenant.pk, **headers):
        return tenant.call(method, f"/v1{path}", key, json, **headers)

    return call
