"""Files that people send, and the calls that send, name and fetch them."""

from typing import Any
from urllib.parse import urlencode

from tests.support.tenants import Tenant

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 8


def send(
    tenant: Tenant,
    conversation: str | None,
    key: str,
    data: Any = PNG,
    name: str | None = "parcel.png",
    **headers: str,
) -> Any:
    """Send a file into a conversation, or before there is one."""
    query = "" if name is None else "?" + urlencode({"name": name})
    sent = {"Authorization": f"Bearer {key}"} | {one.replace("_", "-"): two for one, two in headers.items()}
    place = "" if conversation is None else f"/conversations/{conversation}"
    return tenant.client.open(f"/v1{place}/attachments{query}", method="POST", data=data, headers=sent)


def sent(tenant: Tenant, conversation: str | None, key: str, data: Any = PNG, **more: Any) -> dict[str, Any]:
    """Send a file, and return what is known of it."""
    response = send(tenant, conversation, key, data, **more)
    assert response.status_code == 201, response.text
    attachment: dict[str, Any] = response.json
    return attachment


def fetch(tenant: Tenant, id: str, key: str, **headers: str) -> Any:
    """Fetch a file."""
    return tenant.call("GET", f"/v1/attachments/{id}", key, **headers)


def begin_with(tenant: Tenant, key: str, *ids: str, **members: Any) -> Any:
    """Begin a conversation whose first message names files."""
    said = {"attachments": list(ids)} | members
    return tenant.call("POST", "/v1/conversations", key, said)


def name_in_message(tenant: Tenant, conversation: str, key: str, *ids: str, **members: Any) -> Any:
    """Write a message that names files."""
    said = {"attachments": list(ids)} | members
    return tenant.call("POST", f"/v1/conversations/{conversation}/messages", key, said)


def written(tenant: Tenant, conversation: str, key: str, data: Any = PNG, **more: Any) -> str:
    """Write a message with a file, and return the file's id."""
    id: str = sent(tenant, conversation, key, data, **more)["id"]
    response = name_in_message(tenant, conversation, key, id)
    assert response.status_code == 201, response.text
    return id
