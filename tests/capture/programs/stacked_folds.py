"""Out-of-fold predictions of two models teach a third."""
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, train_test_split

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
df["age"] = df["age"].fillna(df["age"].median())
df["sex"] = (df["sex"] == "female").astype(int)
features = ["age", "sex", "pclass", "fare", "sibsp"]
X_train, X_test, y_train, y_test = train_test_split(df[features], df["survived"], random_state=0)

models = [RandomForestClassifier(n_estimators=5, random_state=0), LinearRegression()]
inner = np.zeros((len(X_train), 2))
outer = np.zeros((len(X_test), 2))
for place, model in enumerate(models):
    for fit, held in KFold(4, shuffle=True, random_state=0).split(X_train):
        model.fit(X_train.iloc[fit], y_train.iloc[fit])
        inner[held, place] = model.predict(X_train.iloc[held])
    model.fit(X_train, y_train)
    outer[:, place] = model.predict(X_test)
last = LinearRegression().fit(inner, y_train)
scores = last.predict(outer)
