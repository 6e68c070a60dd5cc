"""Webhooks: where an app has its events delivered, and what came of it."""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from service.model.addresses import Address, may_be_told
from service.model.events import EventType
from service.model.identifiers import Malformed

MAX_URL = 2000
# As many secrets as it takes to change one for another.
MAX_SECRETS = 2

_VISIBLE = re.compile(r"[!-~]+")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


class Disabled(StrEnum):
    """Why a webhook is switched off."""

    BY_REQUEST = "request"
    FAILING = "failing"


class DeliveryState(StrEnum):
    """What has become of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """What deliveries are signed with; ``plain`` is there where it is shown."""

    id: str
    created_at: int
    plain: str | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where events go: of these types, or of all if there are none. ``disabled`` says why none do;
    ``failing_since`` since when no attempt succeeded."""

    id: str
    url: str
    types: tuple[EventType, ...]
    created_at: int
    disabled: Disabled | None = None
    failing_since: int | None = None
    secrets: tuple[WebhookSecret, ...] = ()

    @property
    def enabled(self) -> bool:
        """Whether events are delivered."""
        return self.disabled is None


@dataclass(frozen=True, slots=True)
class MadeWebhook:
    """A webhook that was made, and its oldest secret; ``is_new`` unless it was made before."""

    webhook: Webhook
    secret: WebhookSecret
    is_new: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver: the status that was answered, and how the answer begins, or why none was."""

    at: int
    milliseconds: int
    status: int | None = None
    answer: str | None = None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the event was taken."""
        return self.status is not None and 200 <= self.status < 300


class WebhookState(StrEnum):
    """How a webhook does: it answers, or has failed since; or it is switched off, by request or as it has
    failed for too long."""

    ANSWERING = "answering"
    FAILING = "failing"
    OFF = "off"
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class WebhookHealth:
    """The webhooks of one state, and if they are on, when the oldest event was that is to be tried again at
    one of them, and the oldest that has not been tried."""

    state: WebhookState
    count: int
    pending: int | None
    untried: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one event at one webhook. ``next_at`` is when it is tried again, if it is."""

    event: str
    type: str
    state: DeliveryState
    next_at: int | None
    attempts: tuple[Attempt, ...] = ()


# What a test delivers, which is no event.
TEST = "webhook.test"


def webhook_url(text: str) -> str:
    """Take the URL of a webhook. Raises Malformed for one that is not plainly one, in the form in which it is
    connected to: no spelling of an address but its own."""
    try:
        split = urlsplit(text)
        port = split.port
    except ValueError:
        split, port = SplitResult("", "", "", "", ""), None
    fine = (
        len(text) <= MAX_URL
        and _VISIBLE.fullmatch(text)
        and "\\" not in text
        and split.scheme in ("http", "https")
        and "@" not in split.netloc
        and "#" not in text
        and port != 0
        and is_host(split.hostname or "")
    )
    if not fine:
        raise Malformed("invalid-url", "This is an https URL, without user, password and fragment.")
    return text


def may_be_reached(url: str, *, loopback: bool) -> bool:
    """Return whether anything may be delivered to a URL, as far as it tells by itself: by https, and by http
    to this machine where ``loopback`` is allowed. Which addresses a name has is looked at when it counts."""
    split = urlsplit(url)
    host = split.hostname or ""
    address = address_in(host)
    if address is not None and not may_be_told(address, loopback=loopback):
        return False
    is_here = host == "localhost" if address is None else address.is_loopback
    return split.scheme == "https" or (loopback and is_here)


def is_host(text: str) -> bool:
    """Return whether a text is a name, or an address as it is written."""
    if address_in(text) is not None:
        return True
    labels = text.split(".")
    # What ends in a number would be read as an address, in one of many spellings.
    return len(text) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1][:1].isdigit()


def address_in(host: str) -> Address | None:
    """Return the address that a host is, if it is one."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return None if "%" in host else found
