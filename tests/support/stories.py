"""A story that leaves something of everything in a store, and names for those whom it is about."""

from typing import Any

from flask.testing import FlaskClient

from tests.support.attachments import sent
from tests.support.signing import identity_key, proof_of
from tests.support.tenants import Tenant

ACCOUNT = {"store": "app_store", "account": "apple-1"}
CLIENT_MADE = "$RCAnonymousID:" + "a" * 32


def live(client: FlaskClient, admin_key: str) -> dict[str, str]:
    """Have people do whatever the API lets them, in three apps, of which one is erased."""
    tenant, foreign, lost = (Tenant.create(client, admin_key) for _ in range(3))
    names = {"app": tenant.id, "foreign_app": foreign.id, "lost_app": lost.id}
    names |= _known_people(tenant) | _visitors(tenant) | _merges(tenant) | _erased(tenant)
    _subscribers(tenant)
    names |= _unproven(tenant, names["carol"])
    visitor = foreign.login()
    foreign.begin(visitor["session"]["token"])
    names |= {"foreigner": visitor["user"]["id"]}
    lost.begin(lost.session(userId="u-1"))
    _done(tenant, "DELETE", f"/v1/apps/{lost.id}", tenant.admin_key)
    return names


def _known_people(tenant: Tenant) -> dict[str, str]:
    """One with an ID and a conversation, and two with an email only: one sends files, and one logged out."""
    key, secret = identity_key(tenant)
    proof = proof_of(tenant, secret, sub="u-1", email="jane@example.org", name="Jane")
    jane = tenant.try_login(key=tenant.pk, proof=proof).json
    token = jane["session"]["token"]
    call = ("POST", "/v1/conversations", token, {"message": "First"})
    begun, _ = (_done(tenant, *call, Idempotency_Key="key-1") for _ in range(2))
    _done(tenant, "POST", f"/v1/conversations/{begun['id']}/messages", tenant.sk, {"body": "Second"})
    written = tenant.begin(tenant.sk, "To you", user=jane["user"]["id"])
    bought = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1", "userId": "u-1"}
    _done(tenant, "POST", "/v1/purchases", tenant.sk, bought)
    joan, ann = (tenant.login(email=f"{name}@example.org") for name in ("joan", "ann"))
    filed = tenant.begin(joan["session"]["token"])
    waiting, file = (sent(tenant, filed, joan["session"]["token"])["id"] for _ in range(2))
    first = sent(tenant, None, joan["session"]["token"])["id"]
    message = _done(tenant, *_written(filed, joan["session"]["token"], file))["id"]
    _done(tenant, "POST", "/v1/logout", ann["session"]["token"])
    people = _ids(jane=jane, joan=joan, ann=ann)
    _done(tenant, "POST", "/v1/duplicates/dismissals", tenant.sk, {"users": [people["jane"], people["joan"]]})
    files = {"filed": filed, "file": file, "names_file": message, "waiting": waiting, "first": first}
    return people | files | {"thread": begun["id"], "written": written, "identity_key": key}


def _written(conversation: str, token: str, file: str) -> tuple[str, str, str, dict[str, Any]]:
    return "POST", f"/v1/conversations/{conversation}/messages", token, {"attachments": [file]}


def _ids(**logins: Any) -> dict[str, str]:
    """Return by name our ids of those who logged in."""
    return {name: login["user"]["id"] for name, login in logins.items()}


def _visitors(tenant: Tenant) -> dict[str, str]:
    """Anonymous users: one stays, one becomes part of somebody, one is cleared."""
    visitor, merged, cleared = (tenant.login(attributes={"page": "/pricing"}) for _ in range(3))
    for visit in (visitor, merged, cleared):
        tenant.begin(visit["session"]["token"])
        left = {"email": "visitor@example.org", "phone": "+49 30 901820"}
        _done(tenant, "PUT", "/v1/me/contact", visit["session"]["token"], left)
    tenant.set(anonymousOnLogin="merge")
    tenant.login(userId="u-2", deviceId=merged["deviceId"])
    tenant.set(anonymousOnLogin="clear")
    tenant.login(userId="u-3", deviceId=cleared["deviceId"])
    tenant.set(anonymousOnLogin="keep")
    return _ids(visitor=visitor, merged=merged, cleared=cleared)


