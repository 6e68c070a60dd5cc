"""What can go wrong, in the words of the domain; this module knows no HTTP.

UsherError
├── Refused               what was sent breaks a rule, field by field
│   └── UnknownDevice     a widget names a device that nobody knows
├── InvalidCredential     no credential, or none that lives
│   ├── ProofRequired     an identity was claimed and nothing shows that it is true
│   └── ProofInvalid      what was to show it does not
├── NotAllowed            the credential lives, and may not do this
├── NotFound              there is no such thing, or it is another's
├── Conflict              it would break a rule that holds now
├── TooMany               a rate limit is used up
├── StoreUnavailable      the store is away, or does not answer in time
│   └── Contended         decided anew a few times, and lost each race
├── StaleState            another transaction was first: decide again
└── NotReady              the server may not start
    ├── BadSettings       a setting is missing or malformed
    └── OldSchema         the store's schema is not the one this code needs
"""

from dataclasses import dataclass


class UsherError(Exception):
    """The one base. ``code`` is the word that an answer carries."""

    code = "error"


@dataclass(frozen=True)
class FieldError:
    """One member that was refused: a JSON pointer, a code, a sentence without the value."""

    pointer: str
    code: str
    detail: str


class Refused(UsherError):
    """What was sent is refused, member by member (docs/errors.md)."""

    code = "refused"

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.pointer or '/'}: {error.code}" for error in errors))
        self.errors = errors

    @classmethod
    def member(cls, name: str, code: str, detail: str) -> "Refused":
        """Refuse one member of the body by its name."""
        return cls(FieldError(f"/{name}", code, detail))


class UnknownDevice(Refused):
    """A widget names a device that nobody knows, and had better log in without one."""

    code = "unknown-device"

    def __init__(self) -> None:
        super().__init__(FieldError("/deviceId", self.code, "No device has this ID; log in without one."))


class InvalidCredential(UsherError):
    """The credential is missing, malformed, unknown, expired or revoked; never said which."""

    code = "invalid-credential"


class ProofRequired(InvalidCredential):
    """An identity was claimed with a publishable key and without a proof."""

    code = "proof-required"


class ProofInvalid(InvalidCredential):
    """A proof was given and does not show that the claim is true."""

    code = "proof-invalid"


class NotAllowed(UsherError):
    """The credential is valid, and of a kind that may not do this."""

    code = "not-allowed"


class NotFound(UsherError):
    """No such thing, or not the caller's: the two are never told apart."""

    code = "not-found"


class Conflict(UsherError):
    """The call would break a rule that holds at this moment."""

    code = "conflict"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class TooMany(UsherError):
    """A rate limit is used up; ``retry_after`` is in seconds."""

    code = "too-many-requests"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"try again in {retry_after} s")
        self.retry_after = retry_after


class StoreUnavailable(UsherError):
    """The store is away or too slow. A change may or may not have been made."""

    code = "store-unavailable"


class Contended(StoreUnavailable):
    """The use case lost its race each time it was decided."""

    code = "contended"


class StaleState(UsherError):
    """Another transaction was first. Caught where use cases are run, never answered."""

    code = "lost-race"


class NotReady(UsherError):
    """The server may not start; the message says what to do."""

    code = "not-ready"


class BadSettings(NotReady):
    """A setting of the environment is missing or malformed."""


class OldSchema(NotReady):
    """The store's schema is not the one that this code needs."""
