"""People who have an ID of their own each, before anything happens that could make one of two."""

from tests.support.tenants import Tenant

PEOPLE = ("u-1", "u-2", "u-3", "u-4")


def who(tenant: Tenant) -> dict[str, list[str]]:
    """Return to whom of the proven world each ID leads."""
    found = {user_id: tenant.call("GET", f"/v1/users?userId={user_id}", tenant.sk) for user_id in PEOPLE}
    return {
        user_id: [user["id"] for user in (answer.json or {})["data"] if user["verified"]]
        for user_id, answer in found.items()
    }
