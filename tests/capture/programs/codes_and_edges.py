"""Rare levels, codes of categories, learned edges, a ceiling at a quantile."""
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

df = pd.read_csv(Path(__file__).with_name("orders.csv"))
counts = df["city"].value_counts()
rare = counts[counts < 30].index
df.loc[df["city"].isin(rare), "city"] = "other"
df["coupon"] = pd.Categorical(df["coupon"]).codes
df["place"], known = pd.factorize(df["city"])
df["quarter"], edges = pd.qcut(df["amount"], 4, retbins=True, labels=False)
df["quarter"] = df["quarter"].fillna(-1)
df["step"] = np.digitize(df["amount"], np.percentile(df["amount"], [20, 80]))
df["share"] = df["items"].clip(upper=df["items"].quantile(0.9)) / df["items"].max()
df["way"] = df["channel"].map({"web": 1, "shop": 2}).fillna(0)
print(list(known), edges.round(1))

y = df.pop("returned")
X = df[["coupon", "place", "quarter", "step", "share", "way"]]
model = DecisionTreeClassifier(max_depth=5, random_state=0).fit(X, y)
scores = model.predict_proba(X)[:, 1]
