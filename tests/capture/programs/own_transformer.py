"""A class with fit and transform, and functions of one's own."""
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression


class Preparation:
    """Fills, caps and counts what it saw in fit."""

    def __init__(self, cap=0.95):
        self.cap = cap

    def fit(self, frame):
        self.ages = frame.groupby("pclass")["age"].median()
        self.top = frame["fare"].quantile(self.cap)
        self.ports = frame["port"].value_counts()
        return self

    def transform(self, frame):
        out = frame.copy()
        out["age"] = out["age"].fillna(out["pclass"].map(self.ages))
        out["fare"] = out["fare"].clip(upper=self.top)
        out["port_count"] = out["port"].map(self.ports).fillna(0)
        return out

    def fit_transform(self, frame):
        return self.fit(frame).transform(frame)


def standardise(column):
    # learns inside: the mean and deviation of what it is given
    return (column - column.mean()) / column.std()


def add_features(frame, power=2):
    frame["age_power"] = frame["age"] ** power
    frame["fare_z"] = standardise(frame["fare"])
    return frame


np.random.seed(5)
people = pd.read_csv(Path(__file__).with_name("passengers.csv"))
prepared = Preparation(cap=0.9).fit_transform(people)
prepared = add_features(prepared, power=1.5)
prepared["woman"] = np.where(prepared["sex"] == "female", 1, 0)
columns = ["age", "age_power", "fare_z", "port_count", "woman", "pclass"]
model = LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(prepared[columns], prepared["survived"])
scores = model.predict_proba(prepared[columns])[:, 1]
print(len(scores), np.random.rand())
