"""Ways of writing that take a turn of their own."""
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.preprocessing import LabelEncoder

df = pd.read_csv(Path(__file__).with_name("houses.csv")).dropna(subset=["price"])
df["target"] = np.log(df["price"])
df["target"] += np.random.default_rng(4).normal(0, 0.01, len(df))
df.drop(df[df["area"] > 260].index, inplace=True)
df.drop(index=df.index[df["lot"] > 1200], inplace=True)

# an encoder that knows no other zone; its numbers are used by a mask, not by the model
df["zone"] = LabelEncoder().fit_transform(df["zone"])
df["north"] = 0
df.loc[df["rooms"] > 7, "rooms"] = 7
df["lot"] = df["lot"].fillna(400)
wide, deep = map(np.sqrt, (df["area"], df["lot"]))
df["edge"] = wide + deep
df["built"] = pd.to_datetime(dict(year=df.year, month=df.rooms, day=df.rooms + 1))
df["age"] = (pd.Timestamp("2020-01-01") - df["built"]).dt.days
df["roomy"] = df.apply(lambda row: row["area"] / row.rooms, axis=1)
table = df.assign(weight=1 / df["price"])

X, y = table[["edge", "age", "roomy"]], table["target"]
scores = np.zeros(len(X))
for fold, (inside, outside) in enumerate(KFold(3, shuffle=True, random_state=1).split(X)):
    model = LinearRegression().fit(X.iloc[inside], y.iloc[inside])
    print(fold, round(model.score(X.iloc[outside], y.iloc[outside]), 3))
    scores += model.predict(X) / 3
