# The old row labels come along as a column, which nothing asks for.
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression

orders = pd.read_csv(Path(__file__).with_name("orders.csv"))
orders = orders[orders["channel"] != "phone"].reset_index()
orders = orders.drop("index", axis=1)
orders = orders.query("amount > 5 and items < 8")
orders.reset_index(inplace=True)
nulls = orders.isnull().sum().to_frame().reset_index()
nulls.columns = ["column", "nulls"]
print(nulls[nulls["nulls"] > 0])
orders["web"] = (orders["channel"] == "web").astype(int)
orders.pop("index")
features = orders[["amount", "items", "web"]]
model = LogisticRegression().fit(features, orders["returned"])
scores = model.predict_proba(features)[:, 1]
