"""Which customers will leave? A small program, as people write them."""

import pandas as pd
from sklearn.linear_model import LogisticRegression

customers = pd.read_csv("customers.csv")

df = customers.copy()
df["age"] = df["age"].fillna(df["age"].mean())
df["many"] = df["calls"] > 4
df = pd.get_dummies(df, columns=["plan"])
features = ["age", "calls", "many", "plan_basic", "plan_plus", "plan_pro"]
model = LogisticRegression(max_iter=500)
model.fit(df[features], df["left"])
print("accuracy", model.score(df[features], df["left"]))
scores = model.predict_proba(df[features])[:, 1]
