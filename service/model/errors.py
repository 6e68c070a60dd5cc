"""What can go wrong, in the words of the domain; this module knows no HTTP.

UsherError
├── Refused               what was sent breaks a rule, field by field
│   └── UnknownDevice     a widget names a device that nobody knows
├── InvalidCredential     no credential, or none that lives
│   ├── ProofRequired     an identity was claimed and nothing shows that it is true
│   └── ProofInvalid      what was to show it does not
├── NotAllowed            the credential lives, and may not do this
├── NotFound              there is no such thing, or it is another's
├── EventGone             an event is not kept any more, or never was
├── Conflict              it would break a rule that holds now
├── TooMany               a rate limit is used up
├── TooManyStreams        no more streams are opened
├── StoreUnavailable      the store is away, or does not answer in time
│   ├── OutcomeUnknown    … and may have done what it was asked to do
│   └── Contended         decided anew a few times, and lost each race
├── FilesUnavailable      where the bytes of files are is away, full, or does not answer in time
├── NoFiles               there is no place for the bytes of files
├── Busy                  too many files are on their way at once
├── Overloaded            more is asked than can be answered in time
├── StaleState            another transaction was first: decide again
└── NotReady              the server may not start, or a command not run
    ├── BadSettings       a setting is missing or malformed
    ├── OldSchema         the store's schema is not the one this code needs
    ├── NoCluster         there is no cluster over which tables could be spread
    └── BadBackup         a backup can't be written or restored
"""

from dataclasses import dataclass

# How many characters of the name of a member an error has.
MAX_POINTER = 100


class UsherError(Exception):
    """The one base. ``code`` is the word that an answer carries."""

    code = "error"


@dataclass(frozen=True)
class FieldError:
    """One member that was refused: a JSON pointer, a code, a sentence without the value."""

    pointer: str
    code: str
    detail: str


def pointer_to(parent: str, name: object) -> str:
    """Write the JSON pointer to a member by its name, which is cut where a pointer is too long."""
    # A lone surrogate is no text: a strict reader would refuse the whole answer for it.
    text = str(name)[: MAX_POINTER - len(parent)].encode("utf-8", "replace").decode()
    return f"{parent}/{text.replace('~', '~0').replace('/', '~1')}"


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


class EventGone(UsherError):
    """An event is not kept, so nobody can tell what came after it."""

    code = "event-gone"


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


class TooManyStreams(UsherError):
    """As many streams are open as may be, or none are opened any more."""

    code = "too-many-streams"


class StoreUnavailable(UsherError):
    """The store is away or too slow. Nothing was changed by what failed."""

    code = "store-unavailable"


class OutcomeUnknown(StoreUnavailable):
    """The store went away, or was too slow, during a commit, or after some of several: it may or may not
    stand. It is never tried again without being asked."""

    code = "outcome-unknown"


class Contended(StoreUnavailable):
    """The use case lost its race each time it was decided."""

    code = "contended"


class FilesUnavailable(UsherError):
    """Where the bytes of files are is away, full or too slow."""

    code = "files-unavailable"


class NoFiles(UsherError):
    """No place for the bytes of files is set that would still be there after a restart."""

    code = "no-files"
    detail = "FILES_URL names no bucket, and no folder on a disk that outlives a restart."


class Busy(UsherError):
    """As many files are on their way as this process has room for."""

    code = "busy"


class Overloaded(UsherError):
    """More is asked than can be answered in time, and nothing was changed."""

    code = "overloaded"


class StaleState(UsherError):
    """Another transaction was first. Caught where use cases are run, never answered."""

    code = "lost-race"


class NotReady(UsherError):
    """The server may not start, or a command not run; the message says what to do."""

    code = "not-ready"


class BadSettings(NotReady):
    """A setting of the environment is missing or malformed."""


class OldSchema(NotReady):
    """The store's schema is not the one that this code needs."""


class NoCluster(NotReady):
    """The store is no coordinator of a cluster over which its tables could be spread."""


class BadBackup(NotReady):
    """A backup is damaged or of another release, or there is nothing to go by what was revoked since."""


class BadFile(NotReady):
    """A file is none that can be imported, or the app is not there."""
