"""What is looked for is personal, so it stands in no address that somebody on the way could keep: there it
is encrypted, for agents of one app.
"""

from service.api.context import context
from service.encryption import Encryption
from service.model.callers import Backend
from service.model.errors import NotFound


def seal(caller: Backend, what: str) -> str:
    """Write what is looked for, for an address."""
    return _encryption().encrypt(f"{caller.app.id} {what}")


def unseal(caller: Backend, sealed: str) -> str:
    """Read it; "" where nothing is looked for. Raises NotFound for what another app's agent looked for, or
    nobody."""
    app, _, what = (_encryption().decrypt(sealed) or "").partition(" ") if sealed else (caller.app.id, "", "")
    if app != caller.app.id:
        raise NotFound
    return what


def _encryption() -> Encryption:
    return Encryption(context().config.secret_key, "console search")
