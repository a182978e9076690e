# What a house is worth, from a table with holes.
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

data = pd.read_csv(Path(__file__).with_name("houses.csv"))
data = data.dropna(subset=["price"])
data.fillna(data.mean(numeric_only=True), inplace=True)
data["per_room"] = data["area"] / data["rooms"]
data = pd.get_dummies(data.drop(["id", "sold"], axis=1))

X = data.drop("price", axis=1)
y = data["price"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=7)

model = LinearRegression()
model.fit(X_train, y_train)
predictions = model.predict(X_test)
print("mean absolute error", abs(predictions - y_test).mean().round(3))
