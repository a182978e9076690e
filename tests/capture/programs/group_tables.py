"""Tables of groups merged back, rates of the target per group, and counts."""
from pathlib import Path

import pandas as pd
from sklearn.ensemble import RandomForestClassifier

orders = pd.read_csv(Path(__file__).with_name("orders.csv"))

per_city = orders.groupby("city").agg(city_amount=("amount", "mean"), city_orders=("order", "count"))
orders = orders.merge(per_city.reset_index(), on="city", how="left")
rates = orders.groupby("channel")["returned"].mean()
orders["channel_rate"] = orders["channel"].map(rates)
overall = orders["returned"].mean()
orders["city_rate"] = orders["city"].map(orders.groupby("city")["returned"].mean()).fillna(overall)
orders["frequency"] = orders["city"].map(orders["city"].value_counts(normalize=True))
orders["share"] = orders["amount"] / orders.groupby("channel")["amount"].transform("sum")
orders = orders.fillna({"frequency": 0, "city_amount": orders["amount"].mean(), "city_orders": 0})

features = [
    "amount", "items", "city_amount", "city_orders", "channel_rate", "city_rate", "frequency", "share",
]
forest = RandomForestClassifier(n_estimators=12, max_depth=4, random_state=5)
forest.fit(orders[features], orders["returned"])
risk = forest.predict_proba(orders[features])[:, 1]
print(pd.Series(risk).describe().round(3).to_string())
