"""Open the store that the settings name: its database, with the journal, and its place for files."""

from service.config import Config
from service.files import open_files
from service.store import Store
from service.store.database import TIMEOUT, Database
from service.store.journal import Journal


def open_store(config: Config, timeout: float = TIMEOUT) -> Store:
    """Return the store of the settings, where a question may take so many seconds. Raises BadSettings for a
    malformed DATABASE_URL, and if the journal cannot be written."""
    journal = Journal(config.journal, config.secret_key)
    journal.require_writable()
    return Store(Database(config.database_url, timeout, journal), open_files(config.files_url))
