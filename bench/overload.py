"""What a server does that is asked for ten times as much as it can serve, and what an app notices of another
that asks for it.

One worker is measured, as each decides by itself. Clients are of a loop that is open: each request is due at
a time that nothing changes, so a server that is slow is asked no less.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from bench.apps import App
from bench.calls import LIST, LOGIN, prepare
from bench.load import Call, Loader
from bench.open_loop import Senders, Sent, Stream
from bench.results import Cell, table
from bench.servers import HERE, TITLES, USHER, databases, gather_statistics, serve, versions

TIMES = 10
# What part of that which it can serve a server is asked while all is well, and one app of two.
CALM, MODEST = 0.3, 0.2
# What part of it is asked as logins beside a flood of other calls.
LOGINS = 0.3
USERS, WRITERS = 50, 20
# Over how many connections each floods, and asks otherwise.
FLOODING, ASKING = 800, 32
WARM_UP = 400
# After how many seconds all begin to send: at once, when each has begun as a process and has connected.
START = 2.0
# A window in which an answer is looked for that tells that all is well again, and how far apart they begin.
WINDOW, STEP = 1.0, 0.1

HEAD = """# Asked for ten times as much as it can serve

One worker, for {seconds:g} seconds each. Requests come at random moments, whether others were answered or
not, and each is counted from when it was due. App B is asked for the same alone and beside app A's flood, by
a process of its own; both begin at the same moment, so that the first moments of the flood count. The flood's
process gives way to all others, as if it were on another machine."""


@dataclass(frozen=True)
class Overloaded:
    """What was measured on an engine: calls per second that it can serve, and what became of them while all
    is well, in a flood, with logins beside that, and after it; of a flood of logins; and of an app alone, and
    beside another that floods."""

    engine: str
    circumstances: str
    rate: float
    calm: Sent
    flood: Sent
    logins: Sent
    after: Sent
    login_flood: Sent
    alone: Sent
    beside: Sent
    other: Sent

    @property
    def recovery(self) -> float:
        """Seconds after the flood until 99 of 100 take no more than twice what they did before it, and none
        is refused; as long as was looked if that never was."""
        limit, begin = 2 * self.calm.served.percentile(99), 0.0
        while begin + WINDOW <= self.after.seconds:
            window = self.after.since(begin, begin + WINDOW)
            served = window.served
            if served.times and not window.refused and served.percentile(99) <= limit:
                return begin
            begin += STEP
        return self.after.seconds


def measure(engine: str, seconds: float) -> Overloaded:
    """Flood a server."""
    before = os.getloadavg()[0]
    with databases(engine) as make, closing(Loader()) as loader, closing(Senders()) as senders:
        url = make("overload", HERE)
        with _served(url, loader) as (port, (one, other)):
            gather_statistics(url)
            call, login = one[LIST], one[LOGIN]
            rate = loader.load(port, call, seconds=min(seconds, 5)).rate

            def send(*streams: Stream) -> list[Sent]:
                # The last in a process of its own: what it measures is not to wait for a flood's.
                *floods, last = streams
                at = time.perf_counter() + START
                first = senders.send(port, floods, seconds, at, yields=True) if floods else None
                [asked] = senders.send(port, [last], seconds, at).result()
                return [*(first.result() if first else []), asked]

            asked = Stream(call, CALM * rate, ASKING)
            flood = Stream(call, (TIMES - LOGINS) * rate, FLOODING)
            [calm] = send(asked)
            flooded, logins = send(flood, Stream(login, LOGINS * rate, ASKING))
            [after] = send(asked)
            [login_flood] = send(Stream(login, TIMES * rate, FLOODING))
            others = Stream(other[LIST], MODEST * rate, ASKING)
            [alone] = send(others)
            theirs, beside = send(Stream(call, TIMES * rate, FLOODING), others)
        load = f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after"
        circumstances = f"{versions(url)}; {load}."
        parts = calm, flooded, logins, after, login_flood, alone, beside, theirs
        return Overloaded(engine, circumstances, rate, *parts)


@contextmanager
def _served(url: str, loader: Loader) -> Iterator[tuple[int, list[dict[str, Call]]]]:
    """Have a server that has answered some calls of each kind, of two apps."""
    apps = [App.create(url), App.create(url)]
    with serve(USHER, url) as server:
        calls = [prepare(app, server.port, USERS, WRITERS) for app in apps]
        for one in calls:
            for name in (LIST, LOGIN):
                loader.load(server.port, one[name], calls=WARM_UP)
        yield server.port, calls


def written(overloaded: Sequence[Overloaded], seconds: float) -> str:
    """Write a table for each engine."""
    parts = [HEAD.format(seconds=seconds)]
    head = [
        *("", "due/s", "asked/s", "refused, %", "served/s"),
        *("p50, ms", "p99, ms", "refused within, p99, ms"),
    ]
    for one in overloaded:
        rows = [
            _row("calls, while all is well", one.calm),
            _row(f"calls, {TIMES - LOGINS:g} times as many", one.flood),
            _row(f"logins of known users beside them, {LOGINS:g} times", one.logins),
            _row("calls, right after it", one.after),
            _row(f"logins of known users, {TIMES} times as many", one.login_flood),
            _row(f"app B alone, {MODEST:g} times", one.alone),
            _row(f"app B beside A, {MODEST:g} times", one.beside),
            _row(f"app A, {TIMES} times as many", one.other),
        ]
        parts += [f"## {TITLES[one.engine]}", one.circumstances, _findings(one), table(head, rows)]
    return "\n\n".join(parts)


def _findings(one: Overloaded) -> str:
    counts = one.flood.by_connection()
    tenth = len(counts) // 10
    times = one.beside.served.percentile(99) / one.alone.served.percentile(99)
    return (
        f"It can serve {one.rate:,.0f} calls a second (`{LIST}`). {one.recovery:.1f} s after the flood 99 of"
        f" 100 answers took no more than twice what they did before it, and none was refused. App B's p99"
        f" beside app A's flood is {times:.1f} times its own. Of the flood's connections the middle eight"
        f" tenths were served between {counts[tenth]} and {counts[-tenth - 1]} times each."
    )


def _row(name: str, sent: Sent) -> list[Cell]:
    assert not sent.others, "an answer was neither what it should be nor a refusal"
    served, refusals = sent.served, sent.refusals
    return [
        name,
        ((len(sent.answers) + sent.unsent) / sent.seconds, 0),
        (len(sent.answers) / sent.seconds, 0),
        (100 * sent.refused, 1),
        (served.rate, 0),
        *((1000 * served.percentile(percent) if served.times else None, 1) for percent in (50, 99)),
        (1000 * refusals.percentile(99) if refusals.times else None, 1),
    ]
