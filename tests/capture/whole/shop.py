"""Whole programs on the tables beside the small programs, with what they answer by hand."""

from __future__ import annotations

import itertools
import re
import string
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tests.capture import rows
from tests.capture.case import PROGRAMS as BESIDE
from tests.capture.oracles import filled, one_hot, sorted_levels
from tests.capture.whole.surveys import case

Table = pd.DataFrame


def orders(table: Table) -> Table:
    """Orders with the times that the program reads of their texts."""
    return table.assign(placed=pd.to_datetime(table["placed"]))


def orders_returns(raw: Table, new: Table) -> dict[str, np.ndarray]:
    def plain(table: Table) -> dict[str, Any]:
        placed = pd.to_datetime(table["placed"])
        coupons = ["none" if pd.isna(text) else text.strip().lower() for text in table["coupon"]]
        return {
            "numbers": np.log1p(
                np.column_stack(
                    [
                        table["amount"],
                        table["items"],
                        table["amount"] / table["items"],
                        [when.hour for when in placed],
                        [when.weekday() for when in placed],
                        [when.month for when in placed],
                    ]
                )
            ),
            "night": np.array([when.hour < 6 or when.hour >= 23 for when in placed], dtype=float),
            "city": list(table["city"]),
            "channel": list(table["channel"]),
            "line": [code.split("-")[0] for code in table["code"]],
            "coupon": coupons,
        }

    # As strings, these times sort as they passed.
    order = raw["placed"].sort_values(kind="stable").index
    size = int(len(raw) * 0.3)
    train, valid = raw.loc[order[:-size]], raw.loc[order[-size:]]
    known = plain(train)
    cities = train["city"].value_counts().index[:4].tolist()
    mean, deviation = known["numbers"].mean(axis=0), known["numbers"].std(axis=0)

    def tamed(part: dict[str, Any]) -> list[str]:
        return [city if city in cities else "other" for city in part["city"]]

    levels = [sorted_levels(tamed(known))]
    levels += [sorted_levels(known[name]) for name in ("channel", "line", "coupon")]

    def design(table: Table) -> np.ndarray:
        part = plain(table)
        words = [tamed(part), part["channel"], part["line"], part["coupon"]]
        hot = [one_hot(values, level) for values, level in zip(words, levels, strict=True)]
        return np.column_stack([(part["numbers"] - mean) / deviation, *hot, part["night"]])

    model = LogisticRegression(C=1.0, max_iter=1000).fit(design(train), train["returned"])
    back = valid["returned"].to_numpy() == 1
    chance = model.predict_proba(design(valid))[:, 1]
    steps = np.arange(0.2, 0.8, 0.05).round(2)
    found = [f1_score(back, chance >= step, zero_division=0) for step in steps]
    threshold = steps[int(np.argmax(found))]
    answers = model.predict_proba(design(new))[:, 1]
    return {"chance": answers, "action": np.where(answers >= threshold, "inspect", "ship")}


