"""``python -m roadworthy_runtime record SPEC``: runs a program and writes down its flow.

SPEC is a JSON file: program, arguments, input, outputs, target, keep_filters, out. Into the folder
``out`` go ``result.json`` (what happened), and when the program was captured ``plan.json`` (the
flow's steps), ``state/`` (the frozen values) and ``sample.json`` (rows with their answers).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from . import facade
from .asked import analysed, check_replay, find_outputs, find_source
from .findings import decisions_of, lines_of, loaded_packages, roots_of
from .program import Failure, Program, Ran
from .refusal import Refusal

SAMPLE = 200
LIBRARIES = frozenset(
    {
        "numpy", "pandas", "scipy", "sklearn", "statsmodels", "category_encoders", "xgboost",
        "lightgbm", "torch", "keras", "tensorflow",
    }
)  # fmt: skip
"""Libraries that a flow's own process loads beforehand, where the program used them."""


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: captured; 1: the program failed; 3: it ran, but can't be captured."""
    with open(arguments[0], encoding="utf-8") as file:
        spec = json.load(file)
    out = Path(spec["out"])
    result: Dict[str, Any] = {"format": 1, "python": platform.python_version()}
    told = spec.get("told")
    if told is not None:
        os.set_inheritable(told, False)
    wanted = _wanted(spec.get("input"))
    program = Program(
        spec["program"], spec.get("arguments", []), wanted,
        spec.get("cells", ()), spec.get("folder", ""),
    )  # fmt: skip
    program.recorder.keep = {name for name in spec.get("outputs", []) if name.isidentifier()}
    facade.RECORDING[:] = [program.recorder]
    _tell(told, {"imports": _with_reading(filter(_in_flows, program.imports()))})
    started = time.perf_counter()
    folder = os.getcwd()
    code = 0
    try:
        ran = program.run()
    except Failure as failure:
        _say(failure.text)
        result.update(status="failed", problem=_failure(failure))
        code = 1
    result["seconds"] = time.perf_counter() - started
    if code == 0:
        _tell(told, {"modules": _with_reading(_loaded())})
        code = captured(program, ran, spec, out, result)
    os.chdir(folder)
    program.flush()
    write_result(program, out, result, started)
    _tell(told, {"status": result["status"]})
    return code


def captured(
    program: Program, ran: Ran, spec: Dict[str, Any], out: Path, result: Dict[str, Any]
) -> int:
    """Captures a program that ran; how it went goes into ``result``. The exit code."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # what it prints again is no output of it
            capture(program, ran, spec, out, result)
    except Refusal as refusal:
        result.update(status="refused", problem=refusal.as_dict())
        return 3
    except Exception as error:
        result.update(status="refused", problem=_own_failure(error))
        return 3
    result["status"] = "captured"
    return 0


def write_result(program: Program, out: Path, result: Dict[str, Any], started: float) -> None:
    """Writes ``result.json``: what happened, with the program's files, packages and figures."""
    result["files"] = program.files
    result["packages"] = loaded_packages()
    result["metrics"], result["parameters"] = dict(facade.METRICS), dict(facade.PARAMETERS)
    result["datasets"] = list(facade.READS)
    result["name"] = facade.REQUEST.get("name")
    result["capture_seconds"] = time.perf_counter() - started - result["seconds"]
    _write(out / "result.json", result)


def _say(text: str) -> None:
    """Writes to standard error, unless the program closed it."""
    try:
        sys.stderr.write(text)
    except (OSError, ValueError):
        pass


def _tell(told: Optional[int], document: Dict[str, Any]) -> None:
    """Says to whoever listens what the program imports, that it ended, or the result is written."""
    if told is None:
        return
    try:
        os.write(told, json.dumps(document).encode() + b"\n")
    except OSError:
        pass


def _loaded() -> List[str]:
    """The loaded modules that flows are made of."""
    return [name for name in list(sys.modules) if _in_flows(name) and "._" not in name]


def _in_flows(module: str) -> bool:
    return module.partition(".")[0] in LIBRARIES


