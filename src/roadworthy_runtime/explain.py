"""Why a variable is a row value or state: what was tried on it, and what came out.

``NAME``, ``NAME:LINE``, or a table's column: ``df.age``, ``df["age"]``.
"""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import kinds
from .beside import BESIDE
from .planner import keys_of
from .refusal import Refusal
from .rows import same, take
from .state import summary
from .trace import Op, Recording

if TYPE_CHECKING:
    from .analysis import Analysis, Rule

_SHOWN = 40
"""The most operations that are told of one variable."""


class Seen(NamedTuple):
    """An operation that made or changed the variable, and what was found on it."""

    op: Op
    role: str
    because: str
    evidence: List[str]
    column: str = ""
    """The columns that it changes."""


class Watch:
    """Looks on while a program is analysed. Raises Refusal where no such name is bound."""

    def __init__(self, wanted: str, recording: Recording) -> None:
        name, self.column, self.line = _parsed(wanted)
        if name not in recording.bound:
            near = difflib.get_close_matches(name, list(recording.bound), 3, 0.5)
            known = ", ".join(sorted(recording.bound)[:20])
            raise Refusal(
                "the program binds no name %s that could be explained" % name,
                "did you mean %s?" % " or ".join(near) if near else "its names are: %s" % known,
            )
        self.name = name
        self.recording = recording
        self.nodes: Set[int] = {node for _, node, _ in recording.bound[name] if node > 0}
        self.seen: Dict[int, Seen] = {}
        self.analysis: Optional[Analysis] = None
        self.stopped = ""
        """Where capture came to its end before the flow was whole."""

    def begin(self, analysis: Analysis) -> Analysis:
        """Another analysis begins: what was seen in the one before counts no more."""
        self.seen = {}
        self.analysis = analysis
        analysis.watch = self
        return analysis

    def makes(self, op: Op) -> bool:
        """Whether an operation gives the variable anew."""
        return op.result in self.nodes and not self.column

    def changes(self, analysis: Analysis, op: Op) -> bool:
        """Whether an operation changes the variable in place, or the column that is asked for."""
        if analysis.writes(op) not in self.nodes:
            return False
        return not self.column or self.column in map(str, keys_of(op))

    def look(self, analysis: Analysis, op: Op) -> None:
        """An operation was decided on."""
        if len(self.seen) < _SHOWN and (self.makes(op) or self.changes(analysis, op)):
            changed = self.changes(analysis, op)
            found = _looked(analysis, op, changed)
            column = ", ".join(map(str, keys_of(op))) if changed else ""
            self.seen[op.index] = found._replace(column=column)

    # ---- afterwards

    def refused(self, refusal: Refusal) -> List[Dict[str, Any]]:
        """What is to be said of the variable, though the program can't be captured."""
        line = int(refusal.line)
        self.stopped = "capture stopped at line %d" % line if line else "capture stopped before"
        for index in [i for i, seen in self.seen.items() if self._line(seen.op) == line]:
            del self.seen[index]
        return self.told()

    def _line(self, op: Op) -> int:
        return int(self.recording.sites[op.site].line)

    def told(self, final: Any = (), describer: Any = None) -> List[Dict[str, Any]]:
        """What is to be said of the variable, in the program's order."""
        out = []
        for op in self.recording.ops:
            if op.index in self.seen:
                seen = self.seen[op.index]
                entry = self._entry(op.site, *seen[1:4], final, describer)
                out.append({**entry, "column": seen.column})
            elif self.makes(op) or (self.analysis and self.changes(self.analysis, op)):
                role = "undecided" if self.stopped else "not needed"
                why = self.stopped or "the answers do not need it"
                out.append(self._entry(op.site, role, why, [], final, describer))
            if len(out) >= _SHOWN:
                break
        for site, node, value in self.recording.bound[self.name]:
            if node <= 0 and not self.column:
                out.append(self._entry(site, *self._plain(value, describer), final, describer))
        entries = [each for each in out if self.line in (0, each["line"])]
        return sorted(entries, key=lambda each: bool(each["role"] == "constant"))

    def _plain(self, value: Any, describer: Any) -> Tuple[str, str, List[str]]:
        """Of a value that is made from no table."""
        evidence = [] if value is None else ["it is %s" % summary(value)]
        for name, frozen in self._states(describer):
            if name == self.name and frozen.learned:
                why = "it holds what it learned from the rows of creation, and is frozen so"
                return "state", why, evidence
        if self.stopped and value is None:
            return "undecided", self.stopped, evidence
        return "constant", "no table of the program takes part in making it", evidence

    def _states(self, describer: Any) -> Iterator[Tuple[str, Any]]:
        return iter(describer.state.items() if describer is not None else ())

    def _entry(
        self,
        site: int,
        role: str,
        because: str,
        evidence: List[str],
        final: Any,
        describer: Any,
    ) -> Dict[str, Any]:
        where = self.recording.sites[site]
        text = self.recording.files.get(where.file, "").split("\n")
        lines = text[where.statement - 1 : where.statement]
        frozen = [
            {"name": name, "summary": summary(held.value), "line": int(held.line)}
            for name, held in self._states(describer)
            if (int(held.line) == where.line and role != "not needed")
            or (role == "state" and name == self.name)
        ]
        sites = self.recording.sites
        used = sorted(
            {sites[step.op.site].line for step in final if self.nodes.intersection(step.op.refs())}
            if not self.column
            else ()
        )
        return {
            "name": self.name, "column": self.column, "line": where.line, "file": where.file,
            "source": lines[0].strip() if lines else "", "role": role, "because": because,
            "evidence": evidence, "frozen": frozen, "used": used,
        }  # fmt: skip


