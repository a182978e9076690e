"""Reads creation's rows with their recorded answers, from Parquet or as the recorder wrote them."""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from roadworthy_runtime.law import plain_answers

Cells = list[Any]


class Sample(NamedTuple):
    """Creation's rows by column, their recorded answers, and which of them were rejected."""

    columns: dict[str, Any]
    answers: dict[str, list[Any]]
    rejected: list[bool]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.rejected)


def read_sample(
    directory: Path, signature: Mapping[str, Any], recorded: Optional[Path] = None
) -> Sample:
    """``sample.parquet``: the signature's columns, ``answer:…`` columns and ``rejected``.

    ``recorded`` is the recorder's ``sample.json`` with the same rows and answers; it is read where
    pyarrow is not installed.
    """
    if recorded is not None and importlib.util.find_spec("pyarrow") is None:
        return _read_recorded(recorded, signature)
    parquet: Any = importlib.import_module("pyarrow.parquet")
    table = parquet.read_table(directory / "sample.parquet")
    columns = {c["name"]: _as_it_came(table, c["name"]) for c in signature["columns"]}
    found = {
        name.partition(":")[2]: table.column(name).to_pylist()
        for name in table.column_names
        if name.startswith("answer:")
    }
    rejected = [False] * table.num_rows
    if "rejected" in table.column_names:
        rejected = table.column("rejected").to_pylist()
    return Sample(columns, _answers(found, signature), rejected)


def _read_recorded(path: Path, signature: Mapping[str, Any]) -> Sample:
    document = json.loads(path.read_text("utf-8"))
    columns = {
        c["name"]: _typed(document["columns"][c["name"]], c["type"]) for c in signature["columns"]
    }
    answers = _answers(document["answers"], signature)
    return Sample(columns, answers, [False] * len(document["rows"]))


def _answers(found: Mapping[str, Cells], signature: Mapping[str, Any]) -> dict[str, Cells]:
    """The recorded answers by name, as Python's own values of the outputs' types."""
    answers = {}
    for output in signature["outputs"]:
        for column in output["columns"]:
            several = len(output["columns"]) > 1
            name = f"{output['name']}:{column['name']}" if several else output["name"]
            if name in found:
                cells = _moments(found[name], column["type"])
                answers[name] = plain_answers(cells, column["type"])
    return answers


def _as_it_came(table: Any, name: str) -> Any:
    """A column as an array where it is of numbers or times, else as a list."""
    if importlib.util.find_spec("pandas") is None:
        return table.column(name).to_pylist()
    series = table.select([name]).to_pandas()[name]
    plain = getattr(series.dtype, "kind", "O") in "biufmM" and series.dtype.name[0].islower()
    return series.to_numpy() if plain else series.tolist()


def _typed(cells: Cells, type_: str) -> Any:
    """Cells of JSON as `_as_it_came` has them."""
    cells = _moments(cells, type_)
    if importlib.util.find_spec("numpy") is None:
        return cells
    numpy: Any = importlib.import_module("numpy")
    whole = all(cell is not None for cell in cells)
    if type_ == "datetime" and not any(cell is not None and cell.tzinfo for cell in cells):
        return numpy.array(cells, dtype="datetime64[us]")
    if type_ == "bool" and whole:
        return numpy.array(cells, dtype=bool)
    if type_ == "float" or (type_ == "int" and not whole):
        return numpy.array(cells, dtype="float64")
    return numpy.array(cells) if type_ == "int" and cells else cells


def _moments(cells: Sequence[Any], type_: str) -> Cells:
    """Times and dates from their ISO text; other cells as they are."""
    read: Any = {
        "datetime": datetime.datetime.fromisoformat,
        "date": datetime.date.fromisoformat,
    }.get(type_)
    if read is None:
        return list(cells)
    return [read(_short(cell)) if isinstance(cell, str) else cell for cell in cells]


def _short(text: str) -> str:
    """ISO text with no more than the six decimals that Python's own times have."""
    whole, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{whole}{dot}{digits[:6]}{rest[len(digits) :]}".replace("Z", "+00:00")
