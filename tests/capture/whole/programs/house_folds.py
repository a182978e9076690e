"""House prices with target encoding by folds, group means mapped back and a final refit."""
import gc
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeRegressor

N_FOLDS = 4
SMOOTHING = 10.0
QUALITY = {"Po": 1, "Fa": 2, "TA": 3, "Gd": 4, "Ex": 5}
t0 = time.time()


def rmsle(y_true, y_pred):
    return np.sqrt(mean_squared_error(np.log1p(y_true), np.log1p(y_pred)))


def smoothed_means(keys, target, weight=SMOOTHING):
    """Mean of the target by key, drawn to the overall mean where a key is rare."""
    stats = target.groupby(keys).agg(["mean", "count"])
    overall = target.mean()
    return (stats["mean"] * stats["count"] + overall * weight) / (stats["count"] + weight)


houses = pd.read_csv(Path(__file__).resolve().parents[2] / "programs" / "houses.csv")
print("read", houses.shape)

# ---- no price, no use
houses = houses[houses["price"].notnull()]
# ---- prices that were typed wrongly
low, high = np.percentile(houses["price"], [0.5, 99.0])
houses = houses[(houses["price"] >= low) & (houses["price"] <= high)].reset_index(drop=True)
print("left", houses.shape)

# ---- dates
houses["sold"] = pd.to_datetime(houses["sold"])
houses["sold_month"] = houses["sold"].dt.month
houses["sold_year"] = houses["sold"].dt.year
houses["age"] = houses["sold_year"] - houses["year"]
houses["season_sin"] = np.sin(2 * np.pi * houses["sold_month"] / 12)
houses["season_cos"] = np.cos(2 * np.pi * houses["sold_month"] / 12)

# ---- words
houses["quality"] = houses["quality"].map(QUALITY)

# ---- nulls: by zone, then overall
houses["lot_missing"] = houses["lot"].isna().astype(int)
houses["lot"] = houses["lot"].fillna(houses.groupby("zone")["lot"].transform("median"))
houses["lot"] = houses["lot"].fillna(houses["lot"].median())
houses["garage"] = houses["garage"].fillna(0)

# ---- outliers
bounds = {c: (houses[c].quantile(0.01), houses[c].quantile(0.99)) for c in ["area", "lot", "age"]}
for col, (lo, hi) in bounds.items():
    houses[col] = houses[col].clip(lo, hi)

# ---- what the neighbours have
houses["zone_area"] = houses["zone"].map(houses.groupby("zone")["area"].mean())
houses["zone_area"] = houses["zone_area"].fillna(houses["area"].mean())
houses["relative_area"] = houses["area"] / houses["zone_area"]
by_quality = houses.groupby("quality").agg(quality_rooms=("rooms", "mean"), quality_count=("id", "count"))
houses = houses.merge(by_quality.reset_index(), on="quality", how="left")

y = np.log1p(houses["price"])
features = [
    "area", "rooms", "quality", "age", "garage", "lot", "lot_missing", "season_sin", "season_cos",
    "relative_area", "quality_rooms", "zone_te",
]

# ---- folds: the encoding of a fold comes from the others
oof = np.zeros(len(houses))
importance = pd.Series(0.0, index=features)
kf = KFold(n_splits=N_FOLDS, shuffle=True, random_state=2024)
for fold, (tr, va) in enumerate(kf.split(houses), start=1):
    train, valid = houses.iloc[tr].copy(), houses.iloc[va].copy()
    means = smoothed_means(train["zone"], y.iloc[tr])
    for part in (train, valid):
        part["zone_te"] = part["zone"].map(means).fillna(y.iloc[tr].mean())
    tree = DecisionTreeRegressor(max_depth=6, min_samples_leaf=4, random_state=fold)
    tree.fit(train[features], y.iloc[tr])
    ridge = Ridge(alpha=3.0).fit(train[features], y.iloc[tr])
    oof[va] = 0.5 * tree.predict(valid[features]) + 0.5 * ridge.predict(valid[features])
    importance += tree.feature_importances_ / N_FOLDS
    print(f"fold {fold}: {rmsle(np.expm1(y.iloc[va]), np.expm1(oof[va])):.4f}")
    del train, valid
    gc.collect()
print(f"all folds: {rmsle(np.expm1(y), np.expm1(oof)):.4f}")
print(importance.sort_values(ascending=False).head(4).index.tolist())

# ---- once more on everything
final_means = smoothed_means(houses["zone"], y)
houses["zone_te"] = houses["zone"].map(final_means).fillna(y.mean())
final_tree = DecisionTreeRegressor(max_depth=6, min_samples_leaf=4, random_state=0)
final_tree.fit(houses[features], y)
final_ridge = Ridge(alpha=3.0).fit(houses[features], y)
estimate = np.expm1(0.5 * final_tree.predict(houses[features]) + 0.5 * final_ridge.predict(houses[features]))
assert time.time() > t0
