"""Whole notebooks, run out of order and with magics, with what they answer by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.metrics import silhouette_score
from sklearn.model_selection import KFold, train_test_split
from tests.capture.oracles import filled, one_hot, sorted_levels
from tests.capture.whole.bunches import new_wines, wines
from tests.capture.whole.surveys import case

Table = pd.DataFrame


# ---- wines


def wine_segments(raw: Table, new: Table) -> np.ndarray:
    names = list(raw.columns)
    far = [name for name in names if abs(raw[name].skew()) > 0.8]

    def logged(table: Table) -> np.ndarray:
        return np.column_stack(
            [np.log(table[name] + 1) if name in far else table[name] for name in names]
        )

    known = logged(raw)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    known = (known - mean) / deviation
    shares = np.linalg.svd(known, compute_uv=False) ** 2
    count = int(np.argmax(np.cumsum(shares) / shares.sum() > 0.7)) + 1
    turned = PCA(n_components=count, svd_solver="full").fit(known)
    places = turned.transform(known)

    def segments(number: int) -> KMeans:
        return KMeans(number, n_init=3, random_state=1).fit(places)

    best = max(range(2, 6), key=lambda k: float(silhouette_score(places, segments(k).labels_)))
    fitted = segments(best)
    proline = [raw["proline"][fitted.labels_ == group].mean() for group in range(best)]
    words = ["everyday", "table", "reserve", "grand", "rare"]
    called = {int(group): words[rank] for rank, group in enumerate(np.argsort(proline))}
    asked = turned.transform((logged(new) - mean) / deviation)
    far_off = ((asked[:, None, :] - fitted.cluster_centers_[None]) ** 2).sum(axis=2)
    return np.array([called[group] for group in far_off.argmin(axis=1)])


# ---- tumours


def tumours() -> Table:
    """Tumours with their diagnosis, as the notebook makes them."""
    data = load_breast_cancer()
    table = Table(data.data, columns=[name.replace(" ", "_") for name in data.feature_names])
    return table.assign(diagnosis=np.where(data.target == 0, "M", "B"))


def new_tumours() -> Table:
    """Two between known ones, one of zeros, one far beyond every known one."""
    known = tumours().drop(columns="diagnosis")
    rows = [known.iloc[:40].mean(), known.iloc[19:22].mean(), known.min() * 0, known.max() * 3]
    return Table(rows).reset_index(drop=True)


def tumour_threshold(raw: Table, new: Table) -> np.ndarray:
    bad = (raw["diagnosis"] == "M").to_numpy().astype(int)
    related = {name: np.corrcoef(raw[name], bad)[0, 1] for name in raw if name.startswith("mean_")}
    strong = sorted((name for name in related if related[name] > 0.3), key=lambda n: -related[n])
    train, rest = train_test_split(np.arange(len(raw)), test_size=0.5, stratify=bad, random_state=0)
    valid = train_test_split(rest, test_size=0.5, stratify=bad[rest], random_state=0)[0]
    known = raw[strong].to_numpy()
    mean, deviation = known[train].mean(axis=0), known[train].std(axis=0, ddof=1)
    model = LogisticRegression(class_weight="balanced")
    model.fit((known[train] - mean) / deviation, bad[train])
    chances = model.predict_proba((known[valid] - mean) / deviation)[:, 1]
    threshold = max(
        level for level in chances if (chances[bad[valid] == 1] >= level).mean() >= 0.97
    )
    asked = model.predict_proba((new[strong].to_numpy() - mean) / deviation)[:, 1]
    words = np.array(["fine", "look again", "biopsy"])
    return words[(asked >= threshold / 2).astype(int) + (asked >= threshold)]


# ---- houses


def house_table() -> Table:
    """The notebook's own houses."""
    rng = np.random.default_rng(2018)
    n = 260
    hoods = ["NAmes", "OldTown", "Gilbert", "NoRidge", "Blueste"]
    garage = rng.normal(480, 180, n).clip(0).round()
    lots = rng.lognormal(9, 0.5, n).round()
    train = Table(
        {
            "LotArea": lots,
            "GrLivArea": rng.normal(1500, 420, n).clip(400).round(),
            "OverallQual": rng.integers(2, 10, n),
            "KitchenQual": rng.choice(["Fa", "TA", "Gd", "Ex"], n, p=[0.1, 0.5, 0.3, 0.1]),
            "Neighborhood": rng.choice(hoods, n, p=[0.4, 0.3, 0.2, 0.08, 0.02]),
            "YearBuilt": rng.integers(1900, 2010, n),
            "YrSold": rng.integers(2006, 2011, n),
        }
    )
    without = rng.random(n) < 0.2
    train["LotFrontage"] = np.where(without, np.nan, (lots / 120 + rng.normal(0, 8, n)).round())
    train["GarageArea"] = np.where(rng.random(n) < 0.08, np.nan, garage)
    train["PoolQC"] = rng.choice([None, "Gd", "Ex"], n, p=[0.96, 0.02, 0.02])
    train["SalePrice"] = np.exp(
        11 + 0.0003 * train["GrLivArea"] + 0.09 * train["OverallQual"] + rng.normal(0, 0.1, n)
    ).round()
    return train


