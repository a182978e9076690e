"""What a careful person computes by hand for new rows: idioms of pandas and of libraries.

As ``oracles``; nothing here knows of captured flows.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn import calibration, ensemble, linear_model, naive_bayes, neighbors, tree
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from tests.capture.oracles import Table, columns, filled, one_hot, sorted_levels


def commonest(values: Any) -> Any:
    """The value that occurs most often; the first in order among equals."""
    counts = Counter(value for value in values if not pd.isna(value))
    return min(value for value, count in counts.items() if count == max(counts.values()))


def dummies_reindexed(raw: Table, new: Table) -> np.ndarray:
    train, _ = train_test_split(raw, test_size=0.2, random_state=0)

    def coupon(value: Any) -> Any:
        return value if pd.isna(value) else value.strip().lower()

    cities = sorted_levels(train["city"])[1:]
    coupons = sorted_levels(coupon(value) for value in train["coupon"])[1:]

    def design(table: Table) -> np.ndarray:
        given = [coupon(value) for value in table["coupon"]]
        return np.column_stack(
            [
                table["amount"],
                one_hot(table["city"], cities),
                one_hot(given, coupons),
                [float(pd.isna(value)) for value in given],
            ]
        )

    model = linear_model.LinearRegression().fit(design(train), train["returned"])
    return model.predict(design(new))


def parts_and_rest(raw: Table, new: Table) -> np.ndarray:
    cities = sorted_levels(raw["city"])
    mean, deviation = raw["amount"].mean(), raw["amount"].std(ddof=0)

    def design(table: Table) -> np.ndarray:
        return np.column_stack(
            [
                one_hot(table["channel"], ["phone", "shop", "web"]),
                [cities.index(city) if city in cities else -1 for city in table["city"]],
                table["amount"],
                table["items"],
                ((table["amount"] - mean) / deviation) ** 2,
            ]
        )

    return linear_model.LinearRegression().fit(design(raw), raw["returned"]).predict(design(new))


def words_and_lengths(raw: Table, new: Table) -> np.ndarray:
    def clean(text: str) -> str:
        return " ".join(word for word in text.lower().split() if len(word) > 2)

    train, _ = train_test_split(raw, random_state=0)
    counter = CountVectorizer(ngram_range=(1, 2))
    counts = counter.fit_transform([clean(text) for text in train["text"]]).toarray()
    weights = np.log((1 + len(train)) / (1 + (counts > 0).sum(axis=0))) + 1

    def design(table: Table) -> np.ndarray:
        own = counter.transform([clean(text) for text in table["text"]]).toarray() * weights
        norms = np.sqrt((own**2).sum(axis=1))
        own = own / np.where(norms == 0, 1, norms)[:, None]
        return np.column_stack([own, [len(text) / 100 for text in table["text"]]])

    model = linear_model.Ridge(solver="cholesky")
    model.fit(design(train), (train["queue"] == "billing").astype(float))
    return model.predict(design(new))


def fill_ways(raw: Table, new: Table) -> np.ndarray:
    deck, port = commonest(raw["deck"]), commonest(raw["port"])
    ages = {key: part["age"].mean() for key, part in raw.groupby(["sex", "pclass"])}
    ports = raw["port"].fillna(port)
    fares = {place: list(raw["fare"][ports == place]) for place in set(ports)}
    decks = sorted_levels(raw["deck"])[1:]

    def line(row: Any) -> list[float]:
        place = port if pd.isna(row.port) else row.port
        known = fares.get(place)
        dear = 0.0
        if known:
            dear = (row.fare - statistics.mean(known)) / statistics.stdev(known)
        floor = deck if pd.isna(row.deck) else row.deck
        return [
            ages[row.sex, row.pclass] if pd.isna(row.age) else row.age,
            row.pclass,
            row.fare,
            row.sibsp,
            dear,
            row.sex == "male",
            *[floor == level for level in decks],
            place == "Q",
            place == "S",
        ]

    def design(table: Table) -> np.ndarray:
        return np.array([line(row) for row in table.itertuples()], dtype=float)

    return linear_model.LinearRegression().fit(design(raw), raw["survived"]).predict(design(new))


def codes_and_edges(raw: Table, new: Table) -> np.ndarray:
    counts = Counter(raw["city"])
    rare = {city for city, count in counts.items() if count < 30}
    coupons = sorted_levels(raw["coupon"])
    cities = list(dict.fromkeys("other" if city in rare else city for city in raw["city"]))
    edges = np.quantile(raw["amount"], [0, 0.25, 0.5, 0.75, 1])
    steps = np.percentile(raw["amount"], [20, 80])
    top, most = np.quantile(raw["items"], 0.9), raw["items"].max()

    def quarter(amount: float) -> int:
        if not edges[0] <= amount <= edges[-1]:
            return -1
        return max(0, sum(amount > edge for edge in edges[:-1]) - 1)

    def line(row: Any) -> list[float]:
        city = "other" if row.city in rare else row.city
        return [
            coupons.index(row.coupon) if row.coupon in coupons else -1,
            cities.index(city) if city in cities else -1,
            quarter(row.amount),
            sum(row.amount >= step for step in steps),
            min(row.items, top) / most,
            {"web": 1, "shop": 2}.get(row.channel, 0),
        ]

    def design(table: Table) -> np.ndarray:
        return np.array([line(row) for row in table.itertuples()], dtype=float)

    model = tree.DecisionTreeClassifier(max_depth=5, random_state=0)
    return model.fit(design(raw), raw["returned"]).predict_proba(design(new))[:, 1]


def stacked_folds(raw: Table, new: Table) -> np.ndarray:
    def design(table: Table) -> np.ndarray:
        return columns(
            filled(table["age"], raw["age"].median()),
            table["sex"] == "female",
            table["pclass"],
            table["fare"],
            table["sibsp"],
        )

    train, _ = train_test_split(raw, random_state=0)
    x, y = design(train), train["survived"].to_numpy()
    held = np.zeros((len(x), 2))
    answers = np.zeros((len(new), 2))
    for place, make in enumerate(
        (
            lambda: ensemble.RandomForestClassifier(n_estimators=5, random_state=0),
            linear_model.LinearRegression,
        )
    ):
        for fit, out in KFold(4, shuffle=True, random_state=0).split(x):
            held[out, place] = make().fit(x[fit], y[fit]).predict(x[out])
        answers[:, place] = make().fit(x, y).predict(design(new))
    return linear_model.LinearRegression().fit(held, y).predict(answers)


def joined_groups(raw: Table, new: Table) -> np.ndarray:
    both = {key: part["amount"].mean() for key, part in raw.groupby(["city", "channel"])}
    city = dict(iter(raw.groupby("city")))
    channel = dict(iter(raw.groupby("channel")))

    def line(row: Any) -> list[float]:
        own, way = city.get(row.city), channel.get(row.channel)
        mean = 0.0 if own is None else own["amount"].mean()
        return [
            both.get((row.city, row.channel), 0),
            mean,
            0 if own is None else own["amount"].max(),
            0 if own is None else own["items"].sum(),
            row.amount / mean if mean else 0,
            0 if way is None else len(way),
            0 if way is None else row.amount - way["amount"].median(),
        ]

    def design(table: Table) -> np.ndarray:
        return np.array([line(row) for row in table.itertuples()], dtype=float)

    model = tree.DecisionTreeClassifier(max_depth=4, random_state=0)
    return model.fit(design(raw), raw["returned"]).predict_proba(design(new))[:, 1]


def encoders_kept(raw: Table, new: Table) -> np.ndarray:
    cities = sorted_levels(raw["city"])
    low, high = raw[["amount", "items"]].min(), raw[["amount", "items"]].max()

    def design(table: Table) -> np.ndarray:
        a, i = (((table[n] - low[n]) / (high[n] - low[n])).to_numpy() for n in ("amount", "items"))
        return np.column_stack(
            [
                [cities.index(city) for city in table["city"]],
                np.column_stack([a, i, a * a, a * i, i * i]),
                one_hot(table["channel"], ["phone", "shop", "web"]),
            ]
        )

    return linear_model.LinearRegression().fit(design(raw), raw["returned"]).predict(design(new))


def votes(raw: Table, new: Table) -> np.ndarray:
    def design(table: Table) -> np.ndarray:
        return columns(filled(table["age"], raw["age"].mean()), table["pclass"], table["fare"])

    x, y, given = design(raw), raw["survived"], design(new)
    line = linear_model.LogisticRegression().fit(x, y).predict_proba(given)[:, 1]
    forest = ensemble.RandomForestClassifier(n_estimators=5, random_state=0).fit(x, y)
    vote = (line + forest.predict_proba(given)[:, 1]) / 2
    own = calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=3).fit(x, y)
    mean, deviation = x.mean(axis=0), x.std(axis=0)

    def right(count: int) -> float:
        folds = StratifiedKFold(3)
        found = []
        for fit, out in folds.split(x, y):
            m, d = x[fit].mean(axis=0), x[fit].std(axis=0)
            near = neighbors.KNeighborsClassifier(count).fit((x[fit] - m) / d, y.iloc[fit])
            found.append(near.score((x[out] - m) / d, y.iloc[out]))
        return statistics.mean(found)

    best = max((3, 7), key=right)
    near = neighbors.KNeighborsClassifier(best).fit((x - mean) / deviation, y)
    answers = near.predict((given - mean) / deviation)
    return vote + own.predict_proba(given)[:, 1] + answers


def chosen_columns(raw: Table, new: Table) -> np.ndarray:
    price = np.array([300 if math.isnan(p) else p for p in raw["price"]])
    strength = {n: abs(np.corrcoef(raw[n], price)[0, 1]) for n in ("area", "rooms", "year")}
    best = sorted((n for n in strength if strength[n] > 0.1), key=lambda n: -strength[n])
    bent = {n for n in best if raw[n].skew() < -0.1}
    assert bent
    assert bent < set(best)

    def design(table: Table) -> np.ndarray:
        own = [np.log(1 + table[n]) if n in bent else table[n] for n in best]
        return np.column_stack([columns(*own), one_hot(table["zone"], sorted_levels(raw["zone"]))])

    return linear_model.LinearRegression().fit(design(raw), price).predict(design(new))


def regressions(raw: Table, new: Table) -> dict[str, np.ndarray]:
    known = raw[~raw["price"].isna()]
    levels = sorted_levels(known["quality"])[1:]

    def matrix(table: Table) -> np.ndarray:
        return columns(np.ones(len(table)), table["area"], 2020 - table["year"])

    def formula(table: Table) -> np.ndarray:
        one = np.ones((len(table), 1))
        rest = columns(table["area"], table["rooms"] ** 2)
        return np.column_stack([one, one_hot(table["quality"], levels), rest])

    def solved(design: Any, y: np.ndarray) -> np.ndarray:
        return design(new) @ np.linalg.lstsq(design(known), y, rcond=None)[0]

    prices = np.log(known["price"].to_numpy())
    x, dear = matrix(known), (known["price"] > known["price"].median()).to_numpy(dtype=float)
    weights = np.zeros(3)
    for _ in range(50):  # Newton's method
        chance = 1 / (1 + np.exp(-x @ weights))
        weights += np.linalg.solve((x.T * (chance * (1 - chance))) @ x, x.T @ (dear - chance))
    return {
        "by_matrix": np.exp(solved(matrix, prices)),
        "chance": 1 / (1 + np.exp(-matrix(new) @ weights)),
        "by_formula": solved(formula, prices),
    }
