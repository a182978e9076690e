"""A campaign against ingestion: twenty customers deliver, pollers are killed, rows are counted.

    python -m roadworthy.testing.source_kills FOLDER SEED KILLS

The customers differ in format, names of columns and signs in numbers. Some send files twice, some
late, some with rows that can't be read, some break their schema and correct it later. Half of the
kills come after a durable write, half at random times. What should be there is worked out from
what was delivered, by other code. Ends with status 1 where a row is lost, doubled or mixed up.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from roadworthy.core.source import Column, Source
from roadworthy.data.ingestion import Sources
from roadworthy.errors import Conflict
from roadworthy.testing.dataset_kills import opened
from roadworthy.testing.faulty import DyingAfter

CUSTOMERS = 20
_MOST_POINTS = 25
_FORMS = ("csv", "semicolon", "jsonl", "json", "parquet", "gzip", "sql")

Row = tuple[int, float, int]
"""What a customer means by a row: its number, its amount, and when it was last changed."""


@dataclass
class Customer:
    """Somebody who delivers, and the independent account of what was delivered.

    ``keyed``: a row that comes again replaces the older one; else all count.
    """

    number: int
    folder: Path
    chance: random.Random
    keyed: bool
    form: str
    meant: list[Row] = field(default_factory=list)
    bad: int = 0
    files: int = 0
    broken: tuple[Path, bytes] | None = None
    late: list[tuple[Path, bytes]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The source's name."""
        return f"customer-{self.number:02}"

    @property
    def database(self) -> Path:
        """Where a customer with a database keeps its rows."""
        return self.folder / "theirs.db"

    def source(self) -> Source:
        """How the source is configured."""
        comma = self.form == "semicolon"
        columns = {
            "customer": Column(value=self.name),
            "id": Column(source=f"No{self.number}", type="int64", required=True),
            "amount": Column(
                source="Amt",
                type="float64",
                decimal="," if comma else ".",
                thousands="." if comma else "",
                required=True,
            ),
            "changed": Column(source="seq", type="int64", required=True),
        }
        sql = {
            "url": f"sqlite:///{self.database}",
            "query": f"SELECT No{self.number}, Amt, seq, at FROM delivered",
            "cursor": "at",
        }
        given: dict[str, Any] = sql if self.form == "sql" else {"url": f"{self.folder}/in/*"}
        if comma:
            given |= {"delimiter": ";", "format": "csv"}
        if self.keyed:
            given |= {"key": ["id"], "newest": "changed"}
        return Source(
            name=self.name,
            dataset="orders",
            columns=columns,
            settle_seconds=0,
            most_deliveries=3,
            **given,
        )

    def deliver(self) -> None:
        """Something new; or the same again, something late, something broken, a correction."""
        if self.form == "sql":
            self._insert(self._rows())
            return
        event = self.chance.random()
        if self.broken is not None and event < 0.5:
            self._write(*self.broken)
            self.broken = None
        rows = self._rows()
        data = self._written(rows)
        path = self.folder / "in" / f"{self.files:04}{self._suffix()}"
        self.files += 1
        if event < 0.15 and self.broken is None and self.form != "parquet":
            self.broken = (path, data)
            self._write(path, data.replace(b"Amt", b"Bmt") if self.form != "gzip" else b"torn")
            return
        if event < 0.3:
            self.late.append((path, data))
            return
        self._write(path, data)
        if event < 0.5:
            self._write(path.with_name(f"again-{path.name}"), data)
        if self.late and event > 0.6:
            self._write(*self.late.pop(0))

    def finish(self) -> None:
        """Delivers what is late, and corrects what is broken."""
        for path, data in [*self.late, *([self.broken] if self.broken else [])]:
            self._write(path, data)
        self.late, self.broken = [], None

    def expected(self) -> Counter[Row]:
        """The rows that should be there."""
        if not self.keyed:
            return Counter(self.meant)
        newest: dict[int, Row] = {}
        for row in self.meant:
            if row[0] not in newest or row[2] > newest[row[0]][2]:
                newest[row[0]] = row
        return Counter(newest.values())

    def _rows(self) -> list[Row | None]:
        """Rows of a delivery; None stands for one that can't be read."""
        rows: list[Row | None] = []
        for _ in range(self.chance.randrange(1, 30)):
            changed = len(self.meant) + 1
            id = self.chance.randrange(40) if self.keyed else changed
            row = (id, round(self.chance.uniform(-5000, 5000), 2), changed)
            if self.chance.random() < 0.04 and self.form != "parquet":
                rows.append(None)
                self.bad += 1
            else:
                rows.append(row)
                self.meant.append(row)
        return rows

    def _written(self, rows: list[Row | None]) -> bytes:
        names = [f"No{self.number}", "Amt", "seq"]
        plain = [row if row else ("?", "none", self.files) for row in rows]
        if self.form == "parquet":
            columns = [pa.array(column) for column in zip(*plain, strict=True)]
            sink = pa.BufferOutputStream()
            parquet.write_table(pa.table(columns, names=names), sink)
            return bytes(sink.getvalue().to_pybytes())
        if self.form in ("jsonl", "json"):
            objects = [dict(zip(names, row, strict=True)) for row in plain]
            if self.form == "json":
                return json.dumps(objects).encode()
            return "\n".join(map(json.dumps, objects)).encode()
        text = io.StringIO()
        comma = self.form == "semicolon"
        writer = csv.writer(text, delimiter=";" if comma else ",")
        writer.writerow(names)
        for id, amount, changed in plain:
            shown = f"{amount:,.2f}" if comma and isinstance(amount, float) else amount
            swapped = str(shown).translate(str.maketrans(",.", ".,")) if comma else shown
            writer.writerow([id, swapped, changed])
        data = text.getvalue().encode()
        return gzip.compress(data) if self.form == "gzip" else data

    def _suffix(self) -> str:
        suffixes = {"semicolon": ".txt", "gzip": ".csv.gz"}
        return suffixes.get(self.form, f".{self.form}")

    def _write(self, path: Path, data: bytes) -> None:
        """A file that appears whole."""
        hidden = self.folder / path.name
        hidden.write_bytes(data)
        hidden.replace(path)

    def _insert(self, rows: list[Row | None]) -> None:
        with contextlib.closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS delivered (No{self.number}, Amt, seq, "
                "at INTEGER PRIMARY KEY AUTOINCREMENT)"
            )
            values = [row or ("?", "none", 0) for row in rows]
            connection.executemany(
                f"INSERT INTO delivered (No{self.number}, Amt, seq) VALUES (?, ?, ?)", values
            )


