"""What is kept for the test, how strong the penalty is: from the command line."""
import argparse
import sys
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--penalty", type=float, default=1.0)
parser.add_argument("--columns", nargs="+", default=["amount"])
args = parser.parse_args()

df = pd.read_csv(Path(__file__).with_name("orders.csv"))
df["coupon"] = df["coupon"].notnull()
df["amount"] = (df["amount"] - df["amount"].mean()) / df["amount"].std()
X, y = df[args.columns + ["coupon"]], df["returned"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=8)
model = LogisticRegression(C=1 / args.penalty).fit(X_train, y_train)
print(args, model.coef_.round(4).tolist())
probabilities = model.predict_proba(X_test)
sys.exit(0)
