"""House prices: regularised, boosted and averaged models (class and function style)."""
import io
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy.special import boxcox1p
from scipy.stats import skew
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import GradientBoostingRegressor, StackingRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler

warnings.filterwarnings("ignore")
pd.set_option("display.float_format", lambda x: "{:.3f}".format(x))

houses = pd.read_csv(Path(__file__).resolve().parents[2] / "programs" / "houses.csv", parse_dates=["sold"])
houses_ID = houses["id"]
houses.drop("id", axis=1, inplace=True)
houses = houses[houses.price.notna()]

# Deleting outliers
houses = houses.drop(houses[(houses["area"] > 200) & (houses["price"] < 200)].index)
y = houses.pop("price").values

# Missing data
all_data = houses
missing = (all_data.isnull().sum() / len(all_data)) * 100
missing = missing.drop(missing[missing == 0].index).sort_values(ascending=False)
print(pd.DataFrame({"Missing Ratio": missing}))
all_data["lot"] = all_data.groupby("zone")["lot"].transform(lambda x: x.fillna(x.median()))
for col in ("garage",):
    all_data[col] = all_data[col].fillna(0)
all_data["quality"] = all_data["quality"].fillna(all_data["quality"].mode()[0])

# Some numbers are really categories
all_data["MoSold"] = all_data["sold"].dt.month.astype(str)
all_data["YrSold"] = all_data["sold"].dt.year
all_data = all_data.drop(["sold"], axis=1)
all_data["TotalSF"] = all_data["area"] + all_data["lot"] * 0.1

# Skewed features
numeric_feats = all_data.dtypes[all_data.dtypes != "str"].index
skewed_feats = all_data[numeric_feats].apply(lambda x: skew(x.dropna())).sort_values(ascending=False)
skewness = pd.DataFrame({"Skew": skewed_feats})
skewness = skewness[abs(skewness) > 0.75].dropna()
print("There are {} skewed numerical features".format(skewness.shape[0]))
lam = 0.15
for feat in skewness.index:
    all_data[feat] = boxcox1p(all_data[feat], lam)

all_data = pd.get_dummies(all_data)
print(all_data.shape)
train, test, y_train, y_test = train_test_split(all_data, y, test_size=0.2, random_state=3)


def rmsle_cv(model, n_folds=3):
    kf = KFold(n_folds, shuffle=True, random_state=42).get_n_splits(train.values)
    rmse = np.sqrt(-cross_val_score(model, train.values, y_train, scoring="neg_mean_squared_error", cv=kf))
    return rmse


class AveragingModels(BaseEstimator, RegressorMixin, TransformerMixin):
    def __init__(self, models):
        self.models = models

    # we define clones of the original models to fit the data in
    def fit(self, X, y):
        self.models_ = [clone(x) for x in self.models]
        for model in self.models_:
            model.fit(X, y)
        return self

    # Now we do the predictions for cloned models and average them
    def predict(self, X):
        predictions = np.column_stack([model.predict(X) for model in self.models_])
        return np.mean(predictions, axis=1)


lasso = make_pipeline(RobustScaler(), Lasso(alpha=0.5, random_state=1))
ENet = make_pipeline(RobustScaler(), ElasticNet(alpha=0.05, l1_ratio=0.9, random_state=3))
KRR = make_pipeline(RobustScaler(), KernelRidge(alpha=0.6, kernel="polynomial", degree=2, coef0=2.5))
GBoost = GradientBoostingRegressor(n_estimators=30, learning_rate=0.1, max_depth=3,
                                   min_samples_leaf=8, loss="huber", random_state=5)
candidates = {
    "lasso": TransformedTargetRegressor(lasso, func=np.log1p, inverse_func=np.expm1),
    "enet": TransformedTargetRegressor(ENet, func=np.log1p, inverse_func=np.expm1),
    "krr": KRR,
    "gboost": GBoost,
    "averaged": AveragingModels(models=(ENet, GBoost, KRR)),
    "stacked": StackingRegressor([("enet", ENet), ("gboost", GBoost)], final_estimator=Ridge(), cv=3),
}
scores = {}
for name, model in candidates.items():
    score = rmsle_cv(model)
    scores[name] = score.mean()
    print("{}: {:.4f} ({:.4f})".format(name, score.mean(), score.std()))

best_name = min(scores, key=scores.get)
best_model = candidates[best_name].fit(train.values, y_train)
buffer = io.BytesIO()
joblib.dump({"model": best_model, "columns": list(train.columns)}, buffer)

# ------------------------------------------------------------------ what the web shop does
buffer.seek(0)
bundle = joblib.load(buffer)
price = bundle["model"].predict(test[bundle["columns"]].values)
print(best_name, np.sqrt(mean_squared_error(y_test, price)).round(3))
