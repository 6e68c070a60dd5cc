"""The kinds of members that a body or a query may have.

Each refuses with a code and a sentence, never with the value. Only JSON strings are text: no number
or boolean is ever turned into one.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, ClassVar

import marshmallow as ma

from service.model.identifiers import Malformed, json_string
from service.times import rfc3339


def problem(code: str, detail: str) -> list[Any]:
    """Return what is wrong with a member."""
    return [{"code": code, "detail": detail}]


Messages = dict[str, str | list[Any] | dict[Any, Any]]

COMMON: Messages = {
    "required": problem("required", "This member is required."),
    "null": problem("null", "This member is not null."),
}

# A member: its key in JSON, its name in a record, and its field.
Member = tuple[str, str, ma.fields.Field[Any]]


def _by_key(fields: dict[str, ma.fields.Field[Any]]) -> list[Member]:
    return [(field.data_key or name, field.attribute or name, field) for name, field in fields.items()]


class Shape(ma.Schema):
    """The base of what is sent: members that it does not name are refused."""

    error_messages: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "unknown": {"code": "unknown", "detail": "There is no such member."},
        "type": {"code": "not-an-object", "detail": "This is a JSON object."},
    }

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Read a body, or a query. marshmallow's own load is asked only where there is something to refuse:
        to be ready for that takes it longer than the members themselves."""
        members = self._accepted(data)
        return self.made(super().load(data, **kwargs) if members is None else members)

    def made(self, members: dict[str, Any]) -> Any:
        """Make of the members, by their names here, what whoever asks is given."""
        return members

    def _accepted(self, data: Any) -> dict[str, Any] | None:
        """Return what the members say, or None if any of them is to be refused."""
        if not isinstance(data, dict) or not data.keys() <= self._keys:
            return None
        members = {}
        for key, name, field in self._members:
            try:
                value = field.deserialize(data.get(key, ma.missing), key, data)
            except ma.ValidationError:
                return None
            if value is not ma.missing:
                members[name] = value
        return members

    @cached_property
    def _members(self) -> list[Member]:
        return _by_key(self.load_fields)

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(key for key, _, _ in self._members)


class Answer(ma.Schema):
    """The base of what we answer: every member is there, but for those that are only ``sometimes``."""

    sometimes: ClassVar[frozenset[str]] = frozenset()

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Write a record as JSON has it, or several.

        What a record holds, JSON can say, and only a few fields write it otherwise. marshmallow's own dump,
        which asks of each value what it is, takes many times as long.
        """
        if self.many if many is None else many:
            return [self.written(record) for record in obj]
        return self.written(obj)

    def written(self, record: Any) -> dict[str, Any]:
        """Write one record."""
        members = {key: value(record) for key, value in self._values}
        for key, write in self._writes:
            if members[key] is not None:
                members[key] = write(members[key])
        for key in self._if_any:
            if members[key] is None:
                del members[key]
        return members

    @cached_property
    def _members(self) -> list[Member]:
        return _by_key(self.dump_fields)

    @cached_property
    def _values(self) -> list[tuple[str, Callable[[Any], Any]]]:
        return [(key, _value_of(name, field)) for key, name, field in self._members]

    @cached_property
    def _writes(self) -> list[tuple[str, Callable[[Any], Any]]]:
        writes = [(key, _writing(field)) for key, _, field in self._members]
        return [(key, write) for key, write in writes if write is not None]

    @cached_property
    def _if_any(self) -> list[str]:
        return [key for key, _, field in self._members if isinstance(field, TextIfAny)]

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Say in the OpenAPI document whether a member is always there."""
        field_obj.required = field_name not in self.sometimes


