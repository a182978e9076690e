# -*- coding: utf-8 -*-
"""
Fair (1978): who has an extramarital affair?
Data: Redbook survey of 6366 married women, as shipped with statsmodels.

Steps
  1. load + have a look
  2. clean / recode
  3. dummies for the occupations
  4. compare a handful of classifiers
  5. keep the best one
"""
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
SEED = 42

# ---------------------------------------------------------------- 1. load
dta = sm.datasets.fair.load_pandas().data
dta = dta.sample(1500, random_state=SEED).reset_index(drop=True)
print(dta.shape)
print(dta.head())
print(dta.describe().T[["mean", "std", "min", "max"]].round(2))

# target: 1 if any affair at all
dta["affair"] = (dta.affairs > 0).astype(int)
print(dta.groupby("affair").mean().round(2))
print(pd.crosstab(dta.rate_marriage, dta.affair))

fig, ax = plt.subplots(1, 2, figsize=(9, 3))
dta.educ.hist(ax=ax[0])
ax[0].set_title("Histogram of education")
pd.crosstab(dta.rate_marriage, dta.affair.astype(bool)).plot(kind="bar", ax=ax[1])
plt.tight_layout()
plt.close(fig)

# ---------------------------------------------------------------- 2. recode
occupations = {
    1: "student",
    2: "farming",
    3: "white_collar",
    4: "teacher",
    5: "managerial",
    6: "professional",
}
dta["occupation"] = dta["occupation"].map(occupations)
dta["occupation_husb"] = dta["occupation_husb"].map(occupations)
dta["years_per_child"] = dta["yrs_married"] / (dta["children"] + 1)
dta["age_at_marriage"] = dta["age"] - dta["yrs_married"]
dta["happy"] = np.where(dta["rate_marriage"] >= dta["rate_marriage"].mean(), "yes", "no")

# ---------------------------------------------------------------- 3. dummies
data = pd.get_dummies(dta, columns=["occupation", "occupation_husb", "happy"], drop_first=True)
data = data.drop(["affairs"], axis=1)

y = data.pop("affair")
X = data
print(X.columns.tolist())

X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, random_state=SEED, stratify=y
)
scaler = StandardScaler()
X_train_s = scaler.fit_transform(X_train)
X_test_s = scaler.transform(X_test)

# ---------------------------------------------------------------- 4. compare
models = {
    "naive bayes": GaussianNB(),
    "logistic regression": LogisticRegression(max_iter=1000),
    "decision tree": DecisionTreeClassifier(max_depth=4, random_state=SEED),
    "random forest": RandomForestClassifier(n_estimators=25, max_depth=6, random_state=SEED),
}
results = {}
for name, clf in models.items():
    clf.fit(X_train_s, y_train)
    pred = clf.predict(X_test_s)
    proba = clf.predict_proba(X_test_s)[:, 1]
    results[name] = {
        "accuracy": accuracy_score(y_test, pred),
        "auc": roc_auc_score(y_test, proba),
    }
    print("%-20s acc=%.3f auc=%.3f" % (name, results[name]["accuracy"], results[name]["auc"]))
    print(confusion_matrix(y_test, pred))

table = pd.DataFrame(results).T.sort_values("auc", ascending=False)
print(table.round(3))

# ---------------------------------------------------------------- 5. the winner
best_name = table.index[0]
best = models[best_name]
print("best:", best_name)
risk = best.predict_proba(X_test_s)[:, 1]
print("mean predicted risk %.3f" % risk.mean())
