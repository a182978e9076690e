"""The drawing of a flow's graph, read back from its paths."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.core.capture import CaptureReport, GraphNode, SourceFile, SourceLine, StateEntry
from roadworthy.ui.report import report_page
from roadworthy.ui.views.flow import flow_view

NUMBER = re.compile(r"M(\d+) (\d+)(?:V|C\d+ 30 \d+ 20 (\d+) )(\d+)")


def edges_drawn(rows: list[dict[str, object]]) -> set[tuple[int, int]]:
    """Which row each row is joined to, by following the lines downwards."""
    found = set()
    carried: dict[int, int] = {}
    for number, row in enumerate(rows):
        after = {}
        for path in row["paths"]:  # type: ignore[attr-defined]
            start, top, across, bottom = NUMBER.fullmatch(path).groups()  # type: ignore[union-attr]
            if top == "0" and bottom == "100":
                assert int(start) not in after
                after[int(start)] = carried[int(start)]
            elif top == "0":
                assert int(across or start) == row["x"]
                found.add((carried[int(start)], number))
            else:
                assert (int(start), bottom) == (row["x"], "100")
                assert int(start) not in after
                after[int(start)] = number
        carried = after
    assert not carried
    return found


@st.composite
def graphs(draw: st.DrawFn) -> set[tuple[int, int]]:
    count = draw(st.integers(2, 7))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    return {(0, 1), *draw(st.sets(st.sampled_from(pairs)))}


@given(graphs())
def test_the_lines_join_what_is_made_from_what(edges: set[tuple[int, int]]) -> None:
    count = max(max(edge) for edge in edges) + 1
    nodes = [GraphNode(id=str(n), kind="step", label=f"s{n}", line=n + 1) for n in range(count)]
    report = CaptureReport(
        files=[], decisions=[], state=[], nodes=nodes, edges=[(str(a), str(b)) for a, b in edges]
    )
    view = flow_view(report)
    assert view is not None
    assert edges_drawn(view["rows"]) == edges


def test_the_report_s_page_tells_steps_state_and_columns_in_words() -> None:
    nodes = [
        GraphNode(id="input", kind="input", label="df", makes=["age"]),
        GraphNode(id="state-age_mean", kind="state", label="age_mean"),
        GraphNode(
            id="line-3", kind="step", label='df["old"] = …', line=3, file="a.py", makes=["old"]
        ),
        GraphNode(id="output-scores", kind="output", label="scores"),
    ]
    edges = [("input", "line-3"), ("state-age_mean", "line-3"), ("line-3", "output-scores")]
    state = StateEntry(
        name="age_mean", summary="26.4", file="v.json", format="json", digest="ab", bytes=4
    )
    lines = [SourceLine(number=3, text="df", role="kept")]
    report = CaptureReport(
        files=[SourceFile(path="a.py", lines=lines)], decisions=[], state=[state],
        nodes=nodes, edges=edges,
    )  # fmt: skip
    page = report_page("model", report).replace("\xa0", " ")
    assert "From df (1 column) by 1 step with 1 frozen value to scores." in page.replace(
        "\xa0", " "
    )
    assert 'href="#line-3"' in page
    assert 'id="line-3"' in page
    assert 'href="#state-age_mean" title="26.4"' in page
    assert 'id="state-age_mean"' in page
    assert "sets <code>old</code>" in page


def test_a_step_that_uses_a_later_one_s_rows_in_a_loop_is_still_drawn() -> None:
    nodes = [GraphNode(id=name, kind="step", label=name) for name in "ab"]
    edges = [("a", "b"), ("b", "a")]
    report = CaptureReport(files=[], decisions=[], state=[], nodes=nodes, edges=edges)
    view = flow_view(report)
    assert view is not None
    assert edges_drawn(view["rows"]) == {(0, 1)}
