"""Whoever is at a terminal sees how far it is; nobody else reads a word of it."""

import io

from service.moving.progress import EVERY, Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_how_far_it_is_and_for_how_long_it_will_be():
    terminal, times = Terminal(), iter([0.0, EVERY / 2, 10.0, 10.1, 90.0])
    parts = iter([0.0, 0.25])
    progress = Progress(terminal, lambda: next(parts), lambda: next(times))

    for done in (1, 2_500, 2_600, 9_000):
        progress.tell(done)
    progress.end()

    assert terminal.getvalue().split("\r") == [
        "",
        "2,500 done, 0%, 250 a second, 0:00 left\x1b[K",
        "9,000 done, 25%, 100 a second, 4:30 left\x1b[K",
        "\x1b[K",
    ]


def test_what_is_no_terminal_is_told_nothing():
    file, times = io.StringIO(), iter([0.0, 10.0])
    progress = Progress(file, lambda: 1.0, lambda: next(times))

    progress.tell(7)
    progress.end()

    assert file.getvalue() == ""
