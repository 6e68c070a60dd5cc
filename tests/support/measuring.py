"""Have a made population in an app, and measure which pairs of it are listed."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from tests.support.comparing import compare
from tests.support.lookalikes import Population, Record
from tests.support.tenants import Tenant

# What the two records of each kind of one person share, in the order in which signals are told.
KINDS = {
    "same-email": ("same-email",),
    "email-variant": ("capitals", "dots", "plus-tag", "googlemail"),
    "same-contact": ("said-email",),
    "mistyped-email": ("wrong-domain",),
    "store-account": ("moved-purchase",),
    "same-phone": ("said-phone",),
    "shared-device": ("second-account",),
    "none": ("typo", "swapped"),
}
HEAD = ["signal", "pairs listed", "of one person", "precision", "of its kinds", "recall"]


def fill(tenant: Tenant) -> dict[str, Record]:
    """Have a population log in, buy and say how it can be reached; return it by our ids."""
    tenant.set(restoreBehavior="transfer")
    return {_add(tenant, record): record for record in Population().records()}


def _add(tenant: Tenant, record: Record) -> str:
    said = {"userId": record.user_id, "email": record.email, "name": record.name}
    device = {"deviceId": f"{record.devices[0]}-0000000000"} if record.devices else {}
    login = tenant.login(**said, **device)
    contact = {"email": record.said_email, "phone": record.said_phone}
    if any(contact.values()):
        _done(tenant, "PUT", "/v1/me/contact", login["session"]["token"], contact)
    for account in record.accounts:
        restored = {"storeAccount": {"store": "app_store", "account": account}, "userId": record.user_id}
        _done(tenant, "POST", "/v1/restore", tenant.sk, restored)
    return str(login["user"]["id"])


def _done(tenant: Tenant, method: str, path: str, key: str, body: dict[str, Any]) -> None:
    answer = tenant.call(method, path, key, {name: value for name, value in body.items() if value})
    assert answer.status_code in (200, 201), answer.text


def listed(tenant: Tenant) -> Iterator[dict[str, Any]]:
    """Return all pairs that are listed, page by page, once whoever was added is compared."""
    compare(tenant)
    after: dict[str, str] = {}
    while True:
        page = tenant.get("/v1/duplicates", limit=100, **after).json
        yield from page["data"]
        if page["nextCursor"] is None:
            return
        after = {"cursor": page["nextCursor"]}


def measured(people: dict[str, Record], pairs: list[dict[str, Any]]) -> dict[str, tuple[int, int, int, int]]:
    """Return by signal how many pairs are listed by it, how many of these are one person; and of how many
    pairs of one person that is true which share what it looks at, and how many of these are listed."""
    found = [(frozenset(pair["users"]), pair["reasons"][0]["signal"]) for pair in pairs]
    by_signal = defaultdict(list)
    for users, signal in found:
        by_signal[signal].append(_is_one_person(people, users))
    whole = {
        frozenset(two): people[two[0]].kind
        for two in combinations(people, 2)
        if people[two[0]].person == people[two[1]].person
    }
    there = {users for users, _ in found}
    return {
        signal: (
            len(by_signal[signal]),
            sum(by_signal[signal]),
            len(mine := [users for users, kind in whole.items() if kind in kinds]),
            len(there.intersection(mine)),
        )
        for signal, kinds in KINDS.items()
    }


def _is_one_person(people: dict[str, Record], users: frozenset[str]) -> bool:
    return len({people[user].person for user in users}) == 1


def as_markdown(measures: dict[str, tuple[int, int, int, int]]) -> str:
    """Write the measures as docs/duplicates.md shows them, with all of them together last."""
    every = tuple(map(sum, zip(*measures.values(), strict=True)))
    rows = [HEAD, ["---"] * len(HEAD)]
    for signal, (pairs, right, there, seen) in (measures | {"all": every}).items():
        numbers = [pairs, right, _share(right, pairs), there, _share(seen, there)]
        rows.append([f"`{signal}`" if signal in KINDS else signal, *map(str, numbers)])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "–"
