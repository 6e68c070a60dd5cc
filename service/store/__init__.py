"""The database layer: takes and returns values of the model; peewee stays behind it."""

from contextlib import AbstractContextManager
from functools import lru_cache, partial

from service.store.apps import AllApps, KeyStore
from service.store.attributes import AttributeStore
from service.store.console_sessions import ConsoleSessionStore
from service.store.conversations import ConversationStore
from service.store.database import Database
from service.store.devices import DeviceStore, SessionStore
from service.store.fields import FieldStore
from service.store.history import HistoryStore
from service.store.limits import IdempotencyKeyStore, RateStore
from service.store.logins import LoginStore
from service.store.merges import MergeStore
from service.store.purchases import PurchaseStore
from service.store.users import UserStore

# How many apps' stores are kept.
MAX_KEPT = 1000


class Store:
    """One database: the apps, and a store of each."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.apps = AllApps(database)
        # A request asks for it several times, and all that it holds is its app's id.
        self._of = lru_cache(MAX_KEPT)(partial(AppStore, database))

    def of(self, app_id: str) -> "AppStore":
        """Return the store of an app, whether or not there is such an app."""
        return self._of(app_id)

    def transaction(self) -> AbstractContextManager[None]:
        """Do all or nothing of what is done inside."""
        return self.database.transaction()


class AppStore:
    """All that is kept of one app. Nothing here takes an app's id, so nothing reaches into another app."""

    def __init__(self, database: Database, app_id: str) -> None:
        self.database = database
        self.app_id = app_id
        self.keys = KeyStore(database, app_id)
        self.users = UserStore(database, app_id)
        self.devices = DeviceStore(database, app_id)
        self.sessions = SessionStore(database, app_id)
        self.logins = LoginStore(database, app_id)
        self.conversations = ConversationStore(database, app_id)
        self.attributes = AttributeStore(database, app_id)
        self.fields = FieldStore(database, app_id)
        self.merges = MergeStore(database, app_id)
        self.purchases = PurchaseStore(database, app_id)
        self.history = HistoryStore(database, app_id)
        self.idempotency_keys = IdempotencyKeyStore(database, app_id)
        self.rates = RateStore(database, app_id)
        self.console_sessions = ConsoleSessionStore(database, app_id)

    def transaction(self) -> AbstractContextManager[None]:
        """Do all or nothing of what is done inside."""
        return self.database.transaction()

    def extend_deadline(self, seconds: int) -> None:
        """Let this transaction last longer than an answer should."""
        self.database.extend_deadline(seconds)
