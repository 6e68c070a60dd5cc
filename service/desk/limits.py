"""How often an address may do something in a minute, and how often something is done at all.

Counted in the store, so that it holds over all workers. Nothing here can lock somebody out by their
user ID: of those who do not prove it, an identifier's count turns one refusal into another only.
"""

import hashlib
import ipaddress
from dataclasses import dataclass

from service.desk.transactions import one_transaction
from service.model.errors import TooMany
from service.model.identifiers import email_key
from service.model.users import Claim
from service.store import AppStore
from service.store.engine.prepared import Question
from service.times import MINUTE, now

# How many times an address's rate all addresses of an app may have together.
APP_SHARE = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits for one caller; rates are per minute, 0 for none.

    Addresses and identifiers are kept as digests under ``secret``, so that the store holds nobody's.
    """

    store: AppStore
    address: str
    secret: str
    login_rate: int
    proof_failure_rate: int
    new_user_rate: int

    def count_login(self) -> None:
        """Count a login with a publishable key. Raises TooMany."""
        subjects = {"address": (_network(self.address), 1), "app": ("", APP_SHARE)}
        self._count("login", subjects, self.login_rate)

    def count_new_user(self) -> None:
        """Count a user for whom nobody vouches, at the end of the transaction that makes them: from then on
        others who are to be counted wait. Raises TooMany then, and nobody was made."""
        if self.new_user_rate:
            self.store.at_the_end(self._count_new_user)

    def _count_new_user(self) -> None:
        at = now()
        if self.store.rates.count("new user", self._digest(""), at // MINUTE) > self.new_user_rate:
            raise _too_many(at)

    def count_identity(self, claim: Claim) -> None:
        """Count a login as somebody, after it was proven. Raises TooMany."""
        self._count("login", {"identifier": (_identifier(claim), 1)}, self.login_rate)

    def require_few_failures(self, failures: int | None = None) -> None:
        """Raise TooMany if too many proofs failed that came from this address; so many, if it was asked."""
        if not self.proof_failure_rate:
            return
        at = now()
        if failures is None:
            failures = self.store.rates.current("failure address", *self._failing(at))
        if failures >= self.proof_failure_rate:
            raise _too_many(at)

    def asked_failures(self) -> Question:
        """Ask how many proofs failed that came from this address."""
        return self.store.rates.asked_current("failure address", *self._failing(now()))

    def _failing(self, at: int) -> tuple[str, int]:
        return self._digest(_network(self.address)), at // MINUTE

    def count_failure(self, claim: Claim) -> None:
        """Count a proof that failed. Raises TooMany."""
        subjects = {"address": (_network(self.address), 1), "app": ("", APP_SHARE)}
        if claim.names_somebody:
            subjects["identifier"] = (_identifier(claim), 1)
        self._count("failure", subjects, self.proof_failure_rate)

    def _count(self, what: str, subjects: dict[str, tuple[str, int]], rate: int) -> None:
        if not rate:
            return
        at = now()
        counted = [
            (f"{what} {kind}", self._digest(subject), rate * share)
            for kind, (subject, share) in subjects.items()
        ]
        if not _count_all(self.store, counted, at // MINUTE):
            raise _too_many(at)

    def _digest(self, subject: str) -> str:
        key = self.secret.encode()[:64]
        return hashlib.blake2b(subject.encode(), key=key, digest_size=16).hexdigest()


@one_transaction
def _count_all(store: AppStore, counted: list[tuple[str, str, int]], minute: int) -> bool:
    """Count one more of each, and return whether all are within their limits."""
    within = True
    # In one order for everybody, so that no two wait for each other.
    for kind, subject, limit in counted:
        within = store.rates.count(kind, subject, minute) <= limit and within
    return within


def _too_many(at: int) -> TooMany:
    return TooMany(retry_after=60 - at % MINUTE // 1000)


def _identifier(claim: Claim) -> str:
    if claim.user_id is not None:
        return f"userId {claim.user_id}"
    return f"email {email_key(claim.email or '')}"


def _network(address: str) -> str:
    """Return whose address it is: of IPv6 one customer has a whole /64, in which IPv4 may be written."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    # What a router listening for both kinds makes of an IPv4 address; else all would be one customer's.
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
