"""A request as the app sees it, and what is answered to it."""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from uuid_utils import uuid7

from service.api import problems
from service.api.headers import HEADERS, TOLD_HEADERS
from service.desk.credentials import bearer_of
from service.model.callers import Caller
from service.model.errors import UsherError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# A connection is for one request, so that there is one head to wait for.
ALWAYS = {"Connection": "close", "Vary": "Origin"}


@dataclass
class Request:
    """A request: its id, when it came, by ``time.monotonic()``, who calls, where that is known, and whether a
    page of this origin may read the answer."""

    method: str
    path: str
    headers: dict[str, str]
    id: str = field(default_factory=lambda: uuid7().hex)
    came: float = field(default_factory=time.monotonic)
    caller: Caller | None = None
    is_readable: bool = False

    @classmethod
    def of(cls, scope: Message) -> "Request":
        """Make a request of what the server read."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return cls(scope["method"], scope["path"], headers)

    @property
    def origin(self) -> str | None:
        """The origin of the page that sends it, if a page does."""
        return self.headers.get("origin")

    @property
    def credential(self) -> str:
        """The credential. Raises InvalidCredential if there is none."""
        return bearer_of(self.headers.get("authorization", ""))

    def asks_first(self) -> bool:
        """Return whether it is a browser that asks before it calls."""
        return self.method == "OPTIONS" and "access-control-request-method" in self.headers

    def has_body(self) -> bool:
        """Return whether more than a head is sent."""
        return "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    async def begin(self, request: Request, send: Send) -> None:
        """Send all but the body, with the headers that are on every answer."""
        headers = ALWAYS | self.headers | {"X-Request-Id": request.id}
        if request.is_readable:
            headers["Access-Control-Allow-Origin"] = request.origin or ""
            headers["Access-Control-Expose-Headers"] = TOLD_HEADERS
        written = [(name.encode(), value.encode()) for name, value in [*headers.items(), *HEADERS]]
        await send({"type": "http.response.start", "status": self.status, "headers": written})

    async def send(self, request: Request, send: Send) -> None:
        """Send all of it; where only the head was asked for, the server leaves the body out."""
        has_length = {"Content-Length": str(len(self.body))} if self.body else {}
        await replace(self, headers=self.headers | has_length).begin(request, send)
        await send({"type": "http.response.body", "body": self.body})


def as_json(body: object) -> Answer:
    """Return a record."""
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


def refusal(request: Request, error: UsherError) -> Answer:
    """Return one of our own errors."""
    status, headers = problems.status_of(error)
    return problem(request, status, error.code, headers)


def problem(request: Request, status: int, code: str, headers: dict[str, str]) -> Answer:
    """Return an error of a status and a code."""
    body = json.dumps(problems.members(status, code, request.id)).encode()
    return Answer(status, headers | {"Content-Type": problems.CONTENT_TYPE}, body)
