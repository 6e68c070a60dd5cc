"""The rules of docs/rules.md once more, as somebody would play them with cards, one call at a time.

It shares no code with the service. Each act takes what was answered, and says what the world is after it,
or None where the rules would have answered something else.
"""

from dataclasses import dataclass, replace
from typing import Any

from tests.support.processes import Call

ANONYMOUS = "$anon:"


@dataclass(frozen=True)
class Person:
    """A user; ``aliases`` in no order."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None
    aliases: frozenset[str] = frozenset()
    cleared: bool = False

    @property
    def is_anonymous(self) -> bool:
        return (self.user_id or "").startswith(ANONYMOUS)

    @property
    def has_absorbed(self) -> bool:
        return any(alias.startswith(ANONYMOUS) for alias in self.aliases)

    def has_user_id(self, user_id: str) -> bool:
        return user_id == self.user_id or user_id in self.aliases

    def has_email(self, email: str) -> bool:
        return self.email is not None and self.email.lower() == email.lower()


@dataclass(frozen=True)
class Device:
    """A device: its anonymous user, its flag, and the token and user of its session."""

    anonymous: str | None = None
    clears: bool = False
    token: str | None = None
    user: str | None = None


@dataclass(frozen=True)
class World:
    """An app, its users and its devices by their ids."""

    policy: str
    people: frozenset[tuple[str, Person]] = frozenset()
    devices: frozenset[tuple[str, Device]] = frozenset()

    def device(self, id: str) -> Device:
        return dict(self.devices).get(id, Device())

    def with_person(self, id: str, person: Person | None) -> "World":
        rest = {known: other for known, other in self.people if known != id}
        return replace(self, people=frozenset((rest | ({id: person} if person else {})).items()))

    def with_device(self, id: str, device: Device) -> "World":
        return replace(self, devices=frozenset((dict(self.devices) | {id: device}).items()))

    def without_sessions(self, **of: str) -> "World":
        """End the sessions of a ``token`` or of a ``user``."""
        ((name, value),) = of.items()
        return replace(
            self,
            devices=frozenset(
                (id, replace(device, token=None, user=None) if getattr(device, name) == value else device)
                for id, device in self.devices
            ),
        )


def after(world: World, call: Call) -> World | None:
    """Answer the world after a call, or None if the rules would have answered it otherwise."""
    path, sent = call.request.path, call.request.json or {}
    if path == "/v1/login":
        return _after_login(world, sent, call)
    if path == "/v1/me":
        return world if _me(world, call.request.credential) == (call.status, _who(call.body)) else None
    if path == "/v1/clearAnonymousUser":
        device = replace(world.device(sent["deviceId"]), clears=sent["clear"])
        answered = call.status == 200 and call.body == {"clearAnonymousUser": sent["clear"]}
        return world.with_device(sent["deviceId"], device) if answered else None
    assert path == "/v1/logout"
    return _after_logout(world, sent, call.request.credential) if call.status == 204 else None


def _after_logout(world: World, sent: dict[str, Any], credential: str) -> World:
    if "deviceId" in sent:
        device = dict(world.devices).get(sent["deviceId"])
        ended = device and replace(device, token=None, user=None)
        return world.with_device(sent["deviceId"], ended) if ended else world
    if "userId" in sent:
        users = [id for id, person in world.people if person.has_user_id(sent["userId"])]
        return world.without_sessions(user=users[0]) if users else world
    return world.without_sessions(token=credential)


def _me(world: World, token: str) -> tuple[int, Any]:
    people = dict(world.people)
    users = [device.user for _, device in world.devices if device.token == token]
    return (200, _shown(str(users[0]), people[str(users[0])])) if users else (401, None)


def _who(body: Any) -> Any:
    if "user" not in body:
        return None
    shown = body["user"] | {"aliases": frozenset(body["user"]["aliases"])}
    return {name: value for name, value in shown.items() if name not in ("createdAt", "purchases")}


def _shown(id: str, person: Person) -> dict[str, Any]:
    return {
        "id": id,
        "userId": person.user_id,
        "email": person.email,
        "name": person.name,
        "anonymous": person.is_anonymous,
        "aliases": person.aliases,
    }


@dataclass(frozen=True)
class _Resolved:
    rule: str
    id: str
    person: Person
    created: bool = False
    changes: frozenset[str] = frozenset()


def _after_login(world: World, sent: dict[str, Any], call: Call) -> World | None:
    if call.status not in (200, 201):
        return None
    body = call.body
    claims = bool(sent.get("userId") or sent.get("email"))
    device = world.device(body["deviceId"])
    found = _resolve(world, sent, device, body["user"])
    if found is None:
        return None
    world = world.with_person(found.id, found.person)
    if not claims:
        device = replace(device, anonymous=found.id)
    elif device.anonymous is not None:
        world, device, found = _after_meeting(world, device, found)
    expected = (
        201 if found.created else 200,
        _shown(found.id, found.person),
        found.created,
        found.rule,
        found.changes,
        claims,
        sent.get("deviceId", body["deviceId"]),
    )
    answered = (
        call.status,
        _who(body),
        body["created"],
        body["resolution"]["rule"],
        frozenset(body["resolution"]["changes"]),
        body["session"]["verified"],
        body["deviceId"],
    )
    device = replace(device, token=body["session"]["token"], user=found.id)
    return world.with_device(body["deviceId"], device) if expected == answered else None


def _resolve(
    world: World, sent: dict[str, Any], device: Device, answered: dict[str, Any]
) -> _Resolved | None:
    """Find the user by the seven rules; the id of a new one is the one that was answered."""
    user_id, email, name = sent.get("userId"), _stored(sent.get("email")), sent.get("name")
    people = dict(world.people)
    by_user_id = [id for id, person in people.items() if user_id and person.has_user_id(user_id)]
    by_email = [id for id, person in people.items() if email and person.has_email(email)]
    unclaimed = [id for id in by_email if people[id].user_id is None]
    if by_user_id:
        return _updated("known-user-id", by_user_id[0], people, email=email, name=name)
    if user_id and unclaimed:
        return _updated("attach-user-id", unclaimed[0], people, userId=user_id, name=name)
    if not user_id and (unclaimed or len(by_email) == 1):
        return _updated("known-email", (unclaimed or by_email)[0], people, name=name)
    if not user_id and not email and device.anonymous is not None:
        return _updated("anonymous", device.anonymous, people, name=name)
    if answered["id"] in people:
        return None
    rules = {(True, True): "new-user-id", (True, False): "new-user-id", (False, False): "anonymous"}
    rule = rules.get((bool(user_id), bool(email)), "shared-email" if by_email else "new-email")
    if rule == "anonymous":
        user_id = answered["userId"] if answered["anonymous"] else None
    return _Resolved(rule, answered["id"], Person(user_id, email, name), created=True)


def _stored(email: str | None) -> str | None:
    """Write an email as it is kept: as it was sent, but for the domain, whose case says nothing."""
    local, at, domain = (email or "").partition("@")
    return local + at + domain.lower() if at else None


def _updated(rule: str, id: str, people: dict[str, Person], **given: str | None) -> _Resolved:
    fields = {"userId": "user_id"}
    before = people[id]
    changed = {
        member: value
        for member, value in given.items()
        if value is not None and value != getattr(before, fields.get(member, member))
    }
    person = replace(before, **{fields.get(member, member): value for member, value in changed.items()})
    return _Resolved(rule, id, person, changes=frozenset(changed))


def _after_meeting(world: World, device: Device, found: _Resolved) -> tuple[World, Device, _Resolved]:
    """Settle what becomes of the device's anonymous user, now that somebody logs in there."""
    people = dict(world.people)
    id = str(device.anonymous)
    anonymous = people[id]
    if device.clears or world.policy == "clear":
        return world.with_person(id, replace(anonymous, cleared=True)), replace(device, anonymous=None), found
    was_identified = device.user is not None and not people[device.user].is_anonymous
    once = world.policy == "merge-once" and found.person.has_absorbed
    if world.policy == "keep" or was_identified or once:
        return world, device, found
    aliases = found.person.aliases | anonymous.aliases | {str(anonymous.user_id)}
    # Of a user who was not there before, nothing was changed.
    changes = found.changes if found.created else found.changes | {"aliases"}
    found = replace(found, person=replace(found.person, aliases=aliases), changes=changes)
    world = world.with_person(id, None).with_person(found.id, found.person)
    return world, replace(device, anonymous=None), found
