"""What is typed into the form becomes a row; what the gateway counts becomes rates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.signature import Column, Signature
from roadworthy.serving.metrics import Metrics
from roadworthy.storage.tracks import Tracks
from roadworthy.ui.formats import duration, number, percent
from roadworthy.ui.forms import PREFIX, example_values, fields_view, parse_row, parse_value
from roadworthy.ui.gateway import read_answer
from roadworthy.ui.security import from_own_page, host_allowed
from roadworthy.ui.traffic import Traffic, difference, parse, quantile

NOW = datetime(2026, 3, 18, 10, 40, 12, tzinfo=UTC)


def column(type_: Any, **fields: Any) -> Column:
    return Column(**{"name": "c", "type": type_, "dtype": "x", **fields})


@pytest.mark.parametrize(
    ("col", "text", "value"),
    [
        (column("int"), " 1745 ", 1745),
        (column("int"), "−3", -3),
        (column("float"), "13.81", 13.81),
        (column("float", nullable=True), "", None),
        (column("bool"), "false", False),
        (column("text"), " UA", " UA"),
        (column("text", levels=["", "a"]), "", ""),
        (column("text", levels=[1, 2]), "2", 2),
        (column("text", nullable=True), "", None),
        (column("datetime"), "2013-01-31T17:45:00", "2013-01-31T17:45:00"),
        (column("date"), "2013-01-31", "2013-01-31"),
        (column("timedelta"), "90", 90.0),
        (column("timedelta"), "P0DT0H1M30S", 90.0),
        (column("object", example={"a": 1}), '{"a": 2}', {"a": 2}),
        (column("object", example="x"), "y", "y"),
    ],
)
def test_a_text_is_read_as_its_column_means_it(col: Column, text: str, value: Any) -> None:
    assert parse_value(col, text) == value


@pytest.mark.parametrize(
    ("col", "text", "reason"),
    [
        (column("float"), "13,81", "“13,81” is not a number. Write 13.81."),
        (column("float"), "nan", "“nan” is not a finite number"),
        (column("float"), "1_0", "“1_0” is not a number."),
        (column("int"), "3.7", "“3.7” is not a whole number. Write 4."),
        (column("int"), "9" * 30, "is too large"),
        (column("int", example=719), "", "A value is needed here, such as 719."),
        (column("bool"), "perhaps", "neither true nor false"),
        (column("datetime"), "yesterday", "Write it as 2013-01-31T17:45:00."),
        (column("date"), "31.1.2013", "Write it as 2013-01-31."),
        (column("timedelta"), "soon", "Write seconds"),
        (column("object", example=[1]), "[1", "This is not JSON."),
    ],
)
def test_what_can_not_be_read_says_what_to_write(col: Column, text: str, reason: str) -> None:
    signature = Signature(input="x", kind="dataframe", columns=[col], outputs=[])
    parsed = parse_row(signature, {"c": text})
    assert reason in parsed.errors["c"]
    assert parsed.row == {}


@given(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.text(min_size=1),
    )
)
def test_an_example_is_read_back_as_itself(example: Any) -> None:
    type_ = {float: "float", int: "int", bool: "bool", str: "text"}[type(example)]
    col = column(type_, example=example)
    signature = Signature(input="x", kind="dataframe", columns=[col], outputs=[])
    assert parse_row(signature, example_values(signature)).row == {"c": example}


@given(st.text())
def test_no_text_breaks_a_field(text: str) -> None:
    for type_ in ("int", "float", "bool", "text", "datetime", "date", "timedelta", "object"):
        col = column(type_, example=[1] if type_ == "object" else None, minimum=0, maximum=1)
        signature = Signature(input="x", kind="dataframe", columns=[col], outputs=[])
        parsed = parse_row(signature, {"c": text})
        assert set(parsed.errors) | set(parsed.row) == {"c"}
        assert fields_view(signature, {"c": text}, parsed.errors)[0]["value"] == text


def test_levels_are_a_list_where_others_are_refused_and_suggestions_elsewhere() -> None:
    levels = column("text", levels=["EWR", "JFK"])
    strict = Signature(input="x", kind="dataframe", columns=[levels], outputs=[], unknown="reject")
    assert fields_view(strict, {"c": "EWR"}, {})[0]["control"] == "select"
    assert fields_view(strict, {"c": "XXX"}, {})[0]["choices"] == ["XXX", "EWR", "JFK"]
    loose = Signature(input="x", kind="dataframe", columns=[levels], outputs=[])
    field = fields_view(loose, {"c": "XXX"}, {})[0]
    assert (field["control"], field["note"]) == ("input", "creation never saw this value")
    assert field["name"] == PREFIX + "c"


def test_a_value_outside_of_what_was_seen_is_noted() -> None:
    col = column("float", minimum=0.0, maximum=42.5)
    signature = Signature(input="x", kind="dataframe", columns=[col], outputs=[])
    assert fields_view(signature, {"c": "43"}, {})[0]["note"] == "outside of what creation saw"
    assert fields_view(signature, {"c": "42"}, {})[0]["note"] == ""


class Counted:
    """The gateway's own metrics, and their text."""

    def __init__(self) -> None:
        self.metrics = Metrics()

    def ask(self, times: int, seconds: float, status: int = 200) -> None:
        for _ in range(times):
            self.metrics.requests.labels("delay@3", "plain", str(status)).inc()
            self.metrics.seconds.labels("delay@3").observe(seconds)

    def text(self) -> str:
        return self.metrics.text().decode()


