"""Five folds for the estimate, then all rows for the model."""
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
df["age"] = df["age"].fillna(df["age"].median())
df["sex"] = (df["sex"] == "female").astype(int)
X = df[["age", "sex", "pclass", "fare", "sibsp"]].values
y = df["survived"].values

held_out = np.zeros(len(X))
for fold, (inside, outside) in enumerate(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)):
    model = RandomForestClassifier(n_estimators=8, random_state=fold)
    model.fit(X[inside], y[inside])
    held_out[outside] = model.predict_proba(X[outside])[:, 1]
    print(fold, round(roc_auc_score(y[outside], held_out[outside]), 3))

final = RandomForestClassifier(n_estimators=20, random_state=99).fit(X, y)
scores = final.predict_proba(X)[:, 1]