def house_folds(raw: Table, new: Table) -> np.ndarray:
    known = raw[raw["price"].notna()]
    low, high = np.percentile(known["price"], [0.5, 99.0])
    known = known[(known["price"] >= low) & (known["price"] <= high)].reset_index(drop=True)
    levels = {"Po": 1, "Fa": 2, "TA": 3, "Gd": 4, "Ex": 5}
    by_zone = known.groupby("zone")["lot"].median()
    lot = filled(known["lot"], [by_zone[zone] for zone in known["zone"]])
    sold = pd.to_datetime(known["sold"])
    aged = sold.dt.year - known["year"]
    middle = float(np.median(lot))
    bounds = {
        "area": np.quantile(known["area"], [0.01, 0.99]),
        "lot": np.quantile(lot, [0.01, 0.99]),
        "age": np.quantile(aged, [0.01, 0.99]),
    }
    areas = pd.Series(np.clip(known["area"], *bounds["area"]).to_numpy())
    zone_area = areas.groupby(known["zone"]).mean()
    target = np.log1p(known["price"])
    quality_rooms = known["rooms"].groupby(known["quality"]).mean()
    stats = target.groupby(known["zone"]).agg(["mean", "count"])
    prices = (stats["mean"] * stats["count"] + target.mean() * 10) / (stats["count"] + 10)

    def design(table: Table) -> np.ndarray:
        date = pd.to_datetime(table["sold"])
        month = date.dt.month
        area = np.clip(table["area"], *bounds["area"])
        medians = [by_zone.get(zone, middle) for zone in table["zone"]]
        return np.column_stack(
            [
                area,
                table["rooms"],
                table["quality"].map(levels),
                np.clip(date.dt.year - table["year"], *bounds["age"]),
                filled(table["garage"], 0),
                np.clip(filled(table["lot"], medians), *bounds["lot"]),
                table["lot"].isna(),
                np.sin(2 * np.pi * month / 12),
                np.cos(2 * np.pi * month / 12),
                area / [zone_area.get(zone, areas.mean()) for zone in table["zone"]],
                table["quality"].map(quality_rooms),
                [prices.get(zone, target.mean()) for zone in table["zone"]],
            ]
        ).astype(float)

    tree = DecisionTreeRegressor(max_depth=6, min_samples_leaf=4, random_state=0)
    tree.fit(design(known), target)
    line = Ridge(alpha=3.0).fit(design(known), target)
    return np.expm1(0.5 * tree.predict(design(new)) + 0.5 * line.predict(design(new)))


def initial_of(name: str) -> str:
    """The title in a passenger's name, rare ones together."""
    found = re.search(r",\s*(\w+)\.", name)
    title = found[1] if found else "Unknown"
    return "Other" if title in ("Dr", "Capt", "Col", "Rev") else title


def passengers_kernel(raw: Table, new: Table) -> np.ndarray:
    titles = [initial_of(name) for name in raw["name"]]
    ages = {title: round(age) for title, age in raw["age"].groupby(titles).mean().items()}
    port = raw["port"].value_counts().index[0]
    edges = np.quantile(raw["fare"], [0.25, 0.5, 0.75])
    least, most = raw["fare"].min(), raw["fare"].max()
    words = {"Mr": 0, "Mrs": 1, "Miss": 2, "Master": 3, "Other": 4}

    def design(table: Table) -> np.ndarray:
        initials = [initial_of(name) for name in table["name"]]
        age = filled(table["age"], [ages.get(word, np.nan) for word in initials])
        fare = np.searchsorted(edges, table["fare"], side="left").astype(float)
        fare[(table["fare"] < least) | (table["fare"] > most)] = np.nan
        ports = [port if pd.isna(value) else value for value in table["port"]]
        return np.column_stack(
            [
                table["sex"] == "female",
                table["pclass"],
                [{"S": 0, "C": 1, "Q": 2}.get(value, np.nan) for value in ports],
                [words.get(word, np.nan) for word in initials],
                table["sibsp"] + 1,
                table["sibsp"] == 0,
                fare,
                np.searchsorted([16, 32, 48, 64], age, side="left"),
                table["deck"].notna(),
            ]
        ).astype(float)

    train = raw.sample(frac=1, random_state=0).index[: int(len(raw) * 0.8)]
    known, lived = design(raw)[train], raw["survived"].to_numpy()[train]
    makers: list[Any] = [
        lambda: LogisticRegression(max_iter=500),
        lambda: DecisionTreeClassifier(random_state=0),
        lambda: KNeighborsClassifier(n_neighbors=9),
        GaussianNB,
        lambda: RandomForestClassifier(n_estimators=30, random_state=0),
        lambda: GradientBoostingClassifier(n_estimators=20, random_state=0),
    ]

    def quality(make: Any) -> float:
        parts = StratifiedKFold(3, shuffle=True, random_state=22).split(known, lived)
        found = []
        for inside, out in parts:
            model = make().fit(known[inside], lived[inside])
            found.append(accuracy_score(lived[out], model.predict(known[out])))
        return float(np.mean(found))

    best = sorted(makers, key=quality, reverse=True)[:3]
    asked = design(new)
    votes = [make().fit(known, lived).predict_proba(asked)[:, 1] for make in best]
    return (np.mean(votes, axis=0) > 0.5).astype(int)


