"""docs/rules.md as a plain model: who is talking, what becomes of anonymous users, who sees what.

Written from that page alone and kept in lists, so that it can be read beside it. It knows no HTTP, no
store and nothing of the service; what the service makes up (ids, tokens) is told to it afterwards.
"""

from dataclasses import dataclass, field

VERIFIED, UNVERIFIED = "verified", "unverified"
# Rule, what is done, with whom, and what it changes of them.
Row = tuple[str, str, "Person | None", set[str]]


@dataclass(frozen=True)
class Claim:
    """Who a login says it is."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None and self.email is None


@dataclass(eq=False)
class Person:
    """A user. Anonymous ones are of no world; ``ids`` are ours: its own, and those of whom it absorbed."""

    world: str | None
    user_id: str | None = None
    email: str | None = None
    name: str | None = None
    aliases: list[str] = field(default_factory=list)
    has_absorbed: bool = False
    ids: list[str] = field(default_factory=list)

    @property
    def is_anonymous(self) -> bool:
        return self.world is None

    @property
    def is_unclaimed(self) -> bool:
        return not self.is_anonymous and self.user_id is None


@dataclass(eq=False)
class Session:
    """What a device is logged in as; ``claim`` is what was said where nobody proved it."""

    person: Person
    token: str | None = None
    claim: Claim | None = None
    has_expired: bool = False

    @property
    def is_verified(self) -> bool:
        return not self.person.is_anonymous and self.claim is None


@dataclass(eq=False)
class Device:
    """One installation."""

    anonymous: Person | None = None
    clears: bool = False
    session: Session | None = None


@dataclass(eq=False)
class Thread:
    """A conversation, and the device on which a user began it."""

    id: str
    owner: Person
    device: Device | None
    bodies: list[str]


@dataclass(frozen=True)
class Decision:
    """What the rules have a login do: the rule, what is done with whom, and what it changes."""

    rule: str
    then: str
    person: Person | None
    changes: frozenset[str]
    fate: str | None


def key(email: str) -> str:
    """Emails are compared with their letters lowered."""
    return email.lower()


class Model:
    """One app."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.devices: dict[str, Device] = {}
        self.threads: list[Thread] = []
        self.policy = "keep"
        self.scope = "user"

    # 4.1

    def decide(self, claim: Claim, device: Device | None, world: str) -> Decision:
        """Find the first row of the table that fits."""
        rule, then, person, changes = self._row(claim, device, world)
        if person is not None and claim.name not in (None, person.name):
            changes = changes | {"name"}
        fate = None
        if not claim.is_anonymous and device is not None and device.anonymous is not None:
            fate = self._fate(device, person, world)
            if fate == "merge" and person is not None:
                changes = changes | {"aliases"}
        return Decision(rule, then, person, frozenset(changes), fate)

    def _row(self, claim: Claim, device: Device | None, world: str) -> Row:
        if claim.user_id is not None:
            return self._row_by_user_id(claim, world)
        if claim.email is not None:
            return self._row_by_email(claim, world)
        if device is not None and device.anonymous is not None:
            return "anonymous", "use", device.anonymous, set()
        return "anonymous", "create", None, set()

    def _row_by_user_id(self, claim: Claim, world: str) -> Row:
        for person in self._of(world):
            if person.user_id == claim.user_id:
                is_news = claim.email not in (None, person.email)
                return "known-user-id", "use", person, {"email"} if is_news else set()
        for person in self._with_email(claim, world):
            if person.is_unclaimed:
                return "attach-user-id", "attach", person, {"userId"}
        return "new-user-id", "create", None, set()

    def _row_by_email(self, claim: Claim, world: str) -> Row:
        having = self._with_email(claim, world)
        unclaimed = [person for person in having if person.is_unclaimed]
        if unclaimed or len(having) == 1:
            return "known-email", "use", (unclaimed or having)[0], set()
        return ("shared-email" if having else "new-email"), "create", None, set()

    def _of(self, world: str) -> list[Person]:
        return [person for person in self.people if person.world == world]

    def _with_email(self, claim: Claim, world: str) -> list[Person]:
        if claim.email is None:
            return []
        return [person for person in self._of(world) if key(person.email or "") == key(claim.email)]

    # 4.4

    def _fate(self, device: Device, person: Person | None, world: str) -> str:
        if device.clears:
            return "clear"
        if self.policy in ("keep", "clear"):
            return self.policy
        session = device.session
        if session is not None and not session.has_expired and not session.person.is_anonymous:
            return "keep"
        # An unproven login is not told, not even by this, what was there before it.
        has_absorbed = person is not None and person.has_absorbed and world == VERIFIED
        return "keep" if self.policy == "merge-once" and has_absorbed else "merge"

    # Carry out

    def log_in(self, claim: Claim, device: Device, world: str) -> tuple[Decision, Session]:
        """Do what the table says."""
        decision = self.decide(claim, device, world)
        person = decision.person
        if person is None:
            person = Person(None if claim.is_anonymous else world, claim.user_id, claim.email, claim.name)
            self.people.append(person)
        if "userId" in decision.changes:
            person.user_id = claim.user_id
        if "email" in decision.changes:
            person.email = claim.email
        person.name = claim.name or person.name
        if decision.fate in ("clear", "merge"):
            assert device.anonymous is not None
            if decision.fate == "merge":
                self._merge(device.anonymous, person)
            self._end_sessions(device.anonymous)
            device.anonymous = None
        if claim.is_anonymous:
            device.anonymous = person
        device.session = Session(person, claim=claim if person.world == UNVERIFIED else None)
        return decision, device.session

    def _merge(self, away: Person, into: Person) -> None:
        for thread in self.threads:
            if thread.owner is away:
                thread.owner = into
        into.aliases.append(away.user_id or "")
        into.has_absorbed = True
        # A blank field of the one who stays is filled; nobody proved an anonymous user's name, nor need they.
        into.name = into.name or away.name
        into.ids.extend(away.ids)
        self.people.remove(away)

    def _end_sessions(self, person: Person) -> None:
        for device in self.devices.values():
            if device.session is not None and device.session.person is person:
                device.session = None

    # 5, 8

    def log_out(self, person: Person) -> None:
        """End every session of a user."""
        self._end_sessions(person)

    def change(self, person: Person, changes: dict[str, str | None]) -> str | None:
        """Set what is given; answer the code of the conflict if there is one, and then set nothing."""
        email = changes.get("email", person.email)
        if email != person.email:
            if person.is_anonymous:
                return "anonymous-email"
            if person.is_unclaimed and email is None:
                return "nothing-left"
            others = [other for other in self._of(person.world or "") if other is not person]
            if person.is_unclaimed and any(
                other.is_unclaimed and key(other.email or "") == key(email or "") for other in others
            ):
                return "unclaimed-email"
        person.email, person.name = email, changes.get("name", person.name)
        return None

    def erase(self, person: Person) -> None:
        """Forget a user, and all that is theirs."""
        self._end_sessions(person)
        self.threads = [thread for thread in self.threads if thread.owner is not person]
        self.people.remove(person)
        for device in self.devices.values():
            if device.anonymous is person:
                device.anonymous = None

    # 7

    def sees(self, session: Session, device: Device, thread: Thread) -> bool:
        """Whether a session sees a conversation."""
        if thread.owner is not session.person:
            return False
        if session.claim is not None:
            return thread.device is device
        return self.scope == "user" or thread.device in (device, None)
