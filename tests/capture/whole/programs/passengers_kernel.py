# %% [markdown]
# # Who survived? A first kernel with a lot of looking around
# Data exploration, features, several models, a soft vote of the best two.

# %%
import re
import warnings
from collections import Counter
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
plt.rcParams["figure.figsize"] = (6, 3)
pd.set_option("display.max_columns", 30)

DATA = Path(__file__).resolve().parents[2] / "programs" / "passengers.csv"

# %% Load
df = pd.read_csv(DATA)
df.info()
print(df.head())
print(df.describe().round(2))
print(df.describe(include=["O", "str"]))

# %% What is missing?
missing = df.isnull().sum()
missing = missing[missing > 0].sort_values(ascending=False)
for col, n in missing.items():
    print(f"{col:>10}: {n:4d} missing ({n / len(df):.1%})")

# %% The target
print(df["survived"].value_counts(normalize=True).round(3))
df["survived"].value_counts().plot.pie(autopct="%1.1f%%")
plt.close("all")

# %% Sex
print(df.groupby("sex")["survived"].agg(["mean", "count"]).round(3))
print(pd.crosstab(df["pclass"], [df["sex"], df["survived"]], margins=True))
fig, ax = plt.subplots(1, 2)
df[["sex", "survived"]].groupby("sex").mean().plot.bar(ax=ax[0], legend=False)
ax[0].set_title("Survived by sex")
for value, part in df.groupby("survived"):
    part["age"].plot.hist(ax=ax[1], alpha=0.5, bins=20, label=str(value))
ax[1].legend()
plt.tight_layout()
plt.close(fig)

# %% Age
oldest, youngest = df["age"].max(), df["age"].min()
print("oldest %.1f youngest %.1f average %.1f" % (oldest, youngest, df["age"].mean()))


def title_of(name):
    """'Braund, Mr. Owen' -> 'Mr'"""
    m = re.search(r",\s*(\w+)\.", name)
    return m.group(1) if m else "Unknown"


df["initial"] = df["name"].apply(title_of)
print(Counter(df["initial"]).most_common())
print(pd.crosstab(df["initial"], df["sex"]).T)
df["initial"] = df["initial"].replace(["Dr", "Capt", "Col", "Rev"], "Other")
print(df.groupby("initial")["age"].mean().round(1))

# ages by title, as everybody does it
for initial in ["Mr", "Mrs", "Miss", "Master", "Other"]:
    typical = round(df.loc[df["initial"] == initial, "age"].mean())
    df.loc[df["age"].isnull() & (df["initial"] == initial), "age"] = typical
print("still missing:", df["age"].isnull().sum())

# %% Port
print(pd.crosstab([df["port"], df["pclass"]], [df["sex"], df["survived"]]))
df["port"] = df["port"].fillna(df["port"].mode()[0])

# %% Family
df["family"] = df["sibsp"] + 1
df["alone"] = 0
df.loc[df["family"] == 1, "alone"] = 1
print(df.groupby("alone")["survived"].mean().round(3))

# %% Fare
print(df.groupby("pclass")["fare"].describe().round(2))
df["fare_range"] = pd.qcut(df["fare"], 4)
print(df.groupby("fare_range", observed=True)["survived"].mean().round(3))
df["fare_cat"] = pd.qcut(df["fare"], 4, labels=False)

# %% Age bands
df["age_band"] = 0
df.loc[df["age"] <= 16, "age_band"] = 0
df.loc[(df["age"] > 16) & (df["age"] <= 32), "age_band"] = 1
df.loc[(df["age"] > 32) & (df["age"] <= 48), "age_band"] = 2
df.loc[(df["age"] > 48) & (df["age"] <= 64), "age_band"] = 3
df.loc[df["age"] > 64, "age_band"] = 4
print(df["age_band"].value_counts().sort_index().to_frame().T)

# %% Deck is known for half of them only
df["has_deck"] = df["deck"].notna().astype(int)
print(df.groupby(df["deck"].fillna("none"))["survived"].agg(["mean", "size"]).round(2))

# %% Words into numbers
df["sex"] = df["sex"].map({"male": 0, "female": 1})
df["port"] = df["port"].map({"S": 0, "C": 1, "Q": 2})
df["initial"] = df["initial"].map({"Mr": 0, "Mrs": 1, "Miss": 2, "Master": 3, "Other": 4})

# %% Drop what is not needed
data = df.drop(["name", "age", "fare", "fare_range", "id", "deck", "sibsp"], axis=1)
corr = data.corr()
print(corr["survived"].sort_values(ascending=False).round(2))
plt.imshow(corr, cmap="RdYlGn")
plt.colorbar()
plt.xticks(range(len(corr)), corr.columns, rotation=90)
plt.close("all")

# %% Split by hand: the last fifth is for testing
shuffled = data.sample(frac=1, random_state=0)
cut = int(len(shuffled) * 0.8)
train, test = shuffled[:cut], shuffled[cut:]
train_X, train_Y = train[train.columns.drop("survived")], train["survived"]
test_X, test_Y = test[test.columns.drop("survived")], test["survived"]
print(train_X.shape, test_X.shape)

# %% Models
models = {
    "Logistic regression": LogisticRegression(max_iter=500),
    "Decision tree": DecisionTreeClassifier(random_state=0),
    "KNN": KNeighborsClassifier(n_neighbors=9),
    "Naive Bayes": GaussianNB(),
    "Random forest": RandomForestClassifier(n_estimators=30, random_state=0),
    "Boosting": GradientBoostingClassifier(n_estimators=20, random_state=0),
}
kfold = StratifiedKFold(n_splits=3, shuffle=True, random_state=22)
xyz, accuracy, std = [], [], []
for name, model in models.items():
    cv_result = cross_val_score(model, train_X, train_Y, cv=kfold, scoring="accuracy")
    xyz.append(cv_result.mean())
    std.append(cv_result.std())
    accuracy.append(cv_result)
results = pd.DataFrame({"CV mean": xyz, "std": std}, index=list(models))
print(results.round(3))
plt.boxplot([list(a) for a in accuracy])
plt.close("all")

# %% The three best vote
best = results.sort_values("CV mean", ascending=False).index[:3].tolist()
print("voting:", best)
votes = []
for name in best:
    models[name].fit(train_X, train_Y)
    proba = models[name].predict_proba(test_X)[:, 1]
    votes.append(proba)
    print(name, round(accuracy_score(test_Y, (proba > 0.5).astype(int)), 3))
chance = np.mean(votes, axis=0)
prediction = np.where(chance > 0.5, 1, 0)
print(confusion_matrix(test_Y, prediction))
print(classification_report(test_Y, prediction, zero_division=0))

# %% Submission
submission = pd.DataFrame({"id": df.loc[test_X.index, "id"], "survived": prediction})
print(submission.sort_values("id").head())
