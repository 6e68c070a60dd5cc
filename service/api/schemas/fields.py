"""The kinds of members that a body or a query may have.

Each refuses with a code and a sentence, never with the value. Only JSON strings are text: no number
or boolean is ever turned into one.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import cached_property, partial
from typing import Any, ClassVar

import marshmallow as ma

from service.model.identifiers import Malformed, json_string
from service.times import rfc3339


def problem(code: str, detail: str) -> list[Any]:
    """Say what is wrong with a member."""
    return [{"code": code, "detail": detail}]


Messages = dict[str, str | list[Any] | dict[Any, Any]]

COMMON: Messages = {
    "required": problem("required", "This member is required."),
    "null": problem("null", "This member is not null."),
}


class Shape(ma.Schema):
    """The base of all shapes: members that it does not name are refused."""

    error_messages: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "unknown": {"code": "unknown", "detail": "There is no such member."},
        "type": {"code": "not-an-object", "detail": "This is a JSON object."},
    }

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Read what was sent. marshmallow is asked only where there is something to refuse: to be ready for
        that takes it longer than the members themselves."""
        members = self._taken(data)
        return self.made(super().load(data, **kwargs) if members is None else members)

    def made(self, members: dict[str, Any]) -> Any:
        """Make of the members, by their names here, what whoever asks is given."""
        return members

    def _taken(self, data: Any) -> dict[str, Any] | None:
        """Answer what the members say, or None if any of them is to be refused."""
        if type(data) is not dict or not data.keys() <= self._keys:
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
    def _members(self) -> list[tuple[str, str, ma.fields.Field[Any]]]:
        return [
            (field.data_key or name, field.attribute or name, field)
            for name, field in self.load_fields.items()
        ]

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(key for key, _, _ in self._members)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """Take a member of a noun, without asking whether it may be something else."""
        if isinstance(obj, dict) or "." in attr:
            return super().get_attribute(obj, attr, default)
        return getattr(obj, attr, default)


class Answer(Shape):
    """The base of what we answer: every member is there, but for those that are only ``sometimes``."""

    sometimes: ClassVar[frozenset[str]] = frozenset()

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Answer a noun as JSON has it, or several; as marshmallow does without hooks."""
        one = self._dump_one
        return [one(noun) for noun in obj] if (self.many if many is None else many) else one(obj)

    @cached_property
    def _dump_one(self) -> Callable[[Any], dict[str, Any]]:
        """A function that takes of a noun what is answered: one expression that names all members, as the
        methods are made that dataclasses have. To walk through them takes twice as long."""
        members, functions, may_be_missing = [], dict[str, Callable[[Any], Any]](), []
        for name, field in self.dump_fields.items():
            key, value = field.data_key or name, f"noun.{field.attribute or name}"
            if write := _writing(field):
                functions[name] = write
                value = f"None if {value} is None else {name}({value})"
            elif not isinstance(field, _Plain):
                functions[name] = partial(field.serialize, name, accessor=self.get_attribute)
                value = f"{name}(noun)"
                may_be_missing.append(key)
            members.append(f"{key!r}: {value}")
        dump: Callable[[Any], dict[str, Any]] = eval(f"lambda noun: {{{', '.join(members)}}}", functions)  # noqa: S307 - of names of our own alone

        def dump_what_is_there(noun: Any) -> dict[str, Any]:
            told = dump(noun)
            for key in may_be_missing:
                if told[key] is ma.missing:
                    del told[key]
            return told

        return dump_what_is_there if may_be_missing else dump

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Say in the OpenAPI document whether a member is always there."""
        field_obj.required = field_name not in self.sometimes


class Text(ma.fields.String):
    """A JSON string that ``parse`` accepts; ``blank_is_missing`` has null and "" mean nothing given."""

    default_error_messages = COMMON

    def __init__(
        self, parse: Callable[[str], str | None], *, blank_is_missing: bool = False, **kwargs: Any
    ) -> None:
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

    def _read(self, value: Any) -> str | None:
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


def _writing(field: ma.fields.Field[Any]) -> Callable[[Any], Any] | None:
    """Answer how a member's value is written, if there is one and that is all that there is to do."""
    if isinstance(field, Time):
        return rfc3339
    if isinstance(field, ma.fields.Nested):
        return field.schema.dump
    if isinstance(inner := getattr(field, "inner", None), ma.fields.Nested):
        return partial(inner.schema.dump, many=True)
    return None


class _Plain:
    """A noun's member that JSON can say as it is. Most of what we answer is that, and asking each of them
    what else it might be would take longer than all the rest."""


class PlainText(_Plain, ma.fields.String):
    """A text as it is."""


class TextIfAny(ma.fields.String):
    """A text as it is; where there is none, there is no such member."""

    def serialize(self, attr: str, obj: Any, *_args: Any, **_kwargs: Any) -> Any:
        """Answer the member."""
        value = getattr(obj, attr)
        return ma.missing if value is None else value


class PlainTruth(_Plain, ma.fields.Boolean):
    """A boolean as it is."""


class PlainNumber(_Plain, ma.fields.Integer):
    """A whole number as it is."""


class PlainTexts(_Plain, ma.fields.List[Any]):
    """Texts as they are."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ma.fields.String(), **kwargs)


class PlainWord(_Plain, ma.fields.Enum[Any]):
    """A word of an enumeration, whose words are texts."""

    def __init__(self, kind: type[StrEnum], **kwargs: Any) -> None:
        super().__init__(kind, by_value=True, **kwargs)


class Time(ma.fields.String):
    """Epoch milliseconds, written as RFC 3339 in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "date-time"}, dump_only=True, **kwargs)
