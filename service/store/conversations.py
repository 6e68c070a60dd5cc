"""Conversations and their messages, as a scope sees them.

A scope is part of every lookup: what it may not see is not found. Messages are numbered under their
conversation's row lock, so that the order of numbers is the order of commits, and who asks for what
came after a message never misses one.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from peewee import CTE, JOIN, SQL, Case, Select

from service.model.conversations import Author, Conversation, Message, Scope, Side, Status
from service.model.events import Event, EventType
from service.model.pages import Position
from service.model.sessions import Token
from service.store.attachments import as_text, forget, from_text, in_view
from service.store.database import Database, found_first
from service.store.devices import WHOSE, session_of_token, user_of_session
from service.store.engine.prepared import Prepared, Question, Rows, Statement, as_value, inserting
from service.store.events import EventStore, with_message, with_reopening
from service.store.indexed import forget_conversations, forget_messages
from service.store.tables import Attachments, Conversations, Messages, UserIds, Users

# A message with its author's name.
MESSAGE = (
    Messages.id,
    Messages.number,
    Messages.side,
    Messages.author,
    Messages.agent_name,
    Users.name,
    Messages.body,
    Messages.attachments,
    Messages.verified,
    Messages.created_at,
)


class Written(NamedTuple):
    """Where a message is, and its id."""

    conversation: str
    number: int
    id: str


class Appended(NamedTuple):
    """What a message is given when it is appended."""

    id: str
    number: int
    created_at: int


class ConversationStore:
    """The conversations of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def with_id(self, scope: Scope, id: str) -> Conversation | None:
        """Find a conversation."""
        row = self._database.row(self._one(scope, id))
        return None if row is None else as_conversation(row)

    def lock(self, scope: Scope, id: str) -> Conversation | None:
        """Find a conversation, and keep others from changing it until the transaction ends."""
        row = self._database.row(self._database.locked(self._one(scope, id)))
        return None if row is None else as_conversation(row)

    def page(
        self, scope: Scope, status: Status | None, before: Position | None, limit: int
    ) -> tuple[Conversation, ...]:
        """Return up to ``limit`` conversations, the newest activity first, that come after the one
        that was last active at ``before``."""
        query = _page(_shape(scope), status is not None, before is not None)
        at, id = before or (None, None)
        shown = query(self._app, scope.user, scope.device, status and status.value, at, id, limit)
        return _as_page(self._database.rows(shown))

    def page_of_session(
        self, token: Token, status: Status | None, before: Position | None, limit: int
    ) -> Question:
        """As ``page``, of all conversations of whoever's session has a token."""
        query = _page(Scope(Side.USER, ""), status is not None, before is not None, of_session=True)
        at, id = before or (None, None)
        return Question(query(self._app, *token, status and status.value, at, id, limit), _as_page)

    def create(self, conversation: Conversation, by: Side, device: str | None, home: str) -> None:
        """Add a conversation that a side begins, without its first message; ``device`` is where a user began
        it, and ``home`` the user whose ID they had logged in with."""
        what = conversation.subject, conversation.status.value
        by_user = by is Side.USER
        counts = 1, int(not by_user), int(by_user)
        when = conversation.created_at, conversation.updated_at
        self._database.add(
            _insert(self._app, conversation.id, conversation.user, home, device, *what, *counts, *when)
        )

    def add_first(self, id: str, first: Message) -> None:
        """Add its first message to a conversation."""
        self._database.add(_insert_message(self._app, id, 1, first.created_at, *as_said(first)))

    def set_status(self, scope: Scope, id: str, status: Status, at: int) -> None:
        """Set where a conversation stands."""
        self._update(scope, id, status=status.value, updated_at=at)

    def mark_read(self, scope: Scope, id: str) -> None:
        """Note that the scope's side has read all."""
        self._update(scope, id, **{_unread(scope.side).name: 0})

    def ids_of(self, user: str) -> tuple[str, ...]:
        """Return the ids of a user's conversations, the oldest first."""
        rows = self._database.rows(
            Conversations.select(Conversations.id)
            .where((Conversations.app == self._app) & (Conversations.user == user))
            .order_by(found_first(Conversations.id))
        )
        return tuple(id for (id,) in rows)

    def move(self, user: str, into: str) -> None:
        """Make all conversations of a user another's."""
        self._database.change(
            Conversations.update(user=into).where(
                (Conversations.app == self._app) & (Conversations.user == user)
            )
        )

    def give_back(self, user: str, to: str, homes: Sequence[str]) -> None:
        """Make those conversations of a user another's that these began, who are part of that other."""
        self._database.change(
            Conversations.update(user=to).where(
                (Conversations.app == self._app)
                & (Conversations.user == user)
                & Conversations.home.in_(homes)
            )
        )

    def lock_all(self, users: Sequence[str]) -> list[str]:
        """Keep others from writing into these users' conversations, and return their ids."""
        query = Conversations.select(Conversations.id).where(
            (Conversations.app == self._app) & Conversations.user.in_(users)
        )
        return [id for (id,) in self._database.rows(self._database.locked(query))]

    def erase(self, users: Sequence[str]) -> None:
        """Erase all conversations of these users."""
        self._erase(self.lock_all(users))

    def _erase(self, ids: Sequence[str]) -> None:
        """Erase conversations, which are locked."""
        if not ids:
            return
        forget(self._database, self._app, Attachments.conversation.in_(ids))
        self._database.change(
            Messages.delete().where((Messages.app == self._app) & Messages.conversation.in_(ids))
        )
        forget_conversations(self._database, self._app, ids)
        these = (Conversations.app == self._app) & Conversations.id.in_(ids)
        self._database.change(Conversations.delete().where(these))

    def erase_some(self, users: Sequence[str] | None, limit: int) -> int:
        """Erase up to ``limit`` of what is in conversations of these users, or of all: the last messages of
        each first, and those of which nothing is left; return how many messages and conversations that
        were."""
        theirs = Conversations.app == self._app
        if users is not None:
            theirs &= Conversations.user.in_(users)
        query = Conversations.select(Conversations.id, Conversations.messages).where(theirs).limit(limit)
        left, whole = limit, list[str]()
        for id, messages in self._database.rows(self._database.locked(query)):
            if messages >= left:
                self._shorten(id, messages - left)
                left = 0
                break
            whole.append(id)
            left -= messages + 1
            if not left:
                break
        self._erase(whole)
        return limit - left

    def _shorten(self, id: str, messages: int) -> None:
        """Erase the last messages of a conversation, which is locked, with what they name."""
        last = (Messages.app == self._app) & (Messages.conversation == id) & (Messages.number > messages)
        rows = self._database.rows(Messages.select(Messages.id, Messages.number).where(last))
        self._forget_files(id, [message for message, _ in rows])
        self._database.change(Messages.delete().where(last))
        forget_messages(self._database, self._app, [(id, number) for _, number in rows])
        change = Conversations.update(messages=messages, unread_by_user=0, unread_by_agent=0)
        self._database.change(change.where((Conversations.app == self._app) & (Conversations.id == id)))

    def _forget_files(self, conversation: str, messages: Sequence[str]) -> None:
        """Forget what messages of a conversation name, which no index holds."""
        theirs = (Attachments.conversation == conversation) & Attachments.message.in_(messages)
        forget(self._database, self._app, theirs)

    def written_with(self, users: Sequence[str], others: Sequence[str]) -> list[Written]:
        """Find the messages of these users in conversations of others that say something still."""
        theirs = (Conversations.app == self._app) & Conversations.user.in_(others)
        says = (Messages.body != "") | Messages.attachments.is_null(False)
        found = Messages.select(Messages.conversation, Messages.number, Messages.id).where(
            (Messages.app == self._app)
            & Messages.conversation.in_(Conversations.select(Conversations.id).where(theirs))
            & Messages.author.in_(users)
            & says
        )
        return [Written(*row) for row in self._database.rows(found)]

    def blank(self, messages: Sequence[Written]) -> None:
        """Erase what these messages say and name; that they were written stays."""
        for conversation, same in groupby(sorted(messages), attrgetter("conversation")):
            _, numbers, ids = zip(*same, strict=True)
            self._forget_files(conversation, ids)
            these = (Messages.app == self._app) & (Messages.conversation == conversation)
            change = Messages.update(body="", attachments=None).where(these & Messages.number.in_(numbers))
            self._database.change(change)
        forget_messages(self._database, self._app, [(one.conversation, one.number) for one in messages])

    def append(self, scope: Scope, id: str, message: Message, events: tuple[str, str]) -> Message | None:
        """Append a message to a conversation, if the scope sees it; a user's reopens it. Answer it with its
        number, and its time, which is never before that of the one before it. Under the ids ``events`` it is
        written down that it was added, and that it reopened the conversation, if it did.

        It is a transaction of its own, unless it is part of one.
        """
        where = self._app, scope.user, scope.device, id
        shape, kind = _shape(scope), message.author.kind
        if self._database.is_sqlite:
            # There a statement that changes a row is no part of another.
            with self._database.transaction():
                row = self._database.row(_count(shape, kind)(*where, message.created_at))
                if row is not None:
                    self._database.add(_insert_message(*row[: len(_PLACE)], *as_said(message)))
                    self._tell(row, message, events)
        else:
            row = self._database.row_at_once(
                _append(shape, kind)(*where, message.created_at, *as_said(message), *events)
            )
        if row is None:
            return None
        _, _, number, at, *_ = row
        return replace(message, number=number, created_at=at)

    def _tell(self, row: tuple[Any, ...], message: Message, events: tuple[str, str]) -> None:
        """Write down that a message was added to the conversation of a row, and perhaps reopened it."""
        _, id, number, at, user, subject, created_at, unread, reopened = row
        told = [Event(events[0], EventType.MESSAGE_CREATED, at, user, id, message.id)]
        if reopened:
            now = Conversation(id, user, subject, Status.OPEN, unread, number, created_at, at)
            data = {"conversation": now, "verified": message.verified}
            told.append(Event(events[1], EventType.CONVERSATION_REOPENED, at, user, id, data=data))
        EventStore(self._database, self._app).add(*told)

    def append_of_session(
        self, token: Token, id: str, message: Message, event: str, *, alive_since: int
    ) -> Question | None:
        """As ``append``, of whoever's session has a token, if the session began and was used
        after a time, and the conversation is open and was begun on its device: so that it sees it, whatever
        its app's settings are. The answer is an Appended, or None.

        None instead of a question on SQLite, where a statement that changes a row is no part of another.
        """
        if self._database.is_sqlite:
            return None
        what = message.id, message.body, message.created_at, event
        return Question(
            _append_of_session(self._app, *token, alive_since, id, *what),
            partial(_as_appended, message.id),
            changes=True,
        )

    def message(self, scope: Scope, conversation: str, id: str) -> Message | None:
        """Find a message of a conversation."""
        rows = self._database.rows(messages_of(self._app, scope, conversation).where(Messages.id == id))
        return as_message(rows[0]) if rows else None

    def messages(self, scope: Scope, conversation: str, after: int, limit: int) -> tuple[Message, ...]:
        """Return up to ``limit`` messages, the oldest first, whose numbers come after ``after``."""
        query = (
            messages_of(self._app, scope, conversation)
            .where(Messages.number > after)
            .order_by(Messages.number)
            .limit(limit)
        )
        return tuple(map(as_message, self._database.rows(query)))

    def _one(self, scope: Scope, id: str) -> Statement:
        return _with_id(_shape(scope))(self._app, scope.user, scope.device, id)

    def _update(self, scope: Scope, id: str, **fields: Any) -> None:
        query = Conversations.update(**fields).where(in_view(self._app, scope) & (Conversations.id == id))
        self._database.change(query)


