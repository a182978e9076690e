"""Columns to look at, which no request could have: none of them is given to the model."""
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

houses = pd.read_csv(Path(__file__).with_name("houses.csv"))
houses = houses.dropna(subset=["price"])
houses["dear"] = houses["price"].rank(pct=True)
houses["running"] = np.cumsum(houses["price"])
houses["share"] = houses["price"] / houses["running"]
houses["area_rank"] = houses["area"].rank()
houses = houses.assign(old=houses["year"] < 1950, year_rank=houses["year"].rank())
houses["number"] = range(1000, 1000 + len(houses))
print(houses.sort_values("dear").groupby("zone")["share"].mean())
SEED = 11
UNUSED_LIMIT = 30
houses["rooms"] = houses["rooms"].fillna(houses["rooms"].median())
houses["area"] = houses["area"].fillna(houses["area"].mean())
X = houses.drop(columns=["dear", "running", "share", "area_rank", "price", "number"])
X = X.select_dtypes("number")[["area", "rooms"]]
X["per_room"] = X["area"] / X["rooms"]
y = houses["price"]
model = Ridge(alpha=0.5).fit(X, y)
scores = model.predict(X)
