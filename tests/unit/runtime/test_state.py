"""Saving what was learned: every value comes back equal, in the safest format, or not at all."""

from __future__ import annotations

import collections
import datetime
import decimal
import io
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import roadworthy_runtime
from roadworthy_runtime.compare import difference
from roadworthy_runtime.state import CannotSave, copy_support, save, summary, write_index
from roadworthy_runtime.support import FlowError, load_state

KEYS = st.one_of(st.text(), st.integers(), st.none(), st.booleans(), st.floats(allow_nan=False))
ATOMS = st.one_of(
    KEYS,
    st.floats(),
    st.binary(),
    st.datetimes(),
    st.dates(),
    st.timedeltas(),
    st.complex_numbers(),
    st.decimals(allow_nan=False),
    hnp.arrays(st.sampled_from(["int32", "float64", "bool", "M8[s]", "<U3"]), st.integers(0, 4)),
    st.builds(np.float32, st.floats(width=32)),
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=4),
        st.sets(KEYS, max_size=4),
    ),
    max_leaves=10,
)


class Scaler:
    """A class of a program."""

    def __init__(self, by: Any) -> None:
        self.by = by


class OwnEstimator(BaseEstimator):
    """An estimator that scikit-learn's own format does not know."""

    def fit(self, X: Any) -> OwnEstimator:
        self.mean_ = X.mean()
        return self


def round_trip(folder: Path, **values: Any) -> tuple[Any, dict[str, Any]]:
    """What comes back of these values, and their entries."""
    entries = [save(folder / "state", name, value) for name, value in values.items()]
    write_index(folder / "state", entries)
    return load_state(folder / "flow.py"), {e["name"]: e for e in entries}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_plain_values_come_back_equal(tmp_path: Path, value: Any) -> None:
    state, _ = round_trip(tmp_path, value=value)
    assert difference(state.value, value) is None


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "a": [1.5, 2.0],
            "s": ["x", None],
            "o": pd.Series(["u", np.nan], dtype=object),
            "c": pd.Categorical(["p", "q"], categories=["q", "p", "z"], ordered=True),
            "i": pd.array([1, None], dtype="Int64"),
            "t": pd.to_datetime(["2020-01-01", None], utc=True),
            "f": np.array([1, 2], dtype="float32"),
        },
        index=pd.Index(["r1", "r2"], name="label"),
    )


LONG = pd.Series(range(2000), index=range(1, 2001), name="z")
KINDS: list[tuple[str, Any, str]] = [
    ("nan", float("nan"), "json"),
    ("zone", datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")), "json"),
    ("utc", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), "json"),
    ("clock", datetime.time(3, 4), "json"),
    ("decimal", decimal.Decimal("1.10"), "json"),
    ("timestamp", pd.Timestamp("2020-01-01 03:00", tz="Europe/Berlin"), "json"),
    ("timedelta", pd.Timedelta("3h"), "json"),
    ("nat", pd.NaT, "json"),
    ("na", pd.NA, "json"),
    ("numpy_scalar", np.int8(3), "json"),
    ("moment", np.datetime64("2020-01-01"), "json"),
    ("array", np.arange(12.0).reshape(3, 4), "npy"),
    ("records", np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]), "npy"),
    ("objects", np.array(["a", None, 1.5], dtype=object), "json"),
    ("columns", table().columns, "json"),
    ("labels", pd.Index([3, 1], name="q"), "json"),
    ("several", pd.MultiIndex.from_product([[1, 2], ["a"]], names=["x", None]), "json"),
    ("range", pd.RangeIndex(3), "json"),
    ("medians", table()[["a", "f"]].median(), "json"),
    ("long", LONG, "parquet"),
    ("table", table(), "parquet"),
    ("mixed", pd.DataFrame({"a": [1, "x", None]}), "json"),
    ("categories", table()["c"].dtype, "json"),
    ("intervals", pd.cut(pd.Series([1, 2, 3]), 2).cat.categories, "json"),
    ("per_column", {"c": table()["c"], "m": np.ones(2)}, "json"),
    ("types", {"a": float, "b": np.float32, "c": np.dtype("f4")}, "json"),
    ("pattern", re.compile("a+", re.IGNORECASE), "json"),
    ("counter", collections.Counter("abca"), "json"),
    ("dollar", {"$": 1}, "json"),
    ("default", collections.defaultdict(list, {"a": [1]}), "pickle"),
    ("own", Scaler({"z", "y"}), "pickle"),
    ("function", np.log1p, "pickle"),
]


@pytest.mark.parametrize(("name", "value", "form"), KINDS, ids=[kind[0] for kind in KINDS])
def test_each_kind_comes_back_equal_in_the_safest_format(
    tmp_path: Path, name: str, value: Any, form: str
) -> None:
    state, entries = round_trip(tmp_path, **{name: value})
    assert difference(getattr(state, name), value) is None
    assert entries[name]["format"] == form
    file = tmp_path / "state" / entries[name]["file"]
    assert entries[name]["bytes"] == file.stat().st_size


