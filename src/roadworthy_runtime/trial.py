"""Tries the fast form of a verified flow: is it equal, is it quicker, and if not used, why not?"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional

from roadworthy_runtime import synthetic
from roadworthy_runtime.chosen import (
    NOTES,
    Columns,
    Encoded,
    Fast,
    Flow,
    different,
    read_columns,
    take_rows,
)
from roadworthy_runtime.compare import take
from roadworthy_runtime.law import telling_rows

FORMAT = 1
RELATIVE = 1e-9
"""What floats may differ by, relative: sums are added in another order."""
MOST_LEFT = 0.5
"""The share of creation's rows that a form may leave and still be worth having."""
LEAST_GAIN = 1.2
ALONE = 10
"""About how many rows of each kind are asked alone."""
SIZES = (1, 32, 1000)
_ROWS = 400
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)
_TITLE = "The fast form answers as the flow itself"


class Trial(NamedTuple):
    """What was found: the certificate's check, and what the release keeps if the form is used."""

    check: dict[str, Any]
    choice: Optional[dict[str, Any]]


class NoForm(Exception):
    """The flow has no fast form; the text says why."""


class Unequal(Exception):
    """The fast form answers otherwise than the flow."""


def try_fast(
    flow: Any, columns: Mapping[str, Any], n: int, clock: Callable[[], float] = time.perf_counter
) -> Trial:
    """Try the fast form on creation's rows and on made-up ones, and measure it.

    ``columns`` are creation's rows. The check passes where the fast form is used and where there
    is none: then the flow itself answers. It never fails a release.
    """
    try:
        form = make(flow)
        rows, count = chosen_rows(flow, columns, n)
        candidate = Fast(form, Flow(flow, flow.directory))
        compared = compare(flow, candidate, columns, n)
        times = _measure(candidate, rows, count, clock)
    except Unequal as difference:
        return _unused(f"it is not equal: {difference}")
    except NoForm as reason:
        return _unused(f"there is none: {reason}")
    except Exception as error:
        return _unused(f"trying it ended with {error!r}")
    evidence = {**compared, "milliseconds": times}
    left = compared["left"] / max(1, count)
    if left > MOST_LEFT:
        return _unused(f"it leaves {left:.0%} of creation's rows to the flow", evidence)
    gain = times["as written"][0] / times["fast"][0]
    if gain < LEAST_GAIN:
        return _unused(f"it is not quicker: {gain:.2f} times as fast for one row", evidence)
    return _used(evidence, gain)


def make(flow: Any) -> Any:
    """The fast form of a flow. Raises NoForm."""
    try:
        from roadworthy_runtime import fast
    except ImportError as error:
        raise NoForm(f"it can't be made here: {error}") from None
    try:
        return fast.load(flow)
    except fast.Unsupported as reason:
        raise NoForm(str(reason)) from None


def chosen_rows(flow: Any, columns: Mapping[str, Any], n: int) -> tuple[Columns, int]:
    """Telling rows of creation, as a frame brings them, and how many."""
    rows = telling_rows(columns, n, min(n, _ROWS))
    taken = {name: take(values, rows) for name, values in columns.items()}
    return wire_columns(flow.signature, taken, len(rows)), len(rows)


def wire_columns(signature: Mapping[str, Any], columns: Mapping[str, Any], n: int) -> Columns:
    """Rows of a sample as a frame brings them."""
    wire = {"date": "text", "object": "json"}
    made = {}
    for column in signature["columns"]:
        type_ = column["type"]
        values = columns[column["name"]]
        items = values.tolist() if getattr(values, "dtype", None) is not None and (
            values.dtype.kind not in "mM"
        ) else list(values)  # fmt: skip
        made[column["name"]] = (wire.get(type_, type_), [_to_wire(type_, v) for v in items])
    return read_columns(made, n)