class Text(ma.fields.String):
    """A JSON string that ``parse`` accepts; ``blank_is_missing`` has null and "" mean nothing given."""

    default_error_messages = COMMON

    def __init__(self, parse: Callable[[str], Any], *, blank_is_missing: bool = False, **kwargs: Any) -> None:
        if blank_is_missing:
            kwargs |= {"allow_none": True, "load_default": None}
        super().__init__(**kwargs)
        self._parse = parse
        self._blank_is_missing = blank_is_missing

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Read a member; a text without the questions that marshmallow asks before it reads one."""
        return self._deserialize(value) if type(value) is str else super().deserialize(value, *args, **kwargs)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        try:
            return self._read(value)
        except Malformed as refused:
            raise ma.ValidationError(problem(refused.code, refused.detail)) from None

    def _read(self, value: Any) -> Any:
        text = json_string(value)
        return None if not text and self._blank_is_missing else self._parse(text)


class OptionalText(Text):
    """A text that locks nobody out: where ``parse`` refuses it, it is read as the Malformed that says why."""

    def __init__(self, parse: Callable[[str], str | None], **kwargs: Any) -> None:
        super().__init__(parse, blank_is_missing=True, **kwargs)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        try:
            return self._read(value)
        except Malformed as malformed:
            return malformed


class Enum(ma.fields.String):
    """One word of an enumeration, or of a part of one."""

    default_error_messages = COMMON | {"invalid": problem("unknown-choice", "This is one of a few words.")}

    def __init__(self, words: Iterable[StrEnum], **kwargs: Any) -> None:
        self._words = {word.value: word for word in words}
        metadata = {"enum": [*self._words]} | kwargs.pop("metadata", {})
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        if not isinstance(value, str) or value not in self._words:
            raise self.make_error("invalid")
        return self._words[value]


class WholeNumber(ma.fields.Integer):
    """A whole number of JSON, within bounds."""

    default_error_messages = COMMON | {
        "invalid": problem("not-a-whole-number", "This is a whole number within its bounds.")
    }

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(metadata={"minimum": least, "maximum": most}, **kwargs)
        self._bounds = range(least, most + 1)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            # JSON has one kind of number: 7.0 is 7.
            value = int(value)
        if type(value) is not int or value not in self._bounds:
            raise self.make_error("invalid")
        return value


class Digits(WholeNumber):
    """A whole number within bounds, in a query."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        is_number = value.isascii() and value.isdigit() and len(value) < 10
        return super()._deserialize(int(value) if is_number else value, *args, **kwargs)


class Boolean(ma.fields.Boolean):
    """``true`` or ``false``, and nothing that stands for them."""

    default_error_messages = COMMON | {"invalid": problem("not-a-boolean", "This is true or false.")}

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class List(ma.fields.List[Any]):
    """A JSON array."""

    default_error_messages = COMMON | {"invalid": problem("not-an-array", "This is a JSON array.")}


class Nested(ma.fields.Nested):
    """A JSON object within another."""

    default_error_messages = COMMON | {"type": problem("not-an-object", "This is a JSON object.")}


class Written(ma.fields.String):
    """A value that a function writes as text or null, unless it is None."""

    def __init__(self, write: Callable[[Any], str | None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.write = write


class Time(Written):
    """Epoch milliseconds, written as RFC 3339 in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(rfc3339, metadata={"format": "date-time"}, dump_only=True, **kwargs)


class TextIfAny(ma.fields.String):
    """A text as it is; where there is none, there is no such member."""


def _value_of(name: str, field: ma.fields.Field[Any]) -> Callable[[Any], Any]:
    """Return what takes a member from a record."""
    if isinstance(field, ma.fields.Function | ma.fields.Constant):
        return partial(field.serialize, name)
    return attrgetter(name)


def _writing(field: ma.fields.Field[Any]) -> Callable[[Any], Any] | None:
    """Return what writes a member that JSON has otherwise than the record, if it does."""
    match field:
        case Written():
            return field.write
        case ma.fields.Nested():
            return field.schema.dump
        case ma.fields.List(inner=ma.fields.Nested() as inner):
            return partial(inner.schema.dump, many=True)
        case _:
            return None