def _parsed(wanted: str) -> Tuple[str, str, int]:
    """``df["age"]:12`` → its name, column and line."""
    text, colon, number = wanted.rpartition(":")
    line = int(number) if colon and number.isdigit() else 0
    text = text if line else wanted
    try:
        node: Any = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        node = None
    if isinstance(node, ast.Name):
        return node.id, "", line
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id, node.attr, line
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        if isinstance(node.slice, ast.Constant):
            return node.value.id, str(node.slice.value), line
    raise Refusal(
        "%s names no variable" % wanted,
        "name one of the program's variables, NAME or NAME:LINE, or a column: 'df[\"age\"]'",
    )


# ---- evidence


def _looked(analysis: Analysis, op: Op, changed: bool) -> Seen:
    rule = next((each for each in reversed(analysis.rules[-8:]) if each.op.index == op.index), None)
    node = analysis.writes(op) if changed else op.result
    assert node is not None
    name = analysis.source.name
    if op.kind == "source" and op.result == analysis.source.node:
        rows = "%s rows in creation" % format(analysis.count, ",")
        return Seen(op, "input", "its rows come with the request", [rows])
    if analysis.roles.get(node) != "row":
        return _state(analysis, op, node, name)
    if rule is not None and rule.rule == "form":
        why = "it learns from all rows and applies that to each: the learning is frozen"
        return Seen(op, "row value", why, [rule.note, *_alone(analysis, op, rule)])
    if rule is not None and rule.rule == "bypass":
        why = "it selects rows of creation; in production every row of a request goes on"
        return Seen(op, "row value", why, _counts(analysis, node))
    if rule is not None and rule.note == BESIDE:
        why = "its entries belong to the rows of creation: requests go on without the column"
        return Seen(op, "row value", why, [])
    why = "each of its entries depends on its own row of %s alone" % name
    if rule is not None and rule.rejects:
        why += "; rows that it drops are answered as rejected"
    return Seen(op, "row value", why, [_agreed(analysis), *_alone(analysis, op, rule)])


