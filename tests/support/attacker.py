"""The people of one app, one of whom is an attacker: what they do over HTTP, and what each may be shown.

Whatever somebody says of themselves or writes holds a mark that no other text holds, so a search through an
answer tells whose it is. A mark belongs to *selves*: a person, one of their anonymous users, or a claim that
nobody proved. Which selves are one with each other is known from who did what: an agent, the app's backend
and a person's own proof join, and nothing else does. What the service believes about it is not asked.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import quote

from werkzeug.test import TestResponse

from service.store import Store
from service.store.tables import Merges
from tests.console.conftest import Agent, field_of
from tests.support.signing import (
    HEADER,
    claims,
    email_key,
    hmac_key,
    hmac_of,
    identity_key,
    proof_of,
    unsigned,
)
from tests.support.tenants import Tenant

Selves = frozenset[str]
# A store, and what it calls one of its accounts.
Account = tuple[str, str]

ATTACKER = "mallory"
PEOPLE = {
    # Everybody's user IDs, as each would prove them; nora has not been there yet.
    "vera": ("vera", "vera-2"),
    "emil": ("emil",),
    "nora": ("nora",),
    "una": ("una",),
    ATTACKER: ("mallory", "mallory-2", "mallory-3"),
}
OWNERS = {user_id: person for person, user_ids in PEOPLE.items() for user_id in user_ids}
EMAILS = {person: tuple(f"{person}-{number}@marks.example" for number in (1, 2)) for person in PEOPLE}
# Each has a device, whose ID nobody else knows; the attacker has two.
DEVICES = {person: person for person in PEOPLE} | {"mallory's other": ATTACKER}
# What RevenueCat's clients call those who have not logged in, and each person's receipt and store account.
CLIENTS = {person: "$RCAnonymousID:" + format(number, "032x") for number, person in enumerate(PEOPLE)}
TOKENS = {person: f"receipt-of-{person}" for person in PEOPLE}
ACCOUNTS = {person: ("app_store", f"account-of-{person}") for person in PEOPLE}

# As a JWT writes base64.
URLSAFE = str.maketrans("+/", "-_", "=")

MARK = re.compile(r"\[\w+\.\d+\]|\w+-\d@marks\.example")


class By(Enum):
    """Who says who somebody is."""

    BACKEND = auto()
    JWT = auto()
    HMAC = auto()
    CLAIM = auto()


@dataclass
class Mark:
    """Who said something, and whose it is: those selves may see it, and whoever is one with them."""

    person: str | None
    owners: Selves


@dataclass
class Session:
    """What a device is logged in as, in truth: as which selves it may look, and as which it writes."""

    person: str
    sees: Selves
    writes_as: Selves
    user_id: str | None
    token: str = ""
    # Nobody proved who it is: it sees what its person wrote, and what it said itself.
    is_claim: bool = False
    said: frozenset[str] = frozenset()


@dataclass
class Conversation:
    """A conversation: who began it, for whom, and who wrote there."""

    person: str | None
    owners: Selves
    writers: set[str] = field(default_factory=set)


@dataclass
class AttackedApp:
    """Everybody of one app, the agents too, and who has been made one with whom."""

    tenant: Tenant
    store: Store
    marks: dict[str, Mark] = field(default_factory=dict)
    # By the id of a merge, of those merges that an agent, the backend or a proof made.
    joined: dict[str, Selves] = field(default_factory=dict)
    # To whom a user ID, a store account or a user of the service rightly leads.
    ids: dict[str, Selves] = field(default_factory=dict)
    accounts: dict[Account, Selves] = field(default_factory=dict)
    users: dict[str, Selves] = field(default_factory=dict)
    claims: Selves = frozenset()
    people: dict[str, str] = field(default_factory=dict)
    visitors: dict[str, Selves] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    console: Agent | None = None
    answered: list[tuple[str, Session]] | None = None

    def __post_init__(self) -> None:
        _, self.jwt_secret = identity_key(self.tenant)
        _, self.hmac_secret = hmac_key(self.tenant)
        _, self.email_secret = email_key(self.tenant)
        for person, emails in EMAILS.items():
            self.marks |= {email: Mark(person, frozenset({person})) for email in emails}

    # Who is one with whom

    def one_with(self, selves: Selves) -> Selves:
        """Return all who are one with some, themselves too."""
        known: Selves = frozenset()
        while known != selves:
            known = selves
            selves = selves.union(*(both for both in self.joined.values() if both & selves))
        return selves

    @contextmanager
    def joining(self, *selves: Selves) -> Iterator[list[Selves]]:
        """Take it that whoever is merged meanwhile is rightly merged, and that these are one by it; what is
        answered meanwhile is looked at when they are."""
        before, joined = set(self.merges()), list(selves)
        self.answered = []
        yield joined
        for merge in set(self.merges()) - before:
            self.joined[merge] = frozenset().union(*joined)
        answered, self.answered = self.answered, None
        for text, session in answered:
            self.require_seen_rightly(text, session)

    def merges(self) -> list[str]:
        """Return the merges that stand, whoever made them, the oldest first."""
        query = Merges.select(Merges.id).where(Merges.app == self.tenant.id, Merges.undone_at.is_null())
        rows = self.store.database.rows(query.order_by(Merges.created_at, Merges.id))
        return [id for (id,) in rows]

    def whose(self, user_id: str) -> Selves:
        """Return to whom a user ID leads: to whoever was given it, else to whom it belongs by nature."""
        return self.ids.get(user_id, frozenset({OWNERS.get(user_id, user_id)}))

    def mark(self, person: str | None, owners: Selves) -> str:
        """Make a text that no other text holds."""
        text = f"[{person or 'agent'}.{len(self.marks)}]"
        self.marks[text] = Mark(person, owners)
        return text

    # What anybody is shown

    def call(self, method: str, path: str, json: Any = None, session: Session | None = None) -> TestResponse:
        """Make a call as a session, which may see the answer, or as the backend."""
        answer = self.tenant.call(method, f"/v1/{path}", session.token if session else self.tenant.sk, json)
        if session is not None:
            self.require_seen_rightly(answer.text, session)
        return answer

    def call_publicly(self, method: str, path: str, json: Any = None) -> TestResponse:
        """Make a call with the public key, as the attacker; nobody else's mark comes back but those sent."""
        answer = self.tenant.call(method, f"/v1/{path}", self.tenant.pk, json)
        said = frozenset(MARK.findall(repr(json)))
        nobody = Session(ATTACKER, frozenset(), frozenset(), None, is_claim=True, said=said)
        self.require_seen_rightly(answer.text, nobody)
        return answer

    def require_seen_rightly(self, text: str, session: Session) -> None:
        """Require that a session may be shown each mark of a text."""
        if self.answered is not None:
            self.answered.append((text, session))
            return
        for shown in set(MARK.findall(text)):
            mark = self.marks[shown]
            may_see = (
                mark.person == session.person
                or shown in session.said
                or (not session.is_claim and self.one_with(mark.owners) & session.sees)
            )
            assert may_see, f"{session.person}, as {set(session.sees)}, is shown {shown} of {mark}"

    def look(self, devices: Iterable[str]) -> None:
        """Have the sessions of devices read all that they can, and forget those that are over."""
        for device in devices:
            session = self.sessions.get(device)
            if session is None:
                continue
            if self.call("GET", "me", session=session).status_code == 401:
                del self.sessions[device]
                continue
            # Whatever it is, a subject has a mark.
            listed = self.call("GET", "conversations?limit=100", session=session).json["data"]
            for id in {told["id"] for told in listed}:
                if self.conversations[id].writers - {session.person}:
                    self.call("GET", f"conversations/{id}/messages?limit=100", session=session)

    # Log in

    def proof(self, **members: Any) -> str:
        """Sign what is true of somebody, as the backend does."""
        said = {member: value for member, value in members.items() if value is not None}
        return proof_of(self.tenant, self.jwt_secret, **said)

    def forged(self, **members: Any) -> str:
        """Make a JWT of a name that the attacker chose, and of the HMAC that the backend makes of it."""
        said = {member: value for member, value in members.items() if value is not None}
        name = unsigned(claims(self.tenant.id, **said), HEADER)
        return f"{name}.{hmac_of(name, self.hmac_secret).translate(URLSAFE)}"

    def hmac(self, name: str) -> str:
        """Sign a name, as the backend does whoever chose it."""
        return hmac_of(name, self.hmac_secret)

    def log_in(self, device: str, by: By, user_id: str | None = None, email: str | None = None) -> None:
        """Log somebody in on their device as one of their own; with neither ID nor email as a visitor."""
        person = DEVICES[device]
        if by is By.HMAC and user_id is not None:
            # It covers the user ID alone.
            email = None
        is_visitor = user_id is None and email is None
        name = None if is_visitor else self.mark(person, frozenset())
        body = self._body(by, user_id, email, name)
        sees = self._come_as(user_id, email)
        with self.joining(self.visitors.get(device, frozenset())) as joined:
            answer = self._log_in(device, by, body)
            if answer.status_code not in (200, 201):
                return
            user = answer.json["user"]
            if is_visitor:
                session = self._be_visitor(person, device, user)
            elif by is By.CLAIM:
                session = self._be_claimed(person, body)
            else:
                # What comes by an email stays with whoever survived a merge.
                session = Session(person, sees, sees if user_id else self.one_with(sees), user_id)
                self._know(user["id"], person, sees)
                if user_id is not None:
                    self.ids.setdefault(user_id, sees)
            joined.append(session.sees)
        if name is not None:
            self.marks[name].owners = session.sees
        if email is not None and not session.is_claim:
            self.marks[email].owners |= session.sees
        self._begin_session(device, session, answer)

    def _body(self, by: By, user_id: str | None, email: str | None, name: str | None) -> dict[str, Any]:
        said: dict[str, Any] = {"userId": user_id, "email": email, "name": name, "attributes": {"note": name}}
        if by is By.JWT:
            return {"proof": self.proof(sub=user_id, email=email, name=name, attributes={"note": name})}
        if by is By.HMAC and user_id is None:
            return said | {"proof": hmac_of(email or "", self.email_secret)}
        return said | {"proof": self.hmac(user_id or "")} if by is By.HMAC else said

    def log_in_falsely(self, device: str, body: dict[str, Any]) -> None:
        """Log the attacker in with what proves nothing; if that is believed, it is still the attacker."""
        answer = self._log_in(device, By.CLAIM, body)
        if answer.status_code in (200, 201):
            attacker = frozenset({ATTACKER})
            self._begin_session(device, Session(ATTACKER, attacker, attacker, None), answer)

    def _log_in(self, device: str, by: By, body: dict[str, Any]) -> TestResponse:
        key = self.tenant.sk if by is By.BACKEND else self.tenant.pk
        answer = self.tenant.call("POST", "/v1/login", key, body | {"deviceId": self.devices.get(device)})
        if answer.status_code in (200, 201):
            self.devices[device] = answer.json["deviceId"]
        return answer

    def _begin_session(self, device: str, session: Session, answer: TestResponse) -> None:
        session.token = answer.json["session"]["token"]
        self.sessions[device] = session
        self.require_seen_rightly(answer.text, session)

    def _come_as(self, user_id: str | None, email: str | None) -> Selves:
        """Return as whom somebody comes: an ID outranks an email, which may bring an unknown ID along."""
        by_email = self.marks[email].owners if email is not None else frozenset()
        if user_id is None:
            return by_email
        return self.whose(user_id) | (frozenset() if user_id in self.ids else by_email)

    def _be_visitor(self, person: str, device: str, user: dict[str, Any]) -> Session:
        sees = frozenset({f"{person} as {user['userId']}"})
        self.ids.setdefault(user["userId"], sees)
        self.visitors[device] = sees
        self._know(user["id"], person, sees)
        return Session(person, sees, sees, user["userId"])

    def _be_claimed(self, person: str, body: dict[str, Any]) -> Session:
        """Return the session of somebody who proved nothing. Of which user it is, only agents are told."""
        by = "userId" if body["userId"] else "email"
        found = self.call("GET", f"users?{by}={body[by]}").json["data"]
        known = [user["id"] for user in found if not user["verified"] and not user["anonymous"]]
        sees = frozenset({f"{person} as claimed {' '.join(known)}"})
        self.claims |= sees
        for id in known:
            self._know(id, person, sees)
        said = frozenset(MARK.findall(repr(body)))
        return Session(person, sees, sees, body["userId"], is_claim=True, said=said)

    def _know(self, id: str, person: str, sees: Selves) -> None:
        self.users.setdefault(id, sees)
        self.people.setdefault(id, person)

    # Write

    def begin(self, session: Session) -> None:
        """Begin a conversation, and leave a contact, which is shown to no session but in its own answer."""
        self.call("PUT", "me/contact", {"name": self.mark(session.person, frozenset())}, session)
        said = [self.mark(session.person, session.writes_as) for _ in range(2)]
        answer = self.call("POST", "conversations", {"subject": said[0], "message": said[1]}, session)
        if answer.status_code == 201:
            self.conversations[answer.json["id"]] = Conversation(
                session.person, session.writes_as, {session.person}
            )

    def begin_as_agent(self, user: str) -> None:
        """Have an agent begin a conversation with a user."""
        owners = self.one_with(self.users[user])
        said = [self.mark(None, owners) for _ in range(2)]
        body = {"user": user, "subject": said[0], "message": said[1]}
        answer = self.call("POST", "conversations", body)
        if answer.status_code == 201:
            self.conversations[answer.json["id"]] = Conversation(None, owners, {"agent"})

    def write(self, conversation: str, session: Session) -> None:
        """Write into a conversation, whosever it is."""
        body = {"body": self.mark(session.person, session.writes_as)}
        answer = self.call("POST", f"conversations/{conversation}/messages", body, session)
        if answer.status_code == 201:
            self.conversations[conversation].writers.add(session.person)

    def write_as_agent(self, conversation: str) -> None:
        """Have an agent answer: it is whose the conversation is."""
        told = self.conversations[conversation]
        body = {"body": self.mark(told.person, told.owners)}
        if self.call("POST", f"conversations/{conversation}/messages", body).status_code == 201:
            told.writers.add("agent")

    # Agents and the backend

    def merge(self, source: str, target: str, *, at_console: bool) -> None:
        """Have an agent merge two users. By it nobody who is somebody becomes part of a visitor."""
        shown = [self.call("GET", f"users/{id}") for id in (source, target)]
        if any(one.status_code == 404 for one in shown):
            return
        is_for_a_visitor = shown[1].json["anonymous"] and not shown[0].json["anonymous"]
        selves = [] if is_for_a_visitor else [self.users[source], self.users[target]]
        if not shown[0].json["verified"] and not shown[0].json["anonymous"]:
            # Several may claim to be one, and be made one by each other.
            selves.append(self.claims)
        with self.joining(*selves):
            if at_console:
                self._merge_at_console(source, target)
            else:
                self.call("POST", "merges", {"from": source, "into": target})

    def _merge_at_console(self, source: str, target: str) -> None:
        agent = self._agent()
        shown = agent.post("/console/merges/preview", from_=source, into=target)
        if shown.status_code == 200:
            fingerprint = field_of(shown, "fingerprint")
            agent.post("/console/merges", from_=source, into=target, fingerprint=fingerprint)

    def undo(self, merge: str, *, at_console: bool) -> None:
        """Have an agent undo a merge."""
        if at_console:
            is_done = self._agent().post(f"/console/merges/{merge}/undo").status_code == 303
        else:
            is_done = self.call("DELETE", f"merges/{merge}").status_code == 200
        if is_done:
            self.joined.pop(merge, None)

    def _agent(self) -> Agent:
        if self.console is None:
            self.console = Agent(self.tenant.client.application.test_client())
            assert self.console.sign_in(self.tenant.sk).status_code == 303
        return self.console

    def add_alias(self, user: str, user_id: str) -> None:
        """Have the backend give a user a further ID."""
        shown, selves = self.call("GET", f"users/{user}").json, self.users[user]
        with self.joining(selves, self.whose(user_id)):
            answer = self.call("POST", f"users/{user}/aliases", {"userId": user_id})
        if answer.status_code == 201 and _is_proven(shown):
            self.ids[user_id] = self.one_with(selves)

    def add_user(self, person: str, user_id: str | None, email: str | None) -> None:
        """Have the backend add one of its people, by their own ID, email or both."""
        sees = self._come_as(user_id, email)
        name = self.mark(person, frozenset())
        said = {"userId": user_id, "email": email, "name": name, "attributes": {"note": name}}
        answer = self.call("POST", "users", said)
        if answer.status_code not in (200, 201):
            return
        self._know(answer.json["user"]["id"], person, sees)
        self.marks[name].owners = sees
        if user_id is not None:
            self.ids.setdefault(user_id, sees)
        if email is not None:
            self.marks[email].owners |= sees

    def take_id_away(self, user: str, user_id: str) -> None:
        """Have the backend take an ID away from a user; it is whose it is by nature from then on."""
        shown = self.call("GET", f"users/{user}").json
        answer = self.call("DELETE", f"users/{user}/aliases", {"userId": user_id})
        if answer.status_code == 200 and _is_proven(shown):
            self.ids.pop(user_id, None)

    def correct_id(self, user: str, user_id: str, *, keep: bool) -> None:
        """Have the backend correct the primary ID of a user: the new one is theirs by its word."""
        shown, selves = self.call("GET", f"users/{user}").json, self.users[user]
        answer = self.call("PUT", f"users/{user}/userId", {"userId": user_id, "keep": keep})
        if answer.status_code != 200 or not _is_proven(shown):
            return
        if user_id not in (shown["userId"], *shown["aliases"]):
            self.ids[user_id] = self.one_with(selves)
        is_gone = shown["userId"] not in (answer.json["userId"], *answer.json["aliases"])
        if is_gone:
            self.ids.pop(shown["userId"], None)

    def correct(self, user: str, field: str, value: str | None) -> None:
        """Have an agent change an email, or a name and an attribute. It is the survivor's then."""
        owners = self.one_with(self.users[user])
        described = {"attributes": {"note": value}} if field == "name" else {}
        answer = self.call("PATCH", f"users/{user}", {field: value} | described)
        if answer.status_code == 200 and value is not None:
            self.marks[value].owners |= owners

    # A person's own alias

    def add_own_alias(self, session: Session, user_id: str, proof: str | None, *, is_true: bool) -> None:
        """Have a session link an ID; ``is_true`` if that is its person's, and the proof is of that ID."""
        selves = [session.writes_as, self.whose(user_id)] if is_true else []
        with self.joining(*selves):
            answer = self.call("POST", "aliases", {"userId": user_id, "proof": proof}, session)
        if is_true and answer.status_code == 201:
            self.ids.setdefault(user_id, session.writes_as)

    # Store accounts

    def buy(self, user_id: str, account: Account, transaction: str | None) -> None:
        """Have the backend say that somebody bought under a store account, or without a transaction, that
        they restored what was bought."""
        path, body = _purchase(account, transaction)
        with self._claiming(self.whose(user_id) | self.claims, account) as answers:
            answers.append(self.call("POST", path, body | {"userId": user_id}))

    def buy_oneself(
        self, session: Session, account: Account, transaction: str | None, proof: str | None, *, is_true: bool
    ) -> None:
        """As ``buy``, by a session; ``is_true`` if the account is its person's, and the proof of both."""
        path, body = _purchase(account, transaction)
        with self._claiming(session.writes_as if is_true else None, account) as answers:
            answers.append(self.call("POST", path, body | {"proof": proof}, session))

    @contextmanager
    def _claiming(self, selves: Selves | None, account: Account) -> Iterator[list[TestResponse]]:
        """Take it that an account is rightly whose it is meanwhile made, or wrongly if nobody's are given."""
        owners, before, answers = self.accounts.get(account, frozenset()), self.merges(), []
        with self.joining(*((selves, owners) if selves else ())):
            yield answers
        is_new = selves is not None and not self.one_with(owners) & selves
        if is_new and answers[0].status_code == 200 and self.merges() == before:
            self.accounts[account] = selves or frozenset()

    # RevenueCat's calls, by whoever knows the public key, or by the backend

    def rc(self, action: str, id: str, other: str, token: str, *, by_backend: bool) -> None:
        """Make one of RevenueCat's calls. With the public key nobody is believed."""
        path, body = _rc_call(action, id, other, token)
        if not by_backend:
            self.call_publicly(*path, body)
            return
        if action in ("receive", "restore"):
            with self._claiming(self.whose(id), ("revenuecat", token)) as answers:
                answers.append(self.call(*path, body))
            return
        found = self.call("GET", f"users?userId={quote(id, safe='')}").json["data"]
        is_somebody = any(user["verified"] for user in found)
        with self.joining(self.whose(id), self.whose(other)):
            answer = self.call(*path, body)
        if answer.status_code == 201 and (action == "alias" or (action == "identify" and not is_somebody)):
            self.ids[other] = self.one_with(self.whose(id)) | self.whose(other)


