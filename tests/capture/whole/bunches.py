"""Whole programs on the data that scikit-learn carries, with what they answer by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingRegressor
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import SVC
from tests.capture.oracles import one_hot
from tests.capture.whole.surveys import case

Table = pd.DataFrame


def scaled(known: Any) -> Any:
    """What standardises columns as these rows would be."""
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    return lambda table: (table - mean) / np.where(deviation == 0, 1, deviation)


# ---- tumours


def tumours() -> Table:
    """Tumours with the target as the last column."""
    bunch = load_breast_cancer()
    names = [*bunch.feature_names, "target"]
    return Table(np.column_stack([bunch.data, bunch.target]), columns=names)


def new_tumours() -> Table:
    """Two that lie between known ones, one of zeros, one far beyond every known one."""
    known = tumours().drop(columns="target")
    rows = [known.iloc[:40].mean(), known.iloc[19:22].mean(), known.min() * 0, known.max() * 3]
    return Table(rows).reset_index(drop=True)


def uncorrelated(raw: Table) -> list[str]:
    """The features without those that an earlier one tells more than 0.92 of."""
    names = list(raw.columns[:-1])
    related = np.abs(np.corrcoef(raw[names].to_numpy().T))
    return [name for place, name in enumerate(names) if not any(related[:place, place] > 0.92)]


def breast_cancer_course(raw: Table, new: Table) -> np.ndarray:
    names = uncorrelated(raw)
    low, high = raw[names].quantile(0.01).to_numpy(), raw[names].quantile(0.99).to_numpy()
    train = train_test_split(np.arange(len(raw)), test_size=0.2, random_state=5)[0]
    known = np.clip(raw[names].to_numpy(), low, high)[train]
    target = raw["target"].to_numpy()[train]

    def made(rows: np.ndarray, classes: np.ndarray, penalty: float, width: float) -> Any:
        least, span = rows.min(axis=0), rows.max(axis=0) - rows.min(axis=0)
        model = SVC(C=penalty, gamma=width).fit((rows - least) / span, classes)
        return lambda table: model.predict((table - least) / span)

    def right(penalty: float, width: float) -> float:
        shares = []
        for inside, outside in StratifiedKFold(3).split(known, target):
            ask = made(known[inside], target[inside], penalty, width)
            shares.append((ask(known[outside]) == target[outside]).mean())
        return float(np.mean(shares))

    grid = [(penalty, width) for penalty in (0.1, 1, 10) for width in (1, 0.1)]
    best = max(grid, key=lambda pair: right(*pair))
    return made(known, target, *best)(np.clip(new[names].to_numpy(), low, high))


# ---- patients


def patients() -> Table:
    """Patients in their own units."""
    return load_diabetes(as_frame=True, scaled=False).frame


def new_patients() -> Table:
    """Ordinary patients, a sex never seen, extremes."""
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    return Table(
        [
            (45.0, 1.0, 29.9, 96.0, 180.0, 110.0, 50.0, 4.0, 4.6, 90.0),
            (61.0, 2.0, 30.0, 84.0, 200.0, 130.0, 44.0, 5.0, 5.1, 101.0),
            (25.0, 3.0, 21.0, 70.0, 150.0, 90.0, 66.0, 2.0, 4.0, 77.0),
            (30.0, 2.0, 18.0, 300.0, 500.0, 1.0, 5.0, 10.0, 9.0, 300.0),
        ],
        columns=names,
    )


def diabetes_stacking(raw: Table, new: Table) -> np.ndarray:
    def design(table: Table) -> np.ndarray:
        steps = np.searchsorted([30, 45, 60], table["age"], side="left")
        return np.column_stack(
            [
                table[[name for name in table.columns if name not in ("sex", "target")]],
                table["bmi"] >= 30,
                steps,
                np.log(table["bp"] + 1),
                one_hot(table["sex"], [2, 1]),
            ]
        ).astype(float)

    train = raw.iloc[train_test_split(np.arange(len(raw)), test_size=0.25, random_state=7)[0]]
    rows, target = design(train), np.log(train["target"].to_numpy() + 1)

    def near(rows: np.ndarray, target: np.ndarray) -> Any:
        scale = scaled(rows)
        model = KNeighborsRegressor(n_neighbors=12).fit(scale(rows), target)
        return lambda table: model.predict(scale(table))

    def boosted(rows: np.ndarray, target: np.ndarray) -> Any:
        model = GradientBoostingRegressor(
            n_estimators=40, learning_rate=0.08, max_depth=2, random_state=5
        )
        return model.fit(rows, target).predict

    def shrunk(rows: np.ndarray, target: np.ndarray) -> Any:
        low, high = np.quantile(rows, [0.02, 0.98], axis=0)
        scale = scaled(np.clip(rows, low, high))
        model = Lasso(alpha=0.005, random_state=1).fit(scale(np.clip(rows, low, high)), target)
        return lambda table: model.predict(scale(np.clip(table, low, high)))

    unknown = np.zeros((len(rows), 2))
    asked: list[list[Any]] = [[], []]
    for place, make in enumerate((near, boosted)):
        for inside, outside in KFold(5, shuffle=True, random_state=156).split(rows):
            asked[place].append(make(rows[inside], target[inside]))
            unknown[outside, place] = asked[place][-1](rows[outside])
    last = Ridge(alpha=1.0).fit(unknown, target)
    given = design(new)
    means = [np.mean([ask(given) for ask in each], axis=0) for each in asked]
    parts = [
        last.predict(np.column_stack(means)),
        boosted(rows, target)(given),
        shrunk(rows, target)(given),
    ]
    return np.exp(np.column_stack(parts)).dot([0.7, 0.15, 0.15]) - 1


# ---- digits


def digits() -> np.ndarray:
    """Images of digits, a row of 64 pixels each."""
    return load_digits().data


def new_digits() -> np.ndarray:
    """Means of some images, a black one and a white one."""
    known = digits()
    return np.vstack([known[:5] * 0.5 + known[10:15] * 0.5, np.zeros(64), np.full(64, 16.0)])


def digits_network(raw: np.ndarray, new: np.ndarray) -> np.ndarray:
    target = load_digits().target
    chance = np.random.RandomState(0)
    kept = raw.std(axis=0) > 0
    mean, deviation = raw[:, kept].mean(axis=0), raw[:, kept].std(axis=0) + 1e-8
    order = chance.permutation(len(raw))[: int(0.8 * len(raw))]
    rows = (raw[:, kept][order] - mean) / deviation
    wanted = (target[order][:, None] == np.arange(10)).astype(float)
    first = chance.randn(rows.shape[1], 24) * np.sqrt(1 / rows.shape[1])
    second = chance.randn(24, 10) * np.sqrt(1 / 24)
    one, two = np.zeros(24), np.zeros(10)

    def forward(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        middle = 1 / (1 + np.exp(-(table @ first + one)))
        out = np.exp(middle @ second + two)
        return middle, out / out.sum(axis=1, keepdims=True)

    for _ in range(8):
        shuffled = chance.permutation(len(rows))
        for start in range(0, len(rows), 64):
            batch = shuffled[start : start + 64]
            middle, out = forward(rows[batch])
            wrong = (out - wanted[batch]) / len(batch)
            back = (wrong @ second.T) * middle * (1 - middle)
            second -= 0.5 * middle.T @ wrong
            two -= 0.5 * wrong.sum(axis=0)
            first -= 0.5 * rows[batch].T @ back
            one -= 0.5 * back.sum(axis=0)
    return forward((new - mean) / deviation)[1].argmax(axis=1)


# ---- flowers


def flowers() -> Table:
    """Irises, measured."""
    return load_iris(as_frame=True).frame


def new_flowers() -> Table:
    """Between the kinds, at a corner, and far outside."""
    names = [name for name in flowers().columns if name != "target"]
    rows = [(5.9, 2.9, 4.9, 1.7), (5.0, 3.4, 1.5, 0.2), (6.3, 2.5, 5.0, 1.8), (0.0, 9.0, 9.0, 0.0)]
    return Table(rows, columns=names)


def iris_neighbours(raw: Table, new: Table) -> np.ndarray:
    train = raw.sample(frac=1, random_state=12).iloc[:100]
    known = train.iloc[:, :4].to_numpy()
    span = known.max(axis=0) - known.min(axis=0)
    kinds = load_iris().target_names[train["target"]]
    answers = []
    for row in new.to_numpy():
        far = (((known - row) / span) ** 2).sum(axis=1)
        near = kinds[np.argsort(far, kind="stable")[:5]]
        first = list(dict.fromkeys(near))
        answers.append(max(first, key=lambda kind: (near == kind).sum()))
    return np.array(answers)


# ---- wines


def wines() -> Table:
    """Wines of three cultivars, with the cultivar."""
    return load_wine(as_frame=True).frame


def new_wines() -> Table:
    """Means of some wines of each cultivar, and of two cultivars."""
    known = wines().drop(columns="target")
    parts = [known.iloc[3:9], known.iloc[70:74], known.iloc[150:157], known.iloc[[5, 80]]]
    return Table([part.mean() for part in parts]).reset_index(drop=True)


def wine_quality(raw: Table, new: Table) -> np.ndarray:
    edges = np.quantile(raw["alcohol"], [0.25, 0.5, 0.75])
    strength = np.searchsorted(edges, raw["alcohol"], side="left")
    colours = np.array([raw["color_intensity"][strength == code].mean() for code in range(4)])
    logged = ("malic_acid", "magnesium", "proline")

    def design(table: Table) -> Table:
        out = Table(
            {
                name: np.log(table[name] + 1) if name in logged else table[name]
                for name in table.columns
                if name not in ("ash", "alcalinity_of_ash", "target")
            }
        )
        codes = np.searchsorted(edges, table["alcohol"], side="left")
        out["phenol_ratio"] = table["flavanoids"] / table["total_phenols"]
        out["strong"] = codes.astype("int8")
        out["relative_color"] = table["color_intensity"] - colours[codes]
        return out

    names = np.array(["barolo", "grignolino", "barbera"])[raw["target"]]
    target = np.searchsorted(["barbera", "barolo", "grignolino"], names)
    rows = design(raw).to_numpy()
    told = np.zeros(rows.shape[1])
    for fold, (inside, _) in enumerate(
        StratifiedKFold(4, shuffle=True, random_state=2019).split(rows, target)
    ):
        model = ExtraTreesClassifier(n_estimators=20, random_state=fold)
        told += model.fit(rows[inside], target[inside]).feature_importances_
    best = np.argsort(-told, kind="stable")[:8]
    even = QuantileTransformer(n_quantiles=50, output_distribution="normal", random_state=0)
    final = LogisticRegression(C=0.3, max_iter=500).fit(even.fit_transform(rows[:, best]), names)
    return final.predict(even.transform(design(new).to_numpy()[:, best]))


CASES = [
    case(
        "breast_cancer_course",
        breast_cancer_course,
        tuple(uncorrelated(tumours())),
        outputs=("grid_predictions",),
        answered="X_test.index",
        raw=tumours,
        new=new_tumours,
    ),
    case(
        "diabetes_stacking",
        diabetes_stacking,
        "age sex bmi bp s1 s2 s3 s4 s5 s6",
        input="patients",
        outputs=("ensemble",),
        answered="test.index",
        raw=patients,
        new=new_patients,
    ),
    case(
        "digits_network",
        digits_network,
        tuple(f"X_{place}" for place in np.flatnonzero(digits().std(axis=0))),
        input="X",
        outputs=("labels",),
        answered="idx[split:]",
        raw=digits,
        new=new_digits,
        wrap=lambda images: images[:, digits().std(axis=0) > 0],
    ),
    case(
        "iris_neighbours",
        iris_neighbours,
        tuple(new_flowers().columns),
        input="iris",
        outputs=("predictions",),
        output="answers",
        answered="load_iris(as_frame=True).frame.sample(frac=1, random_state=12).index[100:]",
        raw=flowers,
        new=new_flowers,
    ),
    case(
        "wine_quality",
        wine_quality,
        "alcohol color_intensity flavanoids hue od280/od315_of_diluted_wines proline total_phenols",
        outputs=("cultivar",),
        raw=wines,
        new=new_wines,
    ),
]
