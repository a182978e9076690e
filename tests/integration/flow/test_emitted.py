"""An emitted directory by itself: without Roadworthy, as a command, in older environments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadworthy.testing.emitted import SCORES, flights, run, signature, write_flow

STEPS = """
flights = rows.filter(flights, flights["distance"] > 500, line=12, reason="distance > 500")
flights = flights.fillna({"age": state.age_median})
return flights["distance"].to_numpy() / 2 + flights["age"].to_numpy()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_flow(tmp_path / "flow", STEPS, state={"age_median": 2.5}, signature=signature())


def test_it_runs_without_roadworthy(directory: Path) -> None:
    printed = run(
        directory,
        """
        import sys
        sys.modules["roadworthy"] = sys.modules["roadworthy_runtime"] = None
        import pandas as pd
        from flow import predict, answer
        rows = pd.DataFrame({"distance": [600.0, 100.0], "carrier": ["AA", "UA"],
                             "age": [None, 1.0], "hour": [1, 2], "ticket": ["x", "y"]})
        print(predict(rows).tolist(), answer(rows)[1])
        """,
    )
    assert printed.startswith("[302.5, nan] [Rejected(row=1, reason='distance > 500', line=12)]")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_command_line_answers_files(directory: Path, tmp_path: Path, suffix: str) -> None:
    frame = flights(5)
    frame.loc[1, "distance"] = 100.0
    rows, answers = tmp_path / f"rows.{suffix}", tmp_path / f"answers.{suffix}"
    if suffix == "csv":
        frame.to_csv(rows, index=False)
    elif suffix == "jsonl":
        frame.to_json(rows, orient="records", lines=True)
    else:
        frame.to_parquet(rows)
    done = subprocess.run(
        [sys.executable, "flow.py", str(rows), "-o", str(answers)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "row 1 is rejected: distance > 500 (line 12 of the program)" in done.stderr
    expected = (frame["distance"] / 2 + frame["age"].fillna(2.5)).to_numpy(copy=True)
    expected[1] = np.nan
    if suffix == "csv":
        found = pd.read_csv(answers, skip_blank_lines=False)["scores"].to_numpy()
    elif suffix == "jsonl":
        lines = answers.read_text("utf-8").splitlines()
        found = np.array([json.loads(line)["scores"] for line in lines], dtype="float64")
    else:
        found = pd.read_parquet(answers)["scores"].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "text"), [("rows.csv", "distance,carrier,age,hour,ticket\n"), ("rows.jsonl", "")]
)
def test_a_file_without_rows_has_no_answers(
    directory: Path, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "flow.py", str(tmp_path / name)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "scores\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("distance,carrier\n1,AA\n", "columns age, hour, ticket missing"),
        ("distance,carrier,age,hour,ticket\nfar,AA,1,2,x\n", "column distance, row 0: 'far'"),
    ],
)
def test_bad_files_are_refused_in_one_line(
    directory: Path, tmp_path: Path, text: str, message: str
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "flow.py", str(rows)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_it_runs_with_older_pandas(tmp_path: Path, other_environment: Path) -> None:
    columns = [
        {"name": "distance", "type": "float", "dtype": "float64"},
        {"name": "carrier", "type": "text", "dtype": "object", "nullable": True},
        {"name": "kind", "type": "text", "dtype": "category", "levels": ["a", "b"]},
    ]
    directory = write_flow(
        tmp_path / "flow",
        """
        assert list(map(str, flights.dtypes)) == ["float64", "object", "category"]
        flights = rows.dropna(flights, subset=["carrier"], line=3)
        return flights["distance"].to_numpy() + flights["kind"].cat.codes.to_numpy()
        """,
        state={"codes": {"a": 1.0}},
        signature=signature(columns),
    )
    code = """
        import sys
        import pandas as pd
        from flow import flow
        assert pd.__version__ < "3"
        asked = {"distance": [1.0, 2.0], "carrier": ["AA", None], "kind": ["b", "a"]}
        print(flow.answer_columns(asked, 2).values["scores"]["scores"].tolist())
        """
    printed = run(directory, code, python=other_environment)
    assert printed.split("\n")[0] == "[2.0, nan]"


def test_a_flow_on_texts_needs_neither_numpy_nor_pandas(tmp_path: Path) -> None:
    directory = write_flow(
        tmp_path / "flow",
        """
        flights = rows.filter(flights, [bool(text) for text in flights], line=2, reason="empty")
        return [len(text) * state.weight for text in flights]
        """,
        state={"weight": 2.5},
        signature=signature(
            [{"name": "text", "type": "text", "dtype": "object"}],
            [{**SCORES, "kind": "list"}],
            kind="texts",
        ),
    )
    source = (directory / "flow.py").read_text("utf-8")
    source = source.replace("import numpy as np\n", "").replace("import pandas as pd\n", "")
    (directory / "flow.py").write_text(source, "utf-8")
    code = """
        import sys
        sys.modules["numpy"] = sys.modules["pandas"] = None
        from flow import flow
        print(flow.predict(["ab", "", "c"]), flow.answer_columns({"text": ["", "x"]}, 2).values)
        """
    assert run(directory, code) == "[5.0, None, 2.5] {'scores': {'scores': [None, 2.5]}}\n"
