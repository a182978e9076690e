"""Whole programs on the surveys that statsmodels carries, with what they answer by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from tests.capture.case import Case
from tests.capture.oracles import one_hot, sorted_levels

Table = pd.DataFrame
PROGRAMS = Path(__file__).parent / "programs"
OCCUPATIONS = {
    1: "student",
    2: "farming",
    3: "white_collar",
    4: "teacher",
    5: "managerial",
    6: "professional",
}


def fair() -> Table:
    """The answers of 1500 married women, without those that no request has."""
    women = sm.datasets.fair.load_pandas().data
    return women.sample(1500, random_state=42).reset_index(drop=True)


def new_fair() -> Table:
    """Ordinary women, one with occupations never seen, one without, extremes."""
    names = "rate_marriage age yrs_married children religious educ occupation occupation_husb"
    return Table(
        [
            (3.0, 32.0, 9.0, 3.0, 3.0, 17.0, 2.0, 5.0),
            (5.0, 22.0, 2.5, 0.0, 4.0, 12.0, 3.0, 4.0),
            (1.0, 42.0, 23.0, 5.5, 1.0, 9.0, 9.0, 0.0),
            (4.0, 27.0, 6.0, 1.0, 2.0, 14.0, np.nan, 6.0),
            (4.1, 17.5, 0.5, 0.0, 2.0, 20.0, 1.0, 1.0),
            (2.0, 99.0, 60.0, 12.0, 9.0, 0.0, 6.0, 2.0),
        ],
        columns=names.split(),
    )


def affairs_survey(raw: Table, new: Table) -> np.ndarray:
    wives = sorted_levels(raw["occupation"].map(OCCUPATIONS))[1:]
    husbands = sorted_levels(raw["occupation_husb"].map(OCCUPATIONS))[1:]
    rate = raw["rate_marriage"].mean()
    kept = ["rate_marriage", "age", "yrs_married", "children", "religious", "educ"]

    def design(table: Table) -> np.ndarray:
        return np.column_stack(
            [
                table[kept],
                table["yrs_married"] / (table["children"] + 1),
                table["age"] - table["yrs_married"],
                one_hot([OCCUPATIONS.get(value) for value in table["occupation"]], wives),
                one_hot([OCCUPATIONS.get(value) for value in table["occupation_husb"]], husbands),
                table["rate_marriage"] >= rate,
            ]
        ).astype(float)

    target = (raw["affairs"] > 0).astype(int)
    train = train_test_split(np.arange(len(raw)), test_size=0.3, random_state=42, stratify=target)[
        0
    ]
    known = design(raw)[train]
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    model = RandomForestClassifier(n_estimators=25, max_depth=6, random_state=42)
    model.fit((known - mean) / deviation, target.iloc[train])
    answers = model.predict_proba((design(new) - mean) / deviation)[:, 1]
    # No woman of the survey left her occupation out: such a row is rejected, not guessed.
    return np.where(new["occupation"].isna(), np.nan, answers)


def election() -> Table:
    """The voters of the national election study."""
    return sm.datasets.anes96.load_pandas().data


def new_election() -> Table:
    """Ordinary voters, one too old for the program, extremes."""
    names = "popul TVnews selfLR ClinLR DoleLR PID age educ income"
    return Table(
        [
            (0.0, 7.0, 4.0, 3.0, 5.0, 1.0, 36.0, 5.0, 14.0),
            (190.0, 0.0, 6.0, 2.0, 6.0, 6.0, 61.0, 3.0, 24.0),
            (31.0, 3.0, 2.0, 2.0, 4.0, 3.0, 19.0, 7.0, 1.0),
            (31.0, 3.0, 2.0, 2.0, 4.0, 3.0, 91.0, 7.0, 1.0),
            (7300.0, 5.0, 7.0, 1.0, 1.0, 0.0, 84.0, 1.0, 23.0),
        ],
        columns=names.split(),
    )


def election_1996(raw: Table, new: Table) -> np.ndarray:
    names = [1.5, 4, 6, 8, 9.5, 10.5, 11.5, 12.5, 13.5, 14.5, 16, 18.5, 21, 23.5, 27.5]
    names += [32.5, 37.5, 42.5, 47.5, 55, 67.5, 82.5, 97.5, 115]
    known = raw[raw["age"] < 85]
    age, size = known["age"].mean(), known["popul"].median()

    def design(table: Table) -> np.ndarray:
        years = table["age"] - age
        far = [(table["selfLR"] - table[name]).abs() for name in ("DoleLR", "ClinLR")]
        return np.column_stack(
            [
                np.ones(len(table)),
                table["PID"] == 3,
                table["PID"] > 3,
                (table["TVnews"] > 3) & (table["TVnews"] <= 6),
                table["TVnews"] == 0,
                (table["TVnews"] > 0) & (table["TVnews"] <= 3),
                far[0] < far[1],
                years,
                years**2,
                [np.log(names[int(place) - 1]) for place in table["income"]],
                table["educ"],
                table["popul"] > size,
            ]
        ).astype(float)

    train = known.sample(frac=0.7, random_state=1996)
    rows, voted = design(train), train["vote"].to_numpy()
    weights = np.zeros(rows.shape[1])
    for _ in range(30):  # Newton's steps to the greatest likelihood
        chance = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (voted - chance)
        weights += np.linalg.solve(rows.T @ (rows * (chance * (1 - chance))[:, None]), slope)
    answers = 1 / (1 + np.exp(-design(new) @ weights))
    return np.where(new["age"] < 85, answers, np.nan)


def schools() -> Table:
    """The school districts of California."""
    return sm.datasets.star98.load_pandas().data


def new_schools() -> Table:
    """Two that lie between known districts, one at both ends, one far beyond."""
    known = schools().drop(columns=["NABOVE", "NBELOW"])
    rows = [known.iloc[:30].mean(), known.iloc[100:103].mean(), known.min(), known.max() * 2]
    return Table(rows).reset_index(drop=True)


def schools_star98(raw: Table, new: Table) -> np.ndarray:
    about = ["LOWINC", "PERASIAN", "PERBLACK", "PERHISP", "PERMINTE"]
    mean, deviation = raw[about].mean().to_numpy(), raw[about].std(ddof=0).to_numpy()
    known = (raw[about].to_numpy() - mean) / deviation
    turned = PCA(n_components=2, svd_solver="full").fit(known)
    centres = KMeans(4, n_init=3, random_state=0).fit(turned.transform(known)).cluster_centers_

    def placed(table: Table) -> tuple[np.ndarray, np.ndarray]:
        profile = turned.transform((table[about].to_numpy() - mean) / deviation)
        far = ((profile[:, None, :] - centres[None]) ** 2).sum(axis=2)
        return profile, far.argmin(axis=1)

    groups = placed(raw)[1]
    ratio = np.array([raw["PTRATIO"][groups == group].median() for group in range(4)])
    salary = np.array([raw["AVSALK"][groups == group].median() for group in range(4)])
    low, high = np.percentile(raw["PERSPENK"], [5, 95])

    def design(table: Table) -> np.ndarray:
        profile, group = placed(table)
        return np.column_stack(
            [
                profile,
                table["PTRATIO"] - ratio[group],
                table["AVSALK"] > salary[group],
                table["PERSPENK"].clip(low, high),
                table["AVYRSEXP"],
                *[group == number for number in (1, 2, 3)],
            ]
        ).astype(float)

    share = raw["NABOVE"] / (raw["NABOVE"] + raw["NBELOW"])
    return LinearRegression().fit(design(raw), share).predict(design(new))


def people() -> Table:
    """Some of the people of the health insurance experiment."""
    everybody = sm.datasets.randhie.load_pandas().data
    return everybody.sample(n=1500, random_state=7).reset_index(drop=True)


def new_people() -> Table:
    """Ordinary people of each health, one with very many diseases, one with half a limit."""
    names = "lncoins idp physlm disea hlthg hlthf hlthp"
    return Table(
        [
            (4.61512, 1, 0.0, 13.7, 1, 0, 0),
            (0.0, 0, 1.0, 4.0, 0, 0, 0),
            (3.25809, 0, 0.0, 9.5, 0, 1, 0),
            (4.61512, 1, 1.0, 500.0, 0, 0, 1),
            (2.0, 0, 0.144292, 0.0, 0, 0, 0),
        ],
        columns=names.split(),
    )


def doctor_visits(raw: Table, new: Table) -> np.ndarray:
    cap = np.quantile(raw["disea"], 0.95)
    middle = np.median(np.minimum(raw["disea"], cap))

    def design(table: Table) -> np.ndarray:
        ill = np.minimum(table["disea"], cap)
        poor = table["hlthp"] == 1
        fair = (table["hlthf"] == 1) & ~poor
        good = (table["hlthg"] == 1) & ~poor & ~fair
        return np.column_stack(
            [
                np.ones(len(table)),
                fair,
                good,
                poor,
                ill > middle,
                table["lncoins"],
                table["idp"],
                np.sqrt(ill),
                np.round(table["physlm"]) * ill,
            ]
        ).astype(float)

    train = raw[np.arange(len(raw)) % 4 != 0]
    rows, seen = design(train), train["mdvis"].to_numpy()
    weights = np.zeros(rows.shape[1])
    weights[0] = np.log(seen.mean())
    for _ in range(40):  # Newton's steps to the greatest likelihood
        mean = np.exp(rows @ weights)
        weights += np.linalg.solve(rows.T @ (rows * mean[:, None]), rows.T @ (seen - mean))
    return np.exp(design(new) @ weights).round(3)


def case(program: str, oracle: Any, needed: str | tuple[str, ...], **others: Any) -> Case:
    """A whole program of this folder."""
    return Case(program, "", oracle, needed, folder=PROGRAMS, **others)


CASES = [
    case(
        "affairs_survey",
        affairs_survey,
        " ".join(new_fair().columns),
        input="dta",
        outputs=("risk",),
        answered="X_test.index",
        rejected={3: None},
        raw=fair,
        new=new_fair,
    ),
    case(
        "doctor_visits",
        doctor_visits,
        " ".join(new_people().columns),
        input="people",
        outputs=("visits",),
        answered="test.index",
        raw=people,
        new=new_people,
    ),
    case(
        "election_1996",
        election_1996,
        " ".join(new_election().columns),
        input="data",
        outputs=("dole",),
        answered="test.index",
        rejected={3: 11},
        raw=election,
        new=new_election,
    ),
    case(
        "schools_star98",
        schools_star98,
        "LOWINC PERASIAN PERBLACK PERHISP PERMINTE PTRATIO AVSALK PERSPENK AVYRSEXP",
        input="raw",
        outputs=("expected",),
        raw=schools,
        new=new_schools,
    ),
]
