"""Before pandas 3 a column shows its table: programs that change the one to change the other."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.capture.making import capture

PYTHON = os.environ["OLDER_PYTHON"]
HEAD = """
import pandas as pd
from sklearn.linear_model import LinearRegression

df = pd.read_csv("table.csv")
"""
TAIL = """
X = df[["age", "sex"]].astype(float)
model = LinearRegression().fit(X, df["y"])
answers = model.predict(X)
"""
CHAINED = {
    "methods": """
df["sex"].replace(["m", "f"], [0, 1], inplace=True)
df["age"].fillna(df["age"].mean(), inplace=True)
""",
    "attributes": """
df.sex.replace({"m": 0, "f": 1}, inplace=True)
df.age.fillna(df.age.mean(), inplace=True)
""",
    "masks": """
df["sex"][df["sex"] == "m"] = 0
df["sex"][df["sex"] == "f"] = 1
df["age"].loc[df["age"].isnull()] = df["age"].mean()
""",
    "conditions by attribute": """
df.sex.loc[df["sex"] == "m"] = 0
df["sex"].loc[df.sex == "f"] = 1
df["age"] = df.age.fillna(df.age.mean())
""",
    "rows of another table put below": """
both = df[:30]._append(df[30:], ignore_index=True)
both["sex"] = both["sex"].map({"m": 0, "f": 1})
both["age"] = both["age"].fillna(both["age"].mean())
df = both[: len(df)]
""",
    "a name for the column": """
age, sex = df["age"], df["sex"]
mean = age.mean()
age.fillna(mean, inplace=True)
sex.replace(["m", "f"], [0, 1], inplace=True)
df["age"] = age + 0.0
""",
    "a loop over columns": """
for name in ["age"]:
    df[name].fillna(df[name].mean(), inplace=True)
    df[name].clip(1.5, 60.0, inplace=True)
df["sex"] = df["sex"].map({"m": 0, "f": 1})
""",
}


def creation() -> pd.DataFrame:
    dice = np.random.default_rng(4)
    ages = np.where(dice.random(80) < 0.2, np.nan, dice.integers(2, 60, 80))
    sexes = np.where(dice.random(80) < 0.5, "m", "f")
    noise = dice.normal(0, 1, 80)
    return pd.DataFrame({"age": ages, "sex": sexes, "y": np.nan_to_num(ages) * 0.3 + noise})


ASK = """
import json, sys
import pandas as pd
import flow

rows = pd.read_csv(sys.argv[1])
alone = [flow.predict(rows.iloc[[place]]).tolist()[0] for place in range(len(rows))]
print(json.dumps([flow.predict(rows).tolist(), alone]))
"""


def answers(directory: Path, rows: pd.DataFrame) -> list[list[float]]:
    """What the flow answers the rows together, and one by one."""
    rows.to_csv(directory / "rows.csv", index=False)
    done = subprocess.run(
        [PYTHON, "-c", ASK, "rows.csv"], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[list[float]] = json.loads(done.stdout)
    return found


def by_hand(known: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Least squares on the ages, nulls filled with creation's mean, and the sexes."""

    def design(table: pd.DataFrame) -> np.ndarray:
        ages = np.where(table["age"].isna(), known["age"].mean(), table["age"])
        return np.column_stack([np.ones(len(table)), ages, table["sex"] == "f"]).astype(float)

    weights = np.linalg.lstsq(design(known), known["y"].to_numpy(), rcond=None)[0]
    return design(rows) @ weights


@pytest.mark.parametrize("chained", CHAINED.values(), ids=CHAINED)
def test_what_changes_a_column_changes_its_table(chained: str, tmp_path: Path) -> None:
    known = creation()
    known.to_csv(tmp_path / "table.csv", index=False)
    program = tmp_path / "program.py"
    program.write_text(HEAD.replace("table.csv", str(tmp_path / "table.csv")) + chained + TAIL)
    captured = capture(program, tmp_path / "out", "df", ("answers",), python=PYTHON)
    assert [column.name for column in captured.signature.columns] == ["age", "sex"]
    rows = pd.DataFrame({"age": [np.nan, 20.0, 33.0], "sex": ["f", "m", "f"]})
    expected = by_hand(known, rows)
    for found in answers(captured.directory, rows):
        np.testing.assert_allclose(found, expected, rtol=1e-9)
