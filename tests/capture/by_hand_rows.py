"""By hand, for the programs that go row by row; see oracles.py."""

from __future__ import annotations

import datetime
from collections import Counter

import numpy as np
import pandas as pd
from sklearn import ensemble, linear_model, tree
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import KFold, train_test_split
from tests.capture.case import PROGRAMS

Table = pd.DataFrame


def row_loops(raw: Table, new: Table) -> np.ndarray:
    there, dearest = Counter(raw["city"]), raw["amount"].max()
    weights = {"web": 1.5, "shop": 0.5}

    def design(table: Table) -> np.ndarray:
        coupons = table["coupon"].fillna("nan")
        return np.column_stack(
            [
                table["channel"].map(weights).fillna(1.0) * table["amount"].clip(upper=100),
                [there[city] for city in table["city"]],
                table["amount"] / dearest,
                np.select([table["items"] < 2, table["items"] < 5], [0, 1], 2),
                table["coupon"].notna() & (table["items"] > 1),
                table["code"].str.startswith("AB-") & (table["items"] != 0),
                coupons.str.split().str.len(),
                np.sqrt(table["amount"] / table["items"]),
            ]
        ).astype(float)

    model = linear_model.LogisticRegression(max_iter=2000).fit(design(raw), raw["returned"])
    return model.predict_proba(design(new))[:, 1]


def masks_and_halves(raw: Table, new: Table) -> np.ndarray:
    known = raw[raw["price"].notna()]
    far = (known["price"] - known["price"].mean()).abs() / known["price"].std(ddof=0)
    known = known[far < 2]

    def design(table: Table) -> np.ndarray:
        lot = table["lot"].fillna(0)
        return np.column_stack(
            [
                table["area"] / 50,
                table["rooms"] - 3,
                np.where(table["area"] > 120, lot / 100, -1.0),
                np.where(table["rooms"] > 4, table["area"] / 10, 0.0),
                np.where(table["year"] < 1980, (1980 - table["year"]) * 2.0, table["rooms"] / 2),
            ]
        ).astype(float)

    model = linear_model.LinearRegression().fit(design(known), known["price"])
    return model.predict(design(new))


def parts_of_texts(raw: Table, new: Table) -> np.ndarray:
    def design(table: Table) -> np.ndarray:
        lines = []
        for order in table.itertuples():
            series, number = (order.code + "-").split("-")[:2]
            if order.code.count("-") > 1:
                number = "nan"
            hour = order.placed.split(" ")[1][:2]
            lines.append((float(number or 0), int(hour), series == "AB", order.items))
        return np.array(lines, dtype=float)

    model = linear_model.LinearRegression().fit(design(raw), raw["amount"])
    return design(new) @ model.coef_ + model.intercept_


def part_filled_in(raw: Table, new: Table) -> np.ndarray:
    known = raw[raw["price"].notna()]

    def design(table: Table) -> np.ndarray:
        filled = [
            np.where(table[name].isna(), known[name].median(), table[name])
            for name in ("garage", "lot")
        ]
        return np.column_stack([table["area"], table["rooms"], *filled]).astype(float)

    train, _, prices, _ = train_test_split(
        design(known), known["price"].to_numpy(), test_size=0.25, random_state=0
    )
    return linear_model.LinearRegression().fit(train, prices).predict(design(new))


def codes_of_columns(raw: Table, new: Table) -> np.ndarray:
    known = {
        name: sorted({"none" if pd.isna(word) else word for word in raw[name]})
        for name in ("city", "channel")
    }

    def design(table: Table) -> np.ndarray:
        lines = []
        for order in table.itertuples():
            words = [("city", order.city), ("channel", order.channel)]
            words = [(name, "none" if pd.isna(word) else word) for name, word in words]
            codes = [known[n].index(word) if word in known[n] else None for n, word in words]
            lines.append([*codes, order.items])
        return np.array(lines, dtype=float)

    model = tree.DecisionTreeRegressor(max_depth=4, random_state=0)
    model.fit(design(raw), raw["amount"])
    rows = design(new)
    return np.where(np.isnan(rows).any(axis=1), np.nan, model.predict(np.nan_to_num(rows)))


def two_files_together(raw: Table, new: Table) -> np.ndarray:
    known = raw[:180][raw["price"][:180].notna()]
    both = pd.concat([known, raw[180:]])
    grades = {"Fa": 0.0, "TA": 1.0, "Gd": 2.0, "Ex": 3.0}

    def design(table: Table) -> np.ndarray:
        return np.column_stack(
            [
                table["area"],
                table["rooms"],
                [grades.get(grade, 1.0) for grade in table["quality"]],
                table["year"],
                np.where(table["garage"].isna(), 0, table["garage"]),
                np.where(table["lot"].isna(), both["lot"].median(), table["lot"]),
                [1 if rooms > 4 else 0 for rooms in table["rooms"]],
            ]
        ).astype(float)

    model = ensemble.GradientBoostingRegressor(n_estimators=20, random_state=1)
    return model.fit(design(known), known["price"]).predict(design(new))


def columns_by_position(raw: Table, new: Table) -> np.ndarray:
    train = train_test_split(raw, test_size=0.25, random_state=0)[0]
    known = train[["amount", "items"]].to_numpy(dtype=float)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    model = linear_model.LogisticRegression().fit((known - mean) / deviation, train["returned"])
    return model.predict((new[["amount", "items"]].to_numpy() - mean) / deviation)