def _is_proven(shown: dict[str, Any]) -> bool:
    """Return whether a user is of the proven world, in which devices' anonymous users are too."""
    return shown["verified"] or (shown["userId"] or "").startswith("$anon:")


def _purchase(account: Account, transaction: str | None) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"storeAccount": dict(zip(("store", "account"), account, strict=True))}
    if transaction is None:
        return "restore", body
    return "purchases", body | {"product": "pro", "transaction": transaction}


RC_ACTIONS = ("identify", "alias", "restore", "receive", "get", "describe", "forget")


def _rc_call(action: str, id: str, other: str, token: str) -> tuple[tuple[str, str], Any]:
    one = f"subscribers/{quote(id, safe='')}"
    match action:
        case "identify":
            return ("POST", "subscribers/identify"), {"app_user_id": id, "new_app_user_id": other}
        case "alias":
            return ("POST", f"{one}/alias"), {"new_app_user_id": other}
        case "restore":
            return ("POST", "receipts"), {"app_user_id": id, "fetch_token": token, "is_restore": True}
        case "receive":
            return ("POST", "receipts"), {"app_user_id": id, "fetch_token": token, "product_id": "pro"}
        case "describe":
            said = {name: {"value": f"{token}@x.example"} for name in ("$email", "$displayName")}
            return ("POST", f"{one}/attributes"), {"attributes": said}
        case _:
            return ("DELETE" if action == "forget" else "GET", one), None
