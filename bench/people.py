"""A great many people, and the rows that Usher itself would write of them.

Everything about a person follows from their number: their user ID, what their device and their session
hold, their conversations. So whoever knows the number can call as they do.
"""

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from bench.apps import App
from service.model.conversations import Side, Status
from service.model.history import Event
from service.model.identifiers import digest, email_key, search_key, token_on, user_id_digest
from service.store.tables import Conversations, Devices, History, Messages, Sessions, UserIds, Users
from service.times import DAY, now

# The first user has so many conversations.
DEEP = 100_000
# Each second user is logged in, and each tenth has written: so many conversations of so many messages.
LOGGED_IN, WRITES = 2, 10
THREADS, MESSAGES = 2, 3

AGENT, BODY, SUBJECT = "Ada", "Where is my parcel? It was to come on Monday.", "Parcel"
# By which they all came.
RULE = "new-user-id"
# What the history says of each.
WRITTEN = json.dumps({"userId": "%s", "email": "%s", "name": "%s"})

Row = tuple[str | int | bool | None, ...]


@dataclass(frozen=True)
class Population:
    """An app's people: ``users`` of them, the first of whom has ``deep`` conversations. Times are counted
    from ``at``, when it was filled, in milliseconds."""

    app: str
    secret_key: str
    users: int
    at: int
    deep: int = DEEP

    @classmethod
    def create(cls, database_url: str, users: int, deep: int = DEEP) -> "Population":
        """Make the app, as an operator does, in a migrated store; its people are to follow."""
        app = App.create(database_url)
        return cls(app.id, app.sk, users, now(), deep)

    @property
    def writers(self) -> int:
        """How many have written, beside the first."""
        return math.ceil(self.users / WRITES) - 1

    def user_id(self, number: int) -> str:
        """Return the ID that the app gave to a user."""
        return f"u-{number}"

    def email(self, number: int) -> str:
        """Return a user's email."""
        return f"u-{number}@example.org"

    def name(self, number: int) -> str:
        """Return a user's name."""
        return f"User {number}"

    def device_id(self, number: int) -> str:
        """Return what a user's device holds."""
        return f"dev_{number:043}"

    def token(self, number: int) -> str:
        """Return what the session of a user holds who is logged in."""
        return token_on(f"st_{self.app.removeprefix('app_')}_{number:043}", digest(self.device_id(number)))

    def writer(self, number: int) -> int:
        """Return which user has written, of those beside the first."""
        return WRITES * (number + 1)

    def conversation(self, number: int, thread: int) -> tuple[int, str]:
        """Return when a user's conversation was last active, and its id."""
        began = self._logged_in_at(number) + 1000 * (thread + 1)
        messages = 1 if number == 0 else MESSAGES
        return began + 10 * (messages - 1), _id("cnv", began, number * self.deep + thread)

    def count(self) -> int:
        """Return how many rows it has, without the app's own."""
        logged_in, threads = math.ceil(self.users / LOGGED_IN), self.writers * THREADS
        return 4 * self.users + logged_in + 2 * self.deep + threads * (1 + MESSAGES)

    def tables(self) -> Iterator[tuple[str, list[str], Iterator[Row]]]:
        """Return the rows by table, with the names of their columns, in an order that keeps foreign keys."""
        for table, columns, rows in (
            (Users, "app id verified user_id email email_key name name_key created_at", self._users()),
            (UserIds, "app verified digest user home value search added_at", self._user_ids()),
            (History, "app user id at event rule by request before after", self._history()),
            (Devices, "app digest anonymous clears sharing created_at", self._devices()),
            (
                Sessions,
                "app device secret user_id_digest user home verified began_at used_at",
                self._sessions(),
            ),
            (
                Conversations,
                "app id user home device subject status messages unread_by_user unread_by_agent created_at"
                " updated_at",
                self._conversations(),
            ),
            (
                Messages,
                "app conversation number id side author agent_name body verified created_at",
                self._messages(),
            ),
        ):
            yield table._meta.table_name, columns.split(), rows

    def user(self, number: int) -> tuple[int, str]:
        """Return when a user came, in the course of a year, and our id."""
        at = self.at - 370 * DAY + 365 * DAY * number // self.users
        return at, _id("usr", at, number)

    def _logged_in_at(self, number: int) -> int:
        """When a user logged in: on one day, so that all sessions hold and many are written."""
        return self.at - 3 * DAY + DAY * number // self.users

    def _users(self) -> Iterator[Row]:
        for number in range(self.users):
            at, id = self.user(number)
            email, name = self.email(number), self.name(number)
            shown = self.user_id(number), email, email_key(email), name, search_key(name)
            yield (self.app, id, True, *shown, at)

    def _user_ids(self) -> Iterator[Row]:
        for number in range(self.users):
            at, id = self.user(number)
            value = self.user_id(number)
            yield self.app, True, user_id_digest(value), id, id, value, search_key(value), at

    def _history(self) -> Iterator[Row]:
        by = _id("key", self.at, 0)
        for number in range(self.users):
            at, id = self.user(number)
            after = WRITTEN % (self.user_id(number), self.email(number), self.name(number))
            request = _id("", at, number)[1:]
            what = at, Event.CREATED.value, RULE, by, request, None, after
            yield (self.app, id, _id("hst", at, number), *what)

    def _devices(self) -> Iterator[Row]:
        for number in range(self.users):
            at, _ = self.user(number)
            yield self.app, digest(self.device_id(number)), None, False, None, at

    def _sessions(self) -> Iterator[Row]:
        for number in range(0, self.users, LOGGED_IN):
            _, id = self.user(number)
            at, device = self._logged_in_at(number), digest(self.device_id(number))
            secret, user_id = digest(self.token(number)), user_id_digest(self.user_id(number))
            yield self.app, device, secret, user_id, id, id, True, at, at

    def _threads(self) -> Iterator[tuple[int, int]]:
        yield from ((0, thread) for thread in range(self.deep))
        for number in range(self.writers):
            yield from ((self.writer(number), thread) for thread in range(THREADS))

    def _conversations(self) -> Iterator[Row]:
        for number, thread in self._threads():
            _, user = self.user(number)
            updated_at, id = self.conversation(number, thread)
            unread = (0, 1) if number == 0 else (1, MESSAGES - 1)
            messages = sum(unread)
            what = SUBJECT, Status.OPEN.value, messages, *unread, updated_at - 10 * (messages - 1), updated_at
            yield (self.app, id, user, user, digest(self.device_id(number)), *what)

    def _messages(self) -> Iterator[Row]:
        written = itertools.count()
        for number, thread in self._threads():
            _, user = self.user(number)
            updated_at, conversation = self.conversation(number, thread)
            messages = 1 if number == 0 else MESSAGES
            for place in range(1, messages + 1):
                at = updated_at - 10 * (messages - place)
                # The second one is an agent's answer.
                by = (Side.AGENT.value, None, AGENT) if place == 2 else (Side.USER.value, user, None)
                id = _id("msg", at, next(written))
                yield (self.app, conversation, place, id, *by, BODY, True, at)


def _id(kind: str, at: int, number: int) -> str:
    """Make an id as ``new_id`` does, whose random part is another one for each number."""
    mixed = number * 0x9E3779B97F4A7C15 % 2**60
    return f"{kind}_{at:012x}7{mixed % 2**12:03x}8{mixed:015x}"
