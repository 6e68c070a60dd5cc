"""The database layer: takes and returns values of the model; peewee stays behind it."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.store.apps import AppStore, KeyStore
from service.store.attributes import AttributeStore
from service.store.console_sessions import ConsoleSessionStore
from service.store.conversations import ConversationStore
from service.store.database import Database
from service.store.devices import DeviceStore, SessionStore
from service.store.fields import FieldStore
from service.store.history import HistoryStore
from service.store.limits import IdempotencyKeyStore, RateStore
from service.store.merges import MergeStore
from service.store.purchases import PurchaseStore
from service.store.users import UserStore


class Store:
    """All that is kept, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.apps = AppStore(database)
        self.keys = KeyStore(database)
        self.users = UserStore(database)
        self.devices = DeviceStore(database)
        self.sessions = SessionStore(database)
        self.conversations = ConversationStore(database)
        self.attributes = AttributeStore(database)
        self.fields = FieldStore(database)
        self.merges = MergeStore(database)
        self.purchases = PurchaseStore(database)
        self.history = HistoryStore(database)
        self.idempotency_keys = IdempotencyKeyStore(database)
        self.rates = RateStore(database)
        self.console_sessions = ConsoleSessionStore(database)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing of what is done inside."""
        with self.database.transaction():
            yield

    def extend_deadline(self, seconds: int) -> None:
        """Let this transaction last longer than an answer should."""
        self.database.extend_deadline(seconds)
