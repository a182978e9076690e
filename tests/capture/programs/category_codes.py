"""Words to numbers by categories, factorize, a dictionary, and replace."""
from pathlib import Path

import pandas as pd
from sklearn.tree import DecisionTreeRegressor

df = pd.read_csv(Path(__file__).with_name("houses.csv"))
df = df.dropna(subset=["price"]).reset_index(drop=True)
df["zone_code"] = df["zone"].astype("category").cat.codes
df["quality_code"], known = pd.factorize(df["quality"])
print(list(known))
marks = {"Ex": 5, "Gd": 4, "TA": 3, "Fa": 2, "Po": 1}
df["mark"] = df["quality"].map(marks)
df["side"] = df["zone"].replace(["harbour", "mill"], "water")
df["water"] = (df["side"] == "water") * 1
df["garage"] = df["garage"].fillna(df["garage"].mode()[0])
df["age"] = df["year"].max() - df["year"]

features = ["area", "zone_code", "quality_code", "mark", "water", "garage", "age"]
tree = DecisionTreeRegressor(max_depth=5, random_state=0)
tree.fit(df[features], df["price"])
estimates = tree.predict(df[features])
