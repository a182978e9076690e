# Only web and shop orders of a sensible amount are scored.
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression

orders = pd.read_csv(Path(__file__).with_name("orders.csv"))
orders = orders[orders["channel"] != "phone"]
orders = orders.query("amount > 5 and items < 8")
orders["web"] = (orders["channel"] == "web").astype(int)
features = orders[["amount", "items", "web"]]
model = LogisticRegression().fit(features, orders["returned"])
scores = model.predict_proba(features)[:, 1]
print(len(scores), "scored")
