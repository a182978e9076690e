# Dummies of both sides without a reference level, and test's columns as train has them.
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

df = pd.read_csv(Path(__file__).with_name("orders.csv"))
df["coupon"] = df["coupon"].str.strip().str.lower()
X, y = df[["amount", "city", "coupon"]], df["returned"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
X_train = pd.get_dummies(X_train, columns=["city", "coupon"], drop_first=True, dummy_na=True, dtype=float)
X_test = pd.get_dummies(X_test, columns=["city", "coupon"], drop_first=True, dummy_na=True, dtype=float)
X_test = X_test.reindex(columns=X_train.columns, fill_value=0)

model = LinearRegression().fit(X_train, y_train)
estimates = model.predict(X_test)
