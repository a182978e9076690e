"""XGBoost and LightGBM, the scikit-learn way and their own way, on encoded columns."""
from pathlib import Path

import category_encoders as ce
import lightgbm as lgb
import pandas as pd
import xgboost as xgb

DATA = Path(__file__).parents[2] / "capture" / "programs"
df = pd.read_csv(DATA / "orders.csv")
y = df["returned"]
X = df[["amount", "items", "channel", "city"]]
encoder = ce.TargetEncoder(cols=["channel", "city"])
X = encoder.fit_transform(X, y)

first = xgb.XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1)
first.fit(X, y)
second = lgb.LGBMClassifier(n_estimators=10, num_leaves=7, n_jobs=1, verbose=-1)
second.fit(X, y)
labelled = xgb.DMatrix(X, label=y)
third = xgb.train({"max_depth": 2, "objective": "binary:logistic", "nthread": 1}, labelled, 5)
settings = {"objective": "binary", "num_threads": 1, "verbose": -1, "num_leaves": 5}
fourth = lgb.train(settings, lgb.Dataset(X, label=y), 5)
p1 = first.predict_proba(X)[:, 1]
p2 = second.predict_proba(X)[:, 1]
p3 = third.predict(xgb.DMatrix(X))
p4 = fourth.predict(X)
scores = p1 + p2 + p3 + p4
