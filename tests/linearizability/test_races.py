"""Whatever is called at once, it ends as some order one after the other would, and is answered so: logins,
logouts, messages, aliases, corrections, attributes, merges and their undo."""

# ruff: noqa: S311 - chance chooses what is tried, and hides nothing
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import pytest

from service.store import Store
from service.store.checks import CHECKS
from tests.support.chance import how_often
from tests.support.processes import CALLERS, Call, Callers, Request, callers
from tests.support.races import Race, in_words
from tests.support.servers import ADMITTING, serve

NewRace = Callable[[str], Race]
Claim = dict[str, Any]

BY_ID = {"userId": "u-1"}
BY_EMAIL = {"email": "jane@example.org"}
BY_OTHER_EMAIL = {"email": "john@example.org"}
SPELLED = [{"email": f"{local}@Example.org"} for local in ("jane", "Jane", "JANE", "jAnE")]
PEOPLE = [{"userId": f"u-{number}"} for number in range(CALLERS)]
EMAILS = [{"email": f"jane+{number}@example.org"} for number in range(CALLERS)]
NAMES = [{"name": f"Jane {number}"} for number in range(CALLERS)]
DEVICES = ["one-of-two-devices", "two-of-two-devices"]
DEVICE = {"deviceId": DEVICES[0]}


@dataclass(frozen=True)
class Scenario:
    """What is called at once in a race that this prepares, how often at most, and under which setting."""

    prepare: Callable[[Race], list[Request]]
    times: int = 10
    policy: str = "keep"


def logins(*at_once: Claim, before: tuple[Claim, ...] = (), times: int = 10) -> Scenario:
    """Make logins at once, as many as there are callers, after some others."""

    def prepare(race: Race) -> list[Request]:
        for claim in before:
            race.before(race.login(**claim))
        return [race.login(**claim) for claim in islice(cycle(at_once), CALLERS)]

    return Scenario(prepare, times)


LOGINS = {
    "first logins with one user ID": logins(BY_ID, times=100),
    "first logins with one email in different letter cases": logins(*SPELLED, times=100),
    "first logins with both": logins(*(BY_ID | email for email in SPELLED), times=100),
    "by email alone against by ID and that email": logins(BY_EMAIL, BY_ID | BY_EMAIL, times=100),
    "different user IDs for one unclaimed email": logins(
        *(person | BY_EMAIL for person in PEOPLE), before=(BY_EMAIL,), times=100
    ),
    "emails that move against logins by them": logins(
        BY_ID | BY_OTHER_EMAIL, BY_EMAIL, BY_ID | BY_EMAIL, BY_OTHER_EMAIL, before=(BY_ID | BY_EMAIL,)
    ),
    "one user with many new emails": logins(*(BY_ID | email for email in EMAILS), before=(BY_ID,)),
    "one user with many new names": logins(*(BY_ID | name for name in NAMES), before=(BY_ID,)),
    "first logins by a shared email": logins(
        BY_EMAIL, before=tuple(person | BY_EMAIL for person in PEOPLE[:2])
    ),
    "attaching against all other logins of the two": logins(
        BY_ID | BY_EMAIL, {"userId": "u-2"} | BY_EMAIL, BY_EMAIL, BY_ID, before=(BY_EMAIL,)
    ),
    "first anonymous logins of one device": logins(DEVICE),
    "different people on one device": logins(*(person | DEVICE for person in PEOPLE), before=(DEVICE,)),
}


