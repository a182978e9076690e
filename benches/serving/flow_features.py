"""Rows of the bench's flow and the steps before its pipeline: all that a server needs of it."""

from __future__ import annotations

import numpy
import pandas

NUMBERS = ["month", "day", "hour", "minute", "distance", "dep_delay", "air_time"]
TEXTS = ["carrier", "origin", "dest", "engine"]
LEVELS = {
    "carrier": ["UA", "AA", "B6", "DL", "EV", "MQ"],
    "origin": ["EWR", "JFK", "LGA"],
    "dest": [f"D{at:02d}" for at in range(40)],
    "engine": ["jet", "prop"],
}


def rows(n: int, seed: int = 0) -> pandas.DataFrame:
    """Made-up flights."""
    random = numpy.random.default_rng(seed)
    table = {name: random.integers(1, 60, n).astype(float) for name in NUMBERS}
    table |= {name: random.choice(LEVELS[name], n) for name in TEXTS}
    return pandas.DataFrame(table)


def prepare(table: pandas.DataFrame) -> pandas.DataFrame:
    """The steps before the pipeline."""
    table["night"] = ((table["hour"] < 6) | (table["hour"] > 21)).astype(float)
    table["speed"] = table["distance"] / table["air_time"].clip(lower=1)
    return table
