"""Whose word is shown, where several records are one person's: the latest.

Each record has what was last said of it, so that an undo leaves each with their own. What was said is ranked,
field by field, in the order in which it is to be shown; the highest rank is shown, unless nothing was said. A
merge ranks the words of the one who goes below those of the one who stays, or above them where the one who
stays has nothing to show: so it fills what is blank. What was said of somebody who was never proven to be
part of somebody who was is ranked below nought, and never shown.

Of emails all count: the highest rank is the primary one, and each of the others finds the user too, unless
an email was removed since it was said.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from service.model.identifiers import email_key
from service.model.users import REMOVED, Field, User, emails_of, emails_said

NAMES = ("email", "name")


def own(user: User) -> tuple[Field, ...]:
    """Return what was said of a user who is one with nobody."""
    return Field(user.id, "email", user.email, 0), Field(user.id, "name", user.name, 0)


def shown(fields: Iterable[Field], name: str) -> str | None:
    """Return what is to be shown by a name of the one whom all these fields are of."""
    counted = (field for field in fields if field.name == name and field.rank >= 0)
    said = [field for field in counted if field.value is not None]
    latest = max(said, key=_rank, default=None)
    return None if latest is None else latest.value or None


def further_emails(fields: Iterable[Field]) -> tuple[str, ...]:
    """Return the emails beside the one that is shown of the one whom all these fields are of, the latest
    first."""
    return emails_of(fields)[1:]


def whose_email(fields: Iterable[Field], email: str, survivor: str) -> str:
    """Return of whom an email of the survivor's was said: of them, if of them too, else the latest."""
    said = [field for field in emails_said(fields) if email_key(field.value or "") == email_key(email)]
    return max(said, key=lambda field: (field.home == survivor, field.rank)).home


def said(fields: Sequence[Field], home: str, name: str, value: str | None) -> tuple[Field, ...]:
    """Return the fields as they are when a value is said of ``home`` by a name, or None to remove it; that of
    ``home`` is the last."""
    highest = max(field.rank for field in fields if field.name == name)
    others = [field for field in fields if (field.home, field.name) != (home, name)]
    return (*others, Field(home, name, REMOVED if value is None else value, max(highest, 0) + 1))


def unsaid(fields: Iterable[Field], home: str, name: str) -> tuple[Field, ...]:
    """Return the fields as they are when nothing was said of ``home`` by a name."""
    return tuple(
        replace(field, value=None) if (field.home, field.name) == (home, name) else field for field in fields
    )


def joined(target: Sequence[Field], source: Sequence[Field], *, counts: bool) -> tuple[Field, ...]:
    """Return the fields of two who become one; those of the ``source`` are not shown unless it ``counts``."""
    fields: list[Field] = []
    for name in NAMES:
        stays, goes = (sorted(_named(both, name), key=_rank) for both in (target, source))
        fills = shown(stays, name) is None and shown(goes, name) is not None
        if not counts:
            goes = [replace(field, rank=-1) for field in goes]
        fields += _ranked(stays + goes if fills and counts else goes + stays)
    return tuple(fields)


def parted(fields: Sequence[Field], *, counted: bool, hidden: Collection[str] = ()) -> tuple[Field, ...]:
    """Return the fields of some who stand apart again; ``counted`` as they did where they were. Where none of
    them did, those of the records that are ``hidden`` among themselves do not count now either."""
    if not counted:
        in_order = sorted(fields, key=_rank)
        fields = [replace(field, rank=-1 if field.home in hidden else 0) for field in in_order]
    return tuple(field for name in NAMES for field in _ranked(sorted(_named(fields, name), key=_rank)))


def _named(fields: Iterable[Field], name: str) -> list[Field]:
    return [field for field in fields if field.name == name]


def _ranked(fields: Sequence[Field]) -> list[Field]:
    """Number fields, from the lowest, which never counted if their rank is below nought."""
    hidden = [field for field in fields if field.rank < 0]
    counted = [field for field in fields if field.rank >= 0]
    return [
        *(replace(field, rank=place - len(hidden)) for place, field in enumerate(hidden)),
        *(replace(field, rank=place) for place, field in enumerate(counted)),
    ]


def _rank(field: Field) -> int:
    return field.rank
