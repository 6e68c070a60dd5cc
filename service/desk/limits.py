"""How often an address may do something in a minute."""

import hashlib
import ipaddress

from service.desk.transactions import one_transaction
from service.errors import TooMany
from service.nouns import MINUTE, App, now
from service.store import Store


def count_login(store: Store, app: App, address: str, *, limit: int, secret: str) -> None:
    """Count a login with a publishable key; ``limit`` is per minute, 0 for none. Raises TooMany.

    The address is kept as a digest under ``secret``, so that the store holds nobody's.
    """
    if not limit:
        return
    at = now()
    hashed = hashlib.blake2b(_network(address).encode(), key=secret.encode()[:64], digest_size=16)
    if _count(store, app.id, "login", hashed.hexdigest(), at // MINUTE) > limit:
        raise TooMany(retry_after=60 - at % MINUTE // 1000)


@one_transaction
def _count(store: Store, app: str, kind: str, address: str, minute: int) -> int:
    return store.rates.count(app, kind, address, minute)


def _network(address: str) -> str:
    """Answer whose address it is: of IPv6 one customer has a whole /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    prefix = 64 if parsed.version == 6 else 32
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
