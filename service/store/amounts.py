"""How much there is of a user, before it is erased."""

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

from peewee import SQL, Select

from service.store.database import Database
from service.store.tables import (
    Contacts,
    Conversations,
    Events,
    FormerKeys,
    History,
    IdempotencyKeys,
    Messages,
    Purchases,
    Sessions,
    StoreAccounts,
    UserIds,
)
from service.store.webhooks import answered


class AmountStore:
    """How much there is of an app's users."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def exceeds(self, limit: int, users: Sequence[str], told: Sequence[str]) -> bool:
        """Return whether more than so many rows of what there may be much of change when these users are
        erased; ``told`` are these and all who were ever one with them. It is one question, and looks no
        further than that."""
        others = [id for id in told if id not in users]
        there = [
            self._rows(table, column.in_(users))
            for table, column in (
                (Sessions, Sessions.user),
                (UserIds, UserIds.user),
                (StoreAccounts, StoreAccounts.user),
                (Contacts, Contacts.home),
                (IdempotencyKeys, IdempotencyKeys.home),
                (FormerKeys, FormerKeys.user),
                (Conversations, Conversations.user),
            )
        ]
        says = History.before.is_null(False) | History.after.is_null(False)
        accounts = self._rows(StoreAccounts, StoreAccounts.user.in_(users), StoreAccounts.digest)
        there += [
            self._rows(Purchases, Purchases.account.in_(accounts)),
            self._rows(Messages, Messages.conversation.in_(self._conversations(users))),
            self._rows(
                Messages, Messages.conversation.in_(self._conversations(others)) & Messages.author.in_(users)
            ),
            self._rows(History, History.user.in_(users) & says),
            self._rows(Events, Events.user.in_(told) & Events.data.is_null(False)),
            answered(self._app, told, SQL("1")),
        ]
        found = reduce(operator.add, there).cte("found", columns=("one",))
        some = Select([found], [found.c.one]).limit(limit + 1).with_cte(found)
        return len(self._database.rows(some)) > limit

    def _conversations(self, users: Sequence[str]) -> Any:
        return self._rows(Conversations, Conversations.user.in_(users), Conversations.id)

    def _rows(self, table: Any, which: Any, *columns: Any) -> Any:
        return table.select(*(columns or (SQL("1"),))).where((table.app == self._app) & which)
