"""What a line of another desk's says of a conversation, in our words. This asks no database."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from service import texts
from service.model.conversations import Author, Conversation, Message, Side, Status, Transcript
from service.moving.records import time_or_none
from service.moving.sources.talk import Path, Talk

_Members = Mapping[str, Any]

# In code points, as everywhere.
MAX_BODY, MAX_SUBJECT = 10_000, 255

_BREAKS = frozenset({"p", "div", "li", "tr", "h1", "h2", "h3", "blockquote"})
# What no store keeps.
_NOT_KEPT = dict.fromkeys([0, *range(0xD800, 0xE000)], "\ufffd")


@dataclass(frozen=True)
class Spoken:
    """A conversation of another desk's: whose it is, by the desk's own ID of them and as a person's record;
    what was said, without a user; and how many messages are not for its user, or hold nothing."""

    owner_id: str
    owner: _Members
    transcript: Transcript
    left: int


def is_talk(talk: Talk, members: _Members) -> bool:
    """Return whether an object is a conversation: it has an ID and messages, as no person has."""
    return bool(_first(members, (talk.id,))) and isinstance(_at(members, talk.lists[-1]), list)


def read_talk(app: str, source: str, talk: Talk, members: _Members, now: int) -> Spoken:
    """Return what an object says of a conversation. Its ids are made of those there, so that they are the
    same whenever it is read."""
    # Two accounts of one desk count alike.
    own = " ".join(map(str, (app, source, _first(members, (talk.id,)), _first(members, talk.created))))
    began = min(time_or_none(_first(members, talk.created)) or now, now)
    found = [*_messages(talk, members)]
    owner_id, owner = _owner(talk, members, found)
    shown = [one for one in found if not _is_hidden(talk, one)]
    is_proven = _at(members, talk.proven) is not False
    messages: list[Message] = []
    for one in shown:
        body = _body(talk, one)
        if body is not None:
            at = min(time_or_none(one.get("created_at")) or began, now)
            number = len(messages) + 1
            id = f"msg_{_digest(f'{own} {number}')}"
            author = _author(talk, one, owner_id)
            is_verified = author.kind is Side.AGENT or is_proven
            messages.append(Message(id, number, author, body, is_verified, at))
    is_over = str(_first(members, (talk.status,))).casefold() in talk.resolved
    status = Status.RESOLVED if is_over else Status.OPEN
    last = max([began, *(one.created_at for one in messages)])
    subject = _text(_first(members, talk.subject), MAX_SUBJECT)
    conversation = Conversation(f"cnv_{_digest(own)}", None, subject, status, 0, len(messages), began, last)
    return Spoken(owner_id, owner, Transcript(conversation, tuple(messages)), len(found) - len(messages))


def _owner(talk: Talk, members: _Members, messages: list[_Members]) -> tuple[str, _Members]:
    """Return whose a conversation is, by the desk's own ID of them and as a person, as far as it says so."""
    id = str(_first(members, talk.owner_id) or "")
    if not talk.author:
        return id, _object(_at(members, talk.owner))
    users = [one for one in messages if talk.words.get(_side(talk, one))]
    is_told = any(_side(talk, one) in talk.words for one in messages)
    first = users[0] if users else None if is_told or not messages else messages[0]
    author = _object(_at(first, talk.author))
    own = str(author.get("id") or "")
    # Where no side is told an agent may have begun it: then its user is told by an ID, and never by an email.
    return id or own, author if users and id in ("", own) else {}


def _object(said: Any) -> _Members:
    """Return an object, or the first of several."""
    said = said[0] if isinstance(said, list) and said else said
    return said if isinstance(said, dict) else {}


def _messages(talk: Talk, members: _Members) -> Iterator[_Members]:
    for name in talk.lists:
        said = _at(members, name)
        for one in said if isinstance(said, list) else [said]:
            if isinstance(one, dict):
                yield one


def _is_hidden(talk: Talk, message: _Members) -> bool:
    return any(str(_at(message, name)).casefold() in values for name, values in talk.hidden.items())


def _author(talk: Talk, message: _Members, owner_id: str) -> Author:
    said = _side(talk, message)
    if talk.words.get(said, said == owner_id.casefold()):
        return Author(Side.USER, None)
    return Author(Side.AGENT, _text(_first(message, talk.agent), MAX_SUBJECT))


def _side(talk: Talk, message: _Members) -> str:
    return str(_first(message, talk.side)).casefold()


def _body(talk: Talk, message: _Members) -> str | None:
    text = _first(message, talk.body)
    if talk.is_html and isinstance(text, str):
        reader = _Reader()
        reader.feed(text)
        reader.close()
        text = "".join(reader.parts).strip()
    return _text(text, MAX_BODY)


def _text(value: Any, longest: int) -> str | None:
    if not isinstance(value, str) or texts.is_blank(value):
        return None
    return texts.cut(value.translate(_NOT_KEPT), longest)


def _first(members: _Members, names: Path) -> Any:
    found = (_at(members, name) for name in names)
    return next((value for value in found if value not in (None, "")), None)


def _at(members: Any, name: str) -> Any:
    """Return what stands at a name, with the first of what stands in a row on the way."""
    for part in name.split("."):
        if isinstance(members, list):
            members = members[0] if members else None
        members = members.get(part) if isinstance(members, dict) else None
    return members


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class _Reader(HTMLParser):
    """Reads the text of HTML, with line breaks where paragraphs end."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        """End a paragraph."""
        self.parts += ["\n"] if tag in _BREAKS else []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - they hold no text
        """Break a line at what is never ended."""
        self.parts += ["\n"] if tag == "br" else []
