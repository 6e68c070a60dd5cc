"""What is made quickly is what it would be otherwise."""

from copy import copy
from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace

import pytest

from service.frozen import quick


@dataclass(frozen=True)
class Slow:
    """A noun as the library makes it."""

    name: str
    secret: str | None = field(default=None, repr=False)
    count: int = 1

    @property
    def twice(self) -> int:
        """Twice the count."""
        return 2 * self.count


@quick
@dataclass(frozen=True)
class Quick(Slow):
    """The same, made quickly."""


ASKED = [
    pytest.param(("Jane",), {}, id="the defaults"),
    pytest.param(("Jane", "s", 2), {}, id="all in order"),
    pytest.param((), {"count": 3, "name": "Jane"}, id="by name"),
    pytest.param(("Jane",), {"count": None}, id="None is a value"),
]
REFUSED = [
    pytest.param((), {}, id="one is missing"),
    pytest.param(("Jane", "s", 2, 3), {}, id="one too many"),
    pytest.param(("Jane",), {"name": "Jane"}, id="one twice"),
    pytest.param(("Jane",), {"other": 1}, id="one that it has not"),
]


@pytest.mark.parametrize(("values", "named"), ASKED)
def test_it_holds_the_same(values, named):
    slow, made = Slow(*values, **named), Quick(*values, **named)

    assert asdict(made) == asdict(slow)
    assert repr(made) == repr(slow).replace("Slow", "Quick")
    assert hash(made) == hash(slow)


@pytest.mark.parametrize(("values", "named"), REFUSED)
def test_it_refuses_the_same(values, named):
    for kind in (Slow, Quick):
        with pytest.raises(TypeError):
            kind(*values, **named)


def test_it_is_as_frozen():
    made = Quick("Jane")

    for change in (lambda: setattr(made, "name", "Eve"), lambda: delattr(made, "name")):
        with pytest.raises(FrozenInstanceError):
            change()
    assert made.name == "Jane"


def test_it_is_compared_and_copied_alike():
    made = Quick("Jane", "s", 2)

    assert made == Quick("Jane", "s", 2) != Quick("Jane", "s", 3)
    assert replace(made, count=3) == Quick("Jane", "s", 3)
    assert copy(made) == made
    assert made.twice == 4