def _to_wire(type_: str, value: Any) -> Any:
    if value is None or bool(value != value):
        return None
    if type_ in ("datetime", "timedelta"):
        if hasattr(value, "astype"):
            return int(
                value.astype("datetime64[us]" if type_ == "datetime" else "m8[us]").astype(int)
            )
        if type_ == "timedelta":
            return value // _MICROSECOND
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return (value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    if type_ == "object":
        return json.dumps(value, default=str)
    if type_ == "float":
        return float(value)
    if type_ == "int":
        return int(value)
    return str(value) if type_ == "date" else value


def compare(flow: Any, candidate: Fast, columns: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Creation's rows and made-up ones through both forms: how many, what was left, exactness.

    Raises Unequal.
    """
    own, count = chosen_rows(flow, columns, n)
    signature = flow.signature
    kinds = [
        synthetic.resampled(columns, n),
        synthetic.with_nulls(columns, n, signature),
        synthetic.out_of_range(columns, n, signature),
        synthetic.unseen_levels(columns, n, signature),
        *synthetic.fresh_keys(columns, n, signature),
    ]
    made = {"creation's rows": (own, count)}
    made.update(
        (kind.kind, (wire_columns(signature, kind.columns, kind.n), kind.n))
        for kind in kinds
        if kind.n
    )
    compared: dict[str, int] = {}
    exact, left = True, 0
    for kind, (rows, size) in made.items():
        expected = candidate.reference.answer(rows, size)
        for way in (candidate.by_rows, _by_columns(candidate)):
            found = way(rows, size)
            difference = different(expected, found, RELATIVE)
            if difference:
                raise Unequal(f"{kind}: {difference}")
            exact = exact and not different(expected, found, 0.0)
        lists = {name: column.values() for name, column in rows.items()}
        given = candidate.form.by_row(lists, size)
        answered = [row for row, answers in enumerate(given) if answers is not None]
        for row in answered[:: max(1, len(answered) // ALONE)]:
            alone = candidate.answer(take_rows(rows, [row]), 1)
            difference = different(_only(expected, row), alone, RELATIVE)
            if difference:
                raise Unequal(f"{kind}, row {row} alone: {difference}")
        compared[kind] = size
        if kind == "creation's rows":
            left = size - len(answered)
    none = candidate.answer(take_rows(own, []), 0)
    if any(len(values) for _, values in none.outputs.values()):
        raise Unequal("no rows get answers")
    compared["no rows"] = 0
    return {"rows": compared, "left": left, "exact": exact}


def _by_columns(candidate: Fast) -> Callable[[Columns, int], Encoded]:
    """All rows together, in the way in which a worker takes them."""

    def way(rows: Columns, size: int) -> Encoded:
        try:
            return candidate.by_columns(rows, size)
        except Exception:  # the form says that rows have to be taken one by one
            return candidate.by_rows(rows, size)

    return way


def _only(whole: Encoded, row: int) -> Encoded:
    outputs = {
        name: (type_, values[row : row + 1]) for name, (type_, values) in whole.outputs.items()
    }
    meta = {
        key: [[0, *rest] for at, *rest in whole.meta[key] if at == row] for key in NOTES
    }  # fmt: skip
    return Encoded(outputs, meta)


def _measure(
    candidate: Fast, own: Columns, count: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Milliseconds of both forms for one row and for more, the best of a few, in turn."""
    candidate.measure(own, count, clock)
    times: dict[str, list[float]] = {"fast": [], "as written": []}
    forms = {"fast": candidate.answer, "as written": candidate.reference.answer}
    for size in SIZES:
        rows = take_rows(own, [row % count for row in range(size)])
        best = dict.fromkeys(forms, float("inf"))
        for _ in range(2):
            for name, answer in forms.items():
                began = clock()
                answer(rows, size)
                best[name] = min(best[name], 1000 * (clock() - began))
        for name, found in best.items():
            times[name].append(round(found, 4))
    return times


def _used(evidence: dict[str, Any], gain: float) -> Trial:
    tolerance = 0.0 if evidence["exact"] else RELATIVE
    compared = sum(evidence["rows"].values())
    equal = "bit for bit" if evidence["exact"] else f"floats within {RELATIVE:g} relative"
    measured = f"used: equal for {compared:,} rows ({equal}), {gain:,.0f} times as fast for one row"
    evidence = {
        **evidence, "form": "fast", "tolerance": RELATIVE, "rows_of_times": list(SIZES),
        "others": {"as written": f"{gain:.1f} times as slow for one row; takes over where needed"},
    }  # fmt: skip
    choice = {"format": FORMAT, "form": "fast", "tolerance": RELATIVE, "exact": tolerance == 0.0}
    return Trial(_check(measured, "passed", evidence), choice)


def _unused(reason: str, evidence: Optional[dict[str, Any]] = None) -> Trial:
    evidence = {**(evidence or {}), "form": "as written", "others": {"fast": reason}}
    return Trial(_check(f"not used: {reason}", "not applicable", evidence), None)


def _check(measured: str, outcome: str, evidence: dict[str, Any]) -> dict[str, Any]:
    required = (
        f"equal classes and texts, floats within {RELATIVE:g} relative, on real and made-up rows"
    )
    return {
        "id": "fast-form", "group": "capture", "title": _TITLE, "outcome": outcome,
        "required": required, "measured": measured, "evidence": evidence,
    }  # fmt: skip