def messages_of(app: str, scope: Scope, conversation: str) -> Any:
    """Select what a scope sees of a conversation's messages."""
    shown = (Messages.app == app) & (Messages.conversation == conversation)
    if scope.authors is not None:
        shown &= Messages.author.is_null() | Messages.author.in_(scope.authors)
    return (
        Messages.select(*MESSAGE)
        .join(
            Conversations,
            on=((Conversations.app == Messages.app) & (Conversations.id == Messages.conversation)),
        )
        .left_outer_join(Users, on=((Users.app == Messages.app) & (Users.id == Messages.author)))
        .where(shown & in_view(app, scope))
    )


def seen_by(app: Any, scope: Scope) -> Any:
    """Select the conversations that a scope sees."""
    return Conversations.select(
        Conversations.id,
        Conversations.user,
        Conversations.subject,
        Conversations.status,
        _unread(scope.side),
        Conversations.messages,
        Conversations.created_at,
        Conversations.updated_at,
    ).where(in_view(app, scope))


def _shape(scope: Scope) -> Scope:
    """Return what scopes have in common that look for different values in the same places."""
    return Scope(scope.side, scope.user and "", scope.device and "", scope.and_agents)


def _of_shape(shape: Scope, user: Any, device: Any) -> Scope:
    user, device = (None if shape.user is None else user), (None if shape.device is None else device)
    return replace(shape, user=user, device=device)


