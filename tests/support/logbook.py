"""The log of the whole test run: written as a server writes it, and searched for what it must not hold."""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from service import logs

# What the tests send: emails, IDs that apps gave, and everything that opens something.
_PERSONAL = re.compile(
    r"""[^\s"@]+@[^\s"@]+ | %40
    | \bu-\d | my_identifier | \$anon: | \$RCAnonymousID:
    | \b[spi]k_[0-9a-f]{32}_ | \bst_[0-9a-f]{32}_ | \bak_\w | \bdev_[\w-]{43} | \beyJ""",
    re.VERBOSE,
)


def keep(path: Path) -> None:
    """Log as a server does from now on, into a file."""
    logs.configure()
    logs.OUTPUT.elsewhere = path.open("a", encoding="utf-8")


@contextmanager
def on_standard_output() -> Iterator[None]:
    """Log on standard output as a server does, and give the run its own handlers back afterwards."""
    root = logging.getLogger()
    handlers, elsewhere = root.handlers[:], logs.OUTPUT.elsewhere
    logs.configure()
    logs.OUTPUT.elsewhere = None
    try:
        yield
    finally:
        root.handlers[:] = handlers
        logs.OUTPUT.elsewhere = elsewhere
        logs.REQUEST.set(None)


def personal_lines(lines: Iterable[str]) -> list[str]:
    """Find the lines that tell who somebody is, or open something."""
    return [line for line in lines if _PERSONAL.search(line)]
