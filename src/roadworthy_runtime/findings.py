"""What is told of a capture: lines and their roles, decisions, and the packages that took part."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, List

from .program import Program


def lines_of(analysis: Any, final: List[Any], describer: Any, program: Program) -> Dict[str, Any]:
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
            of = getattr(value.line, "file", program.path)
            frozen.append({"line": int(value.line), "file": of, "state": name})
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


def decisions_of(
    analysis: Any, final: List[Any], columns: Any, program: Program
) -> List[Dict[str, Any]]:
    """What was decided for the author, each with what overrides it."""
    from .overrides import in_creation_only, overriding
    from .trace import ONLY

    sites = analysis.recording.sites
    out: List[Dict[str, Any]] = []
    bypassed = columns.trace.bypassed if columns.trace is not None else {}
    target = ", ".join(str(name) for name in columns.target)
    for rule in analysis.rules:
        site = sites[rule.op.site]
        base = {
            "line": site.line, "file": site.file,
            "override": overriding(rule, _variable(analysis, rule.op)),
        }  # fmt: skip
        if in_creation_only(rule.op) and rule.op.kind != ONLY:
            continue
        if rule.note in ("declared", "only"):
            said = {
                "declared": ("frozen as it is", "the program says so with rw.learned"),
                "only": ("left out of production", "it stands under rw.creation_only"),
            }
            what, why = said[rule.note]
            out.append({**base, "decision": what, "because": why})
        elif rule.rule == "bypass" and _selects(analysis, rule):
            what = "split" if rule.note == "split" else "selection of rows"
            if rule.note == "stack":
                what = "stacking of tables"
            why = "rows of a request are neither training nor test rows"
            out.append({**base, "decision": what + " bypassed", "because": why})
        elif rule.op.index in bypassed and rule.rejects:
            out.append({
                **base, "decision": "filter bypassed",
                "because": "it needs %s, which a request does not have" % (target or "the target"),
                "override": "rw.deploy(…, keep_filters=True), or --keep-filters",
            })  # fmt: skip
        elif rule.rejects:
            out.append({
                **base, "decision": "filter kept: rows it rejects are answered as rejected",
                "because": "it needs only columns that a request has",
            })  # fmt: skip
        elif rule.rule == "form":
            out.append({
                **base, "decision": "learning frozen, applying kept", "because": rule.note,
            })  # fmt: skip
    kept = {step.source.site for step in final}
    lines = {(sites[site].file, sites[site].line) for site in kept}
    unique = {json.dumps(item, sort_keys=True): item for item in out}
    return [
        item for item in unique.values()
        if (item["file"], item["line"]) in lines or item["decision"].startswith("left out")
        or "bypassed" in item["decision"] or item["decision"].startswith("frozen")
    ]  # fmt: skip


def _selects(analysis: Any, rule: Any) -> bool:
    """Whether an author would call it a selection of rows; ``mode()[0]`` is none."""
    if rule.op.kind == "element" or rule.note == "row_wise":
        return False
    ids = analysis.full.ids.get(rule.op.result)
    return ids is None or len(ids) > 1


def _variable(analysis: Any, op: Any) -> str:
    """What the author calls the value that an operation gives, or the one it is made from."""
    nodes = [op.result, *op.refs()]
    for node in nodes:
        names = analysis.recording.names.get(node)
        if names:
            return str(names[0][0])
        producer = analysis.producer.get(node)
        if producer is not None and len(nodes) < 50:
            nodes.extend(each for each in producer.refs() if each not in nodes)
    return "rows"


def roots_of(describer: Any) -> set:  # type: ignore[type-arg]
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
    record = distribution.read_text("RECORD")
    if record:  # its paths as objects would take ten times as long
        paths = [line.partition(",")[0].strip('"') for line in record.splitlines()]
    else:
        paths = [file.as_posix() for file in distribution.files or ()]
    tops = set()
    for path in paths:
        first, folder, _ = path.partition("/")
        if folder and not first.endswith((".dist-info", ".data")) and first != "..":
            tops.add(first)
        elif first.endswith(".py"):
            tops.add(first[:-3])
    return sorted(tops)
