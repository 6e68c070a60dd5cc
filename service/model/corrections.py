"""A user ID that is wrong: what is to become of it, and what would come of that."""

from dataclasses import dataclass

from service.model.users import User


@dataclass(frozen=True, slots=True)
class Removal:
    """A user ID is to be taken away."""

    user_id: str


@dataclass(frozen=True, slots=True)
class Correction:
    """A user ID is to be the primary one; ``keep`` if the former one is to stay as an alias."""

    user_id: str
    keep: bool


Change = Removal | Correction


@dataclass(frozen=True, slots=True)
class NextLogin:
    """Which rule would decide a login that gives these, why, and to whom it would lead.

    ``then`` is as in an explanation; ``user`` is None for one who would be made. Without a ``rule`` no login
    can give this user ID, and ``because`` says why.
    """

    user_id: str | None
    email: str | None
    rule: str | None
    because: str
    then: str | None
    user: User | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change of a user's IDs would do: the ``user`` as they are, and ``after`` it.

    ``refusal`` is the code of the error that it would be, if any. ``devices`` are those whose sessions would
    end, ``logged_out`` how many of these have not expired, of all that are ``logged_in``.
    """

    user: User
    after: User
    rule: str
    because: str
    then: str
    refusal: str | None
    devices: tuple[str, ...]
    logged_out: int
    logged_in: int
    logins: tuple[NextLogin, ...]
