"""A whole program that chooses one of several models, with what it answers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from tests.capture.whole.surveys import case

Table = pd.DataFrame


def tumours() -> Table:
    """Tumours with their diagnosis."""
    bunch = load_breast_cancer()
    table = Table(bunch.data, columns=[name.replace(" ", "_") for name in bunch.feature_names])
    return table.assign(diagnosis=["MB"[number] for number in bunch.target])


def new_tumours() -> Table:
    """Two between known ones, one of zeros, one far beyond every known one."""
    known = tumours().drop(columns="diagnosis")
    rows = [known.iloc[:40].mean(), known.iloc[19:22].mean(), known.min() * 0, known.max() * 3]
    return Table(rows).reset_index(drop=True)


def ranked(scores: np.ndarray, truth: np.ndarray) -> float:
    """How often a true case is scored above another one; ties count half."""
    above = scores[truth == 1][:, None] - scores[truth == 0][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def cancer_choice(raw: Table, new: Table) -> np.ndarray:
    large = np.median(raw["worst_radius"])

    def wide(table: Table) -> dict[str, np.ndarray]:
        found = {name: table[name].to_numpy() for name in table.columns if name != "diagnosis"}
        found["compact_per_smooth"] = found["mean_compactness"] / (found["mean_smoothness"] + 1e-6)
        found["growth"] = found["worst_area"] - found["mean_area"]
        found["large"] = (found["worst_radius"] > large).astype(float)
        return found

    truth = (raw["diagnosis"] == "M").to_numpy().astype(int)
    columns = wide(raw)
    names = sorted(columns, key=lambda name: -abs(np.corrcoef(columns[name], truth)[0, 1]))[:12]
    bounds = {name: np.quantile(columns[name], [0.02, 0.98]) for name in names}

    def clipped(table: Table) -> np.ndarray:
        found = wide(table)
        return np.column_stack([np.clip(found[name], *bounds[name]) for name in names])

    known = clipped(raw)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    known = (known - mean) / deviation
    makers: list[Any] = [
        lambda: LogisticRegression(C=0.5, max_iter=1000),
        lambda: KNeighborsClassifier(n_neighbors=15),
        lambda: RandomForestClassifier(30, max_depth=4, random_state=3),
    ]

    def quality(make: Any) -> float:
        parts = StratifiedKFold(4, shuffle=True, random_state=3).split(known, truth)
        found = []
        for inside, outside in parts:
            model = make().fit(known[inside], truth[inside])
            found.append(ranked(model.predict_proba(known[outside])[:, 1], truth[outside]))
        return float(np.mean(found))

    model = max(makers, key=quality)().fit(known, truth)
    return model.predict_proba((clipped(new) - mean) / deviation)[:, 1]


CASES = [
    case(
        "cancer_choice",
        cancer_choice,
        "mean_radius mean_perimeter mean_area mean_concavity mean_concave_points worst_radius "
        "worst_perimeter worst_area worst_concavity worst_concave_points",
        input="tumours",
        outputs=("malignant",),
        output="main()",
        raw=tumours,
        new=new_tumours,
    )
]
