"""Two apps in which the same happens, of which only one ever merges anybody.

People, conversations and devices have names here that both worlds share. In the plain world nobody is
one with anybody, so whatever is done there is done as the one whose ID somebody came with.
"""

from typing import Any

from tests.support.tenants import Tenant

Shown = dict[str, Any]


class World:
    """One app, and how people and conversations are called there."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.ids: dict[str, str] = {}
        self.anonymous: dict[str, str] = {}
        self.threads: dict[str, str] = {}
        self.devices: dict[str, str] = {}

    def call(self, method: str, path: str, json: Any = None, key: str | None = None) -> Any:
        return self.tenant.call(method, f"/v1/{path}", key or self.tenant.sk, json)

    def meet(self, name: str, user: Shown) -> None:
        """Learn what a new person is called here."""
        self.ids[name] = user["id"]
        if user["anonymous"]:
            self.anonymous[name] = user["userId"]

    def name_of(self, id: str) -> str | None:
        """Answer which person has this id of ours."""
        return next((name for name, known in self.ids.items() if known == id), None)

    def called(self, user_id: str | None) -> str | None:
        """Answer a user ID as both worlds know it: an anonymous one by its person's name."""
        names = {known: f"anonymous {name}" for name, known in self.anonymous.items()}
        return names.get(user_id or "", user_id)

    def people(self) -> dict[str, Shown]:
        """Answer everybody who is somebody's part by nobody, as the backend sees them."""
        listed = self.call("GET", "users?limit=100").json["data"]
        return {self.name_of(user["id"]): self._shown(user) for user in listed}

    def _shown(self, user: Shown) -> Shown:
        shared = {name: user[name] for name in ("email", "name", "anonymous", "verified")}
        aliases = [self.called(alias) for alias in user["aliases"]]
        return shared | {"userId": self.called(user["userId"]), "aliases": aliases}

    def token(self, name: str) -> str:
        """Log a person in, by whatever they have, and answer the token."""
        user = self.call("GET", f"users/{self.ids[name]}").json
        claim = {member: user[member] for member in ("userId", "email") if user[member]}
        if user["anonymous"]:
            claim = {"deviceId": self.devices[name]}
        elif "userId" in claim:
            claim.pop("email", None)
        login = self.tenant.login(**claim)
        assert (login["user"]["id"], login["created"]) == (self.ids[name], False)
        return str(login["session"]["token"])

    def purchases(self, name: str) -> set[str]:
        """Answer what a person has bought, by its transactions."""
        user = self.call("GET", f"users/{self.ids[name]}").json
        return {purchase["transaction"] for purchase in user["purchases"]}

    def seen(self, key: str | None = None) -> dict[str, Shown]:
        """Answer the conversations that a credential sees, each with its messages."""
        names = {id: thread for thread, id in self.threads.items()}
        listed = self.call("GET", "conversations?limit=100", key=key).json["data"]
        return {
            names[told["id"]]: {
                "owner": self.name_of(told["user"]),
                "status": told["status"],
                "unread": told["unread"],
                "messages": self._messages(told["id"], key),
            }
            for told in listed
        }

    def _messages(self, conversation: str, key: str | None) -> list[tuple[str | None, str]]:
        listed = self.call("GET", f"conversations/{conversation}/messages?limit=100", key=key).json["data"]
        return [(self._author(message["author"]), message["body"]) for message in listed]

    def _author(self, author: Shown) -> str | None:
        return self.name_of(author["id"]) if author["kind"] == "user" else "agent"

    def begin(self, thread: str, body: str, key: str | None = None, **members: str) -> None:
        """Begin a conversation."""
        self.threads[thread] = self.tenant.begin(key or self.tenant.sk, body, **members)

    def write(self, thread: str, body: str, key: str | None = None) -> int:
        """Write into a conversation, and answer the status."""
        answer = self.call("POST", f"conversations/{self.threads[thread]}/messages", {"body": body}, key)
        return int(answer.status_code)

    def read(self, thread: str, key: str | None = None) -> int:
        """Read a conversation, and answer the status."""
        return int(self.call("POST", f"conversations/{self.threads[thread]}/read", key=key).status_code)

    def buy(self, user_id: str, account: str, transaction: str | None) -> Any:
        """Buy something under a store account, or only restore what was bought."""
        body = {"userId": user_id, "storeAccount": {"store": "app_store", "account": account}}
        if transaction is None:
            return self.call("POST", "restore", body)
        return self.call("POST", "purchases", body | {"product": "pro", "transaction": transaction})


class PlainWorld(World):
    """The world without merges. Each anonymous person has a device of their own; what somebody's email or
    name is to be, and may not yet, is kept in mind."""

    def __init__(self, tenant: Tenant) -> None:
        super().__init__(tenant)
        self.wanted: dict[tuple[str, str], str | None] = {}

    def make(self, name: str, user_id: str | None, email: str | None, called: str | None) -> None:
        """Make a person who is new."""
        claim = {} if user_id is None and email is None else {"userId": user_id}
        if user_id is None and email is not None:
            claim = {"email": _for_now(name)}
        login = self.tenant.login(**claim)
        assert login["created"]
        self.meet(name, login["user"])
        if login["user"]["anonymous"]:
            self.devices[name] = login["deviceId"]
        self.want(name, email=email, name=called)

    def give(self, name: str, user_id: str) -> None:
        """Give a person a user ID that nobody has."""
        answer = self.call("POST", f"users/{self.ids[name]}/aliases", {"userId": user_id})
        assert answer.status_code == 201, answer.text

    def want(self, person: str, **fields: str | None) -> None:
        """Set what is given of an email and a name, now or when it may be."""
        self.wanted |= {(person, field): value for field, value in fields.items() if value is not None}
        self.settle()

    def want_none(self, person: str, field: str) -> None:
        """As ``want``, to remove an email or a name."""
        self.wanted[person, field] = None
        self.settle()

    def settle(self) -> None:
        """Set whatever may be by now; emails that wait for each other change hands by way of others."""
        self._try_all()
        for person, field in self.wanted:
            if field == "email":
                self._change(person, "email", _for_now(person))
        self._try_all()

    def _try_all(self) -> None:
        while done := [key for key, value in self.wanted.items() if self._change(*key, value)]:
            for key in done:
                del self.wanted[key]

    def _change(self, person: str, field: str, value: str | None) -> bool:
        answer = self.call("PATCH", f"users/{self.ids[person]}", {field: value})
        assert answer.status_code in (200, 409), answer.text
        return answer.status_code == 200

    def buyer(self, name: str) -> str:
        """Answer a user ID of a person."""
        return str(self.call("GET", f"users/{self.ids[name]}").json["userId"])


def _for_now(name: str) -> str:
    return f"{name}@for-now.example"