def new_house_table() -> Table:
    """Ordinary houses, without frontage or garage, a year never seen, far too large."""
    names = (
        "LotArea GrLivArea OverallQual KitchenQual Neighborhood YearBuilt YrSold LotFrontage "
        "GarageArea"
    )
    return Table(
        [
            (8000.0, 1400.0, 5, "TA", "NAmes", 1960, 2008, 66.0, 400.0),
            (9500.0, 1800.0, 7, "Gd", "NoRidge", 2001, 2009, None, 600.0),
            (7000.0, 900.0, 4, "Fa", "OldTown", 1910, 2006, 50.0, None),
            (12000.0, 2100.0, 9, "Ex", "Gilbert", 2005, 2023, 90.0, 700.0),
        ],
        columns=names.split(),
    )


def house_notebook(raw: Table, new: Table) -> np.ndarray:
    known = raw[~((raw["GrLivArea"] > 2200) & (raw["SalePrice"] < 120_000))]
    known = known[known["LotArea"] <= 25_000]
    fronts = known.groupby("Neighborhood")["LotFrontage"].median()
    middle = (known["YrSold"] - known["YearBuilt"]).median()
    hoods, years = sorted_levels(known["Neighborhood"]), sorted_levels(known["YrSold"])

    def plain(table: Table) -> np.ndarray:
        age = table["YrSold"] - table["YearBuilt"]
        garage = filled(table["GarageArea"], 0)
        front = filled(table["LotFrontage"], [fronts[hood] for hood in table["Neighborhood"]])
        kitchen = table["KitchenQual"].map({"Fa": 1, "TA": 2, "Gd": 3, "Ex": 4})
        return np.column_stack(
            [
                table[["LotArea", "GrLivArea", "OverallQual"]],
                kitchen,
                front,
                garage,
                age,
                table["GrLivArea"] + garage,
                age > middle,
            ]
        ).astype(float)

    numbers = plain(known)
    centred = numbers - numbers.mean(axis=0)
    skewness = (centred**3).mean(axis=0) / (centred**2).mean(axis=0) ** 1.5
    far = np.abs(skewness) > 0.75

    def design(table: Table) -> np.ndarray:
        values = plain(table)
        values[:, far] = np.log(values[:, far] + 1)
        # The program's order: number columns, then the neighbourhoods, then the years.
        return np.hstack(
            [values, one_hot(table["Neighborhood"], hoods), one_hot(table["YrSold"], years)]
        )

    rows, target = design(known), np.log(known["SalePrice"].to_numpy() + 1)

    def scaled(part: np.ndarray) -> Any:
        middles = np.median(part, axis=0)
        spans = np.quantile(part, 0.75, axis=0) - np.quantile(part, 0.25, axis=0)
        return lambda other: (other - middles) / np.where(spans == 0, 1, spans)

    def error(alpha: float) -> float:
        found = []
        for inside, outside in KFold(3).split(rows):
            scale = scaled(rows[inside])
            model = Ridge(alpha=alpha).fit(scale(rows[inside]), target[inside])
            wrong = model.predict(scale(rows[outside])) - target[outside]
            found.append(np.sqrt((wrong**2).mean()))
        return float(np.mean(found))

    scale = scaled(rows)
    ridge = Ridge(alpha=min((0.1, 1, 10), key=error)).fit(scale(rows), target)
    lasso = Lasso(alpha=0.0005, max_iter=5000).fit(scale(rows), target)
    asked = scale(design(new))
    return 0.7 * np.expm1(lasso.predict(asked)) + 0.3 * np.expm1(ridge.predict(asked))


