"""Train and test get their dummies apart; test's columns are brought into line with train's."""
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

df = pd.read_csv(Path(__file__).with_name("orders.csv"))
train, test = train_test_split(df, test_size=0.1, random_state=0, stratify=df["returned"])
columns = ["amount", "items", "city", "channel"]
X_train = pd.get_dummies(train[columns])
X_test = pd.get_dummies(test[columns])
X_train, X_test = X_train.align(X_test, join="left", axis=1, fill_value=0)

model = LogisticRegression(max_iter=2000).fit(X_train, train["returned"])
chance = model.predict_proba(X_test)[:, 1]