def additions(*at_once: Claim, before: tuple[Claim, ...] = (), times: int = 25) -> Scenario:
    """Add users without a device at once, and log in as every third of them."""

    def prepare(race: Race) -> list[Request]:
        for claim in before:
            race.before(race.login(**claim))
        return [
            race.login(**claim) if number % 3 == 0 else race.request("users", **claim)
            for number, claim in enumerate(islice(cycle(at_once), CALLERS // 2))
        ]

    return Scenario(prepare, times)


ADDITIONS = {
    "users who are added with one user ID": additions(BY_ID),
    "users who are added with one email": additions(*SPELLED),
    "users who are added with both": additions(*(BY_ID | email for email in SPELLED)),
    "users who are added for one unclaimed email": additions(
        *(person | BY_EMAIL for person in PEOPLE), before=(BY_EMAIL,)
    ),
    "users who are added while their emails move": additions(
        BY_ID | BY_OTHER_EMAIL, BY_EMAIL, BY_ID | BY_EMAIL, BY_OTHER_EMAIL, before=(BY_ID | BY_EMAIL,)
    ),
}


LOGOUTS: dict[str, Callable[[Race], Request]] = {
    "by token": lambda race: race.request("logout", race.tokens()[-1]),
    "by device": lambda race: race.request("logout", **DEVICE),
    "by user": lambda race: race.request("logout", **BY_ID),
}


def logout(log_out: Callable[[Race], Request], claim: Claim) -> Callable[[Race], list[Request]]:
    """Log a device in and out at once, twice, where somebody was logged in."""

    def prepare(race: Race) -> list[Request]:
        race.before(race.login(**BY_ID, **DEVICE))
        return [race.login(**claim, **DEVICE), log_out(race)] * 2

    return prepare


def logout_of_who_absorbed_one(log_out: Callable[[Race], Request]) -> Callable[[Race], list[Request]]:
    """An anonymous user meets whoever logs in by who was logged in at that moment."""

    def prepare(race: Race) -> list[Request]:
        # The first anonymous user becomes u-1's, so the second stays beside u-1 on the device.
        for device in reversed(DEVICES):
            race.before(race.login(deviceId=device))
            race.before(race.login(**BY_ID, deviceId=device))
        return [race.login(userId="u-2", **DEVICE), log_out(race)]

    return prepare


WITH_LOGOUTS = {
    f"{what} {how}": scenario
    for how, log_out in LOGOUTS.items()
    for what, scenario in {
        "somebody else against a logout": Scenario(logout(log_out, {"userId": "u-2"}), 100),
        "nobody against a logout": Scenario(logout(log_out, {}), 20),
        "an anonymous user against a logout": Scenario(logout_of_who_absorbed_one(log_out), 20, "merge-once"),
    }.items()
}


def visitors(*devices: str, before: tuple[Claim, ...] = ()) -> Callable[[Race], list[Request]]:
    """Anonymous users become one while they, and agents, write."""

    def prepare(race: Race) -> list[Request]:
        for claim in before:
            race.before(race.login(**claim))
        return [request for device in devices for request in become_somebody(race, device)]

    return prepare


def become_somebody(race: Race, device: str) -> list[Request]:
    body = race.before(race.login(deviceId=device))
    token, user = body["session"]["token"], body["user"]["id"]
    begun = race.before(race.request("conversations", token, message="Before"))
    write = f"conversations/{begun['id']}/messages"
    return [
        race.login(**BY_ID, deviceId=device),
        race.request("conversations", token, message="Begun by the user"),
        race.request("conversations", user=user, message="Begun by an agent"),
        race.request(write, token, body="Written by the user"),
        race.request(write, token, body="Written by the user again"),
        race.request(write, body="Written by an agent"),
    ]


WITH_MESSAGES = {
    f"{what} ({policy})": Scenario(prepare, 15, policy)
    for policy in ("merge", "merge-once", "clear")
    for what, prepare in {
        "an anonymous user who becomes somebody": visitors(DEVICES[0]),
        "two devices that become a new user": visitors(*DEVICES),
        "two devices that become a known user": visitors(*DEVICES, before=(BY_ID,)),
    }.items()
}


def merge(race: Race, source: str, target: str) -> Request:
    return race.request("merges", **{"from": source, "into": target})


def alias(race: Race, user: str, user_id: str) -> Request:
    return race.request(f"users/{user}/aliases", userId=user_id)


def merges_that_cross(race: Race, times: int = 1) -> list[Request]:
    one, other = race.user(userId="u-1"), race.user(userId="u-2")
    return [merge(race, one, other), merge(race, other, one)] * times


def merges_in_a_circle(race: Race) -> list[Request]:
    one, two, three = (race.user(**person) for person in PEOPLE[:3])
    return [merge(race, one, two), merge(race, two, three), merge(race, three, one)]


def logins_of_both(race: Race) -> list[Request]:
    return [
        *[race.login(userId="u-1", deviceId=DEVICES[0]), race.login(userId="u-1")],
        race.login(userId="u-1", email="john@example.org"),
        race.login(email="jane@example.org"),
        *[race.login(userId="u-2", name="Jane"), race.login(userId="u-2", name="Jane")],
    ]


def logins_while_being_merged(race: Race) -> list[Request]:
    one, other = race.user(userId="u-1", email="jane@example.org", **DEVICE), race.user(userId="u-2")
    return [merge(race, one, other), *logins_of_both(race)]


def undoing_while_both_come(race: Race) -> list[Request]:
    one, other = race.user(userId="u-1", email="jane@example.org"), race.user(userId="u-2")
    done = race.before(merge(race, one, other))
    token = race.before(race.login(userId="u-1", deviceId=DEVICES[1]))["session"]["token"]
    begun = race.before(race.request("conversations", token, message="Before"))
    return [
        race.request(f"merges/{done['id']}"),
        *logins_of_both(race),
        race.request("conversations", token, message="Begun by the user"),
        race.request(f"conversations/{begun['id']}/messages", body="Written by an agent"),
        alias(race, one, "u-3"),
        alias(race, other, "u-4"),
    ]


def alias_of_who_logs_in(race: Race) -> list[Request]:
    return [alias(race, race.user(userId="u-1"), "u-9"), *[race.login(userId="u-9")] * 4]


def alias_that_two_want(race: Race) -> list[Request]:
    return [alias(race, race.user(**person), "u-9") for person in PEOPLE[:2]]


WITH_MERGES = {
    "merges that cross": Scenario(merges_that_cross, 25),
    "merges that cross five times": Scenario(lambda race: merges_that_cross(race, 5), 25),
    "merges that would be a circle": Scenario(merges_in_a_circle, 25),
    "logins of who is being merged": Scenario(logins_while_being_merged, 25),
    "whatever comes while a merge is undone": Scenario(undoing_while_both_come, 25),
    "an ID that logs in and becomes an alias": Scenario(alias_of_who_logs_in, 25),
    "an alias that two want": Scenario(alias_that_two_want, 25),
}


def take_away(race: Race, user: str, user_id: str) -> Request:
    return race.request(f"users/{user}/aliases", method="DELETE", userId=user_id)


def correct(race: Race, user: str, user_id: str, *, keep: bool = False) -> Request:
    return race.request(f"users/{user}/userId", method="PUT", userId=user_id, keep=keep)


def logins_on_devices(race: Race, *user_ids: str) -> list[Request]:
    """Log in as each, on a device of theirs and on a new one: the first takes the shortest way."""
    logins = []
    for number, user_id in enumerate(user_ids):
        device = f"device-of-a-race-{number}"
        race.before(race.login(userId=user_id, deviceId=device))
        logins += [race.login(userId=user_id, deviceId=device), race.login(userId=user_id)]
    return logins


def an_alias_that_goes(race: Race) -> list[Request]:
    jane = race.user(**BY_ID, **BY_EMAIL)
    race.before(alias(race, jane, "u-2"))
    logins = logins_on_devices(race, "u-1", "u-2")
    return [take_away(race, jane, "u-2"), *logins, *logins, take_away(race, jane, "u-2")]


def an_only_id_that_goes(race: Race) -> list[Request]:
    jane = race.user(**BY_ID, **BY_EMAIL)
    logins = logins_on_devices(race, "u-1")
    return [
        take_away(race, jane, "u-1"),
        *logins,
        race.login(**BY_EMAIL),
        race.login(userId="u-2", **BY_EMAIL),
        race.request("users", **BY_EMAIL),
        race.request(f"users/{jane}", method="PATCH", email="john@example.org"),
    ]


def two_ids_of_one_that_go(race: Race) -> list[Request]:
    jane = race.user(**BY_ID)
    race.before(alias(race, jane, "u-2"))
    return [take_away(race, jane, "u-1"), take_away(race, jane, "u-2"), *logins_on_devices(race, "u-1")]


def a_correction(race: Race) -> list[Request]:
    jane = race.user(**BY_ID, **BY_EMAIL)
    logins = logins_on_devices(race, "u-1")
    return [
        correct(race, jane, "u-2"),
        *logins,
        *[race.login(userId="u-2")] * 2,
        race.login(userId="u-1", name="Jane"),
        race.login(**BY_EMAIL),
    ]


def corrections_that_meet(race: Race) -> list[Request]:
    one, other = race.user(userId="u-1"), race.user(userId="u-2")
    return [
        *[correct(race, one, "u-9"), correct(race, other, "u-9", keep=True)],
        *[correct(race, one, "u-8", keep=True), correct(race, other, "u-1")],
        race.login(userId="u-9"),
    ]


def corrections_and_aliases(race: Race) -> list[Request]:
    one, other = race.user(userId="u-1"), race.user(userId="u-2")
    race.before(alias(race, one, "u-3"))
    return [
        *[correct(race, one, "u-3"), alias(race, other, "u-1"), alias(race, one, "u-9")],
        *[take_away(race, one, "u-3"), correct(race, other, "u-9"), race.login(userId="u-3")],
    ]


def corrections_and_merges(race: Race) -> list[Request]:
    one, other = race.user(**BY_ID, **BY_EMAIL), race.user(userId="u-2", email="john@example.org")
    logins = logins_on_devices(race, "u-1", "u-2")
    return [
        *[merge(race, other, one), correct(race, other, "u-9"), take_away(race, one, "u-2")],
        *[correct(race, one, "u-2"), take_away(race, one, "u-1"), *logins],
    ]


def corrections_and_an_undo(race: Race) -> list[Request]:
    one, other = race.user(**BY_ID, **BY_EMAIL), race.user(userId="u-2", email="john@example.org")
    done = race.before(merge(race, other, one))
    logins = logins_on_devices(race, "u-1", "u-2")
    return [
        *[race.request(f"merges/{done['id']}"), take_away(race, one, "u-2"), correct(race, other, "u-9")],
        *[correct(race, one, "u-2"), *logins],
    ]


def a_visitor_who_is_named(race: Race) -> list[Request]:
    visit = race.before(race.login(**DEVICE))
    user, token = visit["user"], visit["session"]["token"]
    return [
        *[correct(race, user["id"], "u-1"), race.login(**DEVICE), race.login(**BY_ID, **DEVICE)],
        *[race.request("me", token), take_away(race, user["id"], user["userId"]), race.login(**BY_ID)],
    ]


WITH_CORRECTIONS = {
    name: Scenario(prepare, 15)
    for name, prepare in {
        "an alias that is taken away": an_alias_that_goes,
        "an only ID that is taken away": an_only_id_that_goes,
        "two IDs of one that are taken away": two_ids_of_one_that_go,
        "a correction against logins": a_correction,
        "corrections that meet": corrections_that_meet,
        "corrections against aliases": corrections_and_aliases,
        "corrections against a merge": corrections_and_merges,
        "corrections against an undo": corrections_and_an_undo,
        "a visitor who is named": a_visitor_who_is_named,
    }.items()
}


def two_with_emails(race: Race, **other: str) -> tuple[str, str]:
    """Return two users with an email each, the first with an ID as well."""
    return race.user(**BY_ID, **BY_EMAIL), race.user(**BY_OTHER_EMAIL, **other)


def change(race: Race, user: str, **changes: Any) -> Request:
    return race.request(f"users/{user}", method="PATCH", **changes)


def a_merge_and_logins_by_the_email_that_comes(race: Race) -> list[Request]:
    stays, goes = two_with_emails(race)
    token = race.before(race.login(**BY_OTHER_EMAIL, **DEVICE))["session"]["token"]
    return [
        *[merge(race, goes, stays), race.request("me", token), race.login(userId="u-2", **BY_OTHER_EMAIL)],
        *[race.login(**BY_OTHER_EMAIL), race.request("users", **BY_OTHER_EMAIL), race.login(**BY_EMAIL)],
        race.login(**BY_ID, **BY_OTHER_EMAIL),
    ]


def an_undo_and_logins_by_the_email_that_goes(race: Race) -> list[Request]:
    stays, goes = two_with_emails(race)
    done = race.before(merge(race, goes, stays))
    token = race.before(race.login(**BY_ID, **DEVICE))["session"]["token"]
    return [
        *[race.request(f"merges/{done['id']}"), *[race.request("me", token)] * 2],
        *[race.login(**BY_OTHER_EMAIL), race.login(**BY_ID, **DEVICE), race.login(userId="u-2", **BY_EMAIL)],
        race.request("users", **BY_OTHER_EMAIL),
    ]


def logins_by_both_emails_of_one(race: Race) -> list[Request]:
    race.before(merge(race, *reversed(two_with_emails(race))))
    return [race.login(**BY_EMAIL), race.login(**BY_OTHER_EMAIL)] * (CALLERS // 2)


def an_unclaimed_user_whose_further_email_is_wanted(race: Race) -> list[Request]:
    stays, goes = race.user(**BY_EMAIL), race.user(**BY_OTHER_EMAIL)
    race.before(merge(race, goes, stays))
    rival = race.user(email="jo@example.org")
    return [
        *[race.login(userId="u-1", **BY_OTHER_EMAIL), race.login(userId="u-2", **BY_OTHER_EMAIL)],
        *[change(race, rival, **BY_OTHER_EMAIL), change(race, stays, **BY_OTHER_EMAIL)],
        *[race.login(**BY_OTHER_EMAIL), race.login(**BY_EMAIL)],
    ]


def emails_that_are_removed(race: Race) -> list[Request]:
    stays, goes = two_with_emails(race, userId="u-2")
    race.before(merge(race, goes, stays))
    return [
        *[change(race, stays, email=None), race.login(userId="u-2", email="jo@example.org")],
        *[race.login(**BY_OTHER_EMAIL), race.login(**BY_EMAIL), race.request("users", **BY_OTHER_EMAIL)],
        change(race, stays, **BY_OTHER_EMAIL),
    ]


WITH_EMAILS = {
    name: Scenario(prepare, 15)
    for name, prepare in {
        "a merge against logins by the email that comes": a_merge_and_logins_by_the_email_that_comes,
        "an undo against logins by the email that goes": an_undo_and_logins_by_the_email_that_goes,
        "logins by both emails of one": logins_by_both_emails_of_one,
        "a further email that others want": an_unclaimed_user_whose_further_email_is_wanted,
        "emails that are removed": emails_that_are_removed,
    }.items()
}


def two_described(race: Race) -> tuple[str, str, list[Request]]:
    """Return two users of whom something was said, and what is said and asked of them at once."""
    here, there = ({"userId": f"u-{number}", "deviceId": DEVICES[number]} for number in range(2))
    one, other = race.user(**here, attributes={"plan": 0, "a": 0}), race.user(**there, attributes={"b": 0})
    asked = [race.request("me", token) for token in race.tokens()]
    said = [
        *[race.login(userId="u-0", attributes={"plan": 1}), change(race, one, attributes={"a": 2})],
        *[race.login(userId="u-1", attributes={"plan": 3}), change(race, other, attributes={"b": None})],
    ]
    return one, other, said + asked


def what_is_said_while_two_become_one(race: Race) -> list[Request]:
    one, other, said = two_described(race)
    return [merge(race, other, one), *said]


def what_is_said_while_two_stand_again(race: Race) -> list[Request]:
    one, other, said = two_described(race)
    done = race.before(merge(race, other, one))
    race.before(race.login(userId="u-1", deviceId=DEVICES[1]))
    return [race.request(f"merges/{done['id']}"), *said, race.request("me", race.tokens()[-1])]


def what_is_said_while_two_stand_again_and_become_one(race: Race) -> list[Request]:
    one, other, said = two_described(race)
    done = race.before(merge(race, other, one))
    return [race.request(f"merges/{done['id']}"), *said[:4], merge(race, other, one), merge(race, one, other)]


WITH_ATTRIBUTES = {
    name: Scenario(prepare, 25)
    for name, prepare in {
        "attributes against a merge": what_is_said_while_two_become_one,
        "attributes against an undo": what_is_said_while_two_stand_again,
        "attributes against an undo and a merge": what_is_said_while_two_stand_again_and_become_one,
    }.items()
}


def one_key_on_logins(race: Race) -> list[Request]:
    return [*[race.login(**BY_ID, **BY_EMAIL, key="key-1")] * 16, *[race.login(**BY_ID)] * 4]


def one_key_on_logins_of_a_device(race: Race) -> list[Request]:
    race.before(race.login(**BY_ID))
    return [race.login(**BY_ID, **BY_EMAIL, **DEVICE, key="key-1")] * 16


def one_key_on_merges(race: Race) -> list[Request]:
    stays, goes = two_with_emails(race, userId="u-2")
    merges = race.request("merges", key="key-1", **{"from": goes, "into": stays})
    return [*[merges] * 16, race.login(userId="u-2"), race.login(**BY_OTHER_EMAIL)]


def one_key_on_aliases(race: Race) -> list[Request]:
    user = race.user(**BY_ID)
    aliases = race.request(f"users/{user}/aliases", key="key-1", userId="u-2")
    return [*[aliases] * 16, *[race.login(userId="u-2")] * 2, alias(race, user, "u-3")]


WITH_KEYS = {
    name: Scenario(prepare, 15)
    for name, prepare in {
        "one idempotency key on logins": one_key_on_logins,
        "one idempotency key on logins of a device": one_key_on_logins_of_a_device,
        "one idempotency key on merges": one_key_on_merges,
        "one idempotency key on aliases": one_key_on_aliases,
    }.items()
}


def few_calls(race: Race) -> list[Request]:
    """Choose who comes before, and five calls that come at once, of people who share what they can."""
    for _ in range(random.randint(0, 4)):
        race.before(any_login(race))
    return [random.choices([any_login, any_other_call], [4, 2])[0](race) for _ in range(5)]


def any_login(race: Race) -> Request:
    claim = {
        "userId": random.choice([None, None, "u-1", "u-2"]),
        "email": random.choice([None, "jane@example.org", "Jane@example.org", "john@example.org"]),
        "name": random.choice([None, None, "Jane"]),
        "deviceId": random.choice([None, *DEVICES]),
    }
    given = {name: value for name, value in claim.items() if value is not None}
    return race.login(**given if given else DEVICE)


def any_other_call(race: Race) -> Request:
    tokens, users, device = race.tokens(), list(race.model.users), random.choice(DEVICES)
    added = random.choice([BY_ID, BY_EMAIL, {"userId": "u-2"} | BY_EMAIL, {"userId": "u-3", "name": "Jane"}])
    calls = [
        race.request("users", **added),
        race.request("logout", deviceId=device),
        race.request("logout", userId=random.choice(["u-1", "u-2"])),
        race.request("clearAnonymousUser", deviceId=device, clear=random.choice([True, False])),
    ]
    if tokens:
        token = random.choice(tokens)
        calls += [race.request("logout", token), race.request("me", token)]
        calls += [race.request("conversations", token, message=f"Message {len(calls)}")]
    if users:
        calls += [merge(race, random.choice(users), random.choice(users))]
        calls += [alias(race, random.choice(users), random.choice(["u-1", "u-2", "u-3"]))]
        calls += [take_away(race, random.choice(users), random.choice(["u-1", "u-2"]))]
        calls += [correct(race, random.choice(users), random.choice(["u-1", "u-3"]), keep=bool(tokens))]
    return random.choice(calls)


MIXTURES = {
    f"any few calls ({policy})": Scenario(few_calls, 40, policy)
    for policy in ("keep", "clear", "merge", "merge-once")
}

SCENARIOS = (
    LOGINS
    | ADDITIONS
    | WITH_LOGOUTS
    | WITH_MESSAGES
    | WITH_MERGES
    | WITH_CORRECTIONS
    | WITH_EMAILS
    | WITH_ATTRIBUTES
    | WITH_KEYS
    | MIXTURES
)


def require_order(store: Store, races: list[Race], raced: list[list[Call]]) -> None:
    for race, calls in zip(races, raced, strict=True):
        race.require_order(store, calls)
        violations = [found for asks in CHECKS for found in asks(store.of(race.tenant.id))]
        assert violations == [], in_words([*race.calls, *calls])


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_what_is_called_at_once_is_explained_by_an_order(
    workers: Callers, new_race: NewRace, store: Store, scenario: Scenario
) -> None:
    races = [new_race(scenario.policy) for _ in range(how_often(scenario.times))]
    requests = [scenario.prepare(race) for race in races]

    raced = workers.race(requests)

    require_order(store, races, raced)


def test_logins_at_once_over_two_workers_of_a_server_are_explained_by_an_order(
    database_url: str, new_race: NewRace, store: Store
) -> None:
    scenarios = [*LOGINS.values()] * how_often(10)
    races = [new_race(scenario.policy) for scenario in scenarios]
    requests = [scenario.prepare(race) for scenario, race in zip(scenarios, races, strict=True)]

    serving = serve(database_url, application=ADMITTING)
    with serving as server, callers(port=server.port) as clients:
        raced = clients.race(requests)

    require_order(store, races, raced)
