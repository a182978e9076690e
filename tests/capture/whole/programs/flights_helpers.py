"""Shared by the monthly jobs."""
import logging

import pandas as pd

logger = logging.getLogger("helpers")


def log_shape(df, what):
    logger.info("%s: %d rows, %d columns", what, *df.shape)


def add_calendar(df):
    df = df.copy()
    when = pd.to_datetime(df[["year", "month", "day"]])
    df["weekday"] = when.dt.dayofweek
    df["sched_dep_minutes"] = df["sched_dep_time"] // 100 * 60 + df["sched_dep_time"] % 100
    return df


def attach_planes(df, planes):
    planes = planes[["tailnum", "year", "seats"]].rename(columns={"year": "built"})
    df = df.merge(planes, on="tailnum", how="left")
    df["plane_age"] = df["year"] - df["built"]
    return df.drop(columns="built")


class TopCategories:
    """One-hot encoding of the most frequent categories; everything else is 'other'."""

    def __init__(self, columns, top=10):
        self.columns = columns
        self.top = top

    def fit(self, df):
        self.kept_ = {c: df[c].value_counts().index[: self.top].tolist() for c in self.columns}
        return self

    def transform(self, df):
        out = pd.DataFrame(index=df.index)
        for column, kept in self.kept_.items():
            for value in kept:
                out[f"{column}_{value}"] = (df[column] == value).astype(int)
            out[f"{column}_other"] = (~df[column].isin(kept)).astype(int)
        return out
