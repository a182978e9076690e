"""By hand, for programs whose test side is prepared by itself, or whose columns are odd."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn import linear_model
from sklearn.cluster import KMeans
from sklearn.model_selection import train_test_split

Table = pd.DataFrame


def scaled_again(raw: Table, new: Table) -> np.ndarray:
    names = ["pclass", "fare", "sibsp"]
    train = train_test_split(raw, test_size=0.3, random_state=7)[0]
    middle, spread = train[names].mean(), train[names].std(ddof=0)

    def design(table: Table) -> np.ndarray:
        sexes = np.column_stack([table["sex"] == "female", table["sex"] == "male"])
        return np.hstack([((table[names] - middle) / spread).to_numpy(), sexes])

    model = linear_model.LogisticRegression().fit(design(train), train["survived"])
    return model.predict_proba(design(new))[:, 1]


def prepared_apart(raw: Table, new: Table) -> np.ndarray:
    train = raw[raw["price"].notna() & (raw["id"] % 3 != 0)]
    inner = train["area"].quantile([0.25, 0.5, 0.75]).to_numpy()
    usual = {zone: rows["area"].mean() for zone, rows in train.groupby("zone")}
    low, high = train[["area", "rooms"]].min(), train[["area", "rooms"]].max()

    def design(table: Table) -> np.ndarray:
        return np.column_stack(
            [
                (table[["area", "rooms"]] - low) / (high - low),
                table["lot"].fillna(train["lot"].median()),
                table["garage"].fillna(train["garage"].value_counts().idxmax()),
                np.searchsorted(inner, table["area"], side="left"),
                table["area"] / [usual[zone] for zone in table["zone"]],
            ]
        ).astype(float)

    model = linear_model.LinearRegression().fit(design(train), np.log(train["price"]))
    return np.exp(model.predict(design(new)))


def nested_names(raw: Table, new: Table) -> np.ndarray:
    centres = KMeans(n_clusters=3, random_state=0, n_init=3).fit(raw.to_numpy()).cluster_centers_
    away = ((new.to_numpy()[:, None, :] - centres[None]) ** 2).sum(axis=2)
    return away.argmin(axis=1).astype(np.int32)


def fitted_rows(raw: Table, new: Table) -> dict[str, np.ndarray]:
    known = raw[raw["price"].notna()]
    names = ["area", "rooms", "year"]
    line = linear_model.LinearRegression().fit(known[names], known["price"])
    dear = known["price"] > known["price"].median()
    middle, spread = known[names].mean(), known[names].std()
    chance = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000)
    chance.fit((known[names] - middle) / spread, dear)
    zones = sorted(known["zone"].unique())

    def by_zone(table: Table) -> np.ndarray:
        return np.column_stack([table["area"], *(table["zone"] == zone for zone in zones[1:])])

    formula = linear_model.LinearRegression().fit(by_zone(known).astype(float), known["price"])
    return {
        "prices": line.predict(new[names]),
        "likely": chance.predict((new[names] - middle) / spread),
        "by_formula": formula.predict(by_zone(new).astype(float)),
    }


def last_bits(raw: Table, new: Table) -> np.ndarray:
    known = raw.dropna()
    names = ["area", "rooms", "year", "garage", "lot"]
    train = train_test_split(known, test_size=0.2, random_state=0)[0]
    line = linear_model.LinearRegression().fit(train[names], train["price"])
    answers = np.full(len(new), np.nan)
    whole = new[names].notna().all(axis=1)
    answers[whole] = line.predict(new.loc[whole, names])
    return answers
