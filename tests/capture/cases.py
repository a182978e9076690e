"""The programs, how they are captured, and what they are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.capture import oracles, rows

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
    needed: str
    input: str | None = "df"
    outputs: tuple[str, ...] = ("scores",)
    output: str = ""
    answered: str = ""
    arguments: tuple[str, ...] = ()
    rejected: dict[int, int | None] = field(default_factory=dict)
    failing: tuple[int, ...] = ()
    new: Callable[[], Any] | None = None
    raw: Callable[[], Any] | None = None
    wrap: Callable[[Any], Any] = as_it_is
    """From the creation table or new rows to the input's own kind of object."""

    @property
    def path(self) -> Path:
        """The program's file."""
        return PROGRAMS / f"{self.program}.py"

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


def _flowers() -> pd.DataFrame:
    from sklearn.datasets import load_iris

    return load_iris(as_frame=True).frame


def _numbers() -> np.ndarray:
    return np.genfromtxt(PROGRAMS / "houses.csv", delimiter=",", skip_header=1)


def _number_rows() -> np.ndarray:
    return rows.houses()[["area", "rooms", "year", "lot"]].to_numpy(dtype=float)


def _records() -> list[dict[str, Any]]:
    table = pd.read_csv(PROGRAMS / "orders.csv")[["amount", "items", "channel", "returned"]]
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


CASES = [
    Case(
        "titles_and_groups",
        "passengers",
        oracles.titles_and_groups,
        "name sex age pclass fare sibsp port",
    ),
    Case(
        "fill_whole_frame",
        "houses",
        oracles.fill_whole_frame,
        "area rooms quality zone year garage lot",
        input="data",
        outputs=("predictions",),
        answered="X_test.index",
    ),
    Case(
        "encode_in_loop",
        "passengers",
        oracles.encode_in_loop,
        "sex age pclass fare deck port",
        failing=(4, 5),
    ),
    Case(
        "dummies_together",
        "houses",
        oracles.dummies_together,
        "area rooms quality zone year garage",
        input="houses",
        outputs=("answers",),
        answered="test.index",
    ),
    Case(
        "parts_by_fit_transform",
        "houses",
        oracles.parts_by_fit_transform,
        "area rooms quality zone year garage lot",
        outputs=("predicted",),
        answered="train_test_split(df, random_state=0)[1].index",
    ),
    Case(
        "category_codes",
        "houses",
        oracles.category_codes,
        "area quality zone year garage",
        outputs=("estimates",),
        answered="pd.read_csv(Path(__file__).with_name('houses.csv'))"
        ".dropna(subset=['price']).index",
    ),
    Case("bins_and_clips", "passengers", oracles.bins_and_clips, "age pclass fare", failing=(6, 7)),
    Case(
        "group_tables",
        "orders",
        oracles.group_tables,
        "city channel amount items",
        input="orders",
        outputs=("risk",),
    ),
    Case(
        "lambdas_and_globals",
        "orders",
        oracles.lambdas_and_globals,
        "channel amount items code",
        outputs=("answers",),
    ),
    Case(
        "own_transformer",
        "passengers",
        oracles.own_transformer,
        "sex age pclass fare port",
        input="people",
    ),
    Case(
        "masks_and_reuse",
        "houses",
        oracles.masks_and_reuse,
        "area rooms year garage lot",
        outputs=("y",),
        answered="pd.read_csv(Path(__file__).with_name('houses.csv'))"
        ".dropna(subset=['price']).index",
    ),
    Case(
        "filter_rows",
        "orders",
        oracles.filter_rows,
        "channel amount items",
        input="orders",
        answered="orders.index",
        rejected={2: 8, 5: 9, 6: 9},
    ),
    Case("folds_and_refit", "passengers", oracles.folds_and_refit, "sex age pclass fare sibsp"),
    Case(
        "texts_as_series",
        "messages",
        oracles.texts_as_series,
        "text",
        input="texts",
        outputs=("queue",),
        answered="test.index",
        new=lambda: pd.Series(rows.messages(), name="text"),
        wrap=lambda table: table["text"] if isinstance(table, pd.DataFrame) else table,
    ),
    Case(
        "with_arguments",
        "orders",
        oracles.with_arguments,
        "amount items coupon",
        outputs=("probabilities",),
        answered="X_test.index",
        arguments=("--penalty", "2", "--columns", "amount", "items"),
    ),
    Case(
        "nothing_named",
        "",
        oracles.nothing_named,
        " ".join(rows.flowers().columns),
        input=None,
        outputs=(),
        output="predicted",
        raw=_flowers,
        new=rows.flowers,
    ),
    Case(
        "series_and_table",
        "orders",
        oracles.series_and_table,
        "order amount items",
        input="orders",
        outputs=("scores", "handed_in"),
    ),
    Case(
        "shuffled_and_sorted",
        "houses",
        oracles.shuffled_and_sorted,
        "area rooms year garage lot",
        input="houses",
        outputs=("late",),
        answered="pd.read_csv(Path(__file__).with_name('houses.csv')).dropna(subset=['price'])"
        ".sort_values('price', ascending=False).sample(frac=1, random_state=4).index[half:]",
    ),
]
