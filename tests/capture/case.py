"""One program with its oracle: how it is captured, and what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from tests.capture import rows

PROGRAMS = Path(__file__).parent / "programs"
Oracle = Callable[[Any, Any], Any]


def as_it_is(table: Any) -> Any:
    """A table that is the input's own kind of object already."""
    return table


@dataclass(frozen=True)
class Case:
    """One program with its oracle.

    ``needed`` are the columns that production needs; ``output`` is an expression of the plain
    program's names that has its answers, ``answered`` one that has their row labels (all rows
    where empty). ``rejected`` are new rows (from 0) that the flow rejects, with the program's line;
    ``failing`` are new rows for which the program's own steps raise.
    """

    program: str
    table: str
    oracle: Oracle
    needed: str | tuple[str, ...]
    input: str | None = "df"
    outputs: tuple[str, ...] = ("scores",)
    output: str = ""
    answered: str = ""
    arguments: tuple[str, ...] = ()
    rejected: dict[int, int | None] = field(default_factory=dict)
    failing: tuple[int, ...] = ()
    warned: tuple[str, ...] = ()
    """What the report's warnings of a test side say, each a part of one."""
    new: Callable[[], Any] | None = None
    raw: Callable[[], Any] | None = None
    wrap: Callable[[Any], Any] = as_it_is
    """From the creation table or new rows to the input's own kind of object."""
    folder: Path = PROGRAMS

    @property
    def path(self) -> Path:
        """The program's file: a script, or a notebook of that name."""
        notebook = self.folder / f"{self.program}.ipynb"
        return notebook if notebook.exists() else self.folder / f"{self.program}.py"

    @property
    def expression(self) -> str:
        """What the plain program's answers are, as one expression."""
        return self.output or "{" + ", ".join(f"{o!r}: {o}" for o in self.outputs) + "}"

    def creation(self) -> Any:
        """The creation table as the program read it."""
        if self.raw is not None:
            return self.raw()
        return pd.read_csv(PROGRAMS / f"{self.table}.csv")

    def fresh(self) -> Any:
        """The new rows that this program can answer."""
        table = (self.new or getattr(rows, self.table))()
        keep = [place for place in range(len(table)) if place not in self.failing]
        return table.iloc[keep].reset_index(drop=True) if self.failing else table
