"""Which orders come back, prepared row by row, as people write who think in rows."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

WEIGHTS = {"web": 1.5, "shop": 0.5}
LIMIT = 100

df = pd.read_csv(Path(__file__).with_name("orders.csv"))


def burden(channel, amount):
    """How heavy an order weighs."""
    return WEIGHTS.get(channel, 1.0) * min(amount, LIMIT)


# A list filled in a loop over rows, beside what all rows say together.
burdens, per_city, dearest = [], {}, 0
for _, row in df.iterrows():
    # One after the other.
    value = burden(row["channel"], row["amount"])
    burdens.append(value)
    per_city[row["city"]] = per_city.get(row["city"], 0) + 1
    dearest = max(dearest, row["amount"])
df["burden"] = burdens
df["orders_there"] = df["city"].map(per_city).fillna(0)
df["part"] = df["amount"] / dearest

# A column in a loop of ifs.
sizes = []
for items in df["items"]:
    if items < 2:
        sizes.append(0)
    elif items < 5:
        sizes.append(1)
    else:
        sizes.append(2)
df["size"] = sizes

# By number, in place and into an array made before.
df["marked"] = 0
for i in range(len(df)):
    if pd.notna(df.loc[i, "coupon"]) and df["items"][i] > 1:
        df.loc[i, "marked"] = 1
rows, _ = df.shape
per_item = np.zeros(rows)
for i, (amount, items) in enumerate(zip(df["amount"], df["items"])):
    per_item[i] = amount / items

# Tuples, records and generators.
codes = [row.code.split("-")[0] if row.items else "" for row in df.itertuples()]
df["ab"] = np.array([code == "AB" for code in codes], dtype=float)
records = df.to_dict("records")
df["words"] = list(len(str(record["coupon"]).split()) for record in records)
features = df[["burden", "orders_there", "part", "size", "marked", "ab", "words"]].values
X = []
for numbers, each in zip(features, per_item):
    X.append(np.append(numbers, np.sqrt(each)))
X = np.array(X)
print(X.shape, dearest)

model = LogisticRegression(max_iter=2000).fit(X, df["returned"])
scores = model.predict_proba(X)[:, 1]
