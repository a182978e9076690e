"""``python -m roadworthy_runtime record SPEC``: runs a program and writes down its flow.

SPEC is a JSON file: program, arguments, input, outputs, target, keep_filters, out. Into the folder
``out`` go ``result.json`` (what happened), and when the program was captured ``plan.json`` (the
flow's steps), ``state/`` (the frozen values) and ``sample.json`` (rows with their answers).
"""

from __future__ import annotations

import difflib
import json
import os
import platform
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from . import facade
from .program import Failure, Program, Ran
from .refusal import Refusal

PREDICTIONS = (
    "predict_proba",
    "predict",
    "decision_function",
    "score_samples",
    "predict_log_proba",
)
SAMPLE = 200


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: captured; 1: the program failed; 3: it ran, but can't be captured."""
    with open(arguments[0], encoding="utf-8") as file:
        spec = json.load(file)
    out = Path(spec["out"])
    result: Dict[str, Any] = {"format": 1, "python": platform.python_version()}
    wanted = _wanted(spec.get("input"))
    program = Program(spec["program"], spec.get("arguments", []), wanted)
    program.recorder.keep = {name for name in spec.get("outputs", []) if name.isidentifier()}
    facade.RECORDING.append(True)
    started = time.perf_counter()
    folder = os.getcwd()
    code = 0
    try:
        ran = program.run()
    except Failure as failure:
        sys.stderr.write(failure.text)
        result.update(status="failed", problem=_failure(failure))
        code = 1
    result["seconds"] = time.perf_counter() - started
    if code == 0:
        try:
            capture(program, ran, spec, out, result)
            result["status"] = "captured"
        except Refusal as refusal:
            result.update(status="refused", problem=refusal.as_dict())
            code = 3
        except Exception as error:
            result.update(status="refused", problem=_own_failure(error))
            code = 3
    os.chdir(folder)
    result["files"] = program.files
    result["packages"] = loaded_packages()
    result["metrics"], result["parameters"] = dict(facade.METRICS), dict(facade.PARAMETERS)
    result["name"] = facade.REQUEST.get("name")
    result["capture_seconds"] = time.perf_counter() - started - result["seconds"]
    _write(out / "result.json", result)
    sys.stdout.flush()
    return code


def _write(path: Path, document: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, default=str), encoding="utf-8")
    os.replace(str(partial), str(path))


def _wanted(text: Optional[str]) -> Optional[Tuple[str, int]]:
    if not text:
        return None
    name, _, line = text.partition(":")
    return name, int(line or 0)


def _failure(failure: Failure) -> Dict[str, Any]:
    return {
        "code": "program-failed",
        "message": "%s: %s" % (failure.kind, failure.message),
        "cure": "mend the program; nothing was released",
        "line": failure.line or None,
        "details": {"traceback": failure.text, "file": failure.file},
    }


def _own_failure(error: Exception) -> Dict[str, Any]:
    return Refusal(
        "capture itself failed: %s: %s" % (type(error).__name__, error),
        "report it with the program; the traceback is in the details",
        traceback="".join(traceback.format_exception(type(error), error, error.__traceback__)),
    ).as_dict()


