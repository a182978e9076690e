# Tables of groups by two keys, joined by index, merged, mapped and transformed.
from pathlib import Path

import pandas as pd
from sklearn.tree import DecisionTreeClassifier

orders = pd.read_csv(Path(__file__).with_name("orders.csv"))
both = orders.groupby(["city", "channel"], as_index=False)["amount"].mean()
both = both.rename(columns={"amount": "usual"})
orders = pd.merge(orders, both, on=["city", "channel"], how="left")
by_city = orders.groupby("city").agg({"amount": ["mean", "max"], "items": "sum"})
by_city.columns = ["_".join(pair) for pair in by_city.columns]
orders = orders.join(by_city, on="city")
orders["ratio"] = orders["amount"] / orders.groupby(["city"])["amount"].transform("mean")
orders["count"] = orders.groupby("channel")["order"].transform("count")
orders["above"] = orders["amount"] - orders["channel"].map(orders.groupby("channel").amount.median())
orders = orders.fillna(0)

features = ["usual", "amount_mean", "amount_max", "items_sum", "ratio", "count", "above"]
model = DecisionTreeClassifier(max_depth=4, random_state=0)
model.fit(orders[features], orders["returned"])
scores = model.predict_proba(orders[features])[:, 1]
