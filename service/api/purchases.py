"""Store accounts: purchases and restores."""

from typing import Any

from flask import Blueprint, Response

from service.api.bodies import as_json
from service.api.context import context, store_of
from service.api.endpoints import body, open_to, refuses, response
from service.api.idempotency_keys import once
from service.api.limits import limits
from service.api.schemas.purchases import PurchaseIn, RestoredOut, RestoreIn, SharingIn, SharingOut
from service.desk.purchasing import RestoreRequest, allow_sharing, restore
from service.desk.sessions import device_of
from service.model.callers import Backend, EndUser
from service.model.idempotency_keys import IdempotencyKey
from service.model.logins import Restored

api = Blueprint("purchases", __name__, url_prefix="/v1")

Caller = EndUser | Backend


@api.post("/purchases")
@open_to(EndUser, Backend)
@body(PurchaseIn())
@once
@response(200, RestoredOut())
@refuses(404, 409, 429)
def purchase(caller: Caller, request: RestoreRequest, key: IdempotencyKey | None) -> Restored:
    """Report a purchase under a store account; the same transaction twice changes nothing.

    A session needs a `proof` that names its own user and the account.
    """
    return _restored(caller, request, key)


@api.post("/restore")
@open_to(EndUser, Backend)
@body(RestoreIn())
@once
@response(200, RestoredOut())
@refuses(404, 409, 429)
def restore_purchases(caller: Caller, request: RestoreRequest, key: IdempotencyKey | None) -> Restored:
    """Restore what was bought under a store account.

    A session needs a `proof`, as for a purchase.
    """
    return _restored(caller, request, key)


def _restored(caller: Caller, request: RestoreRequest, key: IdempotencyKey | None) -> Restored:
    application = context()
    return restore(store_of(caller), application.encryption, caller, request, limits(caller), key)


@api.post("/allowSharingStoreAccount")
@open_to(EndUser, Backend)
@body(SharingIn())
@once
@response(200, SharingOut())
def allow_sharing_store_account(
    caller: Caller, content: dict[str, Any], key: IdempotencyKey | None
) -> Response:
    """Set whether the device shares its store account; a backend names the device."""
    device = device_of(caller, content["device_id"])
    allowed = allow_sharing(store_of(caller), caller, device, content["allow"], key)
    return as_json({"allowSharingStoreAccount": allowed})
