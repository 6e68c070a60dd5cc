"""Who vouched for what happened; and what nobody vouched for goes to the world of those who only claim.

Until now RevenueCat's calls with a publishable key, and a session's word about a store account, acted in the
proven world. The history tells which they were, as long as their key is there: only those write such lines.
What it tells is sorted here:

- Whom only such calls made goes to the unproven world, with IDs, accounts and purchases, and out of whoever
  took them in; so does what such calls gave to somebody who was proven.
- A visitor whom such a call named, or joined with somebody, is a visitor again. Where a device that proved
  nothing was verified by a merge, it is logged out.
- What can't be told apart stays, and is listed by ``check``: two who were proven and whom such a call made
  one, and what a key did that is gone.
"""

import json
import operator
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property, reduce
from hashlib import sha256
from typing import Any, NamedTuple

import uuid_utils
from peewee import Database, Table, fn
from playhouse.migrate import SchemaMigrator

COLUMN = 'ALTER TABLE "history" ADD COLUMN "proven" BOOLEAN'

TABLES = (
    "keys",
    "users",
    "user_ids",
    "devices",
    "sessions",
    "messages",
    "conversations",
    "store_accounts",
    "purchases",
    "attributes",
    "fields",
    "merges",
    "history",
)
VISITOR, CLIENT_MADE = "$anon:", "$RCAnonymousID:"
# Events that tell of somebody who vouched for a user, where anybody did.
TELLING = ("created", "user-id-attached", "alias-added", "email-changed", "name-changed", "purchase")
# The rules by which RevenueCat's calls join two.
JOINING = ("merge-once", "alias", "anonymous-owner", "restore", "shared-purchase")


class Account(NamedTuple):
    """A store account."""

    digest: str
    user: str
    home: str
    store: str
    account: str
    claimed_at: int


class Line(NamedTuple):
    """A line of the history."""

    user: str
    id: str
    at: int
    event: str
    rule: str | None
    by: str
    before: dict[str, Any]
    after: dict[str, Any]


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the column, fill it, and sort what is there, one app after the other."""
    db.execute_sql(COLUMN)
    apps = Table("apps").bind(db)
    for (app,) in list(apps.select(apps.c.app).order_by(apps.c.created_at, apps.c.app).tuples().execute()):
        rows = Rows(db, app)
        mark(rows)
        Sorting(rows).sort()


class Rows:
    """The rows of one app."""

    def __init__(self, db: Database, app: str) -> None:
        self.app, self.at = app, int(time.time() * 1000)
        self._tables = {name: Table(name).bind(db) for name in TABLES}

    def c(self, name: str) -> Any:
        """Return the columns of a table, to write conditions with."""
        return self._tables[name].c

    def query(self, name: str, columns: str, where: Any = None) -> Any:
        """Ask for these columns of the rows that a condition fits, or of all, each once."""
        table = self._tables[name]
        query = table.select(*(getattr(table.c, column) for column in columns.split()))
        return query.where(self._mine(name, where)).distinct()

    def select(self, name: str, columns: str, where: Any = None) -> list[Any]:
        """Return what ``query`` asks for."""
        return list(self.query(name, columns, where).tuples().execute())

    def update(self, name: str, where: Any, /, **values: Any) -> None:
        """Change the rows that a condition fits."""
        self._tables[name].update(self._columns(name, values)).where(self._mine(name, where)).execute()

    def delete(self, name: str, where: Any) -> None:
        """Delete the rows that a condition fits."""
        self._tables[name].delete().where(self._mine(name, where)).execute()

    def insert(self, name: str, /, **values: Any) -> None:
        """Add a row."""
        self._tables[name].insert(self._columns(name, {"app": self.app} | values)).execute()

    def note(self, user: str, event: str, before: Any, after: Any) -> None:
        """Write a line of a user's history."""
        what = {"event": event, "rule": None, "by": "migration", "request": "", "proven": True}
        said = {"before": before and json.dumps(before), "after": after and json.dumps(after)}
        self.insert("history", user=user, id=new_id("hst"), at=self.at, **what, **said)

    def lines(self, where: Any) -> list[Line]:
        """Return lines of the history, the oldest first."""
        found = self.select("history", "user id at event rule by before after", where)
        read = [
            Line(user, id, at, event, rule, by, json.loads(before or "{}"), json.loads(after or "{}"))
            for user, id, at, event, rule, by, before, after in found
        ]
        return sorted(read, key=lambda line: line.id)

    def _columns(self, name: str, values: dict[str, Any]) -> dict[Any, Any]:
        return {getattr(self.c(name), column): value for column, value in values.items()}

    def _mine(self, name: str, where: Any) -> Any:
        mine = self.c(name).app == self.app
        return mine if where is None else mine & where


