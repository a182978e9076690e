"""Finds the input and the outputs that a recording was asked for, or the only candidates."""

from __future__ import annotations

import difflib
import re
from typing import Any, Dict, List, Optional, Tuple

from . import facade
from .program import Program, Ran
from .refusal import Refusal

PREDICTIONS = (
    "predict_proba",
    "predict",
    "fit_predict",
    "decision_function",
    "score_samples",
    "predict_log_proba",
)


def find_outputs(
    program: Program, ran: Ran, names: List[str]
) -> Tuple[Dict[str, int], Dict[str, Any]]:
    """Output name -> node, and -> the value that the program computed."""
    if not names and facade.REQUEST.get("outputs"):
        return _deployed_outputs(program)
    if not names:
        return _default_output(program)
    nodes: Dict[str, int] = {}
    live: Dict[str, Any] = {}
    for text in names:
        name = text if text.isidentifier() else _output_name(text, nodes)
        value = _output_value(program, ran, text)
        node = program.recorder.node_of(value)
        if node is None and text.isidentifier():
            node = _bound_node(program, text)
        if node is None:
            raise Refusal(
                "output %s does not depend on the input%s"
                % (text, _input_words(program)), _cure_output(program), _bound_line(program, text),
                output=text,
            )  # fmt: skip
        nodes[name], live[name] = node, value
    return nodes, live


def _deployed_outputs(program: Program) -> Tuple[Dict[str, int], Dict[str, Any]]:
    """The values that the program's own ``rw.deploy`` named."""
    nodes: Dict[str, int] = {}
    live: Dict[str, Any] = {}
    for value in facade.REQUEST["outputs"]:
        node = program.recorder.node_of(value)
        if node is None:
            raise Refusal(
                "an output given to rw.deploy does not depend on any table of the program",
                _cure_output(program),
            )  # fmt: skip
        names = program.recorder.names.get(node)
        name = names[-1][0] if names else "answers"
        nodes[name], live[name] = node, value
    return nodes, live


def _input_words(program: Program) -> str:
    wanted = program.recorder.wanted
    if wanted is None:
        return ""
    if not program.recorder.sources:
        raise _unknown_input(program, wanted[0], wanted[1])
    return " " + wanted[0]


def _unknown_input(program: Program, name: str, line: int) -> Refusal:
    bound = program.recorder.bound
    if name in bound:
        first = program.sites[bound[name][0][0]].line
        return Refusal(
            "input %s has no rows%s: it is no table of pandas, array of NumPy or list"
            % (name, " at line %d" % line if line else ""),
            "name the table that the answers' rows come from; of a table of polars, what its "
            "to_pandas() gives",
            line or first,
            input=name,
        )
    near = difflib.get_close_matches(name, list(bound), 3, 0.5)
    known = ", ".join(_tables(program)) or "none"
    return Refusal(
        "the program binds no name %s that could be its input" % name,
        "did you mean %s?" % " or ".join(near) if near else "its names are: %s" % known,
        input=name,
        nearest=near,
    )


def _tables(program: Program) -> List[str]:
    return sorted(name for name, seen in program.recorder.bound.items() if seen)[:20]


def _cure_output(program: Program) -> str:
    wanted, bound = program.recorder.wanted, program.recorder.bound
    if wanted is not None and len(bound.get(wanted[0], ())) > 1:
        lines = sorted({program.sites[site].line for site, _, _ in bound[wanted[0]]})
        if len(lines) > 1:
            shown = " or ".join("--input %s:%d" % (wanted[0], line) for line in lines[:6])
            return "%s is bound several times; name the one that is meant: %s" % (wanted[0], shown)
    names = [name for name, seen in bound.items() if any(node > 0 for _, node, _ in seen)]
    if not names:
        return "name another input"
    return "name as --input the table that it comes from; what depends on this one: %s" % (
        ", ".join(names[-8:])
    )


def _bound_line(program: Program, name: str) -> int:
    seen = program.recorder.bound.get(name)
    return int(program.sites[seen[-1][0]].line) if seen else 0


def _bound_node(program: Program, name: str) -> Optional[int]:
    seen = program.recorder.bound.get(name)
    return seen[-1][1] if seen and seen[-1][1] > 0 else None


def _output_value(program: Program, ran: Ran, text: str) -> Any:
    if text.isidentifier():
        if text in ran.namespace:
            return ran.namespace[text]
        seen = program.recorder.bound.get(text)
        if seen:
            return seen[-1][2]
        near = difflib.get_close_matches(text, list(program.recorder.bound), 3, 0.5)
        raise Refusal(
            "the program binds no name %s that could be an output" % text,
            "did you mean %s?" % " or ".join(near) if near else "name a variable, or an expression",
            output=text, nearest=near,
        )  # fmt: skip
    try:
        return program.evaluate(text, ran.namespace)
    except Exception as error:
        raise Refusal(
            "output %r can't be evaluated at the program's end: %s: %s"
            % (text, type(error).__name__, error),
            "write an expression of the program's own names", output=text,
        ) from None  # fmt: skip


def _output_name(text: str, taken: Dict[str, int]) -> str:
    """A name for an expression: ``model.predict_proba(X)[:, 1]`` is ``predict_proba``."""
    found = re.findall(r"\.?([A-Za-z_]\w*)\s*\(", text)
    base = found[0] if found else "answers"
    name, number = base, 1
    while name in taken:
        number += 1
        name = "%s_%d" % (base, number)
    return name