def _with_reading(modules: Iterable[str]) -> List[str]:
    """These modules, and what reading a flow's state needs beside them."""
    found = list(modules)
    return found + ["skops.io"] * ("sklearn" in found) + ["pyarrow.parquet"]


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
    from .analysis import Analysis
    from .explain import Watch
    from .overrides import check_declared
    from .training import learned_from

    recorder = program.recorder
    check_declared(program.recorder.unfollowed, program.recorder.unfit)
    outputs, live = find_outputs(program, ran, list(spec.get("outputs") or []))
    recorder.paused = True
    recording = recorder.recording(program.files)
    watch = Watch(spec["explain"], recording) if spec.get("explain") else None
    source = find_source(program, recording, spec.get("input"), list(outputs.values()))
    towards = [node for fit in recorder.fits for node in fit.towards]

    taught: Dict[int, Any] = {}

    def make(*given: Any) -> Analysis:
        made = watch.begin(Analysis(*given)) if watch else Analysis(*given)
        made.taught.update(taught)
        return made

    try:
        analysis = analysed(make, recording, source, outputs, towards, learned_from)
        check_replay(analysis, outputs, live)
        analysis = _prepared_alike(
            analysis, taught,
            lambda own: analysed(make, recording, own, outputs, towards, learned_from),
        )  # fmt: skip
        _write_flow(program, analysis, spec, out, outputs, {} if taught else live, towards, watch)
    except Refusal as refusal:
        if watch:
            refusal.details["explained"] = watch.refused(refusal)
        raise


def _prepared_alike(analysis: Any, taught: Dict[int, Any], again: Callable[[Any], Any]) -> Any:
    """The analysis in which rows are prepared for an answer as they were for learning.

    Where a test side learned by itself, ``again`` makes one from the input in which it is
    ``taught`` what the training side learned. Raises Refusal.
    """
    from .planner import steps_for
    from .testside import Unequal, lessons, tell
    from .training import check_training

    first = analysis
    while True:
        try:
            check_training(analysis, steps_for(analysis, list(analysis.outputs.values())))
        except Unequal as unequal:
            new = lessons(analysis, unequal)
            if taught.keys() >= new.keys():
                raise
            taught.update(new)
            try:
                analysis = again(analysis.source)
            except Refusal:
                raise unequal from None
        else:
            break
    if taught:
        tell(first, analysis)
    return analysis


def _write_flow(
    program: Program, analysis: Any, spec: Dict[str, Any], out: Path, outputs: Dict[str, int],
    live: Dict[str, Any], towards: List[int], watch: Any,
) -> None:  # fmt: skip
    """Plans the flow that an analysis leads to and writes plan, state and sample."""
    from . import schema
    from .columns import learned_from_rows, required_columns
    from .describe import Describer
    from .planner import Runner, flow_steps, steps_for

    recorder = program.recorder
    source = analysis.source
    _warn_prepared(recorder, analysis)
    steps = steps_for(analysis, list(outputs.values()))
    runner = Runner(analysis, steps)
    known = [node for node in towards if analysis.roles.get(node) == "row"]
    asked = facade.REQUEST
    target = spec.get("target") or asked.get("target")
    told = spec.get("keep_filters") or towards or target
    learned = [] if told else learned_from_rows(analysis)
    known = [] if spec.get("keep_filters") or asked.get("keep_filters") else known
    columns = required_columns(analysis, runner, known or learned, target)
    final = flow_steps(analysis, steps, columns.trace)
    labels = [cell["label"] for cell in program.cells]
    describer = Describer(analysis, program.files, program.sites, labels)
    described = [describer.step(step) for step in final]
    signature = schema.input_signature(source.name, source.value, columns.required)
    signature["outputs"] = [
        schema.output_signature(name, analysis.full.values[node]) for name, node in outputs.items()
    ]
    state = save_state(describer, out / "state")
    own = {
        name: analysis.full.values[node] if live.get(name) is None else live[name]
        for name, node in outputs.items()
    }
    sample = _sample(analysis, source, columns.required, signature, own)
    tolerance = batch_tolerance(analysis, runner, sample["rows"], own)
    loops = describer.loops(described)
    plan = {
        "format": 1,
        "steps": described,
        "loops": loops,
        "roots": sorted(roots_of(describer)),
        "input": source.node,
        "outputs": outputs,
        "signature": signature,
        "imports": describer.imports,
        "definitions": list(describer.definitions.values()),
        "constants": describer.settled_constants(),
        "state": state,
        "program": program.path,
        "target": [str(name) for name in columns.target],
        "unused": [str(name) for name in columns.unused],
        "lines": lines_of(analysis, final, describer, program),
        "decisions": decisions_of(analysis, final, columns, program),
        "tolerance": tolerance,
        "retaught": bool(analysis.taught),
        "cells": labels,
        "warnings": [*program.notes, *analysis.warnings],
        "explained": watch.told(final, describer) if watch else [],
    }
    _write(out / "plan.json", plan)
    _write(out / "sample.json", sample)


