"""``roadworthy batch`` against a whole system."""

from __future__ import annotations

import json

import pytest
from pyarrow import parquet

from roadworthy.testing.flows import tiny_rows
from roadworthy.testing.systems import System


@pytest.mark.timeout(240)
def test_the_command_answers_by_what_is_live_or_named_and_says_how_it_went():
    with System() as system:
        system.up()
        system.deploy(2.0)
        system.deploy(3.0)
        parquet.write_table(tiny_rows(30), system.directory / "in.parquet")
        done = system.answer("batch", "tiny", "in.parquet", "out.parquet", "--keep", "id,a,b")
        assert [done[key] for key in ("release", "rows", "rejected")] == ["tiny@2", 30, 0]
        assert done["rows_per_second"] > 0
        found = parquet.read_table(system.directory / "out.parquet").to_pylist()
        assert all(row["scores"] == row["a"] * 3 + row["b"] for row in found)
        again = system.run("batch", "tiny", "in.parquet", "out.parquet", "--json")
        assert again.returncode == 4
        assert "--overwrite" in json.loads(again.stdout)["error"]["cure"]
        named = system.run("batch", "tiny@1", "in.parquet", "out.parquet", "--overwrite")
        assert named.returncode == 0, named.stderr
        assert "30 rows answered by tiny@1" in named.stdout
        found = parquet.read_table(system.directory / "out.parquet").to_pylist()
        assert all(row["scores"] == row["a"] * 2 + row["b"] for row in found)
        unknown = system.run("batch", "tinny", "in.parquet", "x.parquet")
        assert unknown.returncode == 3
        assert "tiny" in unknown.stderr