def test_fitted_estimators_are_saved_without_pickle(tmp_path: Path) -> None:
    features = np.random.default_rng(0).random((60, 3))
    model = HistGradientBoostingClassifier(max_iter=5).fit(features, features[:, 0] > 0.5)
    state, entries = round_trip(
        tmp_path,
        model=model,
        encoder=OneHotEncoder().fit([["a"], ["b"]]),
        scaler=make_pipeline(StandardScaler()).fit(features),
        own=OwnEstimator().fit(features),
    )
    forms = {name: entry["format"] for name, entry in entries.items()}
    assert forms == {"model": "skops", "encoder": "skops", "scaler": "skops", "own": "pickle"}
    assert np.array_equal(state.model.predict_proba(features), model.predict_proba(features))
    assert entries["model"]["requires"] == ["skops"]
    assert entries["model"]["summary"] == "fitted HistGradientBoostingClassifier"
    assert f"{__name__}:OwnEstimator" in entries["own"]["globals"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((i for i in "ab"), "running process"),
        (io.StringIO(), "running process"),
        (threading.Lock(), "lock"),
        ([lambda x: x], "lambda"),
    ],
    ids=["generator", "file", "lock", "lambda"],
)
def test_what_cannot_be_saved_is_named(tmp_path: Path, value: Any, reason: str) -> None:
    with pytest.raises(CannotSave, match=reason) as caught:
        save(tmp_path, "thing", value)
    assert caught.value.name == "thing"
    assert caught.value.type == type(value).__name__
    assert not list(tmp_path.iterdir())


def test_the_same_values_give_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import sys
            from pathlib import Path
            import numpy as np
            from sklearn.ensemble import RandomForestClassifier
            from sklearn.feature_extraction.text import TfidfVectorizer
            from roadworthy_runtime.state import save

            class Own:
                def __init__(self, names):
                    self.names = names

            X = np.random.default_rng(0).random((40, 3))
            values = {
                "names": {"a", "b", "c", "dd", "ee"},
                "own": Own({"a", "b", "c", "dd", "ee"}),
                "text": TfidfVectorizer(stop_words="english").fit(["red car", "blue car"]),
                "forest": RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0.5),
            }
            for name, value in values.items():
                print(save(Path(sys.argv[1]), name, value)["digest"])
            """
        ),
        "utf-8",
    )
    source = str(Path(roadworthy_runtime.__file__).parent.parent)
    printed = [
        subprocess.run(
            [sys.executable, str(program), str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": source},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert len(printed[0].split()) == 4


def test_every_flipped_byte_is_found_before_use(tmp_path: Path) -> None:
    _, entries = round_trip(tmp_path, table=table())
    file = tmp_path / "state" / entries["table"]["file"]
    whole = file.read_bytes()
    for at in range(0, len(whole), 97):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(FlowError, match="table is damaged"):
            load_state(tmp_path / "flow.py")
    file.unlink()
    with pytest.raises(FlowError, match="table can't be read"):
        load_state(tmp_path / "flow.py")


def test_classes_of_the_program_are_found_in_the_flow(tmp_path: Path) -> None:
    source = "class Own:\n    def __init__(self): self.a = 5\n"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(roadworthy_runtime.__file__).parent.parent),
    }
    (tmp_path / "program.py").write_text(
        source
        + "from pathlib import Path\nfrom roadworthy_runtime.state import save, write_index\n"
        "write_index(Path('state'), [save(Path('state'), 'own', Own())])\n",
        "utf-8",
    )
    (tmp_path / "flow.py").write_text(
        "from flow_support import load_state\n" + source + "state = load_state(__file__)\n", "utf-8"
    )
    copy_support(tmp_path)
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=environment, check=True)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from flow import state as s; print(type(s.own).__module__, s.own.a)",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["flow", "5"]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "index.json").write_text(json.dumps({"format": 2, "values": []}), "utf-8")
    with pytest.raises(FlowError, match="format 2"):
        load_state(tmp_path / "flow.py")


def test_summaries_say_what_a_person_wants_to_know() -> None:
    assert summary(pd.DataFrame({"a": range(3322), "b": 0})) == "table of 3,322 rows x 2 columns"
    assert summary(np.float64(10.357)) == "10.357"
    assert summary(["a", "b"]) == "list of 2"
    assert summary(pd.Series([1, 2])) == "column of 2 int64"
    assert summary(np.zeros((3, 4))) == "array of 3 x 4 float64"
    assert summary(TfidfVectorizer()) == "fitted TfidfVectorizer"
