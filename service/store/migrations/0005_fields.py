"""What was last said of each of those who are one person.

Of those who are one already it is not known what was said of whom since: what is shown, and no merge filled
in, is the survivor's.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from peewee import Database, Table
from playhouse.migrate import SchemaMigrator

FIELDS = """
CREATE TABLE "fields" (
    "app" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "value" TEXT,
    "rank" INTEGER NOT NULL,
    PRIMARY KEY ("app", "home", "name"),
    FOREIGN KEY ("app", "home") REFERENCES "users" ("app", "id")
)
"""


class Said(NamedTuple):
    """What was said of a user; "" where it was removed, None where nothing was. ``hidden`` is what is never
    shown, as nobody proved it of somebody who was proven to be."""

    home: str
    value: str | None
    hidden: bool = False


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the table, and fill it for those who are one."""
    db.execute_sql(FIELDS)
    apps = Table("apps").bind(db)
    for (app,) in apps.select(apps.c.app).order_by(apps.c.created_at, apps.c.app).tuples().execute():
        _fill(db, app)


def _fill(db: Database, app: str) -> None:
    merges = _standing(db, app)
    if not merges:
        return
    users, fields = Table("users").bind(db), Table("fields").bind(db)
    ids = {id for source, target, _ in merges for id in (source, target)}
    columns = users.c.id, users.c.email, users.c.name, users.c.verified, users.c.user_id
    rows = users.select(*columns).where((users.c.app == app) & users.c.id.in_(ids)).tuples().execute()
    people = {
        id: {"email": email, "name": name, "proven": _is_proven(*who)} for id, email, name, *who in rows
    }
    for name in ("email", "name"):
        for ranked in _ranked(name, people, merges):
            hidden = sum(said.hidden for said in ranked)
            ordered = sorted(ranked, key=lambda said: not said.hidden)
            columns = fields.c.app, fields.c.home, fields.c.name, fields.c.value, fields.c.rank
            fields.insert(
                [
                    dict(zip(columns, (app, said.home, name, said.value, place - hidden), strict=True))
                    for place, said in enumerate(ordered)
                ]
            ).execute()


def _standing(db: Database, app: str) -> list[tuple[str, str, str]]:
    """Return the merges that were not undone, the oldest first: source, target and ledger."""
    merges, users = Table("merges").bind(db), Table("users").bind(db)
    return list(
        merges.select(merges.c.source, merges.c.target, merges.c.ledger)
        .join(users, on=((users.c.app == merges.c.app) & (users.c.id == merges.c.source)))
        .where((merges.c.app == app) & merges.c.undone_at.is_null())
        .where((users.c.merged_into == merges.c.target) & users.c.erased_at.is_null())
        .order_by(merges.c.id)
        .tuples()
        .execute()
    )


def _is_proven(verified: bool, user_id: str | None) -> bool:
    """Whether somebody is of the world of those who were proven; a device's anonymous user is."""
    return bool(verified) or (user_id or "").startswith("$")


def _ranked(
    name: str, people: dict[str, Any], merges: Sequence[tuple[str, str, str]]
) -> Iterator[list[Said]]:
    """Say of all who are one person what was said of each, what is shown last."""
    filled = {(target, json.loads(ledger)["filled"].get(name)) for _, target, ledger in merges}
    trees = {
        id: [Said(id, None if (id, person[name]) in filled else person[name])]
        for id, person in people.items()
    }
    for source, target, _ in merges:
        goes, stays = trees.pop(source), trees.pop(target)
        parks = people[target]["proven"] and not people[source]["proven"]
        if parks:
            goes = [said._replace(hidden=True) for said in goes]
        fills = _shown(stays) is None and _shown(goes) is not None
        trees[target] = stays + goes if fills else goes + stays
    for id, tree in trees.items():
        if _shown(tree) == people[id][name]:
            yield tree
        else:
            yield [said for said in tree if said.home != id] + [Said(id, people[id][name] or "")]


def _shown(tree: list[Said]) -> str | None:
    said = [said.value for said in tree if said.value is not None and not said.hidden]
    return (said[-1] or None) if said else None
