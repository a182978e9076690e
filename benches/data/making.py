"""The data: a Parquet file of 15 columns, four ways in which its next version differs, small files.

At six million rows the file has about 350 MB. One row in a hundred differs: ``appended``,
``block`` (one stretch of rows has new values in five columns), ``scattered`` (the same five
columns, rows all over) or ``inserted`` (in the middle).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

KINDS = ("appended", "block", "scattered", "inserted")
CHANGED = ("price", "weight", "delay", "seats", "state")
COLUMN, TEXTS = "price", "state"
_STATES = np.array(["planned", "boarding", "departed", "landed", "cancelled"])


@dataclass(frozen=True)
class Version:
    """A next version: the whole new file, the rows concerned, and the bytes that changed."""

    whole: str
    part: str
    bytes: int


def rows(first: int, count: int, seed: int) -> pa.Table:
    """Rows with these ids."""
    chance = np.random.default_rng(seed)
    ids = np.arange(first, first + count)
    places = np.array([f"P{number:04}" for number in range(400)])
    return pa.table(
        {
            "id": ids,
            "time": pa.array(1_700_000_000_000_000 + ids * 1_370_000, pa.timestamp("us")),
            "origin": places[chance.integers(0, 400, count)],
            "target": places[chance.integers(0, 400, count)],
            "carrier": places[chance.integers(0, 12, count)],
            "tail": [f"N{number:05}" for number in chance.integers(0, 5000, count)],
            "distance": chance.integers(50, 9000, count).astype(np.int32),
            "direct": chance.random(count) < 0.8,
            "latitude": chance.uniform(-90, 90, count),
            "longitude": chance.uniform(-180, 180, count),
            **_changing(chance, count),
        }
    )


def _changing(chance: np.random.Generator, count: int) -> dict[str, pa.Array]:
    return {
        "price": pa.array(chance.gamma(2, 90, count)),
        "weight": pa.array(chance.normal(80_000, 9_000, count)),
        "delay": pa.array(np.round(chance.gamma(1, 20, count), 1)),
        "seats": pa.array(chance.integers(0, 400, count).astype(np.int16)),
        "state": pa.array(_STATES[chance.integers(0, 5, count)]),
    }


def make(folder: Path, count: int) -> tuple[str, dict[str, Version]]:
    """The first file and its next versions, written where they are not yet."""
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "first.parquet"
    some = count // 100
    whole = rows(0, count, 1)
    fresh = rows(count, some, 2)
    block = _changed(whole, np.arange(count // 2, count // 2 + some))
    chosen = np.random.default_rng(3).choice(count, some, replace=False)
    scattered = _changed(whole, np.sort(chosen))
    middle = count // 3
    inserted = pa.concat_tables([whole.slice(0, middle), fresh, whole.slice(middle)])
    if not first.exists():
        _write(whole, first)
    made = {
        "appended": _version(folder, "appended", pa.concat_tables([whole, fresh]), fresh, False),
        "block": _version(folder, "block", *block, True),
        "scattered": _version(folder, "scattered", *scattered, True),
        "inserted": _version(folder, "inserted", inserted, fresh, False),
    }
    return str(first), made


def _changed(whole: pa.Table, places: np.ndarray) -> tuple[pa.Table, pa.Table]:
    """The table with new values in these rows, and those rows."""
    values = _changing(np.random.default_rng(4), len(places))
    part = whole.take(pa.array(places))
    order = np.arange(whole.num_rows)
    order[places] = whole.num_rows + np.arange(len(places))
    for name in CHANGED:
        part = part.set_column(part.schema.get_field_index(name), name, values[name])
        both = pa.chunked_array([*whole[name].chunks, values[name]])
        now = both.take(pa.array(order))
        whole = whole.set_column(whole.schema.get_field_index(name), name, now)
    return whole, part


def _version(folder: Path, kind: str, whole: pa.Table, part: pa.Table, few: bool) -> Version:
    target, rows_file = folder / f"{kind}.parquet", folder / f"{kind}-rows.parquet"
    if not target.exists():
        _write(part, rows_file)
        _write(whole, target)
    counted = folder / f"{kind}-bytes.parquet"
    _write(part.select(CHANGED) if few else part, counted)
    return Version(whole=str(target), part=str(rows_file), bytes=counted.stat().st_size)


def _write(table: pa.Table, path: Path) -> None:
    partial = path.with_suffix(".partial")
    parquet.write_table(table, partial, compression="zstd", row_group_size=1 << 17)
    partial.rename(path)


def small_files(folder: Path, count: int) -> str:
    """Small files of one to four kilobytes, two hundred a folder."""
    chance = np.random.default_rng(5)
    for number in range(count):
        path = folder / f"{number // 200:05}" / f"{number:07}.bin"
        if not number % 200:
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(chance.bytes(int(chance.integers(1000, 4000))))
    return str(folder)


def read_all(folder: str) -> None:
    """Reads a folder's files, so that they are in the system's cache; it may not keep them long."""
    for path in Path(folder).rglob("*.bin"):
        path.read_bytes()