def _state(analysis: Analysis, op: Op, node: int, name: str) -> Seen:
    value = analysis.full.values.get(node)
    if node in analysis.declared:
        why = "the program says so with rw.learned"
        return Seen(op, "state", why, ["it is %s" % summary(value)])
    if node not in analysis.derived:
        why = "no row of %s takes part in making it" % name
        return Seen(op, "state", why, ["it is %s" % summary(value)])
    why = "it is made from many rows at once: those of a request would give another value"
    found = ["all %s rows give %s" % (format(analysis.count, ","), summary(value))]
    if not op.name.startswith("fit") and analysis.writes(op) is None:
        found += _differing(analysis, op, value)
    return Seen(op, "state", why, found)


def _differing(analysis: Analysis, op: Op, whole: Any) -> List[str]:
    """What selections of the rows give instead, where they give something else."""
    out = []
    for lane in sorted(analysis.alive(), key=lambda lane: -len(lane.rows))[1:]:
        try:
            got = analysis.evaluate(op, lane)
        except Exception as error:
            got = error
        which = _which(lane)
        if isinstance(got, Exception):
            out.append("%s can't give it: %s" % (which, type(got).__name__))
        elif not _equal(got, whole):
            shown = summary(got)
            told = shown if shown != summary(whole) else "one with other contents"
            out.append("%s %s %s" % (which, "gives" if len(lane.rows) == 1 else "give", told))
        if len(out) == 2:
            break
    return out or ["selections of the rows give the same, but it has no entry for each row"]


def _equal(left: Any, right: Any) -> bool:
    try:
        return bool(same(left, right)) if kinds.is_data(left) else bool(left == right)
    except Exception:
        return left is right


def _which(lane: Any) -> str:
    if len(lane.rows) == 1:
        return "row %s alone" % format(int(lane.rows[0]), ",")
    return "%s of the rows" % format(len(lane.rows), ",")


def _agreed(analysis: Analysis) -> str:
    sizes = sorted({len(lane.rows) for lane in analysis.alive()}, reverse=True)
    return "computed again for %d selections of creation's rows (of %s): each row gave the same" % (
        len(analysis.alive()), ", ".join(format(size, ",") for size in sizes),
    )  # fmt: skip


def _alone(analysis: Analysis, op: Op, rule: Optional[Rule]) -> List[str]:
    """One row's value alone and among all rows; of a frozen form also as it is written."""
    lane = min(analysis.alive(), key=lambda lane: len(lane.rows), default=None)
    node = op.result
    if lane is None or node is None or len(lane.rows) != 1:
        return []
    places = analysis.places(analysis.full.ids[node]) if _counted(analysis, node) else None
    if places is None or places[lane.rows[0]] < 0:
        return []
    place = places[lane.rows[0]]
    among = _cell(take(analysis.full.values[node], [place]))
    if not among:
        return []
    out = ["%s: %s; among all: %s" % (_which(lane), _cell(lane.values.get(node)), among)]
    if rule is not None and rule.rule == "form" and not op.name.startswith("fit"):
        try:
            got = _cell(analysis.evaluate(op, lane)) or "something else"
        except Exception as error:
            got = type(error).__name__
        if got != among:
            out.append("as it is written, %s would give %s" % (_which(lane), got))
    return out


def _counted(analysis: Analysis, node: int) -> bool:
    return hasattr(analysis.full.ids.get(node), "shape")


def _counts(analysis: Analysis, node: int) -> List[str]:
    if not _counted(analysis, node):
        return []
    kept, whole = format(len(analysis.full.ids[node]), ","), format(analysis.count, ",")
    return ["%s of %s rows went on in creation" % (kept, whole)]


def _cell(value: Any) -> str:
    """The only entry of a value, in few characters; empty where it has several, or columns."""
    if value is None or kinds.is_frame(value) or len(getattr(value, "shape", (1,))) > 1:
        return ""
    try:
        items = list(value)
    except TypeError:
        return ""
    return summary(items[0].item() if hasattr(items[0], "item") else items[0]) if items else ""
