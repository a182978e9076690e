# Mauna Loa: trend + season, several models, the best on the last years is kept
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.preprocessing import PolynomialFeatures
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

co2 = sm.datasets.co2.load_pandas().data
co2 = co2.rename_axis("date").reset_index()
co2["date"] = pd.to_datetime(co2["date"])
print(co2.co2.isna().sum(), "weeks are missing")

# a look
plt.figure(figsize=(10, 3))
plt.plot(co2["date"], co2["co2"].interpolate())
plt.plot(co2["date"], co2["co2"].rolling(52, min_periods=10).mean())
plt.close()

START = co2["date"].min()


def add_time_features(df):
    df = df.copy()
    df["years"] = (df["date"] - START).dt.days / 365.25
    df["month"] = df["date"].dt.month
    df["week"] = df["date"].dt.isocalendar().week.astype(int)
    for k in (1, 2):
        angle = 2 * np.pi * k * df["date"].dt.dayofyear / 365.25
        df[f"sin{k}"] = np.sin(angle)
        df[f"cos{k}"] = np.cos(angle)
    return df


df = add_time_features(co2)

# lags, to compare with "as last year" only
df["lag_52"] = df["co2"].shift(52)
naive = mean_absolute_error(df.dropna()["co2"], df.dropna()["lag_52"])
print("as last year:", round(naive, 2))

# seasonal anomalies of each month, around a straight line, from the years before 1990
known = df[df["date"] < "1990-01-01"].dropna(subset=["co2"])
slope, intercept = np.polyfit(known["years"], known["co2"], 1)
season = (known["co2"] - (slope * known["years"] + intercept)).groupby(known["month"]).mean()
print(season.round(1).to_dict())
df["season"] = df["month"].map(season)
# the mean of the last year that is known
last_level = known["co2"].tail(52).mean()
df["above_last"] = df["years"] * slope + intercept - last_level

train = df[df["date"] < "1990-01-01"].dropna(subset=["co2"])
test = df[df["date"] >= "1990-01-01"]

features = {
    "line": ["years"],
    "line + season": ["years", "season"],
    "curve": ["years", "sin1", "cos1", "sin2", "cos2"],
    "curve + season": ["years", "above_last", "season"],
    "tree": ["years", "week"],
}
models = {
    "line": LinearRegression(),
    "line + season": LinearRegression(),
    "curve": make_pipeline(PolynomialFeatures(2), Ridge(1e-3)),
    "curve + season": make_pipeline(PolynomialFeatures(2, include_bias=False), Ridge(alpha=1.0)),
    "tree": DecisionTreeRegressor(max_depth=8, random_state=0),
}
errors = {}
for name, model in models.items():
    model.fit(train[features[name]], train["co2"])
    known_test = test.dropna(subset=["co2"])
    errors[name] = mean_absolute_error(known_test["co2"], model.predict(known_test[features[name]]))
errors = pd.Series(errors).sort_values()
print(errors.round(2))

best = errors.index[0]
final = models[best]
forecast = final.predict(test[features[best]])
ppm = pd.Series(forecast, index=test["date"], name="ppm").round(2)
plt.plot(ppm)
plt.close("all")
print(best, ppm.tail(2).tolist())
