"""A small creation program with its data, for tests that go all the way."""

from __future__ import annotations

import csv
import random
from pathlib import Path

CHURN = '''"""Which customers will leave? A small program, as people write them."""

import pandas as pd
from sklearn.linear_model import LogisticRegression

customers = pd.read_csv("customers.csv")

df = customers.copy()
df["age"] = df["age"].fillna(df["age"].mean())
df["many"] = df["calls"] > 4
df = pd.get_dummies(df, columns=["plan"])
features = ["age", "calls", "many", "plan_basic", "plan_plus", "plan_pro"]
model = LogisticRegression(max_iter=500)
model.fit(df[features], df["left"])
print("accuracy", model.score(df[features], df["left"]))
scores = model.predict_proba(df[features])[:, 1]
'''


def write_churn(folder: Path, rows: int = 400) -> Path:
    """Write the program and the customers that it reads into a folder; the program's path."""
    chance = random.Random(7)
    with (folder / "customers.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "plan", "calls", "left"])
        for row in range(rows):
            calls = chance.randint(0, 8)
            age = "" if row % 17 == 0 else chance.randint(18, 80)
            plan = chance.choice(["basic", "plus", "pro"])
            writer.writerow([age, plan, calls, int(calls + chance.gauss(0, 1) > 4)])
    program = folder / "churn.py"
    program.write_text(CHURN, encoding="utf-8")
    return program
