"""Which iris it is; kinds stand beside the measures, rows are drawn by chance."""

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

iris = load_iris()
df = pd.DataFrame(iris.data, columns=["a", "b", "c", "d"])
df["target"] = iris.target
df["kind"] = df["target"].apply(lambda number: iris.target_names[number])
print(df["kind"].value_counts().to_dict())

rng = np.random.default_rng(1)
chance = rng.random(len(df))
order = rng.permutation(len(df))
df = df.iloc[order[:140]]
mask = chance[:140] < 0.8
train, held = df[mask], df[~mask]

X = train.drop(["target", "kind"], axis=1)
model = LogisticRegression(max_iter=2000).fit(X, train["target"])
scores = model.predict(held.drop(["target", "kind"], axis=1))