def capture(
    program: Program, ran: Ran, spec: Dict[str, Any], out: Path, result: Dict[str, Any]
) -> None:
    """Computes the flow of a program that ran and writes it into ``out``. Raises Refusal."""
    from . import schema
    from .analysis import Analysis
    from .describe import Describer
    from .planner import Runner, flow_steps, required_columns, steps_for
    from .training import check_training, learned_from

    recorder = program.recorder
    outputs, live = _outputs(program, ran, list(spec.get("outputs") or []))
    recorder.paused = True
    recording = recorder.recording(program.files)
    source = _source(program, recording, spec.get("input"), list(outputs.values()))
    towards = [node for _, _, nodes in recorder.fits for node in nodes]
    analysis = _analysed(Analysis, recording, source, outputs, towards, learned_from)
    source = analysis.source
    _check_replay(analysis, outputs, live)
    steps = steps_for(analysis, list(outputs.values()))
    check_training(analysis, steps)
    runner = Runner(analysis, steps)
    known = [node for node in towards if analysis.roles.get(node) == "row"]
    asked = facade.REQUEST
    target = spec.get("target") or asked.get("target")
    known = [] if spec.get("keep_filters") or asked.get("keep_filters") else known
    columns = required_columns(analysis, runner, known, target)
    final = flow_steps(analysis, steps, columns.trace)
    describer = Describer(analysis, program.files, program.sites)
    described = [describer.step(step) for step in final]
    signature = schema.input_signature(source.name, source.value, columns.required)
    signature["outputs"] = [
        schema.output_signature(name, analysis.full.values[node]) for name, node in outputs.items()
    ]
    state = save_state(describer, out / "state")
    plan = {
        "format": 1,
        "steps": described,
        "loops": describer.loops(described),
        "roots": sorted(_roots(describer)),
        "input": source.node,
        "outputs": outputs,
        "signature": signature,
        "imports": describer.imports,
        "definitions": list(describer.definitions.values()),
        "constants": describer.constants,
        "state": state,
        "program": program.path,
        "target": [str(name) for name in columns.target],
        "unused": [str(name) for name in columns.unused],
        "lines": _lines(analysis, final, describer),
        "decisions": _decisions(analysis, final, columns, program),
        "warnings": analysis.warnings,
    }
    _write(out / "plan.json", plan)
    _write(out / "sample.json", _sample(analysis, source, columns.required, signature, outputs))


# ---- outputs and input


def _outputs(program: Program, ran: Ran, names: List[str]) -> Tuple[Dict[str, int], Dict[str, Any]]:
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
            "input %s has no rows%s: it is no table, array or list"
            % (name, " at line %d" % line if line else ""),
            "name the table that the answers' rows come from",
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
    names = [
        name
        for name, seen in program.recorder.bound.items()
        if any(node > 0 for _, node, _ in seen)
    ]
    return "these do: %s" % ", ".join(names[-8:]) if names else "name another input"


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
            if later.kind == "item" and getattr(first, "node", None) == node and later.site:
                if program.sites[later.site].statement == program.sites[op.site].statement:
                    node = later.result or node
        names = recorder.names.get(node)
        name = names[-1][0] if names else "answers"
        return {name: node}, {}
    raise Refusal(
        "the program predicts nothing row by row that could be the output",
        'name it: --output scores, or an expression: --output "model.predict(X)"',
    )


def _source(program: Program, recording: Any, asked: Optional[str], outputs: List[int]) -> Any:
    """The input: the one asked for, or the only table that the outputs' rows come from."""
    if asked:
        if not recording.sources:
            name, _, line = asked.partition(":")
            raise _unknown_input(program, name, int(line or 0))
        return recording.sources[0]
    if facade.REQUEST.get("input") is not None:
        node = program.recorder.node_of(facade.REQUEST["input"])
        named = [source for source in recording.sources if source.node == node]
        if not named:
            raise Refusal(
                "the input given to rw.deploy is not a table that the program began with",
                "name one of: %s" % ", ".join(s.name for s in recording.sources),
            )  # fmt: skip
        return named[0]
    reached = _reached(recording, outputs)
    found = [source for source in recording.sources if source.node in reached]
    if not found:
        raise Refusal(
            "no table of the program reaches the output",
            "name the input: --input NAME", 0,
        )  # fmt: skip
    return found


def _reached(recording: Any, outputs: List[int]) -> set:  # type: ignore[type-arg]
    nodes = set(outputs)
    for op in reversed(recording.ops):
        owner = getattr(op.args[0], "node", None) if op.args else None
        if op.result in nodes or (op.result is None and owner in nodes):
            nodes.update(op.refs())
    return nodes


def _analysed(
    make: Any, recording: Any, source: Any, outputs: Any, towards: List[int], fitted: Any
) -> Any:
    """The analysis with this input, or with the first of several that carries the answers."""
    candidates = source if isinstance(source, list) else [source]
    first: Optional[Refusal] = None
    for candidate in candidates:
        analysis = make(recording, candidate, outputs)
        try:
            analysis.run([*towards, *fitted(analysis)])
        except Refusal as refusal:
            first = first or refusal
            continue
        return analysis
    assert first is not None
    if len(candidates) > 1:
        names = ", ".join(candidate.name for candidate in candidates)
        first.details.setdefault("candidates", names)
        first.cure += " (inputs tried: %s; name one with --input)" % names
    raise first


