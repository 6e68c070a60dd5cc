"""Whose turn it is when requests wait for a thread, and who is refused."""

import pytest

from service.admission import MAX_WAIT, Kind
from service.server import waiting
from service.server.waiting import FEW, MAX_LINES, SAVED, TOO_LATE, TURN, Lines, Queue

CALLS = round(MAX_WAIT[Kind.CALL] / TURN) + 1
LOGINS = round(MAX_WAIT[Kind.LOGIN] / TURN) + 1


def fill(lines, name, kind=Kind.CALL, now=0.0):
    """Have requests come until one is refused, and return how many were not."""
    count = 0
    while lines.add(f"{name} {kind.value} {count}", name, kind, now):
        count += 1
    return count


def taken(lines, count, now=0.0, seconds=0.01):
    """Serve some requests, each of which takes so long, and return them."""
    served = []
    for _ in range(count):
        line, _, request = lines.take(now)
        lines.add_use(line, seconds)
        served.append(request)
    return served


def test_so_many_wait_as_are_served_within_the_longest_wait_and_twice_as_many_logins():
    lines = Lines()

    assert fill(lines, "a") == CALLS
    assert fill(lines, "a", Kind.LOGIN) == LOGINS


def test_what_is_admitted_is_never_refused():
    lines = Lines()
    fill(lines, "a")

    assert all(lines.add("check", "a", Kind.ADMITTED, 0.0) for _ in range(1000))
    assert lines.take(0.0)[2] == "check"


def test_an_app_that_floods_fills_no_line_but_its_own():
    lines = Lines()
    fill(lines, "a")

    assert lines.add("b", "b", Kind.CALL, 0.0)


def test_who_has_a_short_line_is_served_before_those_who_have_waited_for_longer():
    lines = Lines()
    fill(lines, "a")
    taken(lines, 10)
    lines.add("b", "b", Kind.CALL, 0.2)

    assert "b" in taken(lines, 2, 0.2)


def test_apps_have_the_same_time_whatever_their_requests_take():
    lines, served = Lines(), {"slow": 0, "fast": 0}
    fill(lines, "slow")
    fill(lines, "fast")
    for _ in range(110):
        line, _, _ = lines.take(0.0)
        served[line.name] += 1
        lines.add_use(line, 0.1 if line.name == "slow" else 0.01)

    assert served["slow"] == pytest.approx(10, abs=1)
    assert served["fast"] == pytest.approx(100, abs=1)


def test_some_who_come_together_are_served_at_once_and_a_flood_is_not():
    lines = Lines()
    fill(lines, "a")
    taken(lines, 100)
    fill(lines, "b")
    saved = round(SAVED / 0.01)

    assert all(one.startswith("b") for one in taken(lines, saved))
    of_b = [one for one in taken(lines, 40) if one.startswith("b")]
    assert len(of_b) == pytest.approx(20, abs=1)


def test_who_asks_for_less_than_others_does_not_wait_for_them_again_and_again():
    lines = Lines()
    fill(lines, "a")
    taken(lines, 20)
    for _ in range(10):
        few = [f"b {number}" for number in range(5)]
        for one in few:
            lines.add(one, "b", Kind.CALL, 0.0)

        assert taken(lines, 5) == few
        taken(lines, 6)


def test_logins_go_first_and_each_fourth_turn_is_not_theirs():
    lines = Lines()
    fill(lines, "a", Kind.CALL)
    fill(lines, "a", Kind.LOGIN)

    assert [one.split()[1] for one in taken(lines, 8)] == ["login", "login", "login", "call"] * 2


def test_requests_of_one_kind_are_served_in_the_order_in_which_they_came():
    lines = Lines()
    for number in range(10):
        lines.add(number, "a", Kind.CALL, float(number) / 100)

    assert taken(lines, 10) == list(range(10))
    assert lines.take(1.0) is None
    assert not lines


def expected_after(*turns):
    """Return how long somebody is expected to wait who comes when fifty wait, and turns took so long."""
    queue, now = Queue(), 0.0
    for _ in range(50):
        queue.add("before", now)
    for seconds in turns:
        now += seconds
        queue.add("next", now)
        queue.take(now)
    return queue.expected(now)


def test_slow_turns_let_fewer_wait_and_one_slow_turn_hardly_any_fewer():
    assert expected_after(*[TURN] * 60) == pytest.approx(50 * TURN)
    assert expected_after(*[TURN / 4] * 200) == pytest.approx(50 * TURN / 4, rel=0.1)
    assert expected_after(*[TURN] * 50, 1.0, *[TURN] * 60) == pytest.approx(50 * TURN, rel=0.1)
    assert expected_after(*[20 * TURN] * 60) == pytest.approx(50 * 20 * TURN, rel=0.1)


def test_when_a_line_is_over_what_was_slow_is_soon_forgotten():
    queue = Queue()
    for number in range(200):
        queue.add(number, 0.0)
    for number in range(200):
        queue.take(number * 0.1)
    for _ in range(8):
        queue.add("next", 20.0)
        queue.take(20.0)

    queue.add("next", 20.0)
    assert queue.expected(20.0) == pytest.approx(TURN)


@pytest.fixture
def few_are_many(monkeypatch):
    monkeypatch.setattr(waiting, "FEW", 0)


def test_who_comes_with_a_few_others_waits_for_as_long_as_it_takes():
    lines = Lines()
    for number in range(FEW):
        assert lines.add(number, "a", Kind.CALL, 0.0 if number < 10 else 100.0)

    assert not lines.add("one more", "a", Kind.CALL, 100.0)
    assert lines.add("login", "a", Kind.LOGIN, 100.0)
    taken(lines, 10, 100.0)
    assert lines.take_late(200.0) == []


def test_while_nobody_is_served_whoever_comes_is_refused_as_soon_as_the_first_has_waited_for_long(
    few_are_many,
):
    lines = Lines()

    assert lines.add("first", "a", Kind.CALL, 0.0)
    assert lines.add("second", "a", Kind.CALL, 0.4)
    assert not lines.add("third", "a", Kind.CALL, 0.6)
    assert lines.add("login", "a", Kind.LOGIN, 0.6)


def test_who_waits_for_a_second_nevertheless_is_refused_then_but_for_what_is_admitted(few_are_many):
    lines = Lines()
    lines.add("call", "a", Kind.CALL, 0.0)
    lines.add("login", "b", Kind.LOGIN, 0.0)
    lines.add("check", "c", Kind.ADMITTED, 0.0)

    assert lines.take_late(TOO_LATE) == []
    assert lines.take_late(TOO_LATE + 0.1) == ["call", "login"]
    assert taken(lines, 1) == ["check"]
    assert not lines


def test_lines_in_which_nobody_waits_are_forgotten_when_there_are_many():
    lines = Lines()
    for number in range(MAX_LINES + 10):
        lines.add(number, str(number), Kind.CALL, 0.0)
        if number:
            lines.take(0.0)

    assert len(lines._lines) <= MAX_LINES
    assert lines.take(0.0)
