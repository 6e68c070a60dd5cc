"""What a line of another desk's says, in our words: who somebody was there, who they are, what is known of
them. This asks no database."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from service.model import identifiers
from service.model.attributes import MAX_ATTRIBUTE_NAME, attributes_or_why_not
from service.model.contacts import Contact, phone
from service.model.errors import BadFile, FieldError
from service.model.identifiers import Malformed, email_key, is_anonymous
from service.model.sources import Known
from service.model.users import Claim
from service.moving.sources.catalogue import SOURCES
from service.moving.sources.plain import PLAIN
from service.moving.sources.source import Ours, Source, plain
from service.rules.records import Named, Who

# How many names are kept with what they mean.
MAX_NAMES = 1000

# What a spreadsheet makes of a long number: others are the same text then.
_ROUNDED = re.compile(r"-?[0-9](?:[.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.$-]+")
_NUMBER = re.compile(r"[0-9]{9,13}(\.[0-9]+)?")
# Seconds since 1970 are fewer for some thousand years.
_MILLISECONDS = 10**11

UNPROVEN = FieldError(
    "/email", "unproven", "Nobody proved it, so it is kept as a contact; --trust-emails takes it."
)
# Members that say one thing, and when it was said.
_SAID = {"value"}, {"value", "updated_at_ms"}, {"value", "updated_at"}


@dataclass(frozen=True)
class Record:
    """What a line says of one person; ``own`` are the desk's own IDs of them, ``why`` why their user ID or
    email is none."""

    who: Who
    named: Named
    known: Known
    own: tuple[str, ...] = ()
    why: str = ""

    @property
    def key(self) -> str:
        """What tells one person from another in a file: the user ID, or else the email."""
        claim = self.known.claim
        return f"id {claim.user_id}" if claim.user_id else f"email {email_key(claim.email or '')}"


class _Meaning(NamedTuple):
    """What a name means: what we know, the lower ``rank`` first; or who somebody is; whether an email is
    proven; or an attribute."""

    ours: Ours | None = None
    rank: int = 0
    who: Mapping[str, Who] | None = None
    proves: frozenset[str] | None = None
    attribute: str = ""


@dataclass
class _Said:
    """What a line says, sorted by what it means."""

    ours: dict[Ours, list[tuple[int, Any]]] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    who: Who = Who.END_USER
    is_proven: bool = False
    own: tuple[str, ...] = ()


class Meanings:
    """What the names of a source mean, and those that an operator maps."""

    def __init__(self, source: Source, mapped: Mapping[str, Ours], *, trusts_emails: bool) -> None:
        self.source = source
        self._mapped = mapped
        self._trusts_emails = trusts_emails or source.proves is None
        # A file has as many names as anybody gave to attributes.
        self._meaning_of = lru_cache(MAX_NAMES)(self._meaning)

    def record(self, said: Iterable[tuple[str, Any]]) -> Record:
        """Return what names and values say of one person."""
        sorted_ = self._sorted(said)
        ignored: list[FieldError] = []
        try:
            user_id, named = self._user_id(sorted_)
        except Malformed as why:
            return Record(sorted_.who, Named.UNUSABLE, Known(Claim()), sorted_.own, why.detail)
        first = {ours: min(values, key=_rank)[1] for ours, values in sorted_.ours.items()}
        try:
            email = _read(identifiers.email, first.get(Ours.EMAIL))
        except Malformed as why:
            if user_id is None and named is Named.NOTHING:
                return Record(sorted_.who, Named.UNUSABLE, Known(Claim()), sorted_.own, why.detail)
            email = None
            ignored.append(FieldError("/email", why.code, why.detail))
        is_proven = sorted_.is_proven or self._trusts_emails
        contact_email = None
        if named is Named.NOTHING and email is not None:
            named = Named.EMAIL if is_proven else Named.UNPROVEN_EMAIL
        elif email is not None and not is_proven:
            email, contact_email = None, email
            ignored.append(UNPROVEN)
        attributes, errors = attributes_or_why_not(sorted_.attributes)
        name = _usable(identifiers.name, _whole_name(first), "/name", ignored)
        number = _usable(phone, first.get(Ours.PHONE), "/phone", ignored)
        since = _usable(_time, _as_text(first.get(Ours.CREATED)), "/createdAt", ignored)
        claim = Claim(user_id, email, name, attributes)
        contact = Contact(contact_email, number)
        return Record(sorted_.who, named, Known(claim, contact, since, (*ignored, *errors)), sorted_.own)

    def _sorted(self, said: Iterable[tuple[str, Any]]) -> _Said:
        found = _Said()
        for name, value in said:
            if value is None or value == "":
                continue
            if name in self.source.own_ids:
                found.own += (str(value),)
            meaning = self._meaning_of(name)
            if meaning.ours is not None:
                found.ours.setdefault(meaning.ours, []).append((meaning.rank, value))
            elif meaning.who is not None:
                found.who = max(found.who, meaning.who.get(_word(value), Who.END_USER), key=_outweighs)
            elif meaning.proves is not None:
                found.is_proven = found.is_proven or _word(value) in meaning.proves
            elif meaning.attribute:
                found.attributes.setdefault(meaning.attribute, value)
        return found

    def ours(self, name: str) -> Ours | None:
        """Return what of that which we know of somebody a name means."""
        return self._meaning(name).ours

    def _user_id(self, said: _Said) -> tuple[str | None, Named]:
        """Return the first user ID that is a person's. Raises Malformed for one that is none."""
        given = [value for _, value in sorted(said.ours.get(Ours.USER_ID, ()), key=_rank)]
        named = Named.NOTHING
        for value in given:
            text = identifiers.json_string(value)
            if is_anonymous(text):
                named = Named.ANONYMOUS_ID
            elif _ROUNDED.fullmatch(text):
                raise Malformed("rounded", "A spreadsheet has rounded this number, which was a user ID.")
            else:
                return identifiers.user_id(text), Named.USER_ID
        return None, named

    def _meaning(self, name: str) -> _Meaning:
        if name in self._mapped:
            return _Meaning(self._mapped[name])
        found = self._by_name.get(plain(name))
        if found is not None and not (found.ours is not None and found.ours in self._mapped.values()):
            return found
        for prefix in self.source.within:
            if plain(name).startswith(plain(prefix)):
                return _attribute(name.split(".", prefix.count("."))[-1])
        if plain(name) in self._left or plain(name).startswith(self._left_within):
            return _Meaning()
        return _attribute(name)

    @cached_property
    def _by_name(self) -> dict[str, _Meaning]:
        source = self.source
        found = {plain(name): _Meaning(ours, rank) for rank, (name, ours) in enumerate(source.means.items())}
        found |= {plain(name): _Meaning(who=who) for name, who in source.who.items()}
        return found | {
            plain(name): _Meaning(proves=proves) for name, proves in (source.proves or {}).items()
        }

    @cached_property
    def _left(self) -> frozenset[str]:
        return frozenset(map(plain, self.source.left))

    @cached_property
    def _left_within(self) -> tuple[str, ...]:
        return tuple(name for name in self._left if name.endswith("."))


