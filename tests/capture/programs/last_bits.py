# A course's regression on an array: its rows lie otherwise in memory than those of the test side.
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

df = pd.read_csv(Path(__file__).with_name("houses.csv")).dropna()
X = df.iloc[:, [1, 2, 5, 7, 8]].values
y = df.iloc[:, -1].values
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
regressor = LinearRegression()
regressor.fit(X_train, y_train)
y_pred = regressor.predict(X_test)
