"""What there is to forget, as rows: of users who are idle, who have much, and who are one with many."""

from bench.bulk import Rows
from service.model.events import EventType
from service.model.identifiers import digest, email_key, new_id, search_key, user_id_digest
from service.rules.duplicates import MOST
from service.store.merges import EMPTY
from service.times import DAY, now

# Of so many users one is idle, and gone after a day of tidying.
IDLE = 100
LONG_AGO = 400 * DAY


class TidiedRows:
    """Rows of an app that has a webhook."""

    def __init__(self, app: str, hook: str) -> None:
        self._app = app
        self._hook = hook
        self._at = now()

    def idle(self, users: int) -> list[Rows]:
        """Users of devices, of whom one in so many is idle, and what is too old of each."""
        ids = [new_id("usr") for _ in range(users)]
        long_ago = self._at - LONG_AGO
        return [
            self._users([(id, f"$anon:{id}", False) for id in ids], long_ago),
            self._user_ids([(id, f"$anon:{id}", False) for id in ids]),
            self._devices(ids, ids),
            self._sessions([(id, id) for id in ids], long_ago),
            self._history(ids),
            self._events(ids),
            self._keys([(id, id) for id in ids]),
            *self._tombstones(users // IDLE),
            (
                "rates",
                ["app", "kind", "address", "minute", "count"],
                ((self._app, "login address", id, 1, 1) for id in ids),
            ),
        ]

    def alike(self, users: int) -> list[Rows]:
        """Users who were added, and are to be compared: as many of one mailbox as say anything."""
        ids = [new_id("usr") for _ in range(users)]
        emails = [f"{number // MOST}@example.org" for number in range(users)]
        columns = ["app", "id", "verified", "user_id", "email", "email_key", "name", "name_key", "created_at"]
        named = "Jane Doe", search_key("Jane Doe"), self._at
        return [
            (
                "users",
                columns,
                (
                    (self._app, id, True, id, email, email_key(email), *named)
                    for id, email in zip(ids, emails, strict=True)
                ),
            ),
            self._user_ids([(id, id, True) for id in ids]),
            self._events(ids, type=EventType.USER_CREATED),
        ]

    def together(self, user: str, parts: int) -> list[Rows]:
        """A user of whom others became part, each with an ID and a line of the history."""
        ids = [new_id("usr") for _ in range(parts)]
        merges = ["app", "id", "source", "target", "rule", "ledger", "created_at"]
        columns = ["app", "id", "verified", "user_id", "created_at", "merged_into"]
        user_ids = ["app", "verified", "digest", "user", "home", "value", "search", "added_at"]
        return [
            self._users([(user, user, True)], self._at),
            ("users", columns, ((self._app, id, True, id, self._at, user) for id in ids)),
            (
                "user_ids",
                user_ids,
                (
                    (self._app, True, user_id_digest(id), user, id, id, search_key(id), self._at)
                    for id in (user, *ids)
                ),
            ),
            self._history([user, *ids]),
            (
                "merges",
                merges,
                ((self._app, new_id("mrg"), id, user, "manual", EMPTY, self._at) for id in ids),
            ),
        ]

    def much_of(self, user: str, much: int) -> list[Rows]:
        """A user who has written a lot, in one conversation and in many, and of whom a lot is told."""
        long, *short = (new_id("cnv") for _ in range(much // 4 + 1))
        messages = [(long, number) for number in range(1, much // 2 + 1)]
        messages += [(id, number) for id in short for number in (1, 2)]
        events = [new_id("evt") for _ in range(much)]
        about = ["app", "webhook", "event", "type", "at", "user", "state", "attempts", "failures"]
        tried = ["app", "webhook", "event", "number", "at", "milliseconds", "status", "answer"]
        told = self._app, self._hook
        return [
            self._users([(user, user, True)], self._at),
            self._user_ids([(user, user, True)]),
            self._conversations([(long, much // 2)] + [(id, 2) for id in short], user),
            self._messages(messages, user),
            self._history([user] * much),
            self._events([user] * much, events),
            (
                "deliveries",
                about,
                (
                    (*told, id, EventType.USER_UPDATED.value, self._at, user, "delivered", 1, 0)
                    for id in events
                ),
            ),
            ("attempts", tried, ((*told, id, 1, self._at, 1, 200, "Thank you") for id in events)),
        ]

    def many_of(self, user: str, many: int) -> list[Rows]:
        """A user with many IDs, and logged in on many devices, where the app's own idempotency keys name
        them; and with many store accounts."""
        ids = [f"{user}-{number}" for number in range(many)]
        accounts = ["app", "digest", "verified", "user", "home", "store", "account", "claimed_at"]
        bought = ["app", "account", "digest", "id", "product", "transaction", "purchased_at"]
        return [
            self._users([(user, ids[0], True)], self._at),
            self._user_ids([(user, id, True) for id in ids]),
            self._devices(ids, [None] * many),
            self._sessions([(id, user) for id in ids], self._at),
            self._keys([(id, user) for id in ids]),
            (
                "store_accounts",
                accounts,
                ((self._app, digest(id), True, user, user, "app_store", id, self._at) for id in ids),
            ),
            (
                "purchases",
                bought,
                ((self._app, digest(id), digest(id), new_id("pur"), "pro", id, self._at) for id in ids),
            ),
        ]

    def apart(self, user: str, other: str, much: int) -> list[Rows]:
        """A user who was one with another for a while, and wrote a lot in a conversation that is theirs."""
        conversation = new_id("cnv")
        merges = ["app", "id", "source", "target", "rule", "ledger", "created_at", "undone_at"]
        return [
            self._users([(id, id, True) for id in (user, other)], self._at),
            self._user_ids([(id, id, True) for id in (user, other)]),
            self._conversations([(conversation, much)], other),
            self._messages([(conversation, number) for number in range(1, much + 1)], user),
            (
                "merges",
                merges,
                [(self._app, new_id("mrg"), user, other, "manual", EMPTY, self._at, self._at)],
            ),
        ]

    def _users(self, users: list[tuple[str, str, bool]], at: int) -> Rows:
        columns = ["app", "id", "verified", "user_id", "created_at"]
        return "users", columns, ((self._app, id, proven, value, at) for id, value, proven in users)

    def _tombstones(self, users: int) -> list[Rows]:
        """Users who were idle, and of whom nothing tells any more."""
        ids, at = [new_id("usr") for _ in range(users)], self._at - LONG_AGO
        columns = ["app", "user", "id", "at", "event", "by", "request"]
        lines = ((self._app, id, new_id("hst"), at, "erased", "retention", "") for id in ids)
        return [
            (
                "users",
                ["app", "id", "verified", "erased_at", "created_at"],
                ((self._app, id, False, at, at) for id in ids),
            ),
            ("history", columns, lines),
        ]

    def _user_ids(self, values: list[tuple[str, str, bool]]) -> Rows:
        columns = ["app", "verified", "digest", "user", "home", "value", "search", "added_at"]
        return (
            "user_ids",
            columns,
            (
                (self._app, proven, user_id_digest(value), id, id, value, search_key(value), self._at)
                for id, value, proven in values
            ),
        )

    def _devices(self, names: list[str], whose: list[str] | list[None]) -> Rows:
        columns = ["app", "digest", "anonymous", "clears", "created_at"]
        at = self._at - LONG_AGO
        return (
            "devices",
            columns,
            ((self._app, digest(name), user, False, at) for name, user in zip(names, whose, strict=True)),
        )

    def _sessions(self, sessions: list[tuple[str, str]], at: int) -> Rows:
        """Sessions on devices, by their names; of those of long ago all but a few were used since."""
        columns = ["app", "device", "secret", "user", "home", "verified", "began_at", "used_at"]
        return (
            "sessions",
            columns,
            (
                (self._app, digest(name), digest(f"s{name}"), user, user, at == self._at, at, used)
                for number, (name, user) in enumerate(sessions)
                for used in [self._at if number % IDLE else at]
            ),
        )

    def _history(self, users: list[str]) -> Rows:
        columns = ["app", "user", "id", "at", "event", "by", "request", "after"]
        at = self._at - LONG_AGO
        what = at, "created", "backend", "r", '{"name": "Jane"}'
        return "history", columns, ((self._app, user, new_id("hst"), *what) for user in users)

    def _events(
        self, users: list[str], ids: list[str] | None = None, type: EventType = EventType.USER_UPDATED
    ) -> Rows:
        columns = ["app", "id", "xid", "type", "at", "user", "data"]
        names = ids or [new_id("evt") for _ in users]
        what = type.value, self._at - 60 * DAY
        return (
            "events",
            columns,
            ((self._app, id, 1, *what, user, "{}") for id, user in zip(names, users, strict=True)),
        )

    def _keys(self, keys: list[tuple[str, str]]) -> Rows:
        columns = ["app", "scope", "key", "request", "made", "home", "created_at"]
        at = self._at - LONG_AGO
        return (
            "idempotency_keys",
            columns,
            ((self._app, "key", name, "r", user, user, at) for name, user in keys),
        )

    def _conversations(self, conversations: list[tuple[str, int]], user: str) -> Rows:
        columns = [
            "app",
            "id",
            "user",
            "home",
            "status",
            "messages",
            "unread_by_user",
            "unread_by_agent",
            "created_at",
            "updated_at",
        ]
        return (
            "conversations",
            columns,
            (
                (self._app, id, user, user, "open", messages, 0, 1, self._at, self._at)
                for id, messages in conversations
            ),
        )

    def _messages(self, messages: list[tuple[str, int]], author: str) -> Rows:
        columns = ["app", "conversation", "number", "id", "side", "author", "body", "verified", "created_at"]
        return (
            "messages",
            columns,
            (
                (self._app, conversation, number, new_id("msg"), "user", author, "Hello", True, self._at)
                for conversation, number in messages
            ),
        )
