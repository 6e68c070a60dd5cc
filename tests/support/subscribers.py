"""RevenueCat's calls that tests make most, and what is read of their answers.

``rc`` is the fixture that calls as its web client does.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.test import TestResponse

from tests.support.tenants import Tenant

ANON, ANON_2 = ("$RCAnonymousID:" + letter * 32 for letter in "ab")

Call = Callable[..., TestResponse]


def identify(rc: Call, before: str, after: str) -> TestResponse:
    """Log in as one ID where another was until now."""
    return rc("POST", "/subscribers/identify", {"app_user_id": before, "new_app_user_id": after})


def alias(rc: Call, id: str, new: str) -> TestResponse:
    """Link a further ID to a subscriber."""
    return rc("POST", f"/subscribers/{id}/alias", {"new_app_user_id": new})


def original(response: TestResponse) -> str:
    """Return the ID that was seen first of a subscriber."""
    assert response.json is not None
    id: str = response.json["subscriber"]["original_app_user_id"]
    return id


def say(rc: Call, id: str = "u-1", at: int | None = None, **values: str | None) -> TestResponse:
    """Say something of a subscriber by names, which have ``_`` in place of ``$``."""
    said = {name.replace("_", "$"): {"value": value, "updated_at_ms": at} for name, value in values.items()}
    return rc("POST", f"/subscribers/{id}/attributes", {"attributes": said})


def user_of(tenant: Tenant, user_id: str) -> Any:
    """Return the user who has an ID, as the API shows them."""
    [user] = tenant.call("GET", f"/v1/users?userId={user_id}", tenant.sk).json["data"]
    return user


def exported(tenant: Tenant, id: str) -> Any:
    """Return all that is stored about a user."""
    return tenant.call("GET", f"/v1/users/{id}/export", tenant.sk).json


def kept(tenant: Tenant, user_id: str = "u-1") -> dict[str, str | None]:
    """Return what is kept of a user, by name; None of what was removed."""
    told = exported(tenant, user_of(tenant, user_id)["id"])["attributes"]
    return {one["name"]: one["value"] for one in told}