def _check_replay(analysis: Any, outputs: Dict[str, int], live: Dict[str, Any]) -> None:
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


# ---- what goes into the result


def save_state(describer: Any, folder: Path) -> List[Dict[str, Any]]:
    """Writes each frozen value; the entries of the state's index with line and summary."""
    from . import state

    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for frozen in describer.state.values():
        try:
            entry = dict(state.save(folder, frozen.name, frozen.value))
        except state.CannotSave as problem:
            raise Refusal(
                "the flow needs %s (%s), which can't be saved: %s"
                % (problem.name, problem.type, problem.reason),
                "make it from plain values inside the flow's own steps",
                frozen.line or _first_line(describer.analysis.recording, frozen.name),
            ) from None  # fmt: skip
        entries.append({**entry, "line": frozen.line or None, "learned": frozen.learned})
    state.write_index(folder, [_index_entry(entry) for entry in entries])
    return entries


def _first_line(recording: Any, name: str) -> int:
    """The line that first binds a name of the program; 0 where none does."""
    seen = recording.bound.get(name)
    return int(recording.sites[seen[0][0]].line) if seen else 0


def _index_entry(entry: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ("line", "learned")}


def _sample(
    analysis: Any, source: Any, required: List[Any], signature: Dict[str, Any], outputs: Any
) -> Dict[str, Any]:
    """Rows of creation with the answers that the program computed for them."""
    import numpy as np

    from . import kinds, schema
    from .lanes import choose_rows
    from .rows import take

    node = next(iter(outputs.values()))
    ids = analysis.full.ids[node]
    places = analysis.places(ids)
    chosen = choose_rows(source.value, ids, 96)
    chosen = chosen[places[chosen] >= 0]
    others = np.random.Generator(np.random.PCG64(3)).permutation(ids)
    rows = np.asarray(list(dict.fromkeys([*chosen.tolist(), *others.tolist()]))[:SAMPLE])
    rows = np.sort(rows)
    value = take(source.value, rows)
    columns: Dict[str, Any] = {}
    if kinds.is_frame(value):
        for spec, label in zip(signature["columns"], required):
            columns[spec["name"]] = schema.cells(value[label])
    elif kinds.is_array(value) and value.ndim == 2:
        for place, spec in enumerate(signature["columns"]):
            columns[spec["name"]] = schema.cells(value[:, place])
    elif signature["kind"] == "records":
        for spec in signature["columns"]:
            columns[spec["name"]] = [
                schema.plain(record.get(spec.get("label", spec["name"]))) for record in value
            ]
    else:
        columns[signature["columns"][0]["name"]] = schema.cells(value)
    answers: Dict[str, Any] = {}
    for spec in signature["outputs"]:
        got = take(analysis.full.values[outputs[spec["name"]]], places[rows])
        for place, part in enumerate(spec["columns"]):
            if kinds.is_frame(got):
                cells = schema.cells(got.iloc[:, place])
            elif kinds.is_array(got) and got.ndim > 1:
                cells = schema.cells(got.reshape(len(got), -1)[:, place])
            else:
                cells = schema.cells(got)
            several = len(spec["columns"]) > 1
            key = "%s:%s" % (spec["name"], part["name"]) if several else spec["name"]
            answers[key] = cells
    return {"columns": columns, "answers": answers, "rows": [int(row) for row in rows]}


def _lines(analysis: Any, final: List[Any], describer: Any) -> Dict[str, Any]:
    """Which lines are kept, frozen and seen, with what is learned there."""
    sites = analysis.recording.sites
    kept: List[List[Any]] = []
    for step in final:
        site = sites[step.op.site]
        if step.alias is None and step.op.kind != "source":
            kept.append([site.file, site.statement, site.end_line])
    frozen: List[Dict[str, Any]] = []
    for name, value in describer.state.items():
        if value.line:
            frozen.append({"line": value.line, "state": name})
    marks: List[Dict[str, Any]] = []
    used = {node for step in final for node in step.frozen}
    for rule in analysis.rules:
        if (rule.rule == "state" and rule.op.result in used) or rule.rule == "form":
            site = sites[rule.op.site]
            marks.append(
                {
                    "file": site.file, "line": site.line, "end_line": site.end_line,
                    "start": site.column, "end": site.end_column, "note": rule.note,
                }
            )  # fmt: skip
    touched = sorted(
        {(sites[op.site].file, sites[op.site].statement) for op in analysis.recording.ops}
    )
    return {"kept": kept, "frozen": frozen, "marks": marks, "touched": touched}


