"""Columns chosen by what they hold: nulls, levels, type, correlation, skew."""
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

df = pd.read_csv(Path(__file__).with_name("houses.csv"))
df["empty"] = np.where(df["id"] > 5100, df["area"], np.nan)
missing = df.isnull().mean()
df = df.drop(columns=missing[missing > 0.11].index)
price = df.pop("price").fillna(300)
whole = df.dropna(axis=1)
whole = whole.loc[:, whole.nunique() > 5]
numbers = whole.select_dtypes("number").drop(columns="id")
related = numbers.corrwith(price).abs().sort_values(ascending=False)
best = related[related > 0.1].index
numbers = numbers[best]
skewed = numbers.skew()
bent = skewed[skewed < -0.1].index
numbers[bent] = np.log1p(numbers[bent])
X = numbers.join(pd.get_dummies(df["zone"]))
scores = LinearRegression().fit(X, price).predict(X)
