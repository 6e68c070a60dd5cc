"""Who may follow, and from which page: all that is asked of the store for one request, in a thread."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.config import Config
from service.desk.credentials import identify
from service.desk.streams import listener_of
from service.desk.tickets import redeem_ticket, sign_in_of
from service.live.requests import Request
from service.model.apps import App
from service.model.callers import Caller, EndUser, Operator, Widget
from service.model.errors import NotAllowed
from service.model.identifiers import read_credential
from service.model.streams import Listener
from service.store import Store
from service.store.migrating import Schema


@dataclass(frozen=True)
class Gate:
    """Lets in who may, within the time in which an answer is owed. Raises StoreUnavailable of each method."""

    config: Config
    store: Store
    schema: Schema

    def follow(self, request: Request) -> tuple[str, Listener]:
        """Return in which app somebody follows, and as whom. Raises InvalidCredential, and NotAllowed, also
        for a page that may not."""
        with self._deadline(request):
            self.schema.require()
            app = self._named_by(request)
            if app is not None and request.origin in app.settings.origins:
                request.is_readable = True
            caller = self._identify_follower(request)
            if isinstance(caller, Operator):
                raise NotAllowed
            if isinstance(caller, Widget | EndUser) and not self._is_known(request):
                raise NotAllowed
            store = self.store.of(caller.app.id)
            return caller.app.id, listener_of(store, caller, request.credential)

    def operate(self, request: Request) -> None:
        """Let the operator pass. Raises InvalidCredential and NotAllowed."""
        with self._deadline(request):
            if not isinstance(self._identify(request), Operator):
                raise NotAllowed

    def require_ready(self, request: Request) -> None:
        """Raise OldSchema unless the store is there, with a current schema."""
        with self._deadline(request):
            self.store.database.ping()
            self.schema.require()

    def _identify_follower(self, request: Request) -> Caller:
        """Return who calls; of all calls this one alone takes a ticket of the console's too."""
        if sign_in_of(request.credential) is None:
            return self._identify(request)
        request.caller = redeem_ticket(self.store, self.config.secret_key, request.credential, request.id)
        return request.caller

    def _identify(self, request: Request) -> Caller:
        request.caller = identify(self.store, self.config.admin_key, request.credential, request.id)
        return request.caller

    def _named_by(self, request: Request) -> App | None:
        """Return the app that a session's token names, dead or not, so that a page can read that it is."""
        parts = read_credential(request.credential) if request.origin else None
        return self.store.apps.with_id(parts[1]) if parts and parts[0] != "sk" else None

    def _is_known(self, request: Request) -> bool:
        """Return whether it comes from no page, or from one of ours, or of the app's."""
        host = request.headers.get("host", "")
        return request.is_readable or request.origin in (None, f"https://{host}", f"http://{host}")

    @contextmanager
    def _deadline(self, request: Request) -> Iterator[None]:
        self.store.database.start_deadline(time.monotonic() - request.came)
        try:
            yield
        finally:
            self.store.database.end_deadline()
