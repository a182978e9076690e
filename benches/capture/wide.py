"""A month's accounts, 100,000 rows of 20 columns: filled, joined by group, encoded, scored."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(5)
n = 100_000
made = {f"x{i}": rng.normal(size=n) for i in range(14)}
made["left"] = (made["x0"] + made["x1"] * 0.5 + rng.normal(size=n) > 1).astype(int)
made["region"] = rng.choice(["north", "south", "east", "west"], n)
made["plan"] = rng.choice(["free", "team", "firm"], n, p=[0.6, 0.3, 0.1])
made["since"] = rng.integers(2001, 2026, n)
made["seats"] = rng.integers(1, 400, n)
made["spent"] = rng.exponential(120, n)
for name in ["x3", "x4", "spent"]:
    made[name][rng.random(n) < 0.1] = np.nan
df = pd.DataFrame(made)

for column in ["x3", "x4"]:
    df[column] = df[column].fillna(df[column].median())
df["spent"] = df["spent"].fillna(df.groupby("plan")["spent"].transform("mean"))
df["per_seat"] = df["spent"] / df["seats"]
df["years"] = 2026 - df["since"]
df["rich"] = df["spent"] > df["spent"].quantile(0.9)
X = pd.get_dummies(df.drop(columns=["left", "since"]), columns=["region", "plan"])
scaler = StandardScaler()
X = pd.DataFrame(scaler.fit_transform(X), columns=X.columns)
model = LogisticRegression(max_iter=200).fit(X, df["left"])
scores = model.predict_proba(X)[:, 1]
