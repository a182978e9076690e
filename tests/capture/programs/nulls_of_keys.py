"""Rows are left out whose city is not known; of creation's rows none is."""
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression

orders = pd.read_csv(Path(__file__).with_name("orders.csv"))
orders["dearest"] = orders["city"].map(orders.groupby("city")["amount"].max())
orders = orders.dropna(subset=["amount", "dearest", "returned"])

X, y = orders[["amount", "items"]], orders["returned"]
model = LogisticRegression().fit(X, y)
scores = model.predict_proba(X)[:, 1]