def _decisions(
    analysis: Any, final: List[Any], columns: Any, program: Program
) -> List[Dict[str, Any]]:
    """What was decided for the author, each with what overrides it."""
    sites = analysis.recording.sites
    out: List[Dict[str, Any]] = []
    bypassed = columns.trace.bypassed if columns.trace is not None else {}
    target = ", ".join(str(name) for name in columns.target)
    for rule in analysis.rules:
        site = sites[rule.op.site]
        base = {"line": site.line, "file": site.file}
        if rule.rule == "bypass" and rule.op.kind != "element":
            what = "split" if rule.note == "split" else "selection of rows"
            if rule.note == "stack":
                what = "stacking of tables"
            out.append({
                **base, "decision": what + " bypassed",
                "because": "rows of a request are neither training nor test rows", "override": "",
            })  # fmt: skip
        elif rule.op.index in bypassed and rule.rejects:
            out.append({
                **base, "decision": "filter bypassed",
                "because": "it needs %s, which a request does not have" % (target or "the target"),
                "override": "roadworthy deploy --keep-filters",
            })  # fmt: skip
        elif rule.rejects:
            out.append({
                **base, "decision": "filter kept: rows it rejects are answered as rejected",
                "because": "it needs only columns that a request has", "override": "",
            })  # fmt: skip
        elif rule.rule == "form":
            out.append({
                **base, "decision": "learning frozen, applying kept",
                "because": rule.note, "override": "",
            })  # fmt: skip
    kept = {step.source.site for step in final}
    lines = {(sites[site].file, sites[site].line) for site in kept}
    unique = {json.dumps(item, sort_keys=True): item for item in out}
    return [
        item for item in unique.values()
        if (item["file"], item["line"]) in lines or "bypassed" in item["decision"]
    ]  # fmt: skip


def _roots(describer: Any) -> set:  # type: ignore[type-arg]
    """The packages whose classes the frozen values are made of."""
    found = set()
    for frozen in describer.state.values():
        stack, seen = [frozen.value], set[int]()
        while stack and len(seen) < 400:
            item = stack.pop()
            if id(item) in seen:
                continue
            seen.add(id(item))
            found.add((type(item).__module__ or "").partition(".")[0])
            if isinstance(item, dict):
                stack.extend(list(item.values())[:50])
            elif isinstance(item, (list, tuple, set)):
                stack.extend(list(item)[:50])
            elif hasattr(item, "__dict__") and not isinstance(item, type):
                stack.extend(list(vars(item).values())[:50])
    return found - {"builtins", "__main__", ""}


def loaded_packages() -> List[Dict[str, Any]]:
    """The distributions whose modules were loaded, with versions and modules, by name."""
    from importlib import metadata

    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    found: Dict[str, Any] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if not name or name.lower().replace("_", "-") in ("roadworthy", "roadworthy-runtime"):
            continue
        modules = sorted(loaded & set(_top_level(distribution)))
        if modules:
            entry = {"name": name, "version": distribution.version, "modules": modules}
            found.setdefault(name, entry)
    return [found[name] for name in sorted(found, key=str.lower)]


def _top_level(distribution: Any) -> List[str]:
    text = distribution.read_text("top_level.txt")
    if text:
        return [line.strip() for line in text.splitlines() if line.strip()]
    tops = set()
    for file in distribution.files or ():
        part = file.parts[0] if file.parts else ""
        if len(file.parts) > 1 and not part.endswith((".dist-info", ".data")) and part != "..":
            tops.add(part)
        elif part.endswith(".py"):
            tops.add(part[:-3])
    return sorted(tops)
