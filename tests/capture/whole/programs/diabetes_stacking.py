"""Stacking by hand on the diabetes data: out-of-fold predictions feed a ridge regression."""
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Lasso, Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold, train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Winsorizer(BaseEstimator, TransformerMixin):
    def __init__(self, limit=0.02):
        self.limit = limit

    def fit(self, X, y=None):
        self.low_ = np.quantile(X, self.limit, axis=0)
        self.high_ = np.quantile(X, 1 - self.limit, axis=0)
        return self

    def transform(self, X):
        return np.clip(X, self.low_, self.high_)


class StackingAveragedModels(BaseEstimator, RegressorMixin, TransformerMixin):
    """The class that half of Kaggle's house-price kernels carry around."""

    def __init__(self, base_models, meta_model, n_folds=5):
        self.base_models = base_models
        self.meta_model = meta_model
        self.n_folds = n_folds

    def fit(self, X, y):
        self.base_models_ = [list() for x in self.base_models]
        self.meta_model_ = clone(self.meta_model)
        kfold = KFold(n_splits=self.n_folds, shuffle=True, random_state=156)
        out_of_fold_predictions = np.zeros((X.shape[0], len(self.base_models)))
        for i, model in enumerate(self.base_models):
            for train_index, holdout_index in kfold.split(X, y):
                instance = clone(model)
                self.base_models_[i].append(instance)
                instance.fit(X[train_index], y[train_index])
                y_pred = instance.predict(X[holdout_index])
                out_of_fold_predictions[holdout_index, i] = y_pred
        self.meta_model_.fit(out_of_fold_predictions, y)
        return self

    def predict(self, X):
        meta_features = np.column_stack([
            np.column_stack([model.predict(X) for model in base_models]).mean(axis=1)
            for base_models in self.base_models_])
        return self.meta_model_.predict(meta_features)


def rmse(y, y_pred):
    return np.sqrt(mean_squared_error(y, y_pred))


bunch = load_diabetes(as_frame=True, scaled=False)
patients = bunch.frame
patients["sex"] = patients["sex"].replace({1: "m", 2: "f"})
patients["obese"] = patients["bmi"].apply(lambda v: 1 if v >= 30 else 0)
patients["age_group"] = pd.cut(patients["age"], bins=[0, 30, 45, 60, 120], labels=False)
patients["map"] = np.log1p(patients["bp"])
patients = pd.get_dummies(patients, columns=["sex"], dtype=float)

train, test = train_test_split(patients, test_size=0.25, random_state=7)
y_train = np.log1p(train.target.values)
y_test = np.log1p(test.target.values)
X_train = train.drop("target", axis=1).values
X_test = test.drop("target", axis=1).values

lasso = make_pipeline(Winsorizer(), StandardScaler(), Lasso(alpha=0.005, random_state=1))
knn = make_pipeline(StandardScaler(), KNeighborsRegressor(n_neighbors=12))
gbr = GradientBoostingRegressor(n_estimators=40, learning_rate=0.08, max_depth=2, random_state=5)

for name, model in [("lasso", lasso), ("knn", knn), ("gbr", gbr)]:
    model.fit(X_train, y_train)
    print(name, rmse(y_test, model.predict(X_test)).round(4))

stacked = StackingAveragedModels(base_models=(knn, gbr), meta_model=Ridge(alpha=1.0))
stacked.fit(X_train, y_train)
stacked_pred = np.expm1(stacked.predict(X_test))
gbr_pred = np.expm1(gbr.predict(X_test))
lasso_pred = np.expm1(lasso.predict(X_test))

ensemble = stacked_pred * 0.70 + gbr_pred * 0.15 + lasso_pred * 0.15
print("ensemble", rmse(y_test, np.log1p(ensemble)).round(4))
submission = pd.DataFrame()
submission["id"] = test.index
submission["progression"] = ensemble
print(submission.head())
