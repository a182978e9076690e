"""Loops over columns: medians for numbers, one encoder after another for words."""
from pathlib import Path

import pandas as pd
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.linear_model import LogisticRegression

df = pd.read_csv(Path(__file__).with_name("passengers.csv"))
numbers = ["age", "fare"]
words = ["sex", "port", "deck"]

for column in numbers:
    middle = df[column].median()
    df[column] = df[column].fillna(middle)

le = LabelEncoder()
for column in words:
    df[column] = df[column].fillna("unknown")
    df[column] = le.fit_transform(df[column])

features = numbers + words + ["pclass"]
scaler = StandardScaler()
X = scaler.fit_transform(df[features])
y = df.survived.values

clf = LogisticRegression(max_iter=500)
clf.fit(X, y)
scores = clf.predict_proba(X)[:, 1]
print(scores.mean())
