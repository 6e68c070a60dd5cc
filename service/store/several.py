"""Users who are one with others: what of that which was said of each of them is theirs, and by which emails
they are found. The primary email stands with the user, and each further one with what was said of who is part
of them, from where the way leads up to the user.

Attributes are worked out whenever such a user is read, and written nowhere: a former release, which may serve
still, would leave what was said of one with the other when the two stand apart again.
"""

from collections.abc import Mapping
from typing import Any

from peewee import JOIN, SQL, Select, fn

from service.model.attributes import Attribute, Value, shown
from service.model.errors import StaleState
from service.model.users import Field, emails_of
from service.store.attributes import as_attribute
from service.store.database import Database
from service.store.tables import Attributes, Fields, Users

# The emails beside the primary one, the latest first, and the attributes.
Further = tuple[tuple[str, ...], Mapping[str, Value]]


def further(database: Database, app: str, versions: Mapping[str, int]) -> dict[str, Further]:
    """Return what each of these users, by our id, is known by beside what stands in their row. Raises
    StaleState if one of them is of another version by now."""
    emails: dict[str, set[Field]] = {id: set() for id in versions}
    attributes: dict[str, list[Attribute]] = {id: [] for id in versions}
    now = {}
    for id, now[id], home, email, rank, name, *said in database.rows(_said(app, tuple(versions))):
        emails[id].add(Field(home, "email", email, rank))
        if rank >= 0 and name is not None:
            attributes[id].append(as_attribute(home, name, *said))
    if now != versions:
        raise StaleState
    return {id: (emails_of(emails[id])[1:], shown(attributes[id])) for id in versions}


def is_kept(app: Any, id: Any = Users.id) -> Any:
    """Whether a user of an app is one with others, so that what is said is kept of each."""
    return fn.EXISTS(Fields.select(SQL("1")).where((Fields.app == app) & (Fields.home == id)))


def above(app: Any, condition: Any, name: str = "above") -> Any:
    """Find of whom an email was said that fulfils a condition, and all whom they are part of."""
    said = Users.select(Users.app, Users.id, Users.merged_into).join(Fields, on=_of_home(Users))
    of_whom = said.where((Users.app == app) & condition)
    first = of_whom.cte(name, recursive=True, columns=("app", "id", "merged_into"))
    into = Users.alias("into")
    is_into = (into.app == first.c.app) & (into.id == first.c.merged_into)
    then = into.select(into.app, into.id, into.merged_into).join(first, on=is_into)
    return first.union(then.where(into.app == app))


def ids_of(found: Any, app: Any) -> Any:
    """Select the ids of those who were found by ``above``."""
    return Select([found], [found.c.id]).where(found.c.app == app)


def below(app: str, ids: tuple[str, ...]) -> Any:
    """Select the ids of who is part of these users, also by way of others, without these."""
    users = Users.select(Users.app, Users.id).where((Users.app == app) & Users.merged_into.in_(ids))
    first = users.cte("parts", recursive=True, columns=("app", "id"))
    part = Users.alias("part")
    is_part = (part.app == first.c.app) & (part.merged_into == first.c.id)
    then = part.select(part.app, part.id).join(first, on=is_part)
    found = first.union(then.where(part.app == app))
    return ids_of(found, app).with_cte(found)


def _said(app: str, ids: tuple[str, ...]) -> Any:
    """Select the emails that were said of these users, and of who is part of them, each once for each of the
    attributes that were said of the same one."""
    users = Users.select(Users.app, Users.id.alias("user"), Users.version, Users.id)
    first = users.where((Users.app == app) & Users.id.in_(ids)).cte(
        "below", recursive=True, columns=("app", "user", "version", "id")
    )
    part = Users.alias("part")
    is_part = (part.app == first.c.app) & (part.merged_into == first.c.id)
    then = part.select(part.app, first.c.user, first.c.version, part.id).join(first, on=is_part)
    below = first.union(then.where(part.app == app))
    is_of = (Fields.app == below.c.app) & (Fields.home == below.c.id)
    email = below.c.user, below.c.version, Fields.home, Fields.value, Fields.rank
    attribute = Attributes.name, Attributes.value, Attributes.at, Attributes.rank
    also = (Attributes.app == Fields.app) & (Attributes.home == Fields.home)
    return (
        Fields.select(*email, *attribute)
        .join(below, on=is_of)
        .join(Attributes, JOIN.LEFT_OUTER, on=also, src=Fields)
        .where((Fields.app == app) & (Fields.name == "email"))
        .with_cte(below)
    )


def _of_home(users: Any) -> Any:
    return (Fields.app == users.app) & (Fields.home == users.id)