def _merges(tenant: Tenant) -> dict[str, str]:
    """One with an alias takes in two others, one of whom stands again."""
    mary, bob, carol = (tenant.login(userId=f"u-{number}") for number in (5, 6, 7))
    ids = _ids(mary=mary, bob=bob, carol=carol)
    _done(tenant, "POST", f"/v1/users/{ids['mary']}/aliases", tenant.sk, {"userId": "u-8"})
    for login in (mary, bob, carol):
        tenant.begin(login["session"]["token"])
        tenant.change(login["user"]["id"], attributes={"seats": 7, "trial": False})
        _done(tenant, "PUT", "/v1/me/contact", login["session"]["token"], {"name": "At work"})
    merges = [tenant.merge(ids[name], ids["mary"]) for name in ("bob", "carol")]
    as_carol = tenant.session(userId="u-7")
    conversation = tenant.conversations(as_carol)[-1]
    _done(tenant, "POST", f"/v1/conversations/{conversation}/messages", as_carol, {"body": "Me again"})
    tenant.undo(merges[1])
    return ids | {"merge_of_bob": merges[0], "merge_of_carol": merges[1]}


def _erased(tenant: Tenant) -> dict[str, str]:
    """One who had taken in another, and the other with them."""
    part, erased = tenant.login(userId="u-9"), tenant.login(userId="u-10", email="gone@example.org")
    ids = _ids(part=part, erased=erased)
    tenant.begin(erased["session"]["token"])
    merge = tenant.merge(ids["part"], ids["erased"])
    _done(tenant, "DELETE", f"/v1/users/{ids['erased']}", tenant.sk)
    return ids | {"merge_of_part": merge}


def _subscribers(tenant: Tenant) -> None:
    """RevenueCat's: one who bought something, says who they are, and what they like and no longer do."""
    tenant.set(revenuecat="on")
    receipt = {"app_user_id": CLIENT_MADE, "fetch_token": "token-1", "product_id": "pro"}
    _done(tenant, "POST", "/v1/receipts", tenant.pk, receipt)
    named = {"app_user_id": CLIENT_MADE, "new_app_user_id": "u-11"}
    _done(tenant, "POST", "/v1/subscribers/identify", tenant.pk, named)
    for id, value in (("u-11", "blue"), ("u-11", None), ("u-1", "red"), ("u-6", "green")):
        said = {"attributes": {"color": {"value": value, "updated_at_ms": 1}}}
        key = tenant.pk if id == "u-11" else tenant.sk
        _done(tenant, "POST", f"/v1/subscribers/{id}/attributes", key, said)


def _unproven(tenant: Tenant, carol: str) -> dict[str, str]:
    """One who says to be somebody whom they are not, and one who claims to have bought something, of whom an
    agent says that it was Carol."""
    tenant.set(identityVerification="off")
    claim = tenant.try_login(key=tenant.pk, userId="u-1", email="jane@example.org").json
    tenant.begin(claim["session"]["token"])
    receipt = {"app_user_id": "u-12", "fetch_token": "token-2", "product_id": "pro"}
    _done(tenant, "POST", "/v1/receipts", tenant.pk, receipt)
    names = {"unproven": _claimant(tenant, "u-1"), "claimant": _claimant(tenant, "u-12")}
    tenant.merge(names["claimant"], carol)
    return names


def _claimant(tenant: Tenant, user_id: str) -> str:
    """Return our id of the user who only claims to have a user ID."""
    known = _done(tenant, "GET", f"/v1/users?userId={user_id}", tenant.sk)["data"]
    return next(user["id"] for user in known if not user["verified"])


def _done(tenant: Tenant, method: str, path: str, key: str, json: Any = None, **headers: str) -> Any:
    """Make a call that succeeds, and return its body."""
    made = tenant.call(method, path, key, json, **headers)
    assert made.status_code in (200, 201, 204), made.text
    return made.json if made.data else None
