"""Versioned data beside DVC, Oxen, Delta, Lance and Iceberg, in one run: ratios, with versions.

``python benches/data/bench.py [--rows 2000000] [--files 100000] [--commits 1000] [--rounds 3]
[--peers all|none|NAMES] [--only LINES] [--limit 300] [--cache FOLDER]``. Each peer is installed in
a virtual environment of its own under ``--cache`` and runs in a process of its own. DVC, Oxen and
ours get a whole new file beside the old; Delta, Lance and Iceberg, and ours by rows, only the rows
that changed. What is measured by stands beside each measurement: a copy with sync, pyarrow, bare
syncs, SQLite, tar and cp. The goals are for ``--rows 6000000 --files 1000000``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import making
from driving import PEERS, Failed, Side, sides

OURS = ("ours", "ours, bytes", "ours, rows")
FILES = ("ours", "dvc", "oxen")
TABLES = ("ours", "ours, rows", "delta", "lance", "iceberg")
BY_ROWS = ("ours, rows", "delta", "lance", "iceberg")
MB = 1e6


class Bench:
    """One run: the sides, the data, and which goals were missed."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.sides = sides(options.peers, Path(options.cache), folder, options.limit)
        self.plain = self.sides["plain"]
        self.plain.fresh()
        self.missed = 0

    def chosen(self, names: tuple[str, ...]) -> list[Side]:
        """The sides of these names that take part."""
        return [self.sides[name] for name in names if name in self.sides]

    def goal(self, what: str, value: float, most: float) -> None:
        """One line of the table of goals."""
        reached = value <= most
        self.missed += not reached
        said = "reached" if reached else "MISSED"
        print(f"GOAL {what:<58}{value:>8.3g} (<= {most:g}): {said}", flush=True)

    def tell(self, title: str, cells: list[str]) -> None:
        """One line of a table."""
        print(f"{title:<20}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def versions(bench: Bench, first: str, made: dict[str, making.Version]) -> None:
    """Growth and time of a first version and of each next one, each over a fresh store."""
    size = Path(first).stat().st_size
    print(f"\nA file of {size / MB:.0f} MB; next versions with 1 % of the rows changed.")
    print("Growth in MB, and time as a multiple of a copy with sync of the whole file.")
    bench.tell("", ["first", *making.KINDS])
    bench.tell("what changed", ["", *(f"{made[kind].bytes / MB:.2f} MB" for kind in making.KINDS)])
    grown: dict[tuple[str, str], float] = {}
    names = ("ours", "ours, bytes", "ours, rows", *PEERS)
    for name in [each for each in names if each in bench.sides]:
        side = bench.sides[name]
        cells: list[str] = []
        for kind in making.KINDS:
            if kind == "inserted" and name in BY_ROWS:
                cells.append("-")
                continue
            try:
                before, after, times = _one_change(bench, side, first, kind, made[kind])
            except Failed as error:
                cells.append("failed")
                print(f"  {side.name}, {kind}: {error}", flush=True)
                continue
            grown[name, kind] = after - before
            if not cells or cells[0] == "failed":
                cells.insert(0, f"{before / MB:.0f} {times[0]:.1f}x")
            cells.append(f"{(after - before) / MB:.2f} {times[1]:.1f}x")
        bench.tell(side.name, cells)
        side.stop()
    for kind in ("appended", "block", "inserted"):
        ratio = grown["ours", kind] / made[kind].bytes
        bench.goal(f"growth, {kind}, of the changed bytes", ratio, 1.5)
    theirs = grown.get(("lance", "scattered"))
    if theirs:
        ratio = grown["ours", "scattered"] / theirs
        bench.goal("growth, scattered whole file, of Lance's given the rows", ratio, 1.5)
        ratio = grown["ours, rows", "scattered"] / theirs
        bench.goal("growth, scattered given the rows, of Lance's", ratio, 1.5)


def _one_change(
    bench: Bench, side: Side, first: str, kind: str, version: making.Version
) -> tuple[int, int, list[float]]:
    """Bytes before and after a change, and both times as multiples of a copy."""
    staged = side.name.startswith(("dvc", "oxen"))
    side.fresh()
    times = []
    for call, file, given in (
        ("first", first, (first,)),
        ("change", version.whole, (kind, version.whole, version.part)),
    ):
        if staged:
            side.ask("stage", file)
        copied = bench.plain.seconds("copy", file)
        times.append(side.seconds(call, *given) / copied)
        if call == "first":
            before = side.ask("size")["given"]
    after = side.ask("size")["given"]
    return before, after, times


def reading(bench: Bench, first: str, made: dict[str, making.Version]) -> None:
    """The first version beside reading and rewriting; a column of an old version; batches."""
    print("\nFirst version, of pyarrow's reading and rewriting; one column of an old version, of")
    print("plain Parquet's (numbers, the goal's, and texts; all in turn, the files in the system's")
    print("cache, with as many threads as each takes by itself); what reading all rows in batches")
    print("takes in memory, in a new process")
    bench.tell("", ["first", "column", "texts", "memory MB"])
    for side in bench.chosen((*TABLES, "dvc", "oxen")):
        try:
            found = _read_side(bench, side, first, made["scattered"])
        except Failed as error:
            print(f"{side.name:<20}failed: {error}", flush=True)
            continue
        peak = found.get("peak")
        cells = [f"{found[each]:.2f}" for each in ("first", "column", "texts")]
        bench.tell(side.name, [*cells, "-" if peak is None else f"{peak / MB:.0f}"])
        side.stop()
        if side.name == "ours":
            bench.goal("first ingest, of reading and rewriting", found["first"], 1.5)
            bench.goal("one column of an old version, of plain Parquet", found["column"], 1.5)


def _read_side(bench: Bench, side: Side, first: str, version: making.Version) -> dict[str, Any]:
    staged = side.name.startswith(("dvc", "oxen"))
    ratios = []
    for _ in range(bench.options.rounds):
        side.fresh()
        if staged:
            side.ask("stage", first)
        plain = bench.plain.seconds("rewrite", first)
        ratios.append(side.seconds("first", first) / plain)
    found: dict[str, Any] = {"first": statistics.median(ratios)}
    if staged:
        side.ask("stage", version.whole)
    side.ask("change", "block", version.whole, version.part)
    if not staged:
        side.again()
        answer = side.ask("batches")
        found["peak"] = answer["peak"]
    for what, name in (("column", making.COLUMN), ("texts", making.TEXTS)):
        plain, theirs = [], []
        for _ in range(1 if staged else 2 * bench.options.rounds + 1):
            plain.append(bench.plain.seconds("column", first, name))
            theirs.append(side.seconds("column", name))
        found[what] = statistics.median(theirs) / statistics.median(plain)
    return found


def commits(bench: Bench) -> None:
    """A small commit beside bare syncs, many of them, and the list of a thousand versions."""
    many = bench.options.commits
    print(f"\nA small commit, of bare syncs; the last of {many} commits, of the first; the list of")
    print("versions, of a bare query of 1,000 rows")
    bench.tell("", ["ms", "of syncs", "last/first", "commits", "list ms", "of SQLite"])
    bench.plain.ask("tiny", times=max(1000, many))
    for side in bench.chosen(("ours", *PEERS)):
        try:
            _commits_of(bench, side, many)
        except Failed as error:
            print(f"{side.name:<20}failed: {error}", flush=True)
        side.stop()


def _commits_of(bench: Bench, side: Side, many: int) -> None:
    side.fresh()
    side.ask("tiny", times=5)
    times: list[float] = []
    bare: list[float] = []
    while len(times) < many and sum(times) < bench.options.limit / 2:
        times += side.ask("tiny", times=20)["seconds"]
        if len(times) <= 200:
            bare += bench.plain.ask("tiny", times=20)["seconds"]
    own = statistics.median(times[:200]) / statistics.median(bare)
    tenth = max(20, len(times) // 10)
    growth = statistics.median(times[-tenth:]) / statistics.median(times[:tenth])
    side.ask("log")
    listed = [side.seconds("log") for _ in range(7)]
    query = [bench.plain.seconds("log") for _ in range(7)]
    ratio = statistics.median(listed) / statistics.median(query)
    numbers = (statistics.median(times[:200]) * 1e3, own, growth)
    cells = [f"{each:.2f}" for each in numbers]
    cells += [str(len(times)), f"{statistics.median(listed) * 1e3:.1f}", f"{ratio:.1f}"]
    bench.tell(side.name, cells)
    if side.name == "ours":
        bench.goal("a commit, of the bare syncs it needs", own, 3)
        bench.goal("1,000 versions listed, of a bare SQLite query", ratio, 5)
        bench.goal("the last commits, of the first", growth, 1.2)


def many_files(bench: Bench) -> None:
    """Small files in beside tar, and out beside cp."""
    count = bench.options.files
    folder = making.small_files(bench.folder / "many", count)
    print(
        f"\n{count} small files, read before each, so that they are in the system's cache: in, of"
    )
    print("tar's time and a sync; out, of cp -r's without one")
    bench.tell("", ["in", "out", "files/s in"])
    for side in bench.chosen(FILES):
        staged = side.name != "ours"
        ratios: dict[str, list[float]] = {"in": [], "out": [], "rate": []}
        try:
            for number in range(bench.options.rounds):
                side.fresh()
                if staged:
                    side.ask("stage", folder, "many")
                making.read_all(folder)
                plain = bench.plain.seconds("take", folder)
                making.read_all(folder)
                taken = side.seconds("take", folder)
                if staged:
                    side.ask("lose")
                given = side.seconds("give", str(bench.folder / f"out-{number}"))
                ratios["in"].append(taken / plain)
                making.read_all(folder)
                ratios["out"].append(given / bench.plain.seconds("give", folder))
                ratios["rate"].append(count / taken)
        except Failed as error:
            print(f"{side.name:<20}failed: {error}", flush=True)
            continue
        found = {name: statistics.median(values) for name, values in ratios.items()}
        cells = [f"{found['in']:.2f}", f"{found['out']:.2f}", f"{found['rate']:.0f}"]
        bench.tell(side.name, cells)
        side.stop()
        if side.name == "ours":
            bench.goal("small files in, of tar's time with a sync", found["in"], 2)
            bench.goal("small files out, of cp -r's time", found["out"], 2)


def upserts(bench: Bench, first: str) -> None:
    """A thousand rows by key into a table and into one eight times as large."""
    from pyarrow import parquet

    print("\nAn upsert of 1,000 rows in one place: ms, and its cost in a table 8 times as large;")
    print("the same with rows all over the table; growth in MB")
    bench.tell("", ["ms", "8 x larger", "MB", "all over: ms", "8 x larger", "MB"])
    whole = parquet.read_table(first)
    small = bench.folder / "small.parquet"
    parquet.write_table(whole.slice(0, whole.num_rows // 8), small, compression="zstd")
    parts = {
        file: _upsert_parts(bench.folder, Path(file), rows)
        for file, rows in ((str(small), whole.num_rows // 8), (first, whole.num_rows))
    }
    took: dict[str, list[float]] = {}
    for name in BY_ROWS:
        if name not in bench.sides:
            continue
        side = bench.sides[name]
        try:
            took[name], grown = _upserts_of(side, parts)
        except Failed as error:
            print(f"{side.name:<20}failed: {error}", flush=True)
            continue
        times = took[name]
        cells = []
        for at in (0, 1):
            cells += [f"{times[2 + at] * 1e3:.0f}", f"{times[2 + at] / times[at]:.1f}"]
            cells += [f"{grown[at] / MB:.2f}"]
        bench.tell(side.name, cells)
        side.stop()
    for at, what in ((0, "in one place"), (1, "all over")):
        own = took["ours, rows"]
        bench.goal(f"an upsert {what}, of that in an eighth of the table", own[2 + at] / own[at], 2)


def _upserts_of(side: Side, parts: dict[str, list[str]]) -> tuple[list[float], list[int]]:
    times: list[float] = []
    grown: list[int] = []
    for file, changes in parts.items():
        grown = []
        side.fresh()
        side.ask("first", file)
        for change in changes:
            before = side.ask("size")["given"]
            times.append(side.seconds("upsert", change))
            grown.append(side.ask("size")["given"] - before)
    return times, grown


def _upsert_parts(folder: Path, file: Path, rows: int) -> list[str]:
    import numpy as np
    from pyarrow import parquet

    table = parquet.read_table(file)
    parts = []
    for name, step in (("near", 1), ("wide", rows // 1000)):
        places = rows // 3 * (step == 1) + np.arange(1000) * step
        part = table.take(places)
        part = part.set_column(
            part.schema.get_field_index("price"), "price", [np.arange(1000.0) + 0.5]
        )
        parts.append(str(folder / f"{file.stem}-{name}.parquet"))
        parquet.write_table(part, parts[-1])
    return parts


def main() -> int:
    """Measure and print; 1 where a goal is missed."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="rw-bench-", dir=options.folder) as folder:
        bench = Bench(options, Path(folder))
        print(
            "beside " + ", ".join(bench.sides[name].name for name in PEERS if name in bench.sides)
        )
        data = Path(options.cache) / f"data-{options.rows}"
        first, made = making.make(data, options.rows)
        lines: dict[str, Callable[[], None]] = {
            "versions": lambda: versions(bench, first, made),
            "reading": lambda: reading(bench, first, made),
            "commits": lambda: commits(bench),
            "files": lambda: many_files(bench),
            "upserts": lambda: upserts(bench, first),
        }
        try:
            for name, line in lines.items():
                if options.only in ("", name) or name in options.only.split(","):
                    line()
        finally:
            for side in bench.sides.values():
                side.stop()
    return int(bench.missed > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="none", help=f"all, none, or of {', '.join(PEERS)}")
    parser.add_argument("--only", default="", help="versions, reading, commits, files, upserts")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one question")
    parser.add_argument("--folder", help="where stores are made; else the system's place")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    parser.add_argument("--cache", default=f"{home}/roadworthy-bench-data")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