@cache
def _with_id(shape: Scope) -> Prepared:
    def build(app: Any, user: Any, device: Any, id: Any) -> Any:
        return seen_by(app, _of_shape(shape, user, device)).where(Conversations.id == id)

    return Prepared(build)


def latest(query: Any, before: tuple[Any, Any] | None, limit: Any) -> Any:
    """Select of conversations those that were active last, or that come after one of a time and an id."""
    if before is not None:
        at, id = before
        query = query.where(
            (Conversations.updated_at < at) | ((Conversations.updated_at == at) & (Conversations.id < id))
        ).where(Conversations.updated_at <= at)
    return query.order_by(Conversations.updated_at.desc(), Conversations.id.desc()).limit(limit)


@cache
def _page(shape: Scope, of_status: bool, goes_on: bool, of_session: bool = False) -> Prepared:
    def build(app: Any, user: Any, device: Any, status: Any, at: Any, id: Any, limit: Any) -> Any:
        if of_session:
            # A token's values stand in these places.
            user, device = user_of_session(app, user, device), None
        query = seen_by(app, _of_shape(shape, user, device))
        if of_status:
            query = query.where(Conversations.status == status)
        return latest(query, (at, id) if goes_on else None, limit)

    return Prepared(build)


_insert = inserting(
    Conversations.app,
    Conversations.id,
    Conversations.user,
    Conversations.home,
    Conversations.device,
    Conversations.subject,
    Conversations.status,
    Conversations.messages,
    Conversations.unread_by_user,
    Conversations.unread_by_agent,
    Conversations.created_at,
    Conversations.updated_at,
)


