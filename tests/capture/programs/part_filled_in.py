"""A course's template: the nulls of an array's part are filled in place, then it is split."""
from pathlib import Path

import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

dataset = pd.read_csv(Path(__file__).with_name("houses.csv")).dropna(subset=["price"])
X = dataset[["area", "rooms", "garage", "lot"]].iloc[:, 0:4].values
y = dataset.iloc[:, -1].values
imputer = SimpleImputer(strategy="median")
imputer = imputer.fit(X[:, 2:4])
X[:, 2:4] = imputer.transform(X[:, 2:4])

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
sc = StandardScaler()
X_train = sc.fit_transform(X_train)
X_test = sc.transform(X_test)
regressor = LinearRegression()
regressor.fit(X_train, y_train)
y_pred = regressor.predict(X_test)