def test_two_readings_of_the_gateways_metrics_give_rates(tmp_path: Path) -> None:
    counted = Counted()
    counted.ask(10, 0.5)
    traffic = Traffic(counted.text, Tracks(tmp_path / "traffic.db"))
    traffic.look(NOW)
    assert traffic.of("delay@3") is None
    counted.ask(118, 0.004)
    counted.ask(2, 0.004, status=503)
    traffic.look(NOW + timedelta(seconds=60))
    flow = traffic.of("delay@3")
    assert flow is not None
    assert (flow.rate, flow.requests, flow.errors) == (2.0, 120, 2)
    assert flow.p95 is not None
    assert flow.p95 < 0.1
    assert traffic.answered("delay@3") == 130
    assert traffic.of("other@1") is not None


def test_a_gateway_that_counts_anew_begins_a_new_stretch(tmp_path: Path) -> None:
    first, second = Counted(), Counted()
    first.ask(10, 0.01)
    sources = [first.text(), second.text()]
    traffic = Traffic(lambda: sources.pop(0), Tracks(tmp_path / "traffic.db"))
    second.ask(3, 0.01)
    traffic.look(NOW)
    traffic.look(NOW + timedelta(seconds=30))
    assert traffic.of("delay@3") is None


def test_a_gateway_that_is_away_or_odd_leaves_the_readings(tmp_path: Path) -> None:
    answers: list[str | None] = [None, "roadworthy_requests_total{ nonsense", None]
    traffic = Traffic(lambda: answers.pop(0), Tracks(tmp_path / "traffic.db"))
    for second in range(0, 30, 10):
        traffic.look(NOW + timedelta(seconds=second))
    assert traffic.answered("delay@3") is None


def test_stages_are_the_mean_between_two_readings() -> None:
    """Held against the parser of Prometheus' own client."""
    from prometheus_client.parser import text_string_to_metric_families

    metrics = Metrics()
    texts = []
    for seconds in (0.002, 0.004):
        for _ in range(3):
            metrics.requests.labels("delay@3", "plain", "200").inc()
            metrics.stages.labels("delay@3", "worker").observe(seconds)
        texts.append(metrics.text().decode())
    before, after = (parse(text)["delay@3"] for text in texts)
    assert difference(before, after, 10).stages == {"worker": pytest.approx(0.004)}
    sums = {
        sample.name: sample.value
        for family in text_string_to_metric_families(texts[1])
        for sample in family.samples
        if sample.labels.get("stage") == "worker" and not sample.name.endswith("_bucket")
    }
    assert after.stages["worker"] == (
        sums["roadworthy_stage_seconds_sum"],
        sums["roadworthy_stage_seconds_count"],
    )


def test_only_statuses_of_the_server_count_as_errors() -> None:
    counted = Counted()
    counted.ask(3, 0.01, status=422)
    assert parse(counted.text())["delay@3"].errors == 0


@given(st.lists(st.floats(0.0001, 20), min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    bounds = [0.001, 0.01, 0.1, 1.0, 10.0, float("inf")]
    found = quantile([(b, float(sum(v <= b for v in values))) for b in bounds], share)
    rank = share * len(values)
    true = sorted(values)[max(0, -(-int(rank * 1000) // 1000) - 1)]
    assert found is not None
    above = next(bound for bound in bounds if true <= bound)
    below = ([0.0, *bounds])[bounds.index(above)]
    assert below <= found <= min(above, 10.0) or above == float("inf")


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_number_has_a_short_form(value: float) -> None:
    assert 0 < len(number(value)) < 24
    assert duration(value if value == value else 0)


@given(st.floats(0, 1))
def test_a_share_is_never_rounded_to_none_or_all(share: float) -> None:
    text = percent(share)
    assert (text == "0\u00a0%") == (share == 0)
    assert (text == "100\u00a0%") == (share == 1)


def test_the_gateways_refusals_and_failures_are_told_apart() -> None:
    refused = read_answer(
        "m@1",
        422,
        {
            "detail": "1 value",
            "findings": [
                {"row": 0, "field": "c", "expected": "a number", "got": "null", "cure": "send 0"}
            ],
        },
        0.1,
    )
    assert refused.problems[0].message == "Expected a number, got null. Send 0."
    failed = read_answer("m@1", 500, {"answer": {"error": {"reason": "boom"}}}, 0.1)
    assert failed.failure == "The flow failed: boom"
    away = read_answer("m@1", 503, {"detail": "No worker answers", "cure": "wait"}, 0.1)
    assert (away.failure, away.cure) == ("No worker answers", "wait")
    assert "not JSON" in read_answer("m@1", 200, None, 0.1).failure


@given(
    st.text(max_size=40),
    st.dictionaries(st.sampled_from(["origin", "sec-fetch-site"]), st.text(max_size=40)),
)
def test_odd_headers_let_nobody_in(host: str, headers: dict[str, str]) -> None:
    assert host_allowed(host, ("localhost",)) == (host.lower().partition(":")[0] == "localhost")
    if headers.get("sec-fetch-site") != "same-origin" and not headers.get("origin"):
        assert not from_own_page(headers, "localhost")
