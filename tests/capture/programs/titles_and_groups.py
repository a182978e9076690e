"""Who survives: titles out of names, ages filled by title, dummies for the rest."""
from pathlib import Path

import pandas as pd
from sklearn.ensemble import RandomForestClassifier

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
print(df.shape, df.isnull().sum().to_dict())

df["title"] = df["name"].str.extract(r",\s*([A-Za-z]+)\.", expand=False)
df["title"] = df["title"].replace({"Dr": "Mr"})
df["age"] = df["age"].fillna(df.groupby("title")["age"].transform("median"))
df["port"] = df["port"].fillna(df["port"].mode()[0])
df["sex"] = df["sex"].map({"male": 0, "female": 1})
df["family"] = df["sibsp"] + 1
df["alone"] = (df["family"] == 1).astype(int)

X = df.drop(columns=["id", "name", "deck", "survived"])
X = pd.get_dummies(X, columns=["port", "title"], drop_first=True)
y = df["survived"]

model = RandomForestClassifier(n_estimators=15, random_state=3)
model.fit(X, y)
print("accuracy", round(model.score(X, y), 3))
scores = model.predict_proba(X)[:, 1]
