"""A decision table: rows of conditions, of which the first that fits decides.

Conditions are flags, so that a table can be printed, compared with docs/rules.md, and proved: a column
is an ``enum.Flag`` with one member per thing that can be the case, a row's condition is any union
of them, and a situation has exactly one member per column.
"""

from dataclasses import dataclass
from enum import Flag
from functools import cached_property
from itertools import product
from typing import Generic, TypeVar

Act = TypeVar("Act", bound=str)
Situation = tuple[Flag, ...]


@dataclass(frozen=True)
class Rule(Generic[Act]):
    """One row: under these conditions, do this, for this reason."""

    name: str
    when: Situation
    then: Act
    because: str

    @property
    def detail(self) -> str:
        """The reason as an error gives it: no sentence of its own."""
        return self.because[0].lower() + self.because[1:-1]

    def fits(self, situation: Situation) -> bool:
        """Return whether every column's member is among this row's."""
        return all(member in condition for member, condition in zip(situation, self.when, strict=True))


@dataclass(frozen=True)
class Table(Generic[Act]):
    """Rules in order, under the headings of their columns."""

    columns: dict[str, type[Flag]]
    rules: tuple[Rule[Act], ...]

    def decide(self, *situation: Flag) -> Rule[Act]:
        """Return the first rule that fits. A situation has one member of each column, never several."""
        return self._deciding[situation]

    @cached_property
    def _deciding(self) -> dict[Situation, Rule[Act]]:
        return {
            situation: next(rule for rule in self.rules if rule.fits(situation))
            for situation in self.situations()
        }

    def situations(self) -> tuple[Situation, ...]:
        """Return every situation that the columns can express."""
        return tuple(product(*self.columns.values()))

    def as_markdown(self) -> str:
        """Return the table as docs/rules.md shows it."""
        heading = ["rule", *self.columns, "then"]
        rows = [
            [f"`{rule.name}`", *(in_words(condition) for condition in rule.when), str(rule.then)]
            for rule in self.rules
        ]
        lines = [heading, ["---"] * len(heading), *rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def in_words(condition: Flag) -> str:
    """Print a condition: ``any``, or its members' names in plain words."""
    if condition == ~type(condition)(0):
        return "any"
    return ", ".join(str(member.name).lower().replace("_", " ") for member in condition)