def new_id(prefix: str) -> str:
    """Make an id as ours are."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


# --- who vouched for what --------------------------------------------------------------------------------


def mark(rows: Rows) -> None:
    """Say of each line whether it was vouched for: no of what a public call did, and of what can't be told
    nothing."""
    c, kinds = rows.c("history"), dict(rows.select("keys", "id kind"))
    gone = {by for (by,) in rows.select("history", "by")} - kinds.keys() - {"session", "retention"}
    secret = {id for id, kind in kinds.items() if kind == "secret"} | _secret(rows, gone)
    others = c.by.in_([*((kinds.keys() | gone) - secret)])
    rows.update("history", c.by.in_([*secret, "retention"]), proven=True)
    rows.update("history", c.by == "session", proven=False)
    rows.update("history", (c.by == "session") & (c.rule == "alias"), proven=True)
    # A login with a publishable key made whom it made, or changed, by a proof, unless they are unproven.
    rows.update("history", others, proven=False)
    proven = rows.query("users", "id", rows.c("users").verified)
    rows.update("history", others & c.user.in_(proven), proven=True)
    rows.update("history", others & (c.rule == "anonymous"), proven=False)
    public = others & _is_public(c)
    rows.update("history", public, proven=False)
    rows.update("history", public & c.by.in_([*gone]), proven=None)
    _forget_whose(rows)


def _secret(rows: Rows, keys: Iterable[str]) -> set[str]:
    """Return which of some keys that are gone were secret ones."""
    c = rows.c("history")
    corrects = c.rule.is_null() & c.event.in_(("email-changed", "name-changed"))
    told = c.by.in_(list(keys)) & ((c.rule == "explicit") | c.event.in_(("erased", "unmerged")) | corrects)
    return {by for (by,) in rows.select("history", "by", told)}


def _is_public(c: Any) -> Any:
    """Whether one of RevenueCat's calls wrote a line that a publishable key did. A login, when it makes
    somebody, writes an email and a name down too, and what it attaches an ID to had none."""
    return reduce(
        operator.or_,
        [
            (c.event == "created") & ~c.after.contains(', "email": '),
            (c.event == "user-id-attached") & ((c.rule == "alias") | c.before.contains('"userId": "')),
            (c.event == "merged") & c.rule.in_(JOINING),
            c.event.in_(("alias-added", "purchase", "attributes-changed")),
        ],
    )


def _set(rows: Rows, line: Line, proven: bool | None) -> None:
    c = rows.c("history")
    rows.update("history", (c.user == line.user) & (c.id == line.id), proven=proven)


def _forget_whose(rows: Rows) -> None:
    """What a login said of two who were one, and are two again, may have been said of either."""
    c, users, merges = rows.c("history"), rows.c("users"), rows.c("merges")
    undone = rows.select("merges", "source target created_at undone_at", merges.undone_at.is_null(False))
    for source, target, begun, ended in undone:
        [(user_id,)] = rows.select("users", "user_id", users.id == source)
        if not (user_id or "").startswith(VISITOR):
            said = c.event.in_(("email-changed", "name-changed")) & c.rule.is_null(False)
            rows.update("history", said & (c.user == target) & c.at.between(begun, ended), proven=None)


# --- sorting ---------------------------------------------------------------------------------------------


class Sorting:
    """What public calls did in one app, and what becomes of it."""

    def __init__(self, rows: Rows) -> None:
        self.rows, c, lines = rows, rows.c("users"), rows.c("history")
        was_proven = rows.query("users", "id", c.verified | _begins(c.user_id, CLIENT_MADE))
        visitors = rows.query("users", "id", ~c.verified & _begins(c.user_id, VISITOR))
        of_visitors = lines.event.in_(("purchase", "attributes-changed")) & lines.user.in_(visitors)
        self.public = rows.lines(~lines.proven & (lines.user.in_(was_proven) | of_visitors))
        told = rows.query("history", "user", lines.proven & (lines.event == "created"))
        by_backend = _begins(c.user_id, CLIENT_MADE) & c.erased_at.is_null() & c.id.in_(told)
        self.of_backend = [id for (id,) in rows.select("users", "id", by_backend)]
        is_idle = not self.public and not self.of_backend
        users = (
            () if is_idle else rows.select("users", "id user_id verified merged_into", c.erased_at.is_null())
        )
        self.into = {id: into for id, _, _, into in users}
        self.parts: dict[str, list[str]] = defaultdict(list)
        for id, into in self.into.items():
            self.parts[into or ""].append(id)
        self.primary = {id: user_id for id, user_id, _, _ in users}
        self.verified = {id for id, _, verified, _ in users if verified}
        self.public = [line for line in self.public if line.user in self.into]
        self.lines_of: dict[str, list[Line]] = defaultdict(list)
        for line in self.public:
            self.lines_of[line.user].append(line)
        self.made = {line.user for line in self._acts("created")}
        self.given: dict[str, list[str]] = defaultdict(list)
        given = () if is_idle else rows.select("user_ids", "added_at digest home value")
        for _, _, home, value in sorted(given):
            self.given[home].append(value)
        self.twins: dict[str, str] = {}

    def sort(self) -> None:
        """Sort it."""
        for line in reversed(self._acts("merged")):
            self._look_at_merge(line)
        self._release_visitors()
        for root in {self._root(line.user) for line in self._acts("created")}:
            if all(map(self._is_public, self._tree(root))):
                self._move(root)
        self._prove_those_of_the_backend()
        self._prove_those_whom_the_backend_joined()
        for user in self.lines_of:
            if user in self.verified or self._is_visitor(user):
                self._take_away(user)
        self._keep_apart()

    def _release_visitors(self) -> None:
        """Make those visitors again who were somebody by a public call or a merge alone."""
        for line in self._acts("alias-added"):
            if self._is_visitor(line.user):
                self._take_id(line.user, line.after["userId"])
        for line in self._acts("user-id-attached"):
            if (line.before.get("userId") or "").startswith(VISITOR):
                self._release(line)
        for user in self.made & self.verified:
            if self._is_visitor(user) and not self._is_named(user):
                # Only a merge made them somebody.
                self.rows.delete("sessions", self.rows.c("sessions").home == user)
                if (self.primary[user] or "").startswith(VISITOR) and not self.parts[user]:
                    self._make_nobody(user)

    def _acts(self, event: str) -> list[Line]:
        return [line for line in self.public if line.event == event]

    def _root(self, user: str) -> str:
        return self._root(self.into[user]) if self.into.get(user) else user

    def _tree(self, user: str) -> list[str]:
        return [user, *(below for part in self.parts[user] for below in self._tree(part))]

    def _is_visitor(self, user: str) -> bool:
        """Whether somebody began as a device's anonymous user."""
        return any(value.startswith(VISITOR) for value in self.given.get(user, ()))

    def _is_named(self, user: str) -> bool:
        """Whether somebody was given an ID that is not an anonymous one."""
        return any(not value.startswith((VISITOR, CLIENT_MADE)) for value in self.given.get(user, ()))

    def _is_public(self, user: str) -> bool:
        """Whether only public calls ever made somebody."""
        return user in self.made and not self._is_visitor(user) and user not in self._vouched_for

    @cached_property
    def _vouched_for(self) -> set[str]:
        """Those whom the backend or a proof told of, or whose session or message was verified."""
        rows, c, messages = self.rows, self.rows.c("history"), self.rows.c("messages")
        told = rows.select("history", "user", c.proven & c.event.in_(TELLING))
        wrote = rows.select("messages", "author", messages.verified & messages.author.is_null(False))
        came = rows.select("sessions", "home", rows.c("sessions").verified)
        return {user for (user,) in (*told, *wrote, *came)}

    @cached_property
    def _merges(self) -> dict[str, str]:
        """The merges that stand, by who became part of another."""
        stands = self.rows.c("merges").undone_at.is_null()
        return dict(self.rows.select("merges", "source id", stands))

    @cached_property
    def _accounts_of(self) -> dict[str, list[Account]]:
        """The accounts by who brought them."""
        found: dict[str, list[Account]] = defaultdict(list)
        for account in self._accounts(None):
            found[account.home].append(account)
        return found

    @cached_property
    def _bought(self) -> dict[str, set[str]]:
        """What was bought under each account."""
        bought: dict[str, set[str]] = defaultdict(set)
        for id, account in self.rows.select("purchases", "id account"):
            bought[account].add(id)
        return bought

    @cached_property
    def _account_of(self) -> dict[str | None, Account]:
        """The account of each purchase."""
        accounts = {one.digest: one for theirs in self._accounts_of.values() for one in theirs}
        bought = ((id, accounts.get(digest)) for digest, ids in self._bought.items() for id in ids)
        return {id: account for id, account in bought if account is not None}

    @cached_property
    def _told(self) -> set[str | None]:
        """The purchases that somebody who is believed told of."""
        c = self.rows.c("history")
        return {line.after.get("purchase") for line in self.rows.lines(c.proven & (c.event == "purchase"))}

    def _release(self, line: Line) -> None:
        """Make a visitor whom a public call gave an ID a visitor again; whoever came by that
        ID since is somebody else."""
        user, rows, c = line.user, self.rows, self.rows.c("sessions")
        self._take_id(user, line.after["userId"])
        if self._is_named(user):
            c = rows.c("history")
            if rows.select("history", "id", (c.user == user) & c.proven & (c.event == "alias-added")):
                # Who began as a visitor is somebody by that.
                rows.update("history", (c.user == user) & (c.event == "created"), proven=True)
            return
        parts = [self.primary[part] or "" for part in self._tree(user)]
        if not all(primary.startswith((VISITOR, CLIENT_MADE)) for primary in parts):
            # Somebody who is part of them is identified; a person decides who they are.
            rows.delete("sessions", c.home == user)
            return
        self._make_nobody(user)
        began = rows.select("sessions", "device", (c.home == user) & (c.began_at <= line.at))
        device = began[0][0] if began else self._first_device(user, line.at)
        self._part(user, line, device)
        if self.into[user]:
            return
        rows.delete("sessions", (c.user == user) & (c.device != device))
        rows.update("sessions", c.user == user, verified=False)
        devices = rows.c("devices")
        rows.update("devices", (devices.digest == device) & devices.anonymous.is_null(), anonymous=user)

    def _make_nobody(self, user: str) -> None:
        """Make somebody an anonymous user, who has no email, whoever said one."""
        users, fields = self.rows.c("users"), self.rows.c("fields")
        self.verified.discard(user)
        self.rows.update("users", users.id == user, verified=False, email=None, email_key=None)
        self.rows.update("fields", (fields.home == user) & (fields.name == "email"), value=None)

    def _first_device(self, user: str, before: int) -> str:
        """Return the device on which a visitor began something before a time, if they did."""
        c = self.rows.c("conversations")
        was_there = (c.home == user) & (c.created_at <= before) & c.device.is_null(False)
        return min(self.rows.select("conversations", "created_at device", was_there), default=(0, ""))[1]

    def _part(self, user: str, line: Line, device: str) -> None:
        """Give what came since to a visitor, by an ID that a public call gave them, to somebody of their own
        who has that ID: what was begun on another device, or by an agent, and what was said or bought."""
        rows, c, lines = self.rows, self.rows.c("conversations"), self.rows.c("history")
        elsewhere = c.device.is_null() | (c.device != device)
        theirs = (c.home == user) & (c.created_at > line.at) & elsewhere
        begun = [id for (id,) in rows.select("conversations", "id", theirs)]
        since = (lines.user == user) & (lines.id > line.id) & lines.proven
        said = since & lines.event.in_(("email-changed", "name-changed", "purchase"))
        told = rows.lines(said)
        shown = {name: self._said_since(told, name) for name in ("email", "name")}
        fields, users = rows.c("fields"), rows.c("users")
        if shown["name"]:
            rows.update("users", users.id == user, name=None, name_key=None)
            rows.update("fields", (fields.home == user) & (fields.name == "name"), value=None)
        if not (begun or told):
            return
        other = self._make(line.after["userId"], **shown)
        rows.update("history", said, user=other)
        rows.update("conversations", c.id.in_(begun), user=other, home=other)
        messages = rows.c("messages")
        rows.update("messages", messages.conversation.in_(begun) & (messages.author == user), author=other)
        bought = {entry.after.get("purchase") for entry in told} - {None}
        accounts = rows.c("store_accounts")
        for account in self._accounts(accounts.home == user):
            if self._bought[account.digest] & bought:
                rows.update("store_accounts", accounts.digest == account.digest, user=other, home=other)

    def _make(self, user_id: str, *, email: str | None, name: str | None) -> str:
        """Make somebody proven who has an ID that nobody has."""
        user = new_id("usr")
        keys = {"email_key": email and _lowered(email), "name_key": name and name.casefold()[:255]}
        who = {"user_id": user_id, "email": email, "name": name, "verified": True, **keys}
        self.rows.insert("users", id=user, created_at=self.rows.at, **who)
        self.into[user], self.primary[user] = None, user_id
        self.verified.add(user)
        self._give(user, user, user_id, is_proven=True)
        self.rows.note(user, "created", None, {"userId": user_id})
        return user

    def _said_since(self, told: Sequence[Line], member: str) -> str | None:
        said = [line.after[member] for line in told if member in line.after]
        return said[-1] if said else None

    def _look_at_merge(self, line: Line) -> None:
        """Undo a merge of somebody who was vouched for and somebody whom only public calls made, and that of
        a visitor."""
        source, target = line.after.get("from", ""), line.user
        stands = self.into.get(source) == target and self._merges.get(source) == line.after["merge"]
        if not stands or line.rule == "merge":
            # A login without proof takes in the visitor of its own device.
            return
        goes = self._tree(source)
        stays = [user for user in self._tree(target) if user not in goes]
        differ = all(map(self._is_public, goes)) is not all(map(self._is_public, stays))
        if (differ or self._is_visitor(source)) and self._is_room(source, goes, self._root(target)):
            self._undo(line.after["merge"], source, target, goes)

    def _is_room(self, source: str, goes: Sequence[str], root: str) -> bool:
        """Whether two can stand apart beside everybody else; else a person decides."""
        stays = [user for user in self._tree(root) if user not in goes]
        nameless = []
        for user, tree in ((source, goes), (root, stays)):
            email = self._said_of(tree).get("email")
            if self._primary_of(user, tree) is None:
                nameless.append((user in self.verified, email and _lowered(email)))
        c = self.rows.c("users")
        is_one = c.user_id.is_null() & c.merged_into.is_null() & c.erased_at.is_null()
        others = is_one & c.id.not_in((source, root))
        return len(set(nameless)) == len(nameless) and all(
            key and not self.rows.select("users", "id", others & (c.email_key == key) & (c.verified == world))
            for world, key in nameless
        )

    def _primary_of(self, user: str, tree: Sequence[str]) -> str | None:
        """Say which is the primary one of the IDs that were given to some who are one person."""
        ids = [value for home in tree for value in self.given[home]]
        named = [value for value in ids if not value.startswith((VISITOR, CLIENT_MADE))]
        kept = [value for value in ids if value == self.primary[user]]
        return next(
            iter([*(kept if kept and kept[0] in named else ()), *named, *kept, *self.given[user]]), None
        )

    def _said_of(self, tree: Sequence[str]) -> dict[str, str | None]:
        """Return what was said last of those who are one person, by name."""
        c = self.rows.c("fields")
        said = self.rows.select("fields", "rank name value", c.home.in_(tree) & c.value.is_null(False))
        return {name: value or None for rank, name, value in sorted(said) if rank >= 0}

    def _undo(self, merge: str, source: str, target: str, goes: list[str]) -> None:
        rows, root = self.rows, self._root(target)
        self.into[source] = None
        self.parts[target].remove(source)
        for table in ("user_ids", "conversations", "store_accounts"):
            c = rows.c(table)
            rows.update(table, (c.user == root) & c.home.in_(goes), user=source)
        c = rows.c("sessions")
        rows.delete("sessions", (c.user == root) & c.home.in_(goes))
        [(ledger,)] = rows.select("merges", "ledger", rows.c("merges").id == merge)
        devices = rows.c("devices")
        for device, user in json.loads(ledger)["devices"]:
            rows.update("devices", (devices.digest == device) & devices.anonymous.is_null(), anonymous=user)
        rows.update("merges", rows.c("merges").id == merge, undone_at=rows.at)
        rows.update("users", rows.c("users").id == source, merged_into=None)
        self._show(source, goes)
        self._show(root, self._tree(root))
        rows.note(source, "unmerged", {"into": target}, {"merge": merge})
        rows.note(target, "unmerged", {"from": source}, {"merge": merge})

    def _show(self, user: str, tree: list[str]) -> None:
        """Show of somebody what was said last of those who are part of them still."""
        rows, c = self.rows, self.rows.c("fields")
        shown, self.primary[user] = self._said_of(tree), self._primary_of(user, tree)
        email, name = shown.get("email"), shown.get("name")
        rows.update(
            "users",
            rows.c("users").id == user,
            user_id=self.primary[user],
            email=email,
            email_key=email and _lowered(email),
            name=name,
            name_key=name and name.casefold()[:255],
        )
        if len(tree) == 1:
            rows.delete("fields", c.home == user)

    def _move(self, root: str) -> None:
        """Move all who are one person to the unproven world."""
        rows, tree = self.rows, self._tree(root)
        for home in tree:
            for user_id in list(self.given.get(home, ())):
                claimant = self._claimant(user_id)
                if claimant not in (None, root):
                    self._hand_over(home, claimant or "")
                    self._take_id(home, user_id)
        rows.update("users", rows.c("users").id.in_(tree), verified=False)
        rows.update("user_ids", rows.c("user_ids").user == root, verified=False)
        self.verified -= set(tree)

    def _hand_over(self, home: str, claimant: str) -> None:
        """Give what somebody has who only claims to whoever claimed to have the same ID before."""
        rows, accounts = self.rows, self.rows.c("store_accounts")
        rows.update("store_accounts", accounts.home == home, user=claimant, home=claimant)
        self._describe(claimant, rows.c("attributes").home == home)

    def _describe(self, user: str, said: Any) -> None:
        """Make attributes somebody's, who may have been described by the same names already."""
        rows, c = self.rows, self.rows.c("attributes")
        rows.delete("attributes", said & c.name.in_(rows.query("attributes", "name", c.home == user)))
        rows.update("attributes", said, home=user)

    def _prove_those_of_the_backend(self) -> None:
        """Move an anonymous user whom the backend made by RevenueCat's calls to the proven world."""
        for user in self.of_backend:
            self._prove(user)

    def _prove_those_whom_the_backend_joined(self) -> None:
        """Move an anonymous user whom the backend made part of somebody proven to the proven world."""
        rows, c = self.rows, self.rows.c("history")
        parts = [user for user in self.made if self.into[user] and user not in self.verified]
        into = {self.into[user] for user in parts}
        joined = rows.lines(c.proven & (c.event == "merged") & c.user.in_([*into])) if into else ()
        told = {line.after.get("merge") for line in joined}
        for user in parts:
            if self._merges.get(user) in told:
                self._prove(user)

    def _prove(self, user: str) -> None:
        root = self._root(user)
        if not (self.primary[user] or "").startswith(CLIENT_MADE) or not (
            root == user or root in self.verified
        ):
            return
        self.verified.add(user)
        self.rows.update("users", self.rows.c("users").id == user, verified=True)
        self.rows.update("user_ids", self.rows.c("user_ids").home == user, verified=True)

    def _take_away(self, user: str) -> None:
        """Move what public calls gave to somebody who was proven to whoever only claims to be them."""
        rows, mine = self.rows, self.lines_of[user]
        given = {line.after.get("userId") for line in mine}
        for line in mine:
            if line.event == "alias-added" and line.after["userId"] in self.given[user]:
                self._take_id(user, line.after["userId"])
            elif line.event in ("created", "user-id-attached") and not self._is_visitor(user):
                # Somebody was vouched for who has this ID.
                _set(rows, line, True)
        for user_id in list(self.given.get(user, ())):
            if user_id.startswith(CLIENT_MADE) and user_id in given and user_id != self.primary[user]:
                self._take_id(user, user_id)
        public = {line.after.get("purchase") for line in mine if line.event == "purchase"}
        # What was bought under the account of a part was written into the survivor's history.
        of_parts = {self._account_of[id] for id in public if id in self._account_of} - {
            *self._accounts_of[user]
        }
        for account in [
            one for one in (*self._accounts_of[user], *of_parts) if one in self._accounts_of[one.home]
        ]:
            if account.home in self.primary and self._is_claimed(account, public):
                self._claim(account, self._twin(account.home), self._twin(account.home))
                self._accounts_of[account.home].remove(account)
        names = [name for line in mine for what in ("set", "removed") for name in line.after.get(what, ())]
        said = (rows.c("attributes").home == user) & rows.c("attributes").name.in_(names)
        if names and rows.select("attributes", "name", said):
            self._describe(self._twin(user), said)

    def _keep_apart(self) -> None:
        """Keep what somebody brought who only claims out of the proven world, and IDs in the world of whom
        they were given to."""
        rows, ids, accounts = self.rows, self.rows.c("user_ids"), self.rows.c("store_accounts")
        proven = rows.query("users", "id", _is_proven(rows.c("users")))
        for account in self._accounts(accounts.home.not_in(proven)):
            self._claim(account, account.user, account.home)
        elsewhere = (ids.verified & ids.home.not_in(proven)) | (~ids.verified & ids.home.in_(proven))
        for home, value in rows.select("user_ids", "home value", (ids.user != ids.home) & elsewhere):
            rows.delete("user_ids", _of(ids, value) & (ids.home == home))
            self._park(home, value)
        self._park_visitors()

    def _park_visitors(self) -> None:
        """Note in the merge that made a visitor part of who only claims that their ID leads nowhere now.
        Until now it was noted in that by which the two became part of another who only claims."""
        rows, merges, users = self.rows, self.rows.c("merges"), self.rows.c("users")
        parking = merges.undone_at.is_null() & merges.ledger.contains('"parked": ["')
        for id, text in rows.select("merges", "id ledger", parking):
            ledger = json.loads(text)
            for user_id in [value for value in ledger["parked"] if value.startswith(VISITOR)]:
                is_theirs = (users.user_id == user_id) & users.merged_into.is_null(False)
                for (home,) in rows.select("users", "id", is_theirs):
                    ledger["parked"].remove(user_id)
                    rows.update("merges", merges.id == id, ledger=json.dumps(ledger))
                    self._park(home, user_id)

    def _park(self, home: str, user_id: str) -> None:
        """Note that an ID leads nowhere while somebody is part of another, in the merge that made them part
        of somebody of the other world."""
        rows, merges, users = self.rows, self.rows.c("merges"), self.rows.c("users")
        source, into = home, home
        worlds: set[bool] = set()
        while into and len(worlds) < 2:
            [(up, verified, user_id_)] = rows.select(
                "users", "merged_into verified user_id", users.id == into
            )
            worlds.add(bool(verified) or (user_id_ or "").startswith(VISITOR))
            source, into = (source if len(worlds) == 2 else into), up
        stands = (merges.source == source) & merges.undone_at.is_null()
        for id, text in rows.select("merges", "id ledger", stands):
            ledger = json.loads(text)
            moved = ledger["moved"]["user_ids"]
            ledger["moved"]["user_ids"] = [value for value in moved if value != user_id]
            ledger["parked"].append(user_id)
            rows.update("merges", merges.id == id, ledger=json.dumps(ledger))

    def _take_id(self, home: str, user_id: str) -> None:
        """Take an ID away from whom it was given to, and end the sessions that may have begun under it."""
        self.given[home] = [value for value in self.given[home] if value != user_id]
        rows, c = self.rows, self.rows.c("user_ids")
        rows.delete("user_ids", _of(c, user_id) & (c.home == home))
        rows.note(home, "user-id-removed", {"userId": user_id}, None)
        if not self._is_visitor(home):
            rows.delete("sessions", rows.c("sessions").home == home)
        for user in {home, self._root(home)}:
            if self.primary[user] == user_id:
                self._choose_another(user)

    def _choose_another(self, user: str) -> None:
        """Choose another primary ID of somebody who lost theirs; who has none, and no email, is somebody whom
        nobody knows."""
        rows, users = self.rows, self.rows.c("users")
        user_id = self._primary_of(user, self._tree(user))
        if user_id is None and not rows.select(
            "users", "id", (users.id == user) & users.email.is_null(False)
        ):
            user_id = CLIENT_MADE + uuid_utils.uuid4().hex
            self._give(user, self._root(user), user_id, is_proven=user in self.verified)
        self.primary[user] = user_id
        rows.update("users", users.id == user, user_id=user_id)

    def _give(self, home: str, user: str, user_id: str, *, is_proven: bool) -> None:
        """Give somebody an ID that nobody has."""
        who = {"user": user, "home": home, "digest": _digest(user_id), "value": user_id}
        search = user_id.casefold()[:255]
        self.rows.insert("user_ids", verified=is_proven, search=search, added_at=self.rows.at, **who)
        self.given[home].append(user_id)

    def _accounts(self, where: Any) -> list[Account]:
        found = self.rows.select(
            "store_accounts",
            "digest user home store account claimed_at",
            self.rows.c("store_accounts").verified & (True if where is None else where),
        )
        return [Account(*row) for row in found]

    def _is_claimed(self, account: Account, public: set[str | None]) -> bool:
        """Whether only public calls told of an account."""
        bought = self._bought[account.digest]
        return (account.store == "revenuecat" or bool(bought & public)) and not bought & self._told

    def _claim(self, account: Account, user: str, home: str) -> None:
        """Make an account one of the unproven world."""
        rows, digest = self.rows, _digest(f"{account.store}\0{account.account}\0unproven")
        kept = {"store": account.store, "account": account.account, "claimed_at": account.claimed_at}
        rows.insert("store_accounts", digest=digest, verified=False, user=user, home=home, **kept)
        rows.update("purchases", rows.c("purchases").account == account.digest, account=digest)
        rows.delete("store_accounts", rows.c("store_accounts").digest == account.digest)

    def _claimant(self, user_id: str) -> str | None:
        """Return who has an ID in the unproven world."""
        c = self.rows.c("user_ids")
        unproven = c.verified == False  # noqa: E712 - SQL
        found = self.rows.select("user_ids", "user", (c.digest == _digest(user_id)) & unproven)
        return found[0][0] if found else None

    def _twin(self, user: str) -> str:
        """Find who only claims to have somebody's ID, or make them; of who has none, somebody whom nobody
        knows."""
        if user in self.twins:
            return self.twins[user]
        user_id = self.primary[user] or ""
        if not user_id or user_id.startswith(VISITOR):
            user_id = CLIENT_MADE + uuid_utils.uuid4().hex
        twin = self._claimant(user_id)
        if twin is None:
            twin = new_id("usr")
            self.rows.insert("users", id=twin, verified=False, user_id=user_id, created_at=self.rows.at)
            self._give(twin, twin, user_id, is_proven=False)
            self.rows.note(twin, "created", None, {"userId": user_id})
        self.twins[user] = twin
        return twin


def _begins(column: Any, prefix: str) -> Any:
    return fn.COALESCE(column, "").startswith(prefix)


def _of(c: Any, user_id: str) -> Any:
    """Whether a row is a user ID's, as the primary key finds it: by the world too."""
    return c.verified.in_((True, False)) & (c.digest == _digest(user_id))


def _is_proven(c: Any) -> Any:
    return c.verified | _begins(c.user_id, VISITOR)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _lowered(email: str) -> str:
    """Return what an email is compared by: its ASCII letters lowered."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in email)