def of_columns(
    name: str, heading: Sequence[str], mapped: Mapping[str, Ours], *, trusts_emails: bool
) -> Meanings:
    """Return what the columns of a CSV mean. Raises BadFile where none of them is a user ID or an email,
    where two are one thing, and where one that is mapped is none of them."""
    if missing := sorted(mapped.keys() - set(heading)):
        raise BadFile(f"there is no column {missing[0]}; there are: {', '.join(heading)}")
    columns = {*map(plain, heading)}
    signed = [one for one in SOURCES.values() if one.signs and columns.issuperset(map(plain, one.signs))]
    source = signed[0] if signed and name == PLAIN.name and not mapped else SOURCES[name]
    meanings = Meanings(source, mapped, trusts_emails=trusts_emails)
    found = [(column, meanings.ours(column)) for column in heading]
    for ours in Ours:
        named = [column for column, its in found if its is ours]
        if len(named) > 1 and source is PLAIN:
            raise BadFile(f"these columns are both {ours}: {', '.join(named)}; name one with --map")
    if not {Ours.USER_ID, Ours.EMAIL} & {its for _, its in found}:
        raise BadFile(
            "no column is a user ID or an email: name one with --map COLUMN=user_id;"
            f" there are: {', '.join(heading)}"
        )
    return meanings


def flattened(members: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Return the members of an object, and of those within, with a dot between; of several objects in a row
    each name as often as it stands there, and what was said when, by its value."""
    for name, value in members.items():
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                yield before + name, one
            elif one.keys() in _SAID:
                yield before + name, one["value"]
            else:
                yield from flattened(one, f"{before}{name}.")


def _attribute(name: str) -> _Meaning:
    return _Meaning(attribute=_NOT_IN_NAMES.sub("_", name).strip("_")[:MAX_ATTRIBUTE_NAME])


def _rank(one: tuple[int, Any]) -> int:
    return one[0]


def _outweighs(who: Who) -> int:
    return list(Who).index(who)


def _word(value: Any) -> str:
    return str(value).strip().casefold()


def _read(parse: Callable[[str], Any], value: Any) -> Any:
    return None if value is None else parse(identifiers.json_string(value))


def _usable(parse: Callable[[str], Any], value: Any, pointer: str, ignored: list[FieldError]) -> Any:
    try:
        return _read(parse, value)
    except Malformed as why:
        ignored.append(FieldError(pointer, why.code, why.detail))
        return None


def _whole_name(first: Mapping[Ours, Any]) -> Any:
    parts = [str(first[part]) for part in (Ours.FIRST_NAME, Ours.LAST_NAME) if part in first]
    return first.get(Ours.NAME, " ".join(parts) or None)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def time_or_none(value: Any) -> int | None:
    """Return a time in milliseconds, of whatever may be one; None if it is none."""
    return _usable(_time, _as_text(value), "", [])  # type: ignore[no-any-return]


def _time(text: str) -> int:
    """Return a time in milliseconds: seconds or milliseconds since 1970, or ISO 8601, in UTC unless it says
    otherwise. A day that might be a month is none."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        return int(number if number >= _MILLISECONDS else number * 1000)
    try:
        said = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        raise Malformed("invalid-time", "This is no time: seconds since 1970, or ISO 8601.") from None
    return max(int((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1000), 0)
