#!/usr/bin/env python
"""Which flights will be more than an hour late? (about one in twenty)

The alarm is raised above the threshold that costs least on the newest flights.
"""
import argparse
import sys

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, confusion_matrix
from sklearn.preprocessing import MinMaxScaler

from late_lib import MeanEncoder, build_features, one_hot, read_flights

TE_COLUMNS = ["carrier", "route"]
OHE_COLUMNS = ["dow", "daypart", "origin"]


def get_args(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--month", type=int, default=3)
    p.add_argument("--rows", type=int, default=4000)
    p.add_argument("--late", type=float, default=60.0, help="minutes")
    p.add_argument("--cost-missed", type=float, default=10.0)
    p.add_argument("--cost-alarm", type=float, default=1.0)
    p.add_argument("--model", choices=["logit", "boost"], default="logit")
    return p.parse_args(argv)


def assemble(df, te, args_columns=None, scaler=None):
    dummies = one_hot(df, OHE_COLUMNS)
    if args_columns is not None:
        dummies = dummies.reindex(columns=args_columns, fill_value=0)
    numbers = df[["distance", "dep_minutes", "distance_bin"]]
    X = pd.concat([numbers, te, dummies], axis=1)
    return X


def make_model(name):
    if name == "logit":
        return LogisticRegression(class_weight="balanced", C=0.5, max_iter=2000)
    return HistGradientBoostingClassifier(max_iter=20, random_state=0)


def cheapest_threshold(y, p, missed, alarm):
    best, best_cost = 0.5, np.inf
    for t in np.linspace(0.05, 0.95, 19):
        tn, fp, fn, tp = confusion_matrix(y, p >= t).ravel()
        cost = fn * missed + fp * alarm
        if cost < best_cost:
            best, best_cost = t, cost
    return best, best_cost


def main(argv=None):
    args = get_args(argv)
    raw = read_flights(args.month, args.rows)
    print(f"{len(raw)} flights", file=sys.stderr)

    flights = build_features(raw)
    flights["dep_minutes"] = flights["hour"] * 60 + flights["minute"]
    # four bins of about as many flights each
    flights["distance_bin"] = pd.qcut(flights["distance"], 4, labels=False, duplicates="drop")

    flown = flights.dropna(subset=["arr_delay"])
    flown = flown.assign(very_late=(flown["arr_delay"] > args.late).astype(int))
    print("share of very late:", round(flown["very_late"].mean(), 3))

    cut = int(len(flown) * 0.75)
    older, newer = flown.iloc[:cut], flown.iloc[cut:]

    encoder = MeanEncoder(TE_COLUMNS)
    te_old = encoder.fit_transform(older, older["very_late"])
    te_new = encoder.transform(newer)
    X_old = assemble(older, te_old)
    X_new = assemble(newer, te_new, [c for c in X_old.columns if c.split("_")[0] in OHE_COLUMNS])
    scaler = MinMaxScaler().fit(X_old)

    clf = make_model(args.model)
    clf.fit(scaler.transform(X_old), older["very_late"])
    p = clf.predict_proba(scaler.transform(X_new))[:, 1]
    print("average precision:", round(average_precision_score(newer["very_late"], p), 3))

    threshold, cost = cheapest_threshold(newer["very_late"], p, args.cost_missed, args.cost_alarm)
    print(f"threshold {threshold:.2f} costs {cost:.0f}")
    alarm = np.where(p >= threshold, "ALARM", "")
    return p, alarm, newer.index


if __name__ == "__main__":
    chance, alarm, newer_index = main()
