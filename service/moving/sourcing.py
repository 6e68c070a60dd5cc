"""Take in whom a file of another desk's names: those with a user ID first, then those with an email alone, so
that it does not matter which stands first; and then what was said. Each time all of the file is read."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import orjson

from service.desk.placing import place, placed_before
from service.desk.transcripts import take_in_transcripts
from service.model.apps import App
from service.model.sources import Known, Placed
from service.moving.ahead import ahead
from service.moving.importing import Rejects
from service.moving.memory import Memory
from service.moving.reading import Read, Refused
from service.moving.records import Record
from service.moving.statistics import Statistics
from service.moving.talks import Spoken
from service.rules.records import RECORDS, Act, Before, Named
from service.rules.table import Rule
from service.store import AppStore

# How many people, or conversations, are looked up, and written, in one transaction.
MAX_PEOPLE, MAX_TALKS = 400, 50

PASSES = Named.USER_ID, Named.EMAIL

NO_OWNER = "Nobody of the app's is known to have the conversation."
NOTHING_SAID = "Nothing was said in it that its user may see."

# Of an import's steps, each a transaction, how many are done, and what came of all by then.
Note = Callable[[int, "Tally"], None]

# What brings those whom some are about, or whose these conversations are, into another store.
Bring = Callable[[Sequence[Known]], None]


class Entry(NamedTuple):
    """A line, or one of several people on it: what it says, or why it can't be read; of a conversation, also
    what it says of whoever has it."""

    number: int
    text: str | None
    record: Record | None
    complaint: str = ""
    spoken: Spoken | None = None


@dataclass
class Tally:
    """What became of people, by rule and its reason, how many of them were made and how many changed; which
    lines were left out, and refused; what was left out of others, by where it stood and why; and how many
    conversations were new, or were there, with how many messages were left out."""

    people: Counter[tuple[str, str]] = field(default_factory=Counter)
    created: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    ignored: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    new_talks: int = 0
    talks: int = 0
    hidden: int = 0

    def add(self, records: Sequence[Record], placed: Sequence[Placed]) -> None:
        """Count people who were placed."""
        for record, one in zip(records, placed, strict=True):
            self.people[one.rule, one.because] += 1
            self.created[one.rule] += one.created
            self.changed[one.rule] += one.changed
            for error in (*record.known.ignored, *one.ignored):
                self.ignored[error.pointer, error.code, error.detail] += 1


def _unnoted(_steps: int, _tally: Tally) -> None:
    """Take no note: a run that is cut off is run again, and changes nothing more."""


@dataclass(frozen=True)
class Steps:
    """How many steps a former run has done that was cut off, with what came of them; and who takes note of
    more, in the transaction of each; and how many people are in one, if that is to be other than usual."""

    done: int = 0
    tally: Tally = field(default_factory=Tally)
    note: Note = _unnoted
    people: int | None = None


class Sourcing:
    """Takes people into an app, or finds out what would happen if it did, in a store of its own."""

    def __init__(
        self,
        store: AppStore,
        app: App,
        rejects: Rejects,
        tell: Callable[[int], None],
        real: AppStore,
        bring: Bring | None = None,
        steps: Steps | None = None,
    ) -> None:
        """``real`` is the app's own store, which is ``store`` unless this is a trial."""
        self._steps = steps or Steps()
        self._step = 0
        # What was left out is read, and so counted, again.
        self.tally = replace(deepcopy(self._steps.tally), left=Counter(), refused=Counter())
        self._store = store
        self._app = app
        self._rejects = rejects
        self._tell = tell
        self._statistics = Statistics(store)
        self._real = real
        self._bring = bring
        self._memory = Memory()
        self._seen: set[Named] = set()
        self._speaks = False

    def run(self, read: Callable[[], Iterable[Entry]]) -> None:
        """Take in all that is read, each time from the beginning."""
        with closing(self._memory):
            for named in PASSES:
                if named is Named.USER_ID or named in self._seen:
                    # What reads the file lets go of it before it is closed, also where a step fails.
                    with closing(ahead(read())) as entries:
                        people = (entry for entry in entries if self._is_next(entry, named))
                        while some := list(islice(people, self._steps.people or MAX_PEOPLE)):
                            self._place([entry.record for entry in some if entry.record is not None])
            if self._speaks:
                with closing(ahead(read())) as entries:
                    talks = (entry for entry in entries if entry.spoken is not None)
                    while some := list(islice(talks, MAX_TALKS)):
                        self._take_talks(some)
        if any(self.tally.created.values()):
            self._store.newcomers.tidy_soon()

    def _is_next(self, entry: Entry, named: Named) -> bool:
        """Return whether a line's person is to be taken in, when those are who are named so; note what
        becomes of any other the first time."""
        record = entry.record
        if entry.spoken is not None:
            self._speaks = True
            return False
        if record is not None and record.named in PASSES:
            self._seen.add(record.named)
            if record.named is not named:
                return False
        elif named is not Named.USER_ID:
            return False
        if record is None:
            self._refuse(entry, "bad-line", entry.complaint)
            return False
        rule = self._decide(record)
        if rule.then is Act.LEAVE:
            self._leave(entry, rule.name, rule.because)
        elif rule.then is Act.REFUSE:
            self._refuse(entry, rule.name, record.why or rule.because)
        return rule.then is Act.DECIDE

    def _decide(self, record: Record) -> Rule[Act]:
        rule = RECORDS.decide(record.who, record.named, Before.NOTHING)
        is_person = rule.then is Act.DECIDE
        if is_person:
            said = orjson.dumps(record.known, option=orjson.OPT_SORT_KEYS)
            before = self._memory.before(record.key, said)
            rule = RECORDS.decide(record.who, record.named, before)
        # Conversations are named by it, and by whoever was left out nobody is to be made for them.
        if record.own:
            key = record.key if is_person else ""
            self._memory.call([(f"own {own}", key) for own in record.own])
        return rule

    def _place(self, records: Sequence[Record]) -> None:
        people = [record.known for record in records]
        if self._is_done():
            users = placed_before(self._store, self._app, people)
        else:
            users = [one.user for one in self._placed(records, people)]
        self._memory.note(user for user in users if user is not None)
        self._memory.call((record.key, user or "") for record, user in zip(records, users, strict=True))
        people_by_now = sum(self.tally.people.values())
        self._statistics.tell(people_by_now)
        self._tell(people_by_now)

    def _placed(self, records: Sequence[Record], people: Sequence[Known]) -> list[Placed]:
        if self._bring is not None:
            self._bring(people)
        after = self.tally

        def note(placed: Sequence[Placed]) -> None:
            nonlocal after
            after = deepcopy(self.tally)
            after.add(records, placed)
            self._steps.note(self._step, after)

        placed = place(self._store, self._app, people, self._memory.was_said, note)
        self.tally = after
        return placed

    def _is_done(self) -> bool:
        """Begin the next step, and return whether a former run has done it."""
        self._step += 1
        return self._step <= self._steps.done

    def _take_talks(self, entries: Sequence[Entry]) -> None:
        """Take in conversations of those of whom the file has told, and of those of whom they tell
        themselves."""
        strangers = {record.key: record for entry in entries if (record := self._stranger(entry))}
        for named in PASSES:
            if some := [record for record in strangers.values() if record.named is named]:
                self._place(some)
        found, hidden = [], 0
        for entry, spoken in [(entry, entry.spoken) for entry in entries if entry.spoken is not None]:
            user = self._owner(entry)
            if not user:
                self._leave(entry, "no-owner", NO_OWNER)
            elif not spoken.transcript.messages:
                self._leave(entry, "nothing-said", NOTHING_SAID)
            else:
                hidden += spoken.left
                found.append((user, spoken.transcript))
        if not self._is_done():
            there = self._real.newcomers.conversations(one.conversation.id for _, one in found)
            new = [one for one in found if one[1].conversation.id not in there]
            talks, hidden = self.tally.talks + len(found), self.tally.hidden + hidden
            after = self.tally

            def note(added: Sequence[bool]) -> None:
                nonlocal after
                after = replace(
                    self.tally, talks=talks, hidden=hidden, new_talks=self.tally.new_talks + sum(added)
                )
                self._steps.note(self._step, after)

            take_in_transcripts(self._store, new, note)
            self.tally = after
        self._tell(self.tally.talks)

    def _stranger(self, entry: Entry) -> Record | None:
        """Return who has a conversation, if the file has not told of them, and they are a person."""
        record = entry.record
        if record is None or self._owner(entry) is not None:
            return None
        rule = RECORDS.decide(record.who, record.named, Before.NOTHING)
        return record if rule.then is Act.DECIDE else None

    def _owner(self, entry: Entry) -> str | None:
        """Return who has a conversation, by our id; nobody if they were left out, None if the file has not
        told of them."""
        own = "" if entry.spoken is None else entry.spoken.owner_id
        key = self._memory.called(f"own {own}") if own else None
        if key is None and entry.record is not None:
            key = entry.record.key
        return self._memory.called(key) if key else ""

    def _leave(self, entry: Entry, reason: str, because: str) -> None:
        self.tally.left[reason, because] += 1
        self._rejects.put(_refused(entry, reason, because))

    def _refuse(self, entry: Entry, reason: str, detail: str) -> None:
        self.tally.refused[reason, detail] += 1
        self._rejects.put(_refused(entry, reason, detail))


def _refused(entry: Entry, reason: str, detail: str) -> Refused:
    data = None if entry.text is None else entry.text.encode("utf-8", "surrogateescape")
    return Refused([Read(entry.number, data, {})], reason, detail)