def tamed_text(text: str) -> list[str]:
    """The words of a message: small, without signs and stop words."""
    spaced = "".join(" " if sign in string.punctuation else sign for sign in text.lower())
    spaced = re.sub(r"\d+", " number ", spaced)
    return [word for word in spaced.split() if word not in ("the", "is", "it", "and", "my")]


def stemmed(word: str) -> str:
    """A word without its ending."""
    for ending in ("ed", "ing", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word


def messages_router(raw: Table, new: Table) -> np.ndarray:
    raw = raw.drop_duplicates("text").reset_index(drop=True)
    rest = train_test_split(
        np.arange(len(raw)), test_size=0.25, random_state=8, stratify=raw["queue"]
    )
    train = raw.iloc[rest[0]]
    words = TfidfVectorizer(
        analyzer=lambda text: _pairs([stemmed(word) for word in tamed_text(text)]), min_df=2
    ).fit(train["text"])

    def design(texts: Any) -> np.ndarray:
        counts = [
            [
                len(tamed_text(text)),
                sum(sign.isupper() for sign in text) / max(len(text), 1),
                sum(stemmed(word) in ("please", "thank", "hello") for word in tamed_text(text)),
            ]
            for text in texts
        ]
        return np.hstack([words.transform(texts).toarray(), np.array(counts, dtype=float)])

    known, queues = design(train["text"]), train["queue"].to_numpy()
    makers: list[Any] = [
        lambda: MultinomialNB(alpha=0.5),
        lambda: LogisticRegression(C=3, max_iter=500),
        RidgeClassifier,
    ]
    parts = list(StratifiedKFold(3, shuffle=True, random_state=8).split(known, queues))

    def quality(make: Any) -> float:
        found = [
            f1_score(
                queues[out],
                make().fit(known[ins], queues[ins]).predict(known[out]),
                average="macro",
            )
            for ins, out in parts
        ]
        return float(np.mean(found))

    # Of equals, the program takes the one that stands last.
    scored = max((quality(make), place) for place, make in enumerate(makers))
    model = CalibratedClassifierCV(makers[scored[1]](), method="sigmoid", cv=3).fit(known, queues)
    chance = model.predict_proba(design(list(new["text"])))
    names = model.classes_[chance.argmax(axis=1)]
    return np.where(chance.max(axis=1) >= 0.45, names, "by hand")


def _pairs(words: list[str]) -> list[str]:
    return words + [f"{one} {two}" for one, two in itertools.pairwise(words)]


CASES = [
    case(
        "messages_router",
        messages_router,
        "text",
        outputs=("queue",),
        answered="test.index",
        raw=lambda: pd.read_csv(BESIDE / "messages.csv"),
        new=lambda: Table({"text": rows.messages()}),
    ),
    case(
        "passengers_kernel",
        passengers_kernel,
        "name sex age pclass fare sibsp deck port",
        outputs=("prediction",),
        answered="test_X.index",
        failing=(4, 6, 7, 8),
        raw=lambda: pd.read_csv(BESIDE / "passengers.csv"),
        new=rows.passengers,
    ),
    case(
        "house_folds",
        house_folds,
        "area rooms quality zone year sold garage lot",
        input="houses",
        outputs=("estimate",),
        answered="houses['id'] - 5000",
        raw=lambda: pd.read_csv(BESIDE / "houses.csv"),
        new=rows.houses,
    ),
    case(
        "orders_returns",
        orders_returns,
        "placed city channel amount items code coupon",
        input="orders",
        outputs=("chance", "action"),
        answered="action.index",
        raw=lambda: orders(pd.read_csv(BESIDE / "orders.csv")),
        new=lambda: orders(rows.orders()),
    ),
]
