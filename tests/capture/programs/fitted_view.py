"""An imputer fitted on a part of an array that is then written over, as courses teach it."""
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
X = df[["sex", "age", "fare"]].values
y = df["survived"].values
imputer = SimpleImputer(missing_values=np.nan, strategy="mean")
imputer = imputer.fit(X[:, 1:3])
X[:, 1:3] = imputer.transform(X[:, 1:3])
model = LogisticRegression().fit(X[:, 1:3], y)
scores = model.predict_proba(X[:, 1:3])[:, 1]