def _default_output(program: Program) -> Tuple[Dict[str, int], Dict[str, Any]]:
    """The last prediction per row, followed through the expression that it stands in."""
    recorder = program.recorder
    if recorder.wanted is not None and not recorder.sources:
        raise _unknown_input(program, *recorder.wanted)
    ops = recorder.ops
    for op in reversed(ops):
        if op.kind != "method" or op.name not in PREDICTIONS or op.result is None:
            continue
        node = op.result
        for later in ops[op.index + 1 :]:
            first = later.args[0] if later.args else None
            goes_on = later.kind == "item" or later.name == "to_numpy"
            if goes_on and getattr(first, "node", None) == node and later.site:
                if program.sites[later.site].statement == program.sites[op.site].statement:
                    node = later.result or node
        names = recorder.names.get(node)
        name = names[-1][0] if names else "answers"
        return {name: node}, {}
    raise Refusal(
        "the program predicts nothing row by row that could be the output",
        'name it: --output scores, or an expression: --output "model.predict(X)"; '
        "if its rows come from a list, say so: texts = rw.row_wise(texts)",
    )


def find_source(program: Program, recording: Any, asked: Optional[str], outputs: List[int]) -> Any:
    """The input: the one asked for, or the only table that the outputs' rows come from."""
    if asked:
        if not recording.sources:
            name, _, line = asked.partition(":")
            raise _unknown_input(program, name, int(line or 0))
        name, _, line = asked.partition(":")
        for source in recording.sources:
            if source.name == name and int(line or 0) in (0, recording.sites[source.site].line):
                return source
        raise _unknown_input(program, name, int(line or 0))
    if facade.REQUEST.get("input") is not None:
        node = program.recorder.node_of(facade.REQUEST["input"])
        named = [source for source in recording.sources if source.node == node]
        if not named:
            raise Refusal(
                "the input given to rw.deploy is not a table that the program began with",
                "name one of: %s" % ", ".join(s.name for s in recording.sources),
            )  # fmt: skip
        return named[0]
    reached = _reached(recording, outputs) - set(outputs)  # an answer is no input of itself
    found = [source for source in recording.sources if source.node in reached]
    if not found:
        raise Refusal(
            "no table of the program reaches the output",
            "name the input: --input NAME, or say it in the program: NAME = rw.row_wise(NAME)", 0,
        )  # fmt: skip
    return found


def _reached(recording: Any, outputs: List[int]) -> set:  # type: ignore[type-arg]
    nodes = set(outputs)
    for op in reversed(recording.ops):
        owner = getattr(op.args[0], "node", None) if op.args else None
        if op.result in nodes or (op.result is None and owner in nodes):
            nodes.update(op.refs())
    return nodes


def analysed(
    make: Any, recording: Any, source: Any, outputs: Any, towards: List[int], fitted: Any
) -> Any:
    """The analysis with this input, or with the first of several that carries the answers."""
    candidates = source if isinstance(source, list) else [source]
    first: Optional[Refusal] = None
    for candidate in candidates:
        try:
            return _analysed(make, recording, candidate, outputs, towards, fitted)
        except Refusal as refusal:
            first = first or refusal
    assert first is not None
    if len(candidates) > 1:
        names = ", ".join(candidate.name for candidate in candidates)
        first.details.setdefault("candidates", names)
        first.cure += " (inputs tried: %s; name one with --input)" % names
    raise first


def _analysed(
    make: Any, recording: Any, source: Any, outputs: Any, towards: List[int], fitted: Any
) -> Any:
    """The analysis with this input; where it fails, with one part of rows put together again.

    A row of a request goes the way of one part: of the first, or else of one that is answered.
    """
    made: List[Any] = []

    def remembered(*given: Any) -> Any:
        made.append(make(*given))
        return made[-1]

    try:
        return _on_some_rows(remembered, recording, source, outputs, towards, fitted, None)
    except Refusal as refusal:
        for part in _later_parts(made[-1]):
            try:
                return _on_some_rows(make, recording, source, outputs, towards, fitted, part)
            except Refusal:
                continue
        raise refusal


def _later_parts(analysis: Any) -> List[Any]:
    """The rows of each part but the first of the rows that were put together, once each."""
    found: Dict[bytes, Any] = {}
    for parts in analysis.stacked:
        for part in parts[1:]:
            found.setdefault(part.tobytes(), part)
    return list(found.values())


def _on_some_rows(
    make: Any, recording: Any, source: Any, outputs: Any, towards: List[int], fitted: Any, side: Any
) -> Any:
    """The analysis on selections of rows that the program's conditions keep; ``side``: of only."""
    from .analysis import FewRows

    rows, certain = side, False
    while True:
        analysis = make(recording, source, outputs, rows)
        analysis.certain, analysis.side = certain, side
        try:
            analysis.run([*towards, *fitted(analysis)])
        except FewRows as few:
            rows = few.rows
            continue
        answered = analysis.untried()
        if answered is None:
            return analysis
        rows, certain = answered, True


def check_replay(analysis: Any, outputs: Dict[str, int], live: Dict[str, Any]) -> None:
    from .rows import same

    for name, node in outputs.items():
        value = live.get(name)
        if value is None or same(analysis.full.values[node], value):
            continue
        raise Refusal(
            "computing output %s again from the same rows gives other answers" % name,
            "set the seeds of what is random (random_state=0), and read the clock and files before "
            "the input", 0, "verification", output=name,
        )  # fmt: skip
