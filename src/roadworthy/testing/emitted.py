"""Flow directories as capture emits them, written by hand: with steps, state and a sample."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

import roadworthy_runtime
from roadworthy_runtime.state import copy_support, save, write_index

SOURCES = Path(roadworthy_runtime.__file__).parent.parent

FLOW = """\
import numpy as np
import pandas as pd

from flow_support import Flow, load_state

{before}
state = load_state(__file__)


def steps(flights, rows):
{steps}


flow = Flow(__file__, steps, state)
predict = flow.predict
answer = flow.answer

if __name__ == "__main__":
    raise SystemExit(flow.main())
"""


def flights(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """Rows like those of the example: numbers, texts with levels, nulls, a key."""
    dice = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "distance": dice.integers(80, 5000, n).astype("float64"),
            "carrier": pd.array(dice.choice(["AA", "UA", "DL"], n), dtype="str"),
            "age": np.where(dice.random(n) < 0.2, np.nan, dice.random(n) * 30),
            "hour": dice.integers(0, 24, n),
            "ticket": pd.array([f"T{dice.integers(10**6)}-{i:03}" for i in range(n)], dtype="str"),
        }
    )


COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "distance", "type": "float", "dtype": "float64"},
    {"name": "carrier", "type": "text", "dtype": "str", "levels": ["AA", "DL", "UA"]},
    {"name": "age", "type": "float", "dtype": "float64", "nullable": True},
    {"name": "hour", "type": "int", "dtype": "int64"},
    {"name": "ticket", "type": "text", "dtype": "str"},
)
SCORES: dict[str, Any] = {
    "name": "scores",
    "kind": "array",
    "columns": [{"name": "scores", "type": "float", "dtype": "float64"}],
}


def signature(
    columns: Sequence[Mapping[str, Any]] = COLUMNS,
    outputs: Sequence[Mapping[str, Any]] = (SCORES,),
    **more: Any,
) -> dict[str, Any]:
    """A signature as in ``flow.toml``; of a table called flights unless said otherwise."""
    return {
        "input": "flights",
        "kind": "dataframe",
        "unknown": "pass",
        "columns": [dict(c) for c in columns],
        "outputs": [dict(o) for o in outputs],
        **more,
    }


def write_flow(
    directory: Path,
    steps: str,
    *,
    state: Mapping[str, Any] | None = None,
    signature: Mapping[str, Any],
    before: str = "",
    tolerance: float = 0.0,
) -> Path:
    """A flow directory without a sample."""
    directory.mkdir(parents=True, exist_ok=True)
    body = textwrap.indent(textwrap.dedent(steps).strip(), "    ")
    source = FLOW.format(before=textwrap.dedent(before).strip(), steps=body)
    (directory / "flow.py").write_text(source, "utf-8")
    copy_support(directory)
    entries = [save(directory / "state", name, value) for name, value in (state or {}).items()]
    write_index(directory / "state", entries)
    document = {"format": 1, "flow": "flight-delay", "tolerance": tolerance, "signature": signature}
    (directory / "flow.toml").write_text(tomli_w.dumps(document), "utf-8")
    return directory


def write_sample(
    directory: Path,
    columns: pd.DataFrame,
    answers: Mapping[str, Any],
    rejected: Sequence[bool] | None = None,
) -> None:
    """``sample.parquet`` with these recorded answers."""
    frame = columns.copy()
    for name, values in answers.items():
        frame[f"answer:{name}"] = values
    frame["rejected"] = [False] * len(frame) if rejected is None else list(rejected)
    frame.to_parquet(directory / "sample.parquet", index=False)


def run(directory: Path, code: str, python: Path | str = sys.executable) -> str:
    """What a fresh process prints that runs this code in the flow's directory."""
    done = subprocess.run(
        [str(python), "-c", textwrap.dedent(code)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def verify(directory: Path, out: Path) -> dict[str, Any]:
    """The verifier's report on a flow directory, made in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "roadworthy_runtime", "verify", str(directory), "--json", str(out)],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONHASHSEED": "4242"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    report: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return report


def failed(report: Mapping[str, Any]) -> dict[str, Any]:
    """The failed checks by id."""
    return {c["id"]: c for c in report["checks"] if c["outcome"] == "failed"}
