"""Rows that are read line by line into a list, which becomes an array of the same name."""
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

X = []
y = []
with open(Path(__file__).with_name("passengers.csv")) as file:
    next(file)
    for line in file.readlines():
        data = line.strip().split(",")
        X.append([float(data[-6]), float(data[-5])])
        y.append(int(data[-1]))

X = np.array(X)
y = np.array(y)
scaler = StandardScaler()
Z = scaler.fit_transform(X)
model = LogisticRegression().fit(Z, y)
scores = model.predict_proba(Z)[:, 1]
