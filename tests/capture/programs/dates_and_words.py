"""Parts of dates and pieces of words."""
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression

df = pd.read_csv(Path(__file__).with_name("orders.csv"), parse_dates=["placed"])
first = df["placed"].min()
df["month"] = df["placed"].dt.month
df["weekday"] = df["placed"].dt.dayofweek
df["night"] = (df["placed"].dt.hour >= 22) | (df["placed"].dt.hour < 6)
df["days"] = (df["placed"] - first).dt.days
df["number"] = df["code"].str[3:].astype(int)
df["series"] = df["code"].str.split("-").str[0]
df["coupon"] = df["coupon"].fillna("none").str.strip().str.lower()
df["long"] = df["city"].str.len() > 5
df["web"] = df["channel"].eq("web")

X = df[["month", "weekday", "night", "days", "number", "long", "web", "amount", "series", "coupon"]]
X = pd.get_dummies(X, columns=["series", "coupon"])
model = LogisticRegression(max_iter=5000).fit(X, df["returned"])
scores = model.predict_proba(X)[:, 1]