def _warn_prepared(recorder: Any, analysis: Any) -> None:
    """Tells of an input that the program had prepared: production would not prepare it."""
    found = recorder.prepared.get(analysis.source.node)
    if found is not None:
        text = (
            "line %d: the input %s was made by %s, which is left out: requests have to send rows "
        )
        text += "prepared so; to have it in production, bind what it takes to a name and give that "
        text += "name as --input"
        analysis.warnings.append(text % (found[0], analysis.source.name, found[1]))


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
                "keep plain values, arrays, tables or fitted estimators in it; a class of your own "
                "can leave such a part out with __getstate__, and make it again in __setstate__",
                frozen.line or _first_line(describer.analysis.recording, frozen.name),
            ) from None  # fmt: skip
        learned_at = {"line": int(frozen.line) or None, "in": getattr(frozen.line, "file", "")}
        entries.append({**entry, **learned_at, "learned": frozen.learned})
    state.write_index(folder, [_index_entry(entry) for entry in entries])
    return entries


def _first_line(recording: Any, name: str) -> int:
    """The line that first binds a name of the program; 0 where none does."""
    seen = recording.bound.get(name)
    return int(recording.sites[seen[0][0]].line) if seen else 0


def _index_entry(entry: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ("line", "in", "learned")}


def _sample(
    analysis: Any, source: Any, required: List[Any], signature: Dict[str, Any], own: Dict[str, Any]
) -> Dict[str, Any]:
    """Rows of creation with the answers that the program itself computed for them."""
    import numpy as np

    from . import kinds, schema
    from .lanes import choose_rows
    from .rows import take

    ids = analysis.full.ids[next(iter(analysis.outputs.values()))]
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
        for place, spec in zip(required, signature["columns"]):
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
        got = take(own[spec["name"]], places[rows])
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


def batch_tolerance(analysis: Any, runner: Any, rows: List[int], own: Dict[str, Any]) -> float:
    """The relative tolerance between the program's own answers to these rows and the flow's.

    Libraries add in another order where a batch has another size, or where a value was made by
    fitting and transforming at once; 0.0 where that changes nothing.
    """
    import numpy as np

    from . import kinds
    from .compare import greatest_difference
    from .lanes import duplicate, fresh
    from .law import RELATIVE, RELATIVE_SINGLE
    from .rows import take

    chosen = np.asarray(rows, dtype=np.int64)
    value = fresh(take(analysis.source.value, chosen))
    if kinds.is_frame(value) and value.columns.is_unique:  # laid out as a request's is
        value = type(value)({name: value[name].copy() for name in value.columns})
    values = runner.run(duplicate(value)).values
    found = 0.0
    for name, node in analysis.outputs.items():
        places = analysis.places(analysis.full.ids[node])[chosen]
        one, other = take(own[name], places), values[node]
        single = str(getattr(one, "dtype", "")) in ("float32", "float16")
        if not hasattr(one, "to_numpy"):
            differs = greatest_difference(one, other)
        else:
            columns = [(one, other)] if one.ndim == 1 else [
                (one.iloc[:, i], other.iloc[:, i]) for i in range(one.shape[1])
            ]  # fmt: skip
            differs = max(greatest_difference(a.to_numpy(), b.to_numpy()) for a, b in columns)
        if 0.0 < differs <= (RELATIVE_SINGLE if single else RELATIVE):
            found = max(found, RELATIVE_SINGLE if single else RELATIVE)
    return found
