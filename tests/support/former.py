"""What a server of the former release does on the migrated schema, while a deploy rolls: the same as ours,
but that it knows nothing of some columns, and of some tables."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.store import Store
from service.store.tables import (
    Attachments,
    Contacts,
    Dismissals,
    DuplicateKeys,
    Duplicates,
    Events,
    Fields,
    Users,
)

UNKNOWN = (Contacts, Events, DuplicateKeys, Duplicates, Dismissals)


@contextmanager
def as_the_former_release(store: Store, app: str) -> Iterator[None]:
    """Have whatever is done inside leave an app's contacts and events, what users show by name, by what their
    emails find them, by what they are compared, and what they sent before they wrote, as that was."""
    database = store.database
    shown = dict(database.rows(Users.select(Users.id, Users.attributes).where(Users.app == app)))
    unknown = {table: database.rows(table.select().where(table.app == app)) for table in UNKNOWN}
    first = Attachments.select().where((Attachments.app == app) & Attachments.conversation.is_null())
    unknown[Attachments] = database.rows(first)
    columns = Fields.home, Fields.name, Fields.key
    keys = {
        (home, name): key
        for home, name, key in database.rows(Fields.select(*columns).where(Fields.app == app))
    }
    yield
    for (id,) in database.rows(Users.select(Users.id).where(Users.app == app)):
        mine = (Users.app == app) & (Users.id == id)
        database.change(Users.update(attributes=shown.get(id)).where(mine))
    for table, rows in unknown.items():
        if table is not Attachments:
            database.change(table.delete().where(table.app == app))
        names = [field.name for field in table._meta.sorted_fields]
        for row in rows:
            database.put(table, [dict(zip(names, row, strict=True))])
    for home, name in database.rows(Fields.select(Fields.home, Fields.name).where(Fields.app == app)):
        theirs = (Fields.app == app) & (Fields.home == home) & (Fields.name == name)
        database.change(Fields.update(key=keys.get((home, name))).where(theirs))