def customers(folder: Path, chance: random.Random) -> list[Customer]:
    """Twenty that differ."""
    found = []
    for number in range(CUSTOMERS):
        own = folder / f"{number:02}"
        (own / "in").mkdir(parents=True)
        form = _FORMS[number % len(_FORMS)]
        # A database whose rows are all taken by a growing number has no need of a key.
        found.append(Customer(number, own, random.Random(chance.random()), number % 3 != 0, form))
    return found


@contextlib.contextmanager
def opened_sources(home: Path, death: DyingAfter | None = None) -> Iterator[Sources]:
    """The sources of a home; with a death, every sync and commit is one of its points."""
    with opened(home, death) as datasets:
        yield Sources(datasets, home / "scratch")


def poll_for_ever(home: Path, seed: int, death: DyingAfter | None) -> None:
    """Polls whoever it hits; a stopped source is taken up again, as a person would."""
    chance = random.Random(seed)
    with opened_sources(home, death) as sources:
        while True:
            name = f"customer-{chance.randrange(CUSTOMERS):02}"
            with contextlib.suppress(Conflict):
                if sources.show(name).state.status == "stopped":
                    sources.resume(name)
                sources.poll(name)


def kill_one(home: Path, seed: int, death: DyingAfter | None, seconds: float) -> None:
    """Starts a poller and has it killed."""
    process = os.fork()
    if process == 0:
        try:
            poll_for_ever(home, seed, death)
        finally:
            os._exit(70)
    if death is None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if not os.WIFSIGNALED(status):
        raise AssertionError(f"the polling process ended by itself: {status}")


def problems_of(home: Path, every: list[Customer]) -> list[str]:
    """What is lost, doubled or mixed up, once everything was delivered and polled."""
    found: list[str] = []
    with opened_sources(home) as sources:
        for each in every:
            each.finish()
            if sources.show(each.name).state.status == "stopped":
                sources.resume(each.name)
            for _ in range(200):
                done = sources.poll(each.name)
                if done.outcome == "stopped":
                    found.append(f"{each.name} stopped: {done.said}")
                    break
                if done.outcome == "nothing" and not done.left:
                    break
            found += _difference(sources, each)
        found += [f"{e.what}: {e.reason}" for e in sources.datasets.check().problems]
        paths = {entry.path for entry in sources.datasets.read("orders").entries()}
        if strange := paths - {each.name for each in every}:
            found.append(f"strange tables: {strange}")
    return found


def _difference(sources: Sources, each: Customer) -> list[str]:
    expected = each.expected()
    there: Counter[Row] = Counter()
    if sources.datasets.read("orders").find(each.name) is not None:
        for row in sources.datasets.read("orders").to_arrow(each.name).to_pylist():
            if row["customer"] != each.name:
                return [f"{each.name} has a row of {row['customer']}"]
            there[(row["id"], row["amount"], row["changed"])] += 1
    found = []
    if lost := expected - there:
        found.append(f"{each.name} ({each.form}) lost {sum(lost.values())} rows: {min(lost)} …")
    if doubled := there - expected:
        found.append(f"{each.name} ({each.form}) has {sum(doubled.values())} too many")
    aside = sources.quarantine(each.name, 1_000_000)
    places = {(row["delivery"], row["row"]) for row in aside}
    if len(aside) != each.bad or len(places) != each.bad:
        found.append(f"{each.name} ({each.form}) set {len(aside)} rows aside of {each.bad}")
    return found


def campaign(folder: Path, seed: int, kills: int) -> tuple[int, list[str]]:
    """How many rows were delivered under how many kills, and what is wrong with them."""
    chance = random.Random(seed)
    home = folder / "home"
    home.mkdir(parents=True)
    every = customers(folder / "customers", chance)
    with opened_sources(home) as sources:
        for each in every:
            each.deliver()
            sources.add(each.source())
    for kill in range(kills):
        for each in chance.sample(every, 6):
            each.deliver()
        death = DyingAfter(1 + kill // 2 % _MOST_POINTS) if kill % 2 == 0 else None
        kill_one(home, chance.randrange(1 << 30), death, chance.uniform(0.1, 0.8))
    return sum(len(each.meant) for each in every), problems_of(home, every)


def main() -> int:
    """Runs the campaign that the arguments tell."""
    rows, problems = campaign(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(f"{rows} rows of {CUSTOMERS} customers under {sys.argv[3]} kills")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
