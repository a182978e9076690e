# Imputer, encoder and scaler by hand, each with fit_transform before the split.
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

df = pd.read_csv(Path(__file__).with_name("houses.csv"))
df = df[df["price"].notna()]

imputer = SimpleImputer(strategy="mean")
numbers = imputer.fit_transform(df[["area", "rooms", "year", "garage", "lot"]])
scaler = StandardScaler()
numbers = scaler.fit_transform(numbers)
zones = OneHotEncoder(handle_unknown="ignore").fit_transform(df[["zone"]]).toarray()
order = OrdinalEncoder(categories=[["Po", "Fa", "TA", "Gd", "Ex"]])
quality = order.fit_transform(df[["quality"]])
X = np.hstack([numbers, zones, quality])
y = df["price"].to_numpy()

X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = GradientBoostingRegressor(n_estimators=30, random_state=0).fit(X_train, y_train)
print("R2 %.4f" % model.score(X_test, y_test))
predicted = model.predict(X_test)
