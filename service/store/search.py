"""An index of what was written, by pieces of words: which conversations may hold a word, and how far it goes.

Nobody who writes waits for it: whoever works follows the events, and puts in what was written. Until then it
is looked for where it stands. See ``model.words`` for the pieces.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from peewee import JOIN, fn

from service.model.search import Progress, SearchState
from service.model.words import pieces_of
from service.store.database import Database
from service.store.feed import Place, follows
from service.store.following import events_after, oldest, try_lock
from service.store.indexed import batches, of_conversations, own_piece
from service.store.tables import Apps, Conversations, Events, Messages, SearchIndex, SearchProgress

# How many pages of the index's file are put in order at a time.
PAGES = 200

_COLUMNS = "app", "conversation", "number", "pieces"


class SearchStore:
    """The index of what was written in an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    # --- searching

    def recent(self, limit: int) -> set[str] | None:
        """Return the conversations in which something happened that the index may not hold yet; None if it
        does not hold all that was there before, or more than ``limit`` things have happened since."""
        progress = self.progress()
        if progress is None or progress.filled is not None or progress.is_lost:
            return None
        since = Events.select(Events.conversation).where(
            (Events.app == self._app) & follows(*progress.place) & Events.conversation.is_null(False)
        )
        rows = self._database.rows(since.limit(limit + 1))
        return {id for (id,) in rows} if len(rows) <= limit else None

    def having(self, pieces: Collection[str], limit: int) -> set[str] | None:
        """Return the conversations of which one text has all of some pieces; None if more than ``limit``
        texts have."""
        has = self._database.matches(SearchIndex, sorted(pieces))
        query = SearchIndex.select(SearchIndex.conversation).where((SearchIndex.app == self._app) & has)
        rows = self._database.rows(query.limit(limit + 1))
        return {id for (id,) in rows} if len(rows) <= limit else None

    # --- filling

    def try_lock(self) -> bool:
        """Keep others from filling the index until the transaction ends, unless somebody does; return whether
        nobody did. What others have locked is not waited for long."""
        return try_lock(self._database, self._app, SearchProgress, "search")

    def progress(self) -> Progress | None:
        """Return how far the index goes, if it was begun."""
        row = self._database.row(self._progress())
        return None if row is None else Progress((row[0], row[1]), row[2], is_lost=bool(row[3]))

    def _progress(self) -> Any:
        event = (Events.app == SearchProgress.app) & (Events.id == SearchProgress.event)
        columns = SearchProgress.xid, SearchProgress.event, SearchProgress.filled, Events.id.is_null()
        progress = SearchProgress.select(*columns).join(Events, JOIN.LEFT_OUTER, on=event)
        return progress.where(SearchProgress.app == self._app)

    def put_progress(self, place: Place, filled: str | None) -> None:
        """Note how far the index goes."""
        xid, event = place
        row = {"app": self._app, "xid": xid, "event": event, "filled": filled}
        self._database.put(SearchProgress, [row])

    def events_after(self, place: Place, limit: int) -> list[tuple[Place, str | None]]:
        """Return where the next events stand, up to ``limit``, as far as none is added before any more, and
        the conversation that each is about."""
        return events_after(self._database, self._app, place, limit, Events.conversation)

    def conversations_after(self, id: str, limit: int) -> list[str]:
        """Return the next conversations, by their ids."""
        query = Conversations.select(Conversations.id).where(
            (Conversations.app == self._app) & (Conversations.id > id)
        )
        return [one for (one,) in self._database.rows(query.order_by(Conversations.id).limit(limit))]

    def add(self, conversations: Iterable[str], limit: int) -> bool:
        """Put in what is missing of these conversations, up to ``limit`` messages; return whether that was
        all."""
        left = limit
        for some in batches(sorted(set(conversations))):
            left -= self._add(some, left)
            if left == 0:
                return False
        return True

    def _add(self, conversations: Sequence[str], limit: int) -> int:
        these = (Conversations.app == self._app) & Conversations.id.in_(conversations)
        counts = Conversations.id, Conversations.subject, Conversations.messages
        there = self._database.rows(Conversations.select(*counts).where(these))
        last = self._last(conversations)
        subjects = {id: subject for id, subject, messages in there if messages > last.get(id, -1)}
        if not subjects:
            return 0
        messages: list[tuple[str, int, str]] = []
        # Of all at once SQLite would look among those of the whole app.
        for id in sorted(subjects):
            new = (Messages.conversation == id) & (Messages.number > last.get(id, -1))
            # Whoever erases them waits, and then finds them here; or we do, and find them no more.
            messages += self._database.rows(
                self._database.locked(
                    Messages.select(Messages.conversation, Messages.number, Messages.body)
                    .where((Messages.app == self._app) & new)
                    .order_by(Messages.number)
                    .limit(limit - len(messages)),
                    "SHARE",
                )
            )
            if len(messages) == limit:
                break
        begun = {id for id, _, _ in messages if id not in last}
        texts = [(id, 0, subjects[id] or "") for id in sorted(begun)] + messages
        rows = [(self._app, id, number, self._words(id, text)) for id, number, text in texts]
        self._database.copy(SearchIndex, _COLUMNS, rows)
        return len(messages)

    def _words(self, conversation: str, text: str) -> str:
        words = pieces_of(self._app, text)
        if self._database.is_sqlite:
            words.add(own_piece(self._app, conversation))
        return " ".join(sorted(words))

    def _last(self, conversations: Sequence[str]) -> dict[str, int]:
        """Return up to which number the index holds these conversations, of which it holds anything."""
        last = fn.MAX(SearchIndex.number)
        query = SearchIndex.select(SearchIndex.conversation, last).where(
            of_conversations(self._database, self._app, conversations)
        )
        return dict(self._database.rows(query.group_by(SearchIndex.conversation)))

    # --- forgetting

    def forget_deleted(self) -> int:
        """Put a part of the index in order, so that nothing is left in it of what was taken out; return how
        much of it there was to do, at least."""
        return int(self._database.peewee.forget_deleted(SearchIndex._meta.table_name, PAGES))


class AllSearches:
    """How far the indexes of all apps go, for whoever fills them and whoever runs Usher."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self) -> tuple[SearchState, ...]:
        """Return of each app whether its index holds all that was there when it was begun, and when what was
        that it does not hold yet. One look into an index for each."""
        return tuple(
            # An app in which nothing has happened yet has nothing to be found.
            SearchState(app, oldest, is_whole=filled is None and (begun is not None or oldest is None))
            for app, begun, filled, oldest in self._database.rows(_STATES)
        )


_STATES = (
    Apps.select(Apps.app, SearchProgress.app, SearchProgress.filled, oldest(SearchProgress))
    .join(SearchProgress, JOIN.LEFT_OUTER, on=(SearchProgress.app == Apps.app))
    .order_by(Apps.app)
)
