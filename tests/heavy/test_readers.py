"""Versioned data in polars and DuckDB, in a program that is captured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from roadworthy.data import PutTable
from roadworthy.settings import load_settings
from roadworthy.wiring import open_datasets

pytestmark = pytest.mark.timeout(600)
PYTHON = Path(os.environ["HEAVY_PYTHON"])

PROGRAM = """
import duckdb
import polars
from duckdb import sql
import roadworthy as rw

trips = rw.dataset("trips@main")
df = trips.to_pandas()
batches = trips.reader(columns=["city", "price"])
means = duckdb.sql("select city, avg(price) as mean from batches group by city").df()
prices = trips.to_polars(columns=["price"])
arrow = trips.to_arrow()
highest = duckdb.connect().execute("select max(price) from arrow").fetchone()[0]
assert highest == prices["price"].max() == sql("select max(price) from df").fetchall()[0][0]
assert polars.sql("select count(*) as n from prices", eager=True)["n"][0] == len(df)

means = dict(zip(means["city"], means["mean"]))
scores = (df["price"] / highest + df["city"].map(means).fillna(0.0)).round(9)
"""


def test_polars_and_duckdb_read_what_a_captured_program_asks(tmp_path: Path) -> None:
    (tmp_path / "roadworthy.toml").touch()
    own = pd.DataFrame({"city": ["Rome", "Wien", "Rome", "Oslo"], "price": [2.0, 4.0, 6.0, 5.0]})
    with open_datasets(load_settings(tmp_path, {})) as datasets:
        datasets.create("trips")
        datasets.commit("trips", [PutTable("t", pa.Table.from_pandas(own))], message="first")
    (tmp_path / "program.py").write_text(PROGRAM)
    asked = ["capture", "program.py", "--python", PYTHON, "--input", "df", "--output", "scores"]
    _run(sys.executable, "-m", "roadworthy", *asked, "--to", "flow", folder=tmp_path)
    new = pd.DataFrame({"city": ["Wien", "Rome", "Bonn"], "price": [1.0, 3.0, 12.0]})
    new.to_csv(tmp_path / "new.csv", index=False)
    said = _run(PYTHON, "flow/flow.py", "new.csv", folder=tmp_path)
    found = [float(line.split(",")[-1]) for line in said.splitlines()[1:]]
    np.testing.assert_allclose(found, [1 / 6 + 4, 3 / 6 + 4, 12 / 6])


def _run(*command: object, folder: Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
