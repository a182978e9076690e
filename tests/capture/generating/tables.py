"""Tables that generated programs read, and rows that they never saw."""

from __future__ import annotations

import math
import random
from typing import Any

from tests.capture.generating.building import (
    CODE,
    DATE,
    KEY,
    NUMBER,
    TARGET,
    WHOLE,
    WORD,
    Column,
    Row,
)

TOWNS = ("north", "south", "harbour", "mill", "old", "island")
KINDS = ("a", "b", "c")
WIDTHS = {
    "size": (NUMBER, True),
    "weight": (NUMBER, False),
    "fare": (NUMBER, False),
    "age": (NUMBER, True),
    "rooms": (WHOLE, False),
    "visits": (WHOLE, False),
    "town": (WORD, False),
    "grade": (WORD, True),
    "way": (WORD, False),
    "code": (CODE, False),
    "day": (DATE, False),
    "id": (KEY, False),
    "y": (TARGET, False),
}


def make_columns(rng: random.Random) -> dict[str, Column]:
    """Which columns a table has: always some numbers, words, a key and a target."""
    left_out = set(rng.sample(["size", "fare", "age", "visits", "way", "code", "day", "grade"], 2))
    return {
        name: Column(kind, nullable)
        for name, (kind, nullable) in WIDTHS.items()
        if name not in left_out
    }


def make_rows(rng: random.Random, columns: dict[str, Column], count: int) -> list[Row]:
    """Creation rows; each column that can be empty is, somewhere."""
    rows = [_row(rng, columns, i, False) for i in range(count)]
    for name, column in columns.items():
        if column.nullable:
            for place in rng.sample(range(count), 3):
                rows[place][name] = _empty(column)
            for place in [i for i in range(count) if _is_empty(rows[i][name])][count // 3 :]:
                rows[place][name] = _cell(rng, name, False, place)
    binary = rng.random() < 0.5
    for row in rows:
        total = row["weight"] + 2 * row["rooms"] + 5 * (row["town"] == "mill") + rng.gauss(0, 3)
        row["y"] = int(total > 22) if binary else round(total, 2)
    if binary and len({row["y"] for row in rows}) < 2:
        rows[0]["y"] = 1 - rows[1]["y"]
    return rows


def new_rows(rng: random.Random, columns: dict[str, Column], count: int) -> list[Row]:
    """Rows never seen: ordinary ones, unseen words, empty cells, extremes."""
    rows = [_row(rng, columns, 5000 + i, i % 3 == 0) for i in range(count)]
    for row in rows:
        row["y"] = math.nan
        for name, column in columns.items():
            if column.nullable and rng.random() < 0.25:
                row[name] = _empty(column)
    return rows


def _row(rng: random.Random, columns: dict[str, Column], place: int, odd: bool) -> Row:
    return {name: _cell(rng, name, odd and rng.random() < 0.4, place) for name in columns}


def _empty(column: Column) -> Any:
    return None if column.kind == WORD else math.nan


def _is_empty(value: Any) -> bool:
    return value is None or value != value


def _cell(rng: random.Random, name: str, odd: bool, place: int) -> Any:
    if name == "id":
        return 1000 + place
    if name == "y":
        return 0.0
    if name == "town":
        return rng.choice(["desert", "North"]) if odd else rng.choices(TOWNS, (9, 7, 5, 4, 2, 1))[0]
    if name in ("grade", "way"):
        return rng.choice(["z", "A"]) if odd else rng.choices(KINDS, (5, 3, 2))[0]
    if name == "code":
        word = "ZZ" if odd else rng.choice(["AB", "CD", "EF"])
        return f"{word}-{rng.randint(1, 99):03d}"
    if name == "day":
        year = rng.choice([1999, 2031]) if odd else rng.choice([2021, 2022])
        return f"{year}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    if name in ("rooms", "visits"):
        return rng.choice([0, 60]) if odd else rng.randint(1, 9)
    if odd:
        return rng.choice([-50.0, 900.0, 0.0])
    low, high = {"size": (20, 80), "weight": (2, 30), "fare": (1, 99), "age": (1, 90)}[name]
    return round(rng.uniform(low, high), 1)