# ---- flowers


def new_flowers() -> np.ndarray:
    """Between the kinds, at a corner, and far outside."""
    return np.array(
        [[5.9, 2.9, 4.9, 1.7], [5.0, 3.4, 1.5, 0.2], [6.3, 2.5, 5.0, 1.8], [0.0, 9.0, 9.0, 0.0]]
    )


def iris_network(raw: np.ndarray, new: np.ndarray) -> np.ndarray:
    chance = np.random.RandomState(1)
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    known, wanted = (raw - mean) / deviation, np.eye(3)[load_iris().target]
    first, one = chance.randn(4, 8) * np.sqrt(2 / 4), np.zeros(8)
    second, two = chance.randn(8, 3) * np.sqrt(2 / 8), np.zeros(3)

    def forward(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        middle = np.maximum(rows @ first + one, 0)
        out = np.exp(middle @ second + two)
        return middle, out / out.sum(axis=1, keepdims=True)

    for _ in range(40):
        order = chance.permutation(len(known))
        for start in range(0, len(known), 32):
            batch = order[start : start + 32]
            middle, out = forward(known[batch])
            wrong = (out - wanted[batch]) / len(batch)
            back = (wrong @ second.T) * (middle > 0)
            second -= 0.2 * middle.T @ wrong
            two -= 0.2 * wrong.sum(axis=0)
            first -= 0.2 * known[batch].T @ back
            one -= 0.2 * back.sum(axis=0)
    out = forward((new - mean) / deviation)[1]
    names = np.array(["setosa", "versicolor", "virginica"])[out.argmax(axis=1)]
    # The names are ten letters wide at most, as the data set's are.
    return np.where(out.max(axis=1) < 0.6, "unsure", names)


CASES = [
    case(
        "house_notebook",
        house_notebook,
        "LotArea GrLivArea OverallQual KitchenQual Neighborhood YearBuilt YrSold LotFrontage "
        "GarageArea",
        input="train",
        outputs=("preds",),
        answered="train.index",
        raw=house_table,
        new=new_house_table,
    ),
    case(
        "tumour_threshold",
        tumour_threshold,
        "mean_radius mean_texture mean_perimeter mean_area mean_smoothness mean_compactness "
        "mean_concavity mean_concave_points mean_symmetry",
        outputs=("verdict",),
        answered="X_test.index",
        raw=tumours,
        new=new_tumours,
    ),
    case(
        "wine_segments",
        wine_segments,
        tuple(load_wine().feature_names),
        outputs=("answer",),
        raw=lambda: wines().drop(columns="target"),
        new=new_wines,
    ),
    case(
        "iris_network",
        iris_network,
        ("X_0", "X_1", "X_2", "X_3"),
        input="X",
        outputs=("kind",),
        raw=lambda: load_iris().data,
        new=new_flowers,
    ),
]
