"""A program in the making beside its oracle: each idiom says its lines and does them by hand.

The oracle is plain Python on dictionaries, one row at a time. What an idiom learns, it learns from
the creation rows that the oracle holds; what it applies is a function of a single row, and new rows
go through these functions one by one. Nothing here knows of captured flows.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = dict[str, Any]
Step = Callable[[Row], None]
NUMBER, WHOLE, WORD, FLAG, DATE, CODE, KEY, TARGET = (
    "number", "whole", "word", "flag", "date", "code", "key", "target",
)  # fmt: skip
NUMERIC = (NUMBER, WHOLE, FLAG)


class Rejected(Exception):
    """The program's filter leaves this row out."""


class Fails(Exception):
    """The program's own objects raise on this row."""


class Unmade:
    """A cell that the program's own objects raise on making: whatever needs it fails, too."""

    def _fail(self, *_: object) -> Any:
        raise Fails

    __float__ = __int__ = __bool__ = __hash__ = __len__ = __iter__ = __getitem__ = _fail
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __abs__ = __pow__ = _fail
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = (
        _fail
    )


class NotHere(Exception):
    """This idiom does not fit the table as it is now."""


@dataclass
class Column:
    """What a column holds now, and whether some row, of creation or not, has none."""

    kind: str
    nullable: bool = False