_PLACE = Messages.app, Messages.conversation, Messages.number, Messages.created_at
_SAID = (
    Messages.id,
    Messages.side,
    Messages.author,
    Messages.agent_name,
    Messages.body,
    Messages.attachments,
    Messages.verified,
)

_insert_message = inserting(*_PLACE, *_SAID)
# What the columns of a message are called.
MESSAGE_COLUMNS = tuple(column.column_name for column in (*_PLACE, *_SAID))

# What is told of a conversation whose messages were counted: first the place of the next.
_COUNTED = (
    Conversations.app,
    Conversations.id,
    Conversations.messages,
    Conversations.updated_at,
    Conversations.user,
    Conversations.subject,
    Conversations.created_at,
    Conversations.unread_by_agent,
    Conversations.reopened,
)


def as_said(message: Message) -> tuple[Any, ...]:
    """Return the values of the last of MESSAGE_COLUMNS."""
    by = message.author
    name = by.name if by.kind is Side.AGENT else None
    attachments = as_text(message.attachments)
    return message.id, by.kind.value, by.id, name, message.body, attachments, message.verified


def _counted(shape: Scope, side: Side, app: Any, user: Any, device: Any, id: Any, at: Any) -> Any:
    """Count one more message of a side, and return its place; a user's reopens."""
    return _counted_where(in_view(app, _of_shape(shape, user, device)), side, id, at)


def _counted_where(seen: Any, side: Side, id: Any, at: Any) -> Any:
    unread = _unread(Side.AGENT if side is Side.USER else Side.USER)
    # This time was taken before the row was locked, so that of the message before may be later.
    last = Case(None, [(Conversations.updated_at > at, Conversations.updated_at)], at)
    fields = {Conversations.messages: Conversations.messages + 1, unread: unread + 1}
    if side is Side.USER:
        fields[Conversations.status] = Status.OPEN.value
        # Of the row as it was: nothing that is read beside it is sure to be that.
        fields[Conversations.reopened] = Conversations.status != Status.OPEN.value
    else:
        fields[Conversations.reopened] = False
    counted = Conversations.update(fields | {Conversations.updated_at: last})
    return counted.where(seen & (Conversations.id == id)).returning(*_COUNTED)


