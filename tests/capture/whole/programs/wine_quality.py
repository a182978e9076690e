"""Wine cultivars: K-fold by hand, out-of-fold estimate, final refit, importances."""
import numpy as np
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import LabelEncoder, QuantileTransformer

wine = load_wine(as_frame=True)
df = wine.frame.copy()
df.columns = [c.replace("/", "_") for c in df.columns]
df["target"] = df["target"].map(dict(enumerate(["barolo", "grignolino", "barbera"])))

# --- features -----------------------------------------------------------------
df["phenol_ratio"] = df["flavanoids"] / df["total_phenols"]
df["strong"] = pd.qcut(df["alcohol"], q=4, labels=["light", "medium", "strong", "very strong"])
df["strong"] = df["strong"].cat.codes
for col in ["malic_acid", "magnesium", "proline"]:
    if abs(df[col].skew()) > 0.75:
        print("log", col)
        df[col] = np.log1p(df[col])
colour_by_strength = df.groupby("strong")["color_intensity"].transform("mean")
df["relative_color"] = df["color_intensity"] - colour_by_strength

le = LabelEncoder()
y = le.fit_transform(df.pop("target"))
features = [c for c in df.columns if c not in ("ash", "alcalinity_of_ash")]
X = df[features]

# --- cross-validation -----------------------------------------------------------
NFOLDS = 4
skf = StratifiedKFold(n_splits=NFOLDS, shuffle=True, random_state=2019)
oof = np.zeros((len(X), 3))
importance = pd.DataFrame(index=features)
scores = []
for fold, (trn_idx, val_idx) in enumerate(skf.split(X, y)):
    trn_x, trn_y = X.iloc[trn_idx], y[trn_idx]
    val_x, val_y = X.iloc[val_idx], y[val_idx]
    clf = ExtraTreesClassifier(n_estimators=20, random_state=fold)
    clf.fit(trn_x, trn_y)
    oof[val_idx] = clf.predict_proba(val_x)
    importance[f"fold_{fold}"] = clf.feature_importances_
    scores.append(accuracy_score(val_y, oof[val_idx].argmax(axis=1)))
    print(f"fold {fold}: {scores[-1]:.3f}")
print("mean %.3f std %.3f logloss %.3f" % (np.mean(scores), np.std(scores), log_loss(y, oof)))

# --- keep the useful features, refit on everything ---------------------------------
mean_importance = importance.mean(axis=1).sort_values(ascending=False)
best = mean_importance.head(8).index.tolist()
print(best)
qt = QuantileTransformer(n_quantiles=50, output_distribution="normal", random_state=0)
Z = qt.fit_transform(X[best])
final = LogisticRegression(C=0.3, max_iter=500)
final.fit(Z, y)
cultivar = le.inverse_transform(final.predict(Z))
print(pd.crosstab(cultivar, le.inverse_transform(y)))
