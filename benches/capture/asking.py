"""Asks a captured flow and the same statements by hand for 1 and for 100,000 rows, in turn.

``python asking.py FLOW_DIRECTORY`` runs ``wide.py`` for the hand's state; prints one JSON document.
"""

from __future__ import annotations

import importlib
import json
import runpy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROUNDS = {1: 200, 100_000: 5}


def by_hand(made: dict[str, Any]) -> Callable[[pd.DataFrame], Any]:
    """What a careful person would write for production, with what creation learned."""
    df = made["df"]
    medians = {name: df[name].median() for name in ("x3", "x4")}
    means, limit = df.groupby("plan")["spent"].mean(), df["spent"].quantile(0.9)
    columns, scaler, model = made["X"].columns, made["scaler"], made["model"]

    def answer(rows: pd.DataFrame) -> Any:
        rows = rows.copy()
        for name, median in medians.items():
            rows[name] = rows[name].fillna(median)
        rows["spent"] = rows["spent"].fillna(rows["plan"].map(means))
        rows["per_seat"] = rows["spent"] / rows["seats"]
        rows["years"] = 2026 - rows["since"]
        rows["rich"] = rows["spent"] > limit
        wide = pd.get_dummies(rows.drop(columns=["since"]), columns=["region", "plan"])
        wide = wide.reindex(columns=columns, fill_value=False)
        return model.predict_proba(pd.DataFrame(scaler.transform(wide), columns=columns))[:, 1]

    return answer


def main() -> None:
    """Time both sides on the same rows."""
    made = runpy.run_path(str(Path(__file__).with_name("wide.py")))
    sys.path.insert(0, sys.argv[1])
    sides = {"flow": importlib.import_module("flow").predict, "by hand": by_hand(made)}
    needed = [*(f"x{i}" for i in range(14)), "region", "plan", "since", "seats", "spent"]
    table = made["df"][needed].reset_index(drop=True)
    found: dict[str, Any] = {}
    for count, rounds in ROUNDS.items():
        rows = table.head(count)
        one, other = (np.asarray(side(rows), dtype=float) for side in sides.values())
        np.testing.assert_allclose(one, other, rtol=1e-6)
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                began = time.perf_counter()
                side(rows)
                taken[name].append(time.perf_counter() - began)
        found[str(count)] = {name: statistics.median(each) for name, each in taken.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
