"""Which of several classifiers tells malignant tumours best? The best one is fitted once more.

usage: cancer_choice.py [--folds 4] [--features 12] [--plot]
"""
import argparse
import logging

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

log = logging.getLogger(__name__)
RANDOM_STATE = 3
PALETTE = ["#4477aa", "#ee6677"]


class Winsorizer:
    """Clips each column at quantiles of the rows that it was fitted on."""

    def __init__(self, low=0.02, high=0.98):
        self.low = low
        self.high = high

    def fit(self, X, y=None):
        self.bounds_ = {c: (X[c].quantile(self.low), X[c].quantile(self.high)) for c in X.columns}
        return self

    def transform(self, X):
        X = X.copy()
        for c, (low, high) in self.bounds_.items():
            X[c] = X[c].clip(low, high)
        return X

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--features", type=int, default=12)
    parser.add_argument("--plot", action="store_true")
    return parser.parse_args()


def load():
    bunch = load_breast_cancer(as_frame=True)
    df = bunch.frame
    df.columns = [c.replace(" ", "_") for c in df.columns]
    df["diagnosis"] = np.where(df.pop("target") == 0, "M", "B")
    return df


def engineer(df):
    df = df.copy()
    df["compact_per_smooth"] = df["mean_compactness"] / (df["mean_smoothness"] + 1e-6)
    df["growth"] = df["worst_area"] - df["mean_area"]
    df["large"] = (df["worst_radius"] > df["worst_radius"].median()).astype(int)
    return df


def strongest(df, target, n):
    """The n columns that tell the target best, by the absolute correlation."""
    flag = (df[target] == "M").astype(int)
    found = df.drop(columns=[target]).corrwith(flag).abs().sort_values(ascending=False)
    return found.head(n).index.tolist()


def cross_validated(make, X, y, folds):
    scores = []
    for trn, val in StratifiedKFold(folds, shuffle=True, random_state=RANDOM_STATE).split(X, y):
        model = make()
        model.fit(X[trn], y[trn])
        scores.append(roc_auc_score(y[val], model.predict_proba(X[val])[:, 1]))
    return np.mean(scores)


def plot(scores):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.bar(list(scores), list(scores.values()), color=PALETTE[0])
    plt.close()


def main():
    args = parse_args()
    tumours = load()
    tumours["area_rank"] = tumours["mean_area"].rank()  # only to look at
    log.info("largest: %s", tumours.nsmallest(3, "area_rank").index.tolist())
    df = engineer(tumours.drop(columns="area_rank"))
    features = strongest(df, "diagnosis", args.features)
    print(features)

    X = Winsorizer().fit_transform(df[features])
    scaler = StandardScaler().fit(X)
    Z = scaler.transform(X)
    y = (df["diagnosis"] == "M").astype(int).values

    candidates = {
        "logistic": lambda: LogisticRegression(C=0.5, max_iter=1000),
        "neighbours": lambda: KNeighborsClassifier(n_neighbors=15),
        "forest": lambda: RandomForestClassifier(30, max_depth=4, random_state=RANDOM_STATE),
    }
    scores = {name: cross_validated(make, Z, y, args.folds) for name, make in candidates.items()}
    for name, score in sorted(scores.items(), key=lambda item: -item[1]):
        print(f"{name:12} {score:.4f}")
    if args.plot:
        plot(scores)

    best = max(scores, key=scores.get)
    model = candidates[best]()
    model.fit(Z, y)
    malignant = model.predict_proba(Z)[:, 1]
    print(best, pd.Series(malignant).describe().round(3).to_dict())
    return malignant


if __name__ == "__main__":
    main()
