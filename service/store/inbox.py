"""What the agents' inbox shows of an app's conversations: those that nobody has read first, how many these
are, the latest messages of one, up to which of them agents have read, and which hold some words."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from peewee import SQL, Select, Window, fn

from service.model.conversations import Conversation, Message, Scope, Side, Status
from service.model.pages import Position
from service.store.conversations import as_conversation, as_message, latest, messages_of, seen_by
from service.store.database import Database
from service.store.engine.prepared import Prepared
from service.store.tables import Conversations, Messages

AGENTS = Scope(Side.AGENT)

# Written as it stands: with a value in its place no engine knows that the index holds all of these.
_UNREAD = Conversations.unread_by_agent > SQL("0")


class InboxStore:
    """The conversations of an app, as its agents work through them."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def page(
        self, status: Status | None, before: Position | None, limit: int, *, unread: bool
    ) -> tuple[Conversation, ...]:
        """Return up to ``limit`` conversations that agents have not read, or that they have, the newest
        activity first, after the one that was last active at ``before``."""
        if unread and status is None:
            # The index leads with the status, so each has a page of its own.
            both = [one for each in Status for one in self.page(each, before, limit, unread=True)]
            return tuple(sorted(both, key=lambda one: (one.updated_at, one.id), reverse=True)[:limit])
        query = _page(status is not None, before is not None, unread)
        shown = query(self._app, status and status.value, *(before or (None, None)), limit)
        return tuple(map(as_conversation, self._database.rows(shown)))

    def count_unread(self, most: int) -> dict[Status, int]:
        """Return how many conversations have something that agents have not read; ``most`` if more."""
        values = [status.value for status in Status]
        row = self._database.row(_counts(self._app, *values, most))
        return dict(zip(Status, row or (), strict=True))

    def latest(self, conversation: str, before: int | None, limit: int) -> tuple[Message, ...]:
        """Return up to ``limit`` messages, the latest first, whose numbers come before ``before``; None for
        the latest of all."""
        query = messages_of(self._app, AGENTS, conversation).order_by(Messages.number.desc()).limit(limit)
        if before is not None:
            query = query.where(Messages.number < before)
        return tuple(map(as_message, self._database.rows(query)))

    def mark_read(self, conversation: str, through: int) -> None:
        """Note that agents have read all up to a message's number, of a conversation that is locked. What
        they have read further stays read."""
        theirs = (Messages.app == self._app) & (Messages.conversation == conversation)
        later = theirs & (Messages.number > through) & (Messages.side == Side.USER.value)
        [(left,)] = self._database.rows(Messages.select(fn.COUNT(Messages.number)).where(later))
        here = (Conversations.app == self._app) & (Conversations.id == conversation)
        self._database.change(
            Conversations.update(unread_by_agent=left).where(here & (Conversations.unread_by_agent > left))
        )

    def end_of_search(
        self,
        before: Position | None,
        conversations: int,
        messages: int,
        among: Collection[str] | None = None,
    ) -> Position | None:
        """Return to which conversation a search comes that begins after ``before``, if there is any: it looks
        through so many at most, ``among`` some only, if given, and goes to no other after so many messages.
        """
        # Of some only, they are found by their ids, and not in this order.
        at = Conversations.updated_at if among is None else Conversations.updated_at + SQL("0")
        order = at.desc(), Conversations.id.desc()
        looked_at = Window(order_by=order)
        done = fn.SUM(Conversations.messages).over(window=looked_at) - Conversations.messages
        those = (
            Conversations.select(Conversations.updated_at, Conversations.id, done.alias("done"))
            .where(self._those(before, None, among))
            .window(looked_at)
            .order_by(*order)
            .limit(conversations)
        ).alias("those")
        last = Select([those], [those.c.updated_at, those.c.id]).where(those.c.done < messages)
        row = self._database.row(last.order_by(those.c.updated_at, those.c.id).limit(1))
        return None if row is None else (row[0], row[1])

    def search(
        self,
        words: Sequence[str],
        before: Position | None,
        end: Position,
        limit: int,
        among: Collection[str] | None = None,
    ) -> tuple[Conversation, ...]:
        """Return up to ``limit`` conversations, the newest activity first, that come after ``before``, up to
        the one at ``end``, of which each word is in the subject or a message; ``among`` some only, if given.
        """
        query = seen_by(self._app, AGENTS).where(self._those(before, end, among))
        for word in words:
            holds = Messages.select(SQL("1")).where(
                (Messages.app == self._app)
                & (Messages.conversation == Conversations.id)
                & self._database.contains(Messages.body, word)
            )
            query = query.where(self._database.contains(Conversations.subject, word) | fn.EXISTS(holds))
        query = query.order_by(Conversations.updated_at.desc(), Conversations.id.desc()).limit(limit)
        return tuple(map(as_conversation, self._database.rows(query)))

    def _those(self, before: Position | None, end: Position | None, among: Collection[str] | None) -> Any:
        those = _between(self._app, before, end)
        return those if among is None else those & self._database.is_among(Conversations.id, among)


def _between(app: str, before: Position | None, end: Position | None) -> Any:
    at, id = Conversations.updated_at, Conversations.id
    condition = Conversations.app == app
    if before is not None:
        condition &= (at <= before[0]) & ((at < before[0]) | (id < before[1]))
    if end is not None:
        condition &= (at >= end[0]) & ((at > end[0]) | (id >= end[1]))
    return condition


@cache
def _page(of_status: bool, goes_on: bool, unread: bool) -> Prepared:
    def build(app: Any, status: Any, at: Any, id: Any, limit: Any) -> Any:
        query = seen_by(app, AGENTS).where(_UNREAD if unread else Conversations.unread_by_agent == 0)
        if of_status:
            query = query.where(Conversations.status == status)
        return latest(query, (at, id) if goes_on else None, limit)

    return Prepared(build)


def _counted(app: Any, *values: Any) -> Any:
    *statuses, most = values

    def count(status: Any) -> Any:
        of_status = (Conversations.app == app) & (Conversations.status == status) & _UNREAD
        some = Conversations.select(SQL("1")).where(of_status).limit(most).alias("some")
        return Select([some], [fn.COUNT(SQL("*"))])

    return Select(columns=[count(status) for status in statuses])


_counts = Prepared(_counted, len(Status) + 2)
