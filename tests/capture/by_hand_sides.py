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