def null(value: Any) -> bool:
    """Whether a cell is empty."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: Any) -> float:
    """A cell as a float, not a number where it is empty."""
    return math.nan if value is None else float(value)


class Table:
    """The oracle: creation rows as they are now, and what is done to each row."""

    def __init__(self, rows: Iterable[Row], columns: dict[str, Column]) -> None:
        self.rows = [dict(row) for row in rows]
        self.columns = columns
        self.learn = self.rows
        """The rows that values are learned from."""
        self.answered = self.rows
        """The rows that the program answers, in its order."""
        self.steps: list[Step] = []

    def do(self, step: Step) -> None:
        """Does something to every row, of creation now and of requests later."""
        for row in self.rows:
            step(row)
        self.steps.append(step)

    def put(
        self, name: str, of: Callable[[Row], Any], kind: str = NUMBER, nullable: bool = False
    ) -> None:
        """Sets a column from each row alone."""

        def step(row: Row) -> None:
            try:
                row[name] = of(row)
            except Fails:
                row[name] = Unmade()

        self.do(step)
        self.columns[name] = Column(kind, nullable)

    def require(self, holds: Callable[[Row], bool]) -> None:
        """Rows for which this does not hold are left out, now and later."""
        self.stay(holds)

        def step(row: Row) -> None:
            if not holds(row):
                raise Rejected

        self.steps.append(step)

    def stay(self, holds: Callable[[Row], bool]) -> None:
        """Only these creation rows stay; requests are not asked."""
        kept = [row for row in self.rows if holds(row)]
        if len(kept) < 24:
            raise NotHere
        whole = self.learn is self.rows
        self.rows = kept
        if whole:
            self.learn = self.answered = kept

    def order(self, places: Iterable[int]) -> None:
        """The creation rows in another order."""
        self.rows[:] = [self.rows[place] for place in places]

    def split(self, learn: list[Row], answered: list[Row]) -> None:
        """From now on values are learned from the first and answers given for the second."""
        self.learn, self.answered = learn, answered

    def drop(self, names: Iterable[str]) -> None:
        """Columns that are no longer there."""
        for name in names:
            del self.columns[name]

    def values(self, name: str) -> list[Any]:
        """A column of the rows that are learned from."""
        return [row[name] for row in self.learn]

    def known(self, name: str) -> list[Any]:
        """Its cells that are not empty."""
        return [value for value in self.values(name) if not null(value)]

    def numbers(self, name: str) -> np.ndarray:
        """Its numbers that are not empty."""
        return np.array([float(value) for value in self.known(name)])

    def levels(self, name: str) -> list[Any]:
        """Its distinct words, in order."""
        return sorted(set(self.known(name)))

    def answer(self, row: Row, of: Callable[[Row], Any]) -> Any:
        """What the program would answer to a row it has never seen. Raises Rejected, Fails."""
        now = dict(row)
        try:
            for step in self.steps:
                step(now)
        except Rejected:
            if any(isinstance(cell, Unmade) for cell in now.values()):
                raise Fails from None  # it raised before the filter was asked
            raise
        cells = of(now)
        if any(isinstance(cell, Unmade) for cell in cells):
            raise Fails
        return cells


class Build:
    """The text of a program so far, and the table its oracle holds."""

    def __init__(self, rng: random.Random, table: Table) -> None:
        self.rng = rng
        self.table = table
        self.lines: list[str] = []
        self.imports = {"import numpy as np", "import pandas as pd"}
        self.top: list[str] = []
        """Functions, classes and constants before the program's own statements."""
        self.frame = "df"
        self.train = ""
        """The variable of the rows that are learned from, once the table is split."""
        self.indent = ""
        self.count = 0
        self.breaks = False
        """Whether a line gives rows values that depend on other rows for good."""
        self.used: list[str] = []
        self.must: list[str] = []
        """Columns that the answers have to show."""
        self.read_as_floats = {n for n, c in table.columns.items() if c.kind == NUMBER}
        self.columns_known = True
        """Whether the table's columns are those that the oracle knows, by name."""
        self.unique_labels = True
        """Whether no two rows have the same label."""

    @property
    def whole(self) -> bool:
        """Whether there is one table still."""
        return not self.train

    @property
    def frames(self) -> list[str]:
        """The variables of the tables that steps are applied to."""
        return [self.frame] if self.whole else [self.train, self.frame]

    def say(self, text: str) -> None:
        """Lines with ``$F`` for the table and ``$L`` for the one that is learned from."""
        text = text.replace("$F", self.frame).replace("$L", self.train or self.frame)
        self.lines += [self.indent + line if line else "" for line in text.split("\n")]

    def each(self, text: str, changes: bool = True) -> None:
        """The lines for each table; ``changes``: they change it and bind no other one."""
        if not self.whole and changes and self.rng.random() < 0.5:
            turn = self.fresh("part")
            body = text.replace("$F", turn).replace("\n", "\n    ")
            self.say(f"for {turn} in ({self.train}, {self.frame}):\n    {body}")
            return
        for frame in self.frames:
            self.say(text.replace("$F", frame))

    def fresh(self, word: str) -> str:
        """A name that was not used yet."""
        self.count += 1
        return f"{word}_{self.count}"

    def need(self, line: str) -> None:
        """An import at the program's head."""
        self.imports.add(line)

    def pick(self, *kinds: str, nullable: bool | None = None) -> str:
        """A column of one of these kinds. Raises NotHere."""
        return self.some(1, 1, *kinds, nullable=nullable)[0]

    def some(self, least: int, most: int, *kinds: str, nullable: bool | None = None) -> list[str]:
        """Several columns of these kinds. Raises NotHere."""
        fit = [
            name
            for name, column in self.table.columns.items()
            if column.kind in kinds and (nullable is None or column.nullable == nullable)
        ]
        if len(fit) < least:
            raise NotHere
        return self.rng.sample(fit, self.rng.randint(least, min(most, len(fit))))

    def constant(self, low: float = -3, high: float = 3) -> float:
        """A plain number that is not zero."""
        return round(self.rng.uniform(low, high), 1) or 1.5

    def among(self, name: str, low: float = 0.2, high: float = 0.8) -> float:
        """A plain number inside of what a column holds."""
        found = self.table.numbers(name)
        if not len(found):
            raise NotHere
        return round(float(np.quantile(found, self.rng.uniform(low, high))), 1)

    def floats(self, name: str) -> str:
        """A line that lets a column take floats, where pandas may hold whole numbers in it."""
        return "" if name in self.read_as_floats else f'$F["{name}"] = $F["{name}"].astype(float)\n'

    def only_whole(self) -> None:
        """For idioms that are written for a single table."""
        if not self.whole:
            raise NotHere
