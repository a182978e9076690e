"""Classes and functions of a local module that only a fitted pipeline holds."""
from pathlib import Path

import pandas as pd
from local_steps import PerClass, logs
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
features = df[["pclass", "fare"]]
steps = [("share", PerClass()), ("logs", FunctionTransformer(logs)), ("model", LogisticRegression())]
pipe = Pipeline(steps).fit(features, df["survived"])
scores = pipe.predict_proba(features)[:, 1]
