"""docs/rules.md once more, as a plain model of one app: who is who, and what is whose.

Written from that page alone, to be read beside it. It knows no HTTP, no store and nothing of the service;
what the service makes up (ids, tokens) is told to it. Each act changes the model and returns what the service
has to answer.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.support.identity_records import (
    REMOVED,
    Account,
    Claim,
    Decision,
    Device,
    Merge,
    Session,
    User,
    UserId,
    is_anonymous,
    key,
)
from tests.support.identity_users import Users

NOBODY = Device()


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON, to which true is not 1."""
    return type(one) is type(other) and one == other


class Conflict(Exception):
    """What the rules refuse, by the code of the refusal; nothing has changed then."""


class Identity(Users):
    """What happens to the users of one app."""

    # Who is it?

    def decide(self, claim: Claim, device: str | None, *, proven: bool) -> Decision:
        """Find the first row of the table that fits, and the row for the device's anonymous user."""
        rule, home, changes = self._row(claim, self.devices.get(device or "", NOBODY), proven)
        user = self.one(home) if home else None
        if user is not None and claim.name not in (None, self.shown(user, "name")):
            changes |= {"name"}
        if user is not None and any(
            not is_same(value, self.shown(user, f"/{name}")) for name, value in claim.attributes
        ):
            changes |= {"attributes"}
        outcome = None
        if claim.names_somebody and device is not None:
            outcome = self._outcome(self.devices.get(device, NOBODY), user, proven)
            if outcome == "merge" and user is not None:
                changes |= {"aliases"}
        return Decision(rule, user, home, frozenset(changes), outcome)

    def _row(self, claim: Claim, device: Device, proven: bool) -> tuple[str, str | None, set[str]]:
        """Return the rule, to whose record it leads, and what it changes of them."""
        if claim.user_id is not None:
            home = self.home_of(claim.user_id, proven=proven)
            if home is not None:
                is_news = claim.email not in (None, self.shown(self.one(home), "email"))
                return "known-user-id", home, {"email"} if is_news else set()
        elif claim.email is None:
            return "anonymous", device.anonymous, set()
        having = self.with_email(claim.email, proven)
        unclaimed = [id for id in having if self.is_unclaimed(id)]
        found = (unclaimed or having or [""])[0]
        changes = {"email"} if found and self._is_further(found, claim.email) else set()
        if claim.user_id is not None:
            if not unclaimed:
                return "new-user-id", None, set()
            return "attach-user-id", self.of_whom(found, claim.email), {"userId"} | changes
        if unclaimed or len(having) == 1:
            return "known-email", self.of_whom(found, claim.email), changes
        return ("shared-email" if having else "new-email"), None, set()

    def _is_further(self, user: str, email: str | None) -> bool:
        """Whether an email by which a user is found is another than the one that they show."""
        return key(email) != key(self.shown(user, "email"))

    # What becomes of the device's anonymous user?

    def _outcome(self, device: Device, user: str | None, proven: bool) -> str | None:
        if device.anonymous is None:
            return None
        if device.clears:
            return "clear"
        if self.policy in ("keep", "clear"):
            return self.policy
        session = device.session
        if session is not None and not session.has_expired and not self.is_nobody(self.one(session.home)):
            return "keep"
        # An unproven login is not told, not even by this, what was there before it.
        absorbed = user is not None and proven and any(map(is_anonymous, self.user(user)["aliases"]))
        return "keep" if self.policy == "merge-once" and absorbed else "merge"

    def log_in(
        self, claim: Claim, device_id: str, *, proven: bool, told: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Do what the tables say; of who and what is new, the answer tells how it is called."""
        decision = self.decide(claim, device_id, proven=proven)
        device = self.devices.get(device_id, NOBODY)
        home = self._carry_out(decision, claim, device_id, proven, told)
        if decision.outcome == "merge":
            self._merge(told.get("merge", f"merge of {device.anonymous}"), device.anonymous or "", home)
        elif decision.outcome == "clear":
            self._end_sessions(self.all_of(device.anonymous or ""))
            self._change_user(device.anonymous or "", cleared=True, device=None)
        keeps = decision.outcome not in ("merge", "clear")
        anonymous = device.anonymous if keeps else None
        if not claim.names_somebody:
            anonymous = home
        claimed = claim if claim.names_somebody and not proven else None
        user_id = claim.user_id if claim.names_somebody else self.born(home)
        session = Session(told["token"], home, user_id, claimed)
        self.devices[device_id] = Device(anonymous, device.clears, session)
        answer = {"token": told["token"], "device": device_id}
        if claimed is not None:
            return answer | {"status": 200, "user": claimed.as_sent(), "verified": False}
        found = self._found(decision, home)
        return answer | found | {"verified": found["user"]["verified"]}

    def add(self, claim: Claim, told: Mapping[str, Any]) -> dict[str, Any] | None:
        """Do what the tables say where there is no device, and nobody logs in; None is answered where only a
        device could tell who is meant."""
        if not claim.names_somebody:
            return None
        decision = self.decide(claim, None, proven=True)
        return self._found(decision, self._carry_out(decision, claim, "", True, told))

    def _found(self, decision: Decision, home: str) -> dict[str, Any]:
        created = decision.user is None
        return {
            "status": 201 if created else 200,
            "user": self.user(self.one(home)),
            "created": created,
            "rule": decision.rule,
            "changes": decision.changes,
        }

    def _carry_out(
        self, decision: Decision, claim: Claim, device_id: str, proven: bool, told: Mapping[str, Any]
    ) -> str:
        """Make, name or describe whom a decision leads to, and return by which record it does."""
        home = decision.home or self._create(claim, device_id, proven, told)
        if decision.rule == "attach-user-id":
            self._give(home, claim.user_id or "")
        if decision.home is not None:
            says_email = decision.rule == "known-user-id" or "email" in decision.changes
            self._say(home, email=claim.email if says_email else None, name=claim.name)
            self._describe(home, dict(claim.attributes))
        return home

    def _create(self, claim: Claim, device_id: str, proven: bool, told: Mapping[str, Any]) -> str:
        id = told["id"] if told["id"] not in self.users else f"another than {told['id']}"
        user_id, device = claim.user_id, None
        if not claim.names_somebody:
            user_id, device, proven = told["userId"], device_id, True
        self.users[id] = User(proven, user_id, device)
        if user_id is not None:
            self.user_ids = (*self.user_ids, UserId(user_id, proven, id))
        self._say(id, email=claim.email, name=claim.name)
        self._describe(id, dict(claim.attributes))
        return id

    def _change_user(self, id: str, **fields: Any) -> None:
        self.users[id] = replace(self.users[id], **fields)

    def _say(self, home: str, *, removes: bool = False, **said: str | None) -> None:
        """Have something be said of a record; None says nothing, unless it removes what was said."""
        is_alone = self.all_of(self.one(home)) == [home]
        for name, value in said.items():
            own = self.words.get((name, home))
            is_said = value is not None or removes
            if not is_said or value == (own or None) == self.shown(self.one(home), name):
                continue
            self.words.pop((name, home), None)
            if value is not None or not is_alone:
                self.words[name, home] = REMOVED if value is None else value

    def _describe(self, home: str, said: Mapping[str, Any]) -> None:
        """Have something be said of a record by names; None removes it."""
        for name, value in said.items():
            word = f"/{name}", home
            own = self.words.get(word, REMOVED)
            is_theirs = is_same(value, None if own == REMOVED else own)
            if not (is_theirs and is_same(value, self.shown(self.one(home), word[0]))):
                self.words.pop(word, None)
                self.words[word] = REMOVED if value is None else value

    def _give(self, home: str, user_id: str) -> None:
        """Give a record an ID. Whoever was anonymous is somebody by it, and no device's any more."""
        id = self.one(home)
        self._leave_device(id)
        self.user_ids = (*self.user_ids, UserId(user_id, self.users[id].proven, home))
        self._choose_primary(id)

    def _leave_device(self, id: str) -> None:
        device = self.users[id].device
        if device is None:
            return
        if self.devices[device].anonymous == id:
            self.devices[device] = replace(self.devices[device], anonymous=None)
        elif self.is_nobody(id):
            # Somebody else has its place by now.
            self._change_user(id, device=None)

    def _choose_primary(self, id: str) -> None:
        """A primary ID stays as long as it leads to the user; else it is the oldest of theirs."""
        ids, primary = self.ids_of(id), self.users[id].primary
        if primary in ids and not is_anonymous(primary):
            return
        named = [user_id for user_id in ids if not is_anonymous(user_id)]
        nobody = None if self.shown(id, "email") else self.nobodys_id(id)
        self._change_user(id, primary=named[0] if named else nobody)

    # What does a merge do?

    def merge(self, told: str, source: str, target: str) -> None:
        """Make one user part of another, as an agent asks. Raises Conflict."""
        if source == target or self.one(source) != source or self.one(target) != target:
            raise Conflict("merge-conflict")
        self._merge(told, source, target)

    def _merge(self, told: str, source: str, home: str) -> None:
        """Make a user part of a record, and so of whomever that is part of."""
        target = self.one(home)
        self._require_not_cleared(source, target)
        if self.is_verified(source) and not self.users[target].proven:
            raise Conflict("merge-conflict")
        if self.is_nobody(target) and not self.is_nobody(source):
            raise Conflict("merge-into-anonymous")
        self._require_one_world(home)
        self._end_sessions(self.all_of(source))
        self._leave_device(source)
        for name in {name for name, _ in self.words}:
            self._rank(name, source, target)
        brought = self.users[source].primary
        self.merges[told] = Merge(source, home)
        if self.users[target].primary is None and brought in self.ids_of(target):
            self._change_user(target, primary=brought)
        self._choose_primary(target)

    def _rank(self, name: str, source: str, target: str) -> None:
        """What was said of the one who stays counts as said later, unless it is nothing."""
        fills = self.shown(target, name) is None and self.shown(source, name) is not None
        last = self.all_of(
            source if fills and self.users[source].proven == self.users[target].proven else target
        )
        for said in [said for said in self.words if said[0] == name and said[1] in last]:
            self.words[said] = self.words.pop(said)

    def _require_not_cleared(self, *users: str) -> None:
        if any(self.users[user].cleared for user in users):
            raise Conflict("user-cleared")

    def _require_one_world(self, home: str) -> None:
        if not self.is_proven_to_be(home):
            raise Conflict("merge-conflict")

    def _end_sessions(self, homes: list[str], user_id: str | None = None) -> None:
        """End the sessions of users, or those that began under an ID of a record."""
        for id, device in self.devices.items():
            session = device.session
            if session is None or session.home not in homes or user_id not in (None, session.user_id):
                continue
            self.devices[id] = replace(device, session=None)

    def _end_sessions_elsewhere(self, nobody: str) -> None:
        """End the sessions of an anonymous user on all devices but their own."""
        for id, device in self.devices.items():
            if device.session and self.one(device.session.home) == nobody != device.anonymous:
                self.devices[id] = replace(device, session=None)

    def log_out(self, id: str) -> None:
        """End every session of a user."""
        self._end_sessions(self.all_of(id))

    def undo(self, id: str) -> None:
        """Have both users of a merge stand again. Raises Conflict."""
        if id in self.undone:
            raise Conflict("already-undone")
        after, merge = self.copy(), self.merges[id]
        del after.merges[id]
        if self._later_merges(id, merge.target) or self._is_taken(merge.source, after):
            raise Conflict("undo-conflict")
        both = merge.source, self.one(merge.target)
        were_nobody = {one for one in both if self.one(one) == one and self.is_nobody(one)}
        for one in both:
            after._stand_again(one)
        if any(after._is_impossible(one) for one in both):
            raise Conflict("undo-conflict")
        after._end_sessions(after.all_of(merge.source))
        for one in both:
            device = after.users[one].device
            if after.is_nobody(one) and one not in were_nobody and device is not None:
                now = after.devices[device]
                after.devices[device] = replace(now, anonymous=now.anonymous or one)
            if after.is_nobody(one):
                after._end_sessions_elsewhere(one)
        after.undone |= {id}
        vars(self).update(vars(after))

    def _later_merges(self, id: str, target: str) -> bool:
        """Whether the target of a merge became part of another since; it may have been so before."""
        order, above = list(self.merges), target
        while self.into(above):
            (by,) = [other for other, merge in self.merges.items() if merge.source == above]
            if order.index(by) > order.index(id):
                return True
            above = self.merges[by].target
        return False

    def _is_taken(self, source: str, after: "Identity") -> bool:
        """Whether an ID that led nowhere meanwhile, and does so after, is somebody else's by now."""
        parked = [one for one in self.user_ids if one.home in self.all_of(source)]
        parked = [one for one in parked if not self.is_proven_to_be(one.home)]
        parked = [one for one in parked if after.is_proven_to_be(one.home)]
        return any(self.home_of(one.value, proven=one.proven) is not None for one in parked)

    def _stand_again(self, id: str) -> None:
        if self.all_of(id) == [id]:
            # Of who is alone, nothing is known of what was removed.
            self.words = {key: value for key, value in self.words.items() if key[1] != id or value != REMOVED}
        if self.nobodys_id(id) and all(map(is_anonymous, self.ids_of(id))):
            self.words.pop(("email", id), None)
        self._choose_primary(id)

    def _is_impossible(self, id: str) -> bool:
        """Whether a user would be one whom no rule makes."""
        if not self.is_unclaimed(id):
            return False
        email = self.shown(id, "email")
        having = [other for one in self.emails(id) for other in self.with_email(one, self.users[id].proven)]
        return email is None or any(self.is_unclaimed(other) for other in having if other != id)

    # Further IDs, corrections, erasure

    def add_alias(self, told: str, id: str, user_id: str) -> int:
        """Have an ID lead to a user. Return the status, or raise Conflict."""
        user = self.one(id)
        home = self.home_of(user_id, proven=self.users[user].proven)
        if home is None:
            self._require_not_cleared(user)
            self._require_one_world(id)
            self._give(id, user_id)
            return 201
        owner = self.one(home)
        if owner != user and not self.is_nobody(owner):
            raise Conflict("alias-taken")
        if owner != user:
            self._merge(told, owner, id)
        return 200

    def take_id_away(self, id: str, user_id: str) -> bool:
        """Take an ID away from a user. Return whether they had it, or raise Conflict."""
        user = self.one(id)
        if user_id not in self.ids_of(user):
            return False
        others = [other for other in self.ids_of(user) if other != user_id]
        if user_id == self.users[user].primary or self.is_unclaimed(user):
            named = [other for other in others if not is_anonymous(other)]
            email = self.shown(user, "email")
            if not named and email is None:
                raise Conflict("nothing-left")
            proven = self.users[user].proven
            rivals = [other for one in self.emails(user) for other in self.with_email(one, proven)]
            rivals = [other for other in rivals if other != user]
            if not named and any(map(self.is_unclaimed, rivals)):
                raise Conflict("unclaimed-email")
        if user_id == self.users[user].primary and not any(not is_anonymous(one) for one in others):
            self._change_user(user, was_somebody=True)
        self._forget_id(user, user_id)
        self._choose_primary(user)
        return True

    def _forget_id(self, user: str, user_id: str, instead: str | None = None) -> None:
        """Have an ID of a user be nobody's; the record that it was given to is known by another instead."""
        home = self.home_of(user_id, proven=self.users[user].proven) or ""
        self._end_sessions([home], user_id)
        self.user_ids = tuple(one for one in self.user_ids if (one.value, one.home) != (user_id, home))
        if not is_anonymous(user_id):
            self._change_user(home, was_somebody=True)
            if self.users[home].primary == user_id:
                self._change_user(home, primary=instead)

    def correct_id(self, id: str, user_id: str, *, keep: bool) -> None:
        """Make an ID the primary one of a user. Raises Conflict."""
        user = self.one(id)
        former = self.users[user].primary
        owner = self.home_of(user_id, proven=self.users[user].proven)
        if owner is not None and self.one(owner) != user:
            raise Conflict("alias-taken")
        if former == user_id:
            return
        if former is None or is_anonymous(former):
            self._require_not_cleared(user)
            self._require_one_world(id)
            self._give(id, user_id)
            return
        home = self.home_of(former, proven=self.users[user].proven) or ""
        if owner is None:
            self.user_ids = (*self.user_ids, UserId(user_id, self.users[user].proven, home))
        self._change_user(user, primary=user_id)
        if not keep:
            self._forget_id(user, former, user_id if owner is None else None)

    def correct(self, id: str, changes: Mapping[str, Any]) -> None:
        """Set or remove an email, a name and attributes. Raises Conflict."""
        id = self.one(id)
        email = changes.get("email", self.shown(id, "email"))
        if email != self.shown(id, "email"):
            if self.is_nobody(id):
                raise Conflict("anonymous-email")
            if self.is_unclaimed(id) and email is None:
                raise Conflict("nothing-left")
            others = [other for other in self.with_email(email, self.users[id].proven) if other != id]
            if self.is_unclaimed(id) and any(map(self.is_unclaimed, others)):
                raise Conflict("unclaimed-email")
        self._say(id, removes=True, **{name: said for name, said in changes.items() if name != "attributes"})
        self._describe(id, changes.get("attributes", {}))

    def leave_contact(self, device_id: str, said: Mapping[str, str | None]) -> None:
        """Note how whoever is logged in can be reached."""
        session = self.devices[device_id].session
        if session is None:
            return
        place = session.home, device_id if session.claim is not None else ""
        self.contacts.pop(place, None)
        if any(said.values()):
            self.contacts[place] = tuple(said.get(name) for name in ("email", "phone", "name"))

    def erase(self, id: str) -> None:
        """Forget a user, all who are part of them, and all that is theirs."""
        gone = self.all_of(self.one(id))
        self._end_sessions(gone)
        theirs = {one for one, told in self.conversations.items() if told.home in gone}
        self.conversations = {
            one: told.without_texts_of(gone) for one, told in self.conversations.items() if one not in theirs
        }
        for one, device in self.devices.items():
            if device.anonymous in gone:
                self.devices[one] = replace(device, anonymous=None)
        self.user_ids = tuple(one for one in self.user_ids if one.home not in gone)
        self.words = {key: value for key, value in self.words.items() if key[1] not in gone}
        self.contacts = {place: left for place, left in self.contacts.items() if place[0] not in gone}
        self.merges = {one: merge for one, merge in self.merges.items() if merge.source not in gone}
        self.accounts = {one: account for one, account in self.accounts.items() if account.home not in gone}
        self.users = {one: user for one, user in self.users.items() if one not in gone}

    # Whose is a store account?

    def buy(self, told: str, user_id: str, account: str, transaction: str | None) -> str:
        """Have a user buy under a store account, or only restore. Return the rule, or raise Conflict."""
        worlds = [world for world in (True, False) if self.home_of(user_id, proven=world)]
        home = self.home_of(user_id, proven=worlds[0]) or ""
        user, kept = self.one(home), (self.users[self.one(home)].proven, account)
        owner = self._owner(kept)
        rule, then = self._claim(owner, user, restores=transaction is None)
        if then == "refuse":
            raise Conflict("store-account-taken")
        if then == "merge":
            order = list(self.users)
            stays, goes = sorted((owner or "", user), key=lambda one: (self.is_nobody(one), order.index(one)))
            self._merge(told, goes, home if stays == user else self.accounts[kept].home)
        if then == "claim":
            self._require_one_world(home)
            bought = self.accounts[kept].transactions if kept in self.accounts else ()
            self.accounts[kept] = Account(home, bought)
        if transaction is not None:
            self.accounts[kept] = self.accounts[kept].with_transaction(transaction)
        return rule

    def _owner(self, kept: tuple[bool, str]) -> str | None:
        account = self.accounts.get(kept)
        owner = self.one(account.home) if account else None
        # Where a merge led it out of its world, it waits there for nobody; of who was cleared it is nobody's.
        waits = owner is None or self.users[owner].cleared or self.users[owner].proven is not kept[0]
        return None if waits else owner

    def _claim(self, owner: str | None, user: str, *, restores: bool) -> tuple[str, str]:
        if owner is None:
            return "first-claim", "claim"
        if owner == user:
            return "same-user", "nothing"
        if self.is_nobody(owner):
            return "anonymous-owner", "merge"
        if not restores and not self.is_nobody(user):
            return "refused-purchase", "refuse"
        then = {"alias": "merge", "transfer": "claim", "keep": "refuse"}[self.behavior]
        return ("restore" if restores else "shared-purchase"), then
