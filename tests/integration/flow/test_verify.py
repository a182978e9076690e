"""The verifier on flows that are right, and on flows that are wrong in one way each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from roadworthy.core.certificate import Check
from roadworthy.testing.emitted import (
    COLUMNS,
    failed,
    flights,
    signature,
    verify,
    write_flow,
    write_sample,
)
from roadworthy_runtime.verify import main

GOOD = """
flights = flights.fillna({"age": state.age_median})
codes = flights["carrier"].map(state.codes).fillna(-1.0).to_numpy(dtype="float64")
return flights["distance"].to_numpy() * 0.001 + flights["age"].to_numpy() + codes
"""
CODES = {"AA": 0.0, "DL": 1.0, "UA": 2.0}
STATE: dict[str, Any] = {"age_median": 11.5, "codes": CODES}


def good_answers(frame: pd.DataFrame) -> np.ndarray:
    codes = frame["carrier"].map(CODES).to_numpy(dtype="float64")
    return frame["distance"].to_numpy() * 0.001 + frame["age"].fillna(11.5).to_numpy() + codes


def check_of(tmp_path: Path, steps: str, **more: Any) -> dict[str, Any]:
    """The report on a flow with these steps, whose sample has the answers they give there."""
    frame = more.pop("frame", flights())
    answers = more.pop("answers", None)
    directory = write_flow(
        tmp_path / "flow",
        steps,
        state=more.pop("state", STATE),
        signature=more.pop("signature", signature()),
        **more,
    )
    if answers is None:
        answers = good_answers(frame)
    write_sample(directory, frame, {"scores": answers})
    return verify(directory, tmp_path / "report.json")


def test_a_flow_that_obeys_the_law_passes_every_check(tmp_path: Path) -> None:
    report = check_of(tmp_path, GOOD)
    assert failed(report) == {}
    assert report["passed"]
    assert report["format"] == 1
    by_id = {c["id"]: Check(**c) for c in report["checks"]}
    assert by_id["replay"].measured == "60 of 60 answers equal"
    assert by_id["fresh-keys"].outcome == "passed"
    assert by_id["fast-form"].evidence["form"] == "fast"
    assert report["fast"] == {"format": 1, "form": "fast", "exact": True, "tolerance": 1e-9}
    assert set(by_id) == {
        "loads", "state", "replay", "law-alone", "law-permuted", "law-halves", "law-repeated",
        "law-empty", "synthetic-resampled", "synthetic-nulls", "synthetic-extremes",
        "synthetic-levels", "fresh-keys", "missing-column", "effects", "deterministic",
        "fast-form",
    }  # fmt: skip


def test_a_fitted_model_with_filters_passes(tmp_path: Path) -> None:
    frame = flights(120)
    features = frame[["distance", "age", "hour"]].to_numpy()
    model = HistGradientBoostingRegressor(max_iter=10, random_state=0)
    model.fit(features, frame["distance"])
    kept = (frame["distance"] > 500).to_numpy()
    directory = write_flow(
        tmp_path / "flow",
        """
        flights = rows.filter(flights, flights.distance > 500, line=3, reason="distance > 500")
        return state.model.predict(flights[["distance", "age", "hour"]].to_numpy())
        """,
        state={"model": model},
        signature=signature(),
    )
    answers = np.where(kept, model.predict(features), np.nan)
    write_sample(directory, frame, {"scores": answers}, rejected=list(~kept))
    report = verify(directory, tmp_path / "report.json")
    assert failed(report) == {}


def test_a_wrong_recorded_answer_fails_replay_with_row_and_values(tmp_path: Path) -> None:
    answers = good_answers(flights())
    answers[7] += 0.25
    found = failed(check_of(tmp_path, GOOD, answers=answers))
    assert set(found) == {"replay"}
    assert found["replay"]["evidence"]["difference"]["row"] == 7
    assert found["replay"]["measured"].startswith("59 of 60 answers equal, greatest relative")


def test_a_declared_tolerance_lets_small_differences_pass_and_says_them(tmp_path: Path) -> None:
    answers = good_answers(flights()) * (1 + 1e-12)
    report = check_of(tmp_path, GOOD, answers=answers, tolerance=1e-9)
    assert failed(report) == {}
    replay = next(c for c in report["checks"] if c["id"] == "replay")
    assert 0 < replay["evidence"]["greatest_relative"] < 1e-11
    assert "1e-09" in replay["required"]


def test_a_mean_of_the_batch_breaks_the_law_at_its_line(tmp_path: Path) -> None:
    frame = flights()
    mean = frame["age"].mean()
    codes = frame["carrier"].map(CODES).to_numpy(dtype="float64")
    answers = frame["distance"].to_numpy() * 0.001 + frame["age"].fillna(mean).to_numpy() + codes
    steps = GOOD.replace("state.age_median", 'flights["age"].mean()')
    found = failed(check_of(tmp_path, steps, answers=answers))
    assert {"law-alone", "law-halves"} <= set(found)
    assert "replay" not in found
    place = found["law-alone"]["evidence"]["starts_at"]
    assert place["source"].startswith("flights = flights.fillna(")
    assert place["variable"] == "flights.age"


def test_dummies_without_frozen_levels_break_the_law(tmp_path: Path) -> None:
    frame = flights()
    steps = """
    dummies = pd.get_dummies(flights["carrier"])
    return dummies.to_numpy(dtype="float64")[:, -1] + flights["distance"].to_numpy()
    """
    answers = (frame["carrier"] == "UA").to_numpy(dtype="float64") + frame["distance"].to_numpy()
    found = failed(check_of(tmp_path, steps, answers=answers))
    assert {"law-alone", "synthetic-levels"} <= set(found)


def test_an_answer_that_depends_on_order_breaks_the_law(tmp_path: Path) -> None:
    frame = flights()
    found = failed(
        check_of(
            tmp_path,
            'return flights["distance"].cumsum().to_numpy()',
            answers=frame["distance"].cumsum().to_numpy(),
        )
    )
    assert {"law-alone", "law-permuted", "law-halves", "law-repeated"} <= set(found)


def test_memorised_keys_fail_with_fresh_ones(tmp_path: Path) -> None:
    frame = flights()
    memory = dict(zip(frame["ticket"], good_answers(frame), strict=True))
    found = failed(
        check_of(
            tmp_path,
            'return flights["ticket"].map(state.memory).to_numpy(dtype="float64")',
            state={"memory": memory},
        )
    )
    assert set(found) == {"fresh-keys"}
    assert found["fresh-keys"]["measured"] == "keys of ticket: no row is answered"


def test_memorised_keys_fail_where_unknown_ones_raise(tmp_path: Path) -> None:
    frame = flights()
    memory = dict(zip(frame["ticket"], good_answers(frame), strict=True))
    steps = 'return np.array([state.memory[ticket] for ticket in flights["ticket"]])'
    found = failed(check_of(tmp_path, steps, state={"memory": memory}))
    assert set(found) == {"fresh-keys"}
    assert "the flow raises KeyError" in found["fresh-keys"]["measured"]


def test_made_up_keys_that_are_no_dates_are_not_answered(tmp_path: Path) -> None:
    frame = flights()
    days = pd.date_range("2024-01-02", periods=len(frame), freq="37h")
    frame["ticket"] = pd.array(days.strftime("%Y-%m-%d %H:%M"), dtype="str")
    steps = 'return pd.to_datetime(flights["ticket"]).dt.day.to_numpy() * 1.0'
    report = check_of(tmp_path, steps, frame=frame, answers=days.day.to_numpy(dtype="float64"))
    assert failed(report) == {}
    (found,) = [each for each in report["checks"] if each["id"] == "fresh-keys"]
    assert "rows are not answered: " in found["measured"]


def test_memorised_keys_with_a_filling_fail_too(tmp_path: Path) -> None:
    frame = flights()
    memory = dict(zip(frame["ticket"], good_answers(frame), strict=True))
    steps = 'return flights["ticket"].map(state.memory).fillna(0.5).to_numpy(dtype="float64")'
    found = failed(check_of(tmp_path, steps, state={"memory": memory}))
    assert set(found) == {"fresh-keys"}
    assert "all rows get the same answer" in found["fresh-keys"]["measured"]


def test_unseeded_randomness_is_named_with_its_line(tmp_path: Path) -> None:
    steps = GOOD.replace("+ codes", "+ codes + np.random.normal(size=len(flights))")
    found = failed(check_of(tmp_path, steps))
    assert {"effects", "deterministic", "law-alone", "replay"} <= set(found)
    effect = found["effects"]["evidence"]["effects"][0]
    assert effect["kind"] == "randomness"
    assert "np.random.normal" in effect["source"]


def test_a_clock_that_changes_no_answer_is_still_named(tmp_path: Path) -> None:
    steps = "started = time.time()\n" + GOOD
    found = failed(check_of(tmp_path, steps, before="import time"))
    assert set(found) == {"effects"}
    effect = found["effects"]["evidence"]["effects"][0]
    assert (effect["kind"], effect["source"]) == ("clock", "started = time.time()")


def test_reading_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "codes.json"
    table.write_text(json.dumps(CODES), "utf-8")
    steps = GOOD.replace("state.codes", "codes_read").replace(
        "codes =", f"codes_read = json.load(open({str(table)!r}))\ncodes ="
    )
    found = failed(check_of(tmp_path, steps, before="import json"))
    assert set(found) == {"effects"}
    effect = found["effects"]["evidence"]["effects"][0]
    assert effect["kind"] == "file"
    assert effect["what"] == f"reads {table}"
    assert "json.load" in effect["source"]


def test_answers_that_hang_on_the_order_of_a_set_fail(tmp_path: Path) -> None:
    frame = flights()
    names = ["AA", "DL", "UA", "B6", "WN", "F9"]
    steps = f"""
    order = {{name: float(i) for i, name in enumerate(set({names}))}}
    return flights["carrier"].map(order).to_numpy(dtype="float64")
    """
    elsewhere = subprocess.run(
        [sys.executable, "-c", f"print(*set({names}))"],
        env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    order = {name: float(i) for i, name in enumerate(elsewhere.stdout.split())}
    answers = frame["carrier"].map(order).to_numpy(dtype="float64")
    found = failed(check_of(tmp_path, steps, answers=answers))
    assert "answers equal" in found["replay"]["measured"]


def test_a_row_that_raises_raises_alone_and_takes_nobody_along(tmp_path: Path) -> None:
    frame = flights()
    steps = """
    return flights["carrier"].map(lambda c: state.codes[c]).to_numpy(dtype="float64")
    """
    answers = frame["carrier"].map(CODES).to_numpy(dtype="float64")
    report = check_of(tmp_path, steps, answers=answers)
    assert failed(report) == {}
    levels = next(c for c in report["checks"] if c["id"] == "synthetic-levels")
    assert "KeyError" in levels["measured"]
    assert report["warnings"]


def test_a_flow_that_does_not_load_says_why(tmp_path: Path) -> None:
    found = failed(check_of(tmp_path, GOOD, before="import a_module_that_is_not_there"))
    assert set(found) == {"loads"}
    assert "a_module_that_is_not_there" in found["loads"]["measured"]


def test_damaged_state_is_named(tmp_path: Path) -> None:
    directory = write_flow(tmp_path / "flow", GOOD, state=STATE, signature=signature())
    write_sample(directory, flights(), {"scores": good_answers(flights())})
    file = directory / "state" / "codes.json"
    file.write_bytes(file.read_bytes().replace(b"2.0", b"3.0"))
    found = failed(verify(directory, tmp_path / "report.json"))
    assert "codes is damaged" in found["loads"]["measured"]


def test_the_command_answers_with_two_on_wrong_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "directory" in capsys.readouterr().err


def test_integers_with_rejected_rows_replay(tmp_path: Path) -> None:
    frame = flights()
    output = {
        "name": "labels",
        "kind": "array",
        "columns": [{"name": "labels", "type": "int", "dtype": "int64"}],
    }
    steps = """
    flights = rows.filter(flights, flights["hour"] > 3, line=2, reason="hour > 3")
    return (flights["hour"] * 2).to_numpy()
    """
    directory = write_flow(tmp_path / "flow", steps, signature=signature(COLUMNS, outputs=[output]))
    rejected = (frame["hour"] <= 3).tolist()
    answers = (frame["hour"] * 2).astype("Int64").mask(np.array(rejected))
    write_sample(directory, frame, {"labels": answers}, rejected)
    assert failed(verify(directory, tmp_path / "report.json")) == {}
