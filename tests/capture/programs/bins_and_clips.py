# Bins of three kinds, and tails cut off at quantiles.
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
df["age"] = df["age"].fillna(df["age"].mean())
low, high = df["fare"].quantile(0.02), df["fare"].quantile(0.98)
df["fare"] = df["fare"].clip(low, high)

df["age_bin"] = pd.cut(df["age"], 5, labels=False)
df["fare_bin"] = pd.qcut(df["fare"], 4, labels=False)
df["stage"] = pd.cut(df["age"], bins=[0, 12, 18, 60, 120], labels=["child", "teen", "adult", "old"])
df["fare_log"] = np.log(df["fare"])
X = pd.get_dummies(df[["age_bin", "fare_bin", "stage", "fare_log", "pclass"]], columns=["stage"])
y = df["survived"]

model = LogisticRegression(max_iter=1000).fit(X, y)
scores = model.predict_proba(X)[:, 1]
print(np.round(scores[:5], 4))