def columns_beside(raw: Table, new: Table) -> np.ndarray:
    rng = np.random.default_rng(1)
    chance, order = rng.random(len(raw)), rng.permutation(len(raw))
    train = raw.iloc[order[:140]]
    train = train[chance[:140] < 0.8]
    model = linear_model.LogisticRegression(max_iter=2000)
    model.fit(train[["a", "b", "c", "d"]], train["target"])
    return model.predict(new[["a", "b", "c", "d"]])


def columns_not_needed(raw: Table, new: Table) -> np.ndarray:
    known = raw[raw["price"].notna()]
    area, rooms = known["area"].mean(), known["rooms"].median()

    def design(table: Table) -> np.ndarray:
        wide, many = table["area"].fillna(area), table["rooms"].fillna(rooms)
        return np.column_stack([wide, many, wide / many])

    model = linear_model.Ridge(alpha=0.5).fit(design(known), known["price"])
    return model.predict(design(new))


def dropped_by_index(raw: Table, new: Table) -> np.ndarray:
    known = raw[raw["price"].notna() & (raw["price"] <= 500)]
    known = known[(known["area"].fillna(0) <= 150) | (known["price"] >= 300)]
    known = known[known["rooms"].fillna(0) <= 40]
    usual = {"area": known["area"].mean(), "rooms": known["rooms"].median()}
    model = linear_model.Ridge(alpha=0.5)
    model.fit(known[["area", "rooms"]].fillna(usual), known["price"])
    return model.predict(new[["area", "rooms"]].fillna(usual))


def laid_out_otherwise(raw: Table, new: Table) -> np.ndarray:
    known = raw[raw["bmi"] <= 0.1]
    features = [name for name in raw.columns if name != "target"]
    model = linear_model.Ridge().fit(known[features], known["target"])
    return model.predict(new[features])


def bunch_named(raw: np.ndarray, new: np.ndarray) -> np.ndarray:
    train = train_test_split(np.arange(len(raw)), random_state=0)[0]
    kinds = load_iris().target[train]
    answers = []
    for row in new:
        near = np.argsort(((raw[train] - row) ** 2).sum(axis=1), kind="stable")[:3]
        answers.append((kinds[near] == 1).mean())
    return np.array(answers)


def rows_read_in_a_loop(raw: np.ndarray, new: np.ndarray) -> np.ndarray:
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    survived = pd.read_csv(PROGRAMS / "passengers.csv")["survived"]
    model = linear_model.LogisticRegression().fit((raw - mean) / deviation, survived)
    return model.predict_proba((new - mean) / deviation)[:, 1]


def fitted_view(raw: Table, new: Table) -> np.ndarray:
    means = raw[["age", "fare"]].mean()

    def prepared(table: Table) -> np.ndarray:
        return table[["age", "fare"]].astype(float).fillna(means).to_numpy()

    model = linear_model.LogisticRegression().fit(prepared(raw), raw["survived"])
    return model.predict_proba(prepared(new))[:, 1]


def local_estimator(raw: Table, new: Table) -> np.ndarray:
    middle = raw.groupby("pclass")["fare"].median()

    def prepared(table: Table) -> np.ndarray:
        share = [fare / middle[c] for fare, c in zip(table["fare"], table["pclass"], strict=True)]
        return np.log1p(np.column_stack([table["pclass"], table["fare"], share]))

    model = linear_model.LogisticRegression().fit(prepared(raw), raw["survived"])
    return model.predict_proba(prepared(new))[:, 1]


def unnamed_table(raw: np.ndarray, new: np.ndarray) -> np.ndarray:
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    train = train_test_split(np.arange(len(raw)), test_size=0.3, random_state=0)[0]
    model = linear_model.LogisticRegression()
    model.fit(((raw - mean) / deviation)[train], load_breast_cancer().target[train])
    return model.predict((new - mean) / deviation)


def own_ways(raw: Table, new: Table) -> np.ndarray:
    noise = np.random.default_rng(4).normal(0, 0.01, len(raw))
    target = np.log(raw["price"].to_numpy()) + noise
    kept = ((raw["area"] <= 260) & ~(raw["lot"] > 1200)).to_numpy()

    def design(table: Table) -> np.ndarray:
        rooms = np.minimum(table["rooms"], 7)
        built = [
            datetime.date(int(year), int(room), int(room) + 1)
            for year, room in zip(table["year"], rooms, strict=True)
        ]
        days = [(datetime.date(2020, 1, 1) - day).days for day in built]
        edge = np.sqrt(table["area"]) + np.sqrt(table["lot"].fillna(400))
        return np.column_stack([edge, days, table["area"] / rooms])

    rows, asked = design(raw)[kept], design(new)
    answers = np.zeros(len(new))
    for inside, _ in KFold(3, shuffle=True, random_state=1).split(rows):
        line = linear_model.LinearRegression().fit(rows[inside], target[kept][inside])
        answers += line.predict(asked) / 3
    return np.where((new["area"] > 260) | (new["lot"] > 1200), np.nan, answers)


def nulls_of_keys(raw: Table, new: Table) -> np.ndarray:
    names = ["amount", "items"]
    model = linear_model.LogisticRegression().fit(raw[names], raw["returned"])
    known = new["city"].isin(set(raw["city"]))
    return np.where(known, model.predict_proba(new[names])[:, 1], np.nan)
