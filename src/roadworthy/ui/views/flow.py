"""The flow as a graph: one row a step, with the lanes in which rows go on to later steps."""

from __future__ import annotations

from collections.abc import Sequence

from roadworthy.core.capture import CaptureReport, GraphNode
from roadworthy.ui.formats import plural
from roadworthy.ui.views.parts import View

MIDDLE = 50
"""Where a node stands in its row, in the units of the drawing: the row is 100 high."""
_LANE = 18
_LANES = 6
_NAMES = 8


def line_anchor(place: int) -> str:
    """What the ids of the lines of a report's file begin with, by the file's place."""
    return f"file-{place}-line-" if place else "line-"


def flow_view(report: CaptureReport) -> View | None:
    """The rows of the graph, each with its paths; None where the report has no graph."""
    shown = [node for node in report.nodes if node.kind != "state"]
    if len(shown) < 2:
        return None
    into: dict[str, list[str]] = {}
    for start, end in report.edges:
        into.setdefault(end, []).append(start)
    place = {node.id: number for number, node in enumerate(shown)}
    sources = [
        sorted({place[each] for each in into.get(node.id, ()) if place.get(each, number) < number})
        for number, node in enumerate(shown)
    ]
    drawn = _Lanes(sources)
    rows = [
        {**_row(report, shown, number, sources[number]), **_states(report, into.get(node.id, ()))}
        for number, node in enumerate(shown)
    ]
    for number, row in enumerate(rows):
        row["paths"] = drawn.paths[number]
        row["x"] = _x(drawn.lane[number])
    width = _x(max(drawn.lane, default=0)) + _LANE // 2
    return {"rows": rows, "width": width, "middle": MIDDLE, "told": _told(shown, report)}


def _told(shown: Sequence[GraphNode], report: CaptureReport) -> str:
    """The graph in a sentence."""
    first = next((node for node in shown if node.kind == "input"), None)
    steps = sum(node.kind == "step" for node in shown)
    states = sum(node.kind == "state" for node in report.nodes)
    outputs = ", ".join(node.label for node in shown if node.kind == "output")
    named = first.label if first is not None else "the rows"
    columns = (
        f" ({plural(len(first.makes), 'column')})" if first is not None and first.makes else ""
    )
    values = f" with {plural(states, 'frozen value')}" if states else ""
    return f"From {named}{columns} by {plural(steps, 'step')}{values} to {outputs}."


def _row(
    report: CaptureReport, shown: Sequence[GraphNode], number: int, sources: Sequence[int]
) -> View:
    node = shown[number]
    paths = [file.path for file in report.files]
    known = node.file in paths
    several = len(paths) > 1 and bool(node.file)
    href = ""
    if node.line is not None and (known or (not node.file and paths)):
        href = f"{line_anchor(paths.index(node.file) if known else 0)}{node.line}"
    word = {"input": "input", "output": "output"}.get(node.kind, "")
    if node.line is not None:
        word = f"{node.file}, line {node.line}" if several else f"line {node.line}"
    return {
        "kind": node.kind,
        "anchor": f"flow-{number}",
        "label": node.label,
        "place": word,
        "href": href,
        "columns": _columns(node),
        "sources": " and ".join(_called(shown[each]) for each in sources),
        "jumps": any(each != number - 1 for each in sources),
    }


def _called(node: GraphNode) -> str:
    return node.label if node.line is None else f"line {node.line}"


def _columns(node: GraphNode) -> list[View]:
    words = {"reads": node.reads, "needs" if node.kind == "input" else "sets": node.makes}
    return [
        {"word": word, "names": names[:_NAMES], "more": max(0, len(names) - _NAMES)}
        for word, names in words.items()
        if names
    ]


def _states(report: CaptureReport, sources: Sequence[str]) -> View:
    summaries = {entry.name: entry.summary for entry in report.state}
    names = [node.label for node in report.nodes if node.kind == "state" and node.id in sources]
    return {"states": [{"name": name, "summary": summaries.get(name, "")} for name in names]}


def _x(lane: int) -> int:
    return _LANE * min(lane, _LANES) + _LANE // 2 + 4


class _Lanes:
    """Which lane each node stands in, and the paths that are drawn in its row.

    A node keeps its lane until the last node that is made from it.
    """

    def __init__(self, sources: Sequence[Sequence[int]]) -> None:
        self.lane: list[int] = []
        self.paths: list[list[str]] = []
        last = {each: number for number, row in enumerate(sources) for each in row}
        taken: dict[int, int] = {}  # lane -> the node whose rows go on in it
        for number, made_from in enumerate(sources):
            ending = [each for each in made_from if last[each] == number]
            before = dict(taken)
            for each in ending:
                del taken[self.lane[each]]
            free = (each for each in range(len(sources)) if each not in taken)
            lane = min((self.lane[each] for each in ending), default=-1)
            lane = next(free) if lane < 0 else lane
            self.lane.append(lane)
            if number in last:
                taken[lane] = number
            self.paths.append(self._row(lane, before, taken, made_from, number in last))

    def _row(
        self,
        lane: int,
        before: dict[int, int],
        after: dict[int, int],
        made_from: Sequence[int],
        goes_on: bool,
    ) -> list[str]:
        x = _x(lane)
        drawn = [
            f"M{_x(other)} 0V100"
            for other, node in sorted(before.items())
            if after.get(other) == node
        ]
        for each in made_from:
            start = _x(self.lane[each])
            drawn.append(
                f"M{x} 0V{MIDDLE}" if start == x else f"M{start} 0C{start} 30 {x} 20 {x} {MIDDLE}"
            )
        return [*drawn, f"M{x} {MIDDLE}V100"] if goes_on else drawn
