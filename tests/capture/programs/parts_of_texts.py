"""Texts are split into columns, as many as the widest of them needs."""
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LinearRegression

df = pd.read_csv(Path(__file__).with_name("orders.csv"))
df[["series", "number"]] = df["code"].str.split("-", expand=True)
df["number"] = pd.to_numeric(df["number"]).fillna(0)
clock = df["placed"].str.rsplit(" ", n=1, expand=True)[1]
df["hour"] = clock.str[:2].astype(float)
df["first"] = (df["series"] == "AB").astype(int)

model = LinearRegression()
model.fit(df[["number", "hour", "first", "items"]], df["amount"])
scores = model.predict(df[["number", "hour", "first", "items"]])
