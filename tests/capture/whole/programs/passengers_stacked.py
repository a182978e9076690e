"""Introduction to ensembling: five base models out of fold, a boosted one on top."""
import re
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import (AdaBoostClassifier, ExtraTreesClassifier,
                              GradientBoostingClassifier, RandomForestClassifier)
from sklearn.model_selection import KFold
from sklearn.svm import SVC

DATA = Path(__file__).resolve().parents[2] / "programs" / "passengers.csv"

# Load in the train and test datasets
everybody = pd.read_csv(DATA)
train = everybody[:180].copy()
test = everybody[180:].drop("survived", axis=1).copy()
PassengerId = test["id"]

full_data = [train, test]

train["Name_length"] = train["name"].apply(len)
test["Name_length"] = test["name"].apply(len)
train["Has_Deck"] = train["deck"].apply(lambda x: 0 if type(x) == float else 1)
test["Has_Deck"] = test["deck"].apply(lambda x: 0 if type(x) == float else 1)

for dataset in full_data:
    dataset["FamilySize"] = dataset["sibsp"] + 1
for dataset in full_data:
    dataset["IsAlone"] = 0
    dataset.loc[dataset["FamilySize"] == 1, "IsAlone"] = 1
for dataset in full_data:
    dataset["port"] = dataset["port"].fillna("S")
for dataset in full_data:
    dataset["fare"] = dataset["fare"].fillna(train["fare"].median())
train["CategoricalFare"] = pd.qcut(train["fare"], 4)
print(train[["CategoricalFare", "survived"]].groupby("CategoricalFare", observed=True).mean())

age_avg = train["age"].mean()
for dataset in full_data:
    dataset["age"] = dataset["age"].fillna(age_avg)
    dataset["age"] = dataset["age"].astype(int)
train["CategoricalAge"] = pd.cut(train["age"], 5)
print(train["CategoricalAge"].value_counts().shape)


# Define function to extract titles from passenger names
def get_title(name):
    title_search = re.search(r" ([A-Za-z]+)\.", name)
    # If the title exists, extract and return it.
    if title_search:
        return title_search.group(1)
    return ""


for dataset in full_data:
    dataset["Title"] = dataset["name"].apply(get_title)
for dataset in full_data:
    dataset["Title"] = dataset["Title"].replace(["Lady", "Countess", "Capt", "Col", "Don", "Dr",
                                                 "Major", "Rev", "Sir", "Jonkheer", "Dona"], "Rare")
    dataset["Title"] = dataset["Title"].replace("Mlle", "Miss")
    dataset["Title"] = dataset["Title"].replace("Ms", "Miss")
    dataset["Title"] = dataset["Title"].replace("Mme", "Mrs")

for dataset in full_data:
    # Mapping Sex
    dataset["sex"] = dataset["sex"].map({"female": 0, "male": 1}).astype(int)
    # Mapping titles
    title_mapping = {"Mr": 1, "Miss": 2, "Mrs": 3, "Master": 4, "Rare": 5}
    dataset["Title"] = dataset["Title"].map(title_mapping)
    dataset["Title"] = dataset["Title"].fillna(0)
    # Mapping port
    dataset["port"] = dataset["port"].map({"S": 0, "C": 1, "Q": 2}).astype(int)
    # Mapping Fare
    dataset.loc[dataset["fare"] <= 7.91, "fare"] = 0
    dataset.loc[(dataset["fare"] > 7.91) & (dataset["fare"] <= 14.454), "fare"] = 1
    dataset.loc[(dataset["fare"] > 14.454) & (dataset["fare"] <= 31), "fare"] = 2
    dataset.loc[dataset["fare"] > 31, "fare"] = 3
    dataset["fare"] = dataset["fare"].astype(int)
    # Mapping Age
    dataset.loc[dataset["age"] <= 16, "age"] = 0
    dataset.loc[(dataset["age"] > 16) & (dataset["age"] <= 32), "age"] = 1
    dataset.loc[(dataset["age"] > 32) & (dataset["age"] <= 48), "age"] = 2
    dataset.loc[(dataset["age"] > 48) & (dataset["age"] <= 64), "age"] = 3
    dataset.loc[dataset["age"] > 64, "age"] = 4

# Feature selection
drop_elements = ["id", "name", "deck", "sibsp"]
train = train.drop(drop_elements, axis=1)
train = train.drop(["CategoricalAge", "CategoricalFare"], axis=1)
test = test.drop(drop_elements, axis=1)

ntrain = train.shape[0]
ntest = test.shape[0]
SEED = 0
NFOLDS = 5
kf = KFold(n_splits=NFOLDS)


class SklearnHelper(object):
    def __init__(self, clf, seed=0, params=None):
        params["random_state"] = seed
        self.clf = clf(**params)

    def train(self, x_train, y_train):
        self.clf.fit(x_train, y_train)

    def predict(self, x):
        return self.clf.predict(x)

    def feature_importances(self, x, y):
        return self.clf.fit(x, y).feature_importances_


def get_oof(clf, x_train, y_train, x_test):
    oof_train = np.zeros((ntrain,))
    oof_test = np.zeros((ntest,))
    oof_test_skf = np.zeros((ntest, NFOLDS))

    for i, (train_index, test_index) in enumerate(kf.split(x_train)):
        x_tr = x_train[train_index]
        y_tr = y_train[train_index]
        x_te = x_train[test_index]

        clf.train(x_tr, y_tr)

        oof_train[test_index] = clf.predict(x_te)
        oof_test_skf[:, i] = clf.predict(x_test)

    oof_test[:] = oof_test_skf.mean(axis=1)
    return oof_train.reshape(-1, 1), oof_test.reshape(-1, 1)


rf = SklearnHelper(clf=RandomForestClassifier, seed=SEED, params={"n_estimators": 10, "max_depth": 5})
et = SklearnHelper(clf=ExtraTreesClassifier, seed=SEED, params={"n_estimators": 10, "max_depth": 6})
ada = SklearnHelper(clf=AdaBoostClassifier, seed=SEED, params={"n_estimators": 8, "learning_rate": 0.75})
svc = SklearnHelper(clf=SVC, seed=SEED, params={"kernel": "linear", "C": 0.025})

# Create Numpy arrays of train, test and target dataframes to feed into our models
y_train = train["survived"].ravel() if hasattr(train["survived"], "ravel") else train["survived"].values
train = train.drop(["survived"], axis=1)
x_train = train.values
x_test = test.values

et_oof_train, et_oof_test = get_oof(et, x_train, y_train, x_test)
rf_oof_train, rf_oof_test = get_oof(rf, x_train, y_train, x_test)
ada_oof_train, ada_oof_test = get_oof(ada, x_train, y_train, x_test)
svc_oof_train, svc_oof_test = get_oof(svc, x_train, y_train, x_test)
print("Training is complete")

rf_features = rf.feature_importances(x_train, y_train)
feature_dataframe = pd.DataFrame({"features": train.columns.values, "Random Forest": rf_features})
print(feature_dataframe.round(2).head(3))

x_train = np.concatenate((et_oof_train, rf_oof_train, ada_oof_train, svc_oof_train), axis=1)
x_test = np.concatenate((et_oof_test, rf_oof_test, ada_oof_test, svc_oof_test), axis=1)

gbm = GradientBoostingClassifier(n_estimators=15, max_depth=2, random_state=SEED).fit(x_train, y_train)
predictions = gbm.predict(x_test)

StackingSubmission = pd.DataFrame({"PassengerId": PassengerId, "Survived": predictions})
print(StackingSubmission.shape)
