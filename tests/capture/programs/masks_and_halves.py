"""What houses cost, prepared in parts: by a mask, as halves, through a view of columns."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import LinearRegression

houses = pd.read_csv(Path(__file__).with_name("houses.csv"))
houses = houses.dropna(subset=["price"])
# Prices far from all others are left out.
houses = houses[np.abs(stats.zscore(houses["price"])) < 2]

# Put into an array by a mask.
big = (houses["area"] > 120).to_numpy()
rate = np.zeros(len(houses))
rate[big] = houses["lot"].fillna(0).to_numpy()[big] / 100
rate[~big] = -1.0
houses["rate"] = rate
houses["spare"] = 0.0
houses.loc[houses["rooms"] > 4, "spare"] = houses.loc[houses["rooms"] > 4, "area"] / 10

# Two tables, each prepared in its own way, put together again.
old = houses[houses["year"] < 1980].copy()
new = houses[houses["year"] >= 1980].copy()
old["care"] = (1980 - old["year"]) * 2.0
new["care"] = new["rooms"] / 2
houses = pd.concat([old, new])

# Changing a column of an array through a name of its own.
values = houses[["area", "rooms", "rate", "spare", "care"]].to_numpy(dtype=float).copy()
size = values[:, 0]
size /= 50
values[:, 1] -= 3

model = LinearRegression().fit(values, houses["price"])
answers = model.predict(values)
print(len(answers))
