"""The database layer: takes and returns values of the model; peewee stays behind it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache, partial

from service.files import Files
from service.files.nowhere import Nowhere
from service.store.all_webhooks import AllWebhooks
from service.store.amounts import AmountStore
from service.store.apps import AllApps, KeyStore
from service.store.attachments import AttachmentStore
from service.store.attributes import AttributeStore
from service.store.comparing import AllComparing, ComparingStore
from service.store.console_sessions import ConsoleSessionStore
from service.store.contacts import ContactStore
from service.store.conversations import ConversationStore
from service.store.database import Database
from service.store.deliveries import DeliveryStore
from service.store.devices import DeviceStore, SessionStore
from service.store.duplicates import DuplicateStore
from service.store.events import EventStore
from service.store.feed import FeedStore
from service.store.fields import FieldStore
from service.store.files import FileStore
from service.store.history import HistoryStore
from service.store.idle import IdleStore
from service.store.imports import ImportStore
from service.store.inbox import InboxStore
from service.store.leftovers import LeftoverStore
from service.store.limits import IdempotencyKeyStore, RateStore
from service.store.logins import LoginStore
from service.store.merges import MergeStore
from service.store.moving import MovingStore
from service.store.newcomers import NewcomerStore
from service.store.operator_sessions import OperatorSessionStore
from service.store.purchases import PurchaseStore
from service.store.search import AllSearches, SearchStore
from service.store.streams import StreamStore
from service.store.users import UserStore
from service.store.webhooks import WebhookStore

# How many apps' stores are kept.
MAX_KEPT = 1000


class Store:
    """One database and a place for files: the apps, how all their webhooks do, how far what happens in
    them is followed, who operates them, and a store of each."""

    def __init__(self, database: Database, files: Files | None = None) -> None:
        self.database = database
        self.apps = AllApps(database)
        self.webhooks = AllWebhooks(database)
        self.searches = AllSearches(database)
        self.comparing = AllComparing(database)
        self.operator_sessions = OperatorSessionStore(database)
        # A request asks for it several times, and all that it holds is its app's id.
        self._of = lru_cache(MAX_KEPT)(partial(AppStore, database, files or Nowhere()))

    def of(self, app_id: str) -> "AppStore":
        """Return the store of an app, whether or not there is such an app."""
        return self._of(app_id)

    def transaction(self) -> AbstractContextManager[None]:
        """Do all or nothing of what is done inside."""
        return self.database.transaction()


class AppStore:
    """All that is kept of one app. Nothing here takes an app's id, so nothing reaches into another app."""

    def __init__(self, database: Database, files: Files, app_id: str) -> None:  # noqa: PLR0915 - of each a line
        self.database = database
        self.app_id = app_id
        self.keys = KeyStore(database, app_id)
        self.users = UserStore(database, app_id)
        self.amounts = AmountStore(database, app_id)
        self.devices = DeviceStore(database, app_id)
        self.sessions = SessionStore(database, app_id)
        self.logins = LoginStore(database, app_id)
        self.conversations = ConversationStore(database, app_id)
        self.inbox = InboxStore(database, app_id)
        self.search = SearchStore(database, app_id)
        self.events = EventStore(database, app_id)
        self.feed = FeedStore(database, app_id)
        self.webhooks = WebhookStore(database, app_id)
        self.deliveries = DeliveryStore(database, app_id)
        self.attachments = AttachmentStore(database, app_id)
        self.files = FileStore(database, files, app_id)
        self.attributes = AttributeStore(database, app_id)
        self.contacts = ContactStore(database, app_id)
        self.duplicates = DuplicateStore(database, app_id)
        self.comparing = ComparingStore(database, app_id)
        self.fields = FieldStore(database, app_id)
        self.idle = IdleStore(database, app_id)
        self.leftovers = LeftoverStore(database, app_id)
        self.merges = MergeStore(database, app_id)
        self.purchases = PurchaseStore(database, app_id)
        self.history = HistoryStore(database, app_id)
        self.idempotency_keys = IdempotencyKeyStore(database, app_id)
        self.rates = RateStore(database, app_id)
        self.streams = StreamStore(database, app_id)
        self.moving = MovingStore(database, app_id)
        self.newcomers = NewcomerStore(database, app_id)
        self.imports = ImportStore(database, app_id)
        self.console_sessions = ConsoleSessionStore(database, app_id)

    def transaction(self) -> AbstractContextManager[None]:
        """Do all or nothing of what is done inside."""
        return self.database.transaction()

    def at_the_end(self, step: Callable[[], None]) -> None:
        """Take a step in this transaction, after all else that is done in it."""
        self.database.at_the_end(step)

    def extend_deadline(self, seconds: int) -> None:
        """Let this transaction last longer than an answer should."""
        self.database.extend_deadline(seconds)
