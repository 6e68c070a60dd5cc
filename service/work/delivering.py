"""Deliver events to one webhook, one after the other, as long as it answers."""

import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
from standardwebhooks import Webhook as Signer

from service import metrics
from service.api.schemas.events import written
from service.desk.delivering import Job, next_job, note, release
from service.desk.webhooks import plain_secrets
from service.encryption import Encryption
from service.logs import get_logger
from service.model.webhooks import TEST, Attempt, Webhook
from service.store import AppStore
from service.store.deliveries import SLOW, Leased
from service.times import now, rfc3339
from service.work.sending import OUTCOMES, send

# After so many it is another webhook's turn.
MAX_IN_A_ROW = 100

UNSIGNED = "its secrets were encrypted under another SECRET_KEY"

# Lets some in at a time.
Limit = AbstractContextManager[object]
# A body, and the headers beside it.
Request = tuple[bytes, dict[str, str]]

log = get_logger()


@dataclass
class Run:
    """Deliveries to one webhook, one after the other until ``stopped``. ``since`` is when the attempt that is
    made now was begun, by ``time.monotonic()``."""

    leased: Leased
    stopped: threading.Event
    since: float = field(default_factory=time.monotonic)

    @property
    def is_slow(self) -> bool:
        """Whether it may take its time, or takes it."""
        return self.leased.is_slow or time.monotonic() - self.since > SLOW / 1000


def deliver(store: AppStore, encryption: Encryption, run: Run, at_store: Limit, *, loopback: bool) -> None:
    """Deliver what is there for a webhook that was leased, until there is no more, it fails, or it is
    another's turn. ``at_store`` limits how many ask the store at once."""
    leased = run.leased
    for _ in range(MAX_IN_A_ROW):
        if run.stopped.is_set():
            break
        with at_store:
            leased, job = next_job(store, leased)
            request = None if job is None else _request(store, encryption, leased.webhook, job)
        if job is None:
            break
        run.since = time.monotonic()
        attempt = _attempt(leased.webhook, request, loopback=loopback)
        _tell(store, leased, job, attempt)
        with at_store:
            held = note(store, leased, job, attempt)
        if held is None:
            return
        leased = held
    with at_store:
        release(store, leased)


def _tell(store: AppStore, leased: Leased, job: Job, attempt: Attempt) -> None:
    outcome = _outcome(attempt)
    metrics.ATTEMPTS.labels(outcome).inc()
    about = {"app": store.app_id, "webhook": leased.webhook.id, "delivered": job.due.event}
    log.info("delivery", **about, outcome=outcome, milliseconds=attempt.milliseconds)


def _outcome(attempt: Attempt) -> str:
    """Return what an attempt is counted as: words of ours, never of who answered."""
    if attempt.error is not None:
        return OUTCOMES.get(attempt.error, "unsigned")
    return "delivered" if attempt.succeeded else "refused"


def _request(store: AppStore, encryption: Encryption, webhook: Webhook, job: Job) -> Request | None:
    """Return what is sent, or None if nothing can be signed."""
    secrets = plain_secrets(store, encryption, webhook.id)
    body = _body(store, job)
    return (body, _headers(job.due.event, body, secrets)) if secrets else None


def _attempt(webhook: Webhook, request: Request | None, *, loopback: bool) -> Attempt:
    if request is None:
        return Attempt(now(), 0, error=UNSIGNED)
    return send(webhook.url, *request, loopback=loopback)


def _body(store: AppStore, job: Job) -> bytes:
    if job.told is not None:
        return orjson.dumps(written(job.told))
    test = {"id": job.due.event, "type": TEST, "at": rfc3339(job.due.at), "app": store.app_id, "data": {}}
    return orjson.dumps(test)


def _headers(event: str, body: bytes, secrets: list[str]) -> dict[str, str]:
    """Sign with each secret: whoever has one of them can tell."""
    at = datetime.now(UTC).replace(microsecond=0)
    signatures = " ".join(Signer(secret).sign(event, at, body.decode()) for secret in secrets)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Usher",
        "webhook-id": event,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures,
    }