@cache
def _count(shape: Scope, side: Side) -> Prepared:
    return Prepared(partial(_counted, shape, side), 5)


@cache
def _append(shape: Scope, side: Side) -> Prepared:
    """Count, and add the message in the place that it has by that."""

    def build(app: Any, user: Any, device: Any, id: Any, at: Any, *rest: Any) -> Any:
        *said, event, other = rest
        counted = CTE("counted", _counted(shape, side, app, user, device, id, at))
        place = counted.c.app, counted.c.id, counted.c.messages, counted.c.updated_at
        message = Select([counted], [*place, *map(as_value, said)]).where(counted.c.app == app)
        parts = [counted, with_message(app, counted, said[0], event)]
        if side is Side.USER:
            parts.append(with_reopening(app, counted, other, as_value(said[-1]).cast("boolean")))
        return Messages.insert_from(message, [*_PLACE, *_SAID]).returning(*_PLACE).with_cte(*parts)

    return Prepared(build, 5 + len(_SAID) + 2)


def _appended_of_session(app: Any, device: Any, digest: Any, alive_since: Any, *message: Any) -> Any:
    """As ``_append``, by a user who is known by their session's token. Select also whose that is."""
    conversation, id, body, at, event = message
    whose = session_of_token(app, device, digest).cte("whose")
    ids: Any = UserIds.alias("i")

    def of_whose(column: Any) -> Any:
        return Select([whose], [column]).where(whose.c.app == app)

    is_alive = (whose.c.began_at > alive_since) & (whose.c.used_at > alive_since)
    theirs = (Conversations.app == app) & (Conversations.user == of_whose(whose.c.user).where(is_alive))
    theirs &= Conversations.device == of_whose(whose.c.device)
    theirs &= Conversations.status == Status.OPEN.value
    counted = CTE("counted", _counted_where(theirs, Side.USER, conversation, at))
    place = counted.c.app, counted.c.id, counted.c.messages, counted.c.updated_at
    by = as_value(Side.USER.value), whose.c.home, SQL("NULL")
    said = as_value(id), *by, as_value(body), SQL("NULL"), whose.c.verified
    both = counted.join(whose, on=(whose.c.app == counted.c.app))
    row = Select([both], [*place, *said]).where(counted.c.app == app)
    added = CTE("added", Messages.insert_from(row, [*_PLACE, *_SAID]).returning(*_PLACE))
    told = with_message(app, counted, id, event)
    rows = whose.join(added, JOIN.LEFT_OUTER, on=(added.c.app == whose.c.app))
    rows = rows.join(ids, JOIN.LEFT_OUTER, on=((ids.app == whose.c.app) & (ids.user == whose.c.user)))
    shown = *(whose.c[name] for name in WHOSE), ids.value, added.c.number, added.c.created_at
    query = Select([rows], shown).where(whose.c.app == app).order_by(ids.added_at, ids.digest)
    return query.with_cte(whose, counted, told, added)


_append_of_session = Prepared(_appended_of_session, 9)


def _unread(side: Side) -> Any:
    return Conversations.unread_by_user if side is Side.USER else Conversations.unread_by_agent


# To ask an enumeration for its word takes longer, twenty times for a page.
_STATUS = {status.value: status for status in Status}


def _as_appended(id: str, rows: Rows) -> Appended | None:
    *_, number, at = rows[0] if rows else (None, None)
    return None if number is None else Appended(id, number, at)


def _as_page(rows: Rows) -> tuple[Conversation, ...]:
    return tuple(map(as_conversation, rows))


def as_conversation(row: tuple[Any, ...]) -> Conversation:
    """Make a conversation of its columns."""
    id, user, subject, status, unread, messages, created_at, updated_at = row
    return Conversation(id, user, subject, _STATUS[status], unread, messages, created_at, updated_at)


def as_message(row: tuple[Any, ...]) -> Message:
    """Make a message of its columns, those of MESSAGE."""
    id, number, side, author, agent_name, name, body, attachments, verified, created_at = row
    kind = Side(side)
    by = Author(kind, name, author) if kind is Side.USER else Author(kind, agent_name)
    return Message(id, number, by, body, bool(verified), created_at, from_text(attachments))
