"""Writes the emitted directory: a flow that runs without Roadworthy."""

from __future__ import annotations

import datetime
import json
import re
import shutil
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import tomli_w

from roadworthy.capture.module import flow_text

FORMAT = 1
Plan = dict[str, Any]
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "cv2": "opencv-python-headless"}


def write_directory(
    recorded: Path, target: Path, bundle: Path, plan: Plan, result: dict[str, Any], name: str
) -> None:
    """Everything of an emitted directory, from what the recorder left in ``recorded``.

    ``plan`` and ``result`` are its ``plan.json`` and ``result.json``; ``bundle`` holds the runtime.
    """
    runtime = bundle / "roadworthy_runtime"
    target.mkdir(parents=True, exist_ok=True)
    text = flow_text(plan, result["files"], name)
    (target / "flow.py").write_text(text, encoding="utf-8")
    shutil.copytree(
        runtime / "support", target / "flow_support", ignore=shutil.ignore_patterns("__pycache__")
    )
    if "import flow_frozen" in text or any(e["format"] == "flow" for e in plan["state"]):
        shutil.copyfile(runtime / "frozen.py", target / "flow_frozen.py")
    shutil.copytree(recorded / "state", target / "state")
    document = {
        "format": FORMAT,
        "flow": name,
        "python": result["python"],
        "program": PurePath(plan["program"]).name,
        "tolerance": plan["tolerance"],
        **({"retaught": True} if plan["retaught"] else {}),
        "signature": plan["signature"],
        "lines": _provenance(plan),
    }
    (target / "flow.toml").write_text(tomli_w.dumps(_without_null(document)), encoding="utf-8")
    _write_sample(recorded / "sample.json", target / "sample.parquet", plan["signature"])
    lines = requirements(text, plan, result)
    (target / "requirements.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    (target / "README.md").write_text(_readme(plan, name), encoding="utf-8")


def add_fast_form(directory: Path, bundle: Path, choice: dict[str, Any]) -> None:
    """Put the fast form beside the flow, with the choice that was made for it."""
    target = directory / "flow_fast"
    shutil.copytree(
        bundle / "roadworthy_runtime" / "fast",
        target,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    text = json.dumps(choice, indent=1, sort_keys=True) + "\n"
    (target / "fast.json").write_text(text, encoding="utf-8")
    with (directory / "README.md").open("a", encoding="utf-8") as readme:
        readme.write(_FAST)


_FAST = """
## The fast form
`flow_fast/` answers the same rows without building tables; it was compared with the flow before
it was put here, and a worker uses it. It follows `steps` anew each time it is loaded: after a
change of `flow.py` compare again, or delete the folder; nothing else needs it.
"""


def requirements(text: str, plan: dict[str, Any], result: dict[str, Any]) -> list[str]:
    """``name==version`` of each distribution that the flow imports, as creation had it."""
    roots = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)) | set(plan["roots"])
    for entry in plan["state"]:
        roots |= {item.replace("-", "_") for item in entry.get("requires", [])}
    if plan["signature"]["kind"] in ("dataframe", "series"):
        roots.add("pandas")
    found = []
    for package in result["packages"]:
        names = {package["name"].lower().replace("-", "_"), *package["modules"]}
        if names & (roots | {_DISTRIBUTIONS.get(root, root).replace("-", "_") for root in roots}):
            # A local version (2.13.0+cpu) is one build of what an index has.
            found.append(f"{package['name']}=={package['version'].partition('+')[0]}")
    return sorted(found, key=str.lower)


def _provenance(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The program's lines that the flow is made of, with what each is made from."""
    seen: dict[tuple[str, int], None] = {}
    for step in plan["steps"]:
        if step["alias"] is None and step["kind"] != "source":
            seen[PurePath(step["file"]).name, step["line"]] = None
    return [{"file": file, "line": line} for file, line in seen]


def _without_null(value: Any) -> Any:
    """TOML has no null: what has no value is left out."""
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value if item is not None]
    return value


def _write_sample(source: Path, target: Path, signature: dict[str, Any]) -> None:
    sample = json.loads(source.read_text(encoding="utf-8"))
    arrays: dict[str, pa.Array] = {}
    for column in signature["columns"]:
        arrays[column["name"]] = _array(sample["columns"][column["name"]], column)
    for output in signature["outputs"]:
        for column in output["columns"]:
            several = len(output["columns"]) > 1
            title = f"{output['name']}:{column['name']}" if several else output["name"]
            arrays[f"answer:{title}"] = _array(sample["answers"][title], column)
    count = len(sample["rows"])
    arrays["rejected"] = pa.array([False] * count, pa.bool_())
    parquet.write_table(pa.table(arrays), target)


def _array(values: list[Any], column: dict[str, Any]) -> pa.Array:
    """JSON cells as an Arrow array of the column's type."""
    kind = column["type"]
    if kind == "datetime":
        zone = "UTC" if any(v and re.search(r"(Z|[+-]\d\d:?\d\d)$", v) for v in values) else None
        times = [None if v is None else datetime.datetime.fromisoformat(v) for v in values]
        return pa.array(times, pa.timestamp("us", tz=zone))
    if kind == "date":
        return pa.array(values, pa.string()).cast(pa.date32())
    wanted = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "text": pa.string()}
    if kind in wanted:
        return pa.array(values, wanted[kind])
    return pa.array([None if v is None else json.dumps(v) for v in values], pa.string())


def _readme(plan: dict[str, Any], name: str) -> str:
    program = PurePath(plan["program"]).name
    signature = plan["signature"]
    outputs = ", ".join(f"`{output}`" for output in plan["outputs"])
    state = "".join(
        f"| `state.{entry['name']}` | {entry['summary']} | {_learned_at(entry, program)} |\n"
        for entry in plan["state"]
    )
    columns = "".join(
        f"| `{column['name']}` | {column['type']} | {'yes' if column['nullable'] else 'no'} |\n"
        for column in signature["columns"]
    )
    return f"""# {name}

The production part of `{program}`: rows of `{signature["input"]}` in, {outputs} out.
It runs without Roadworthy.

    pip install -r requirements.txt
    python flow.py rows.csv -o answers.csv

    from flow import predict, answer
    predict(rows)           # answers, one per row; null where a row is rejected
    answer(rows)            # the same, and the rejected rows with reason and line

## To go on by hand
`flow.py` holds the author's own statements in `steps`; change them as any program. What the program
learned is loaded from `state/` and used as `state.NAME`. `flow_support/` reads rows and state and
gives every row its answer; it needs no change. `sample.parquet` has rows of creation with the
answers that the program computed (`answer:…`): after a change, compare.

| input column | type | null |
|---|---|---|
{columns}
| state | what it is | learned |
|---|---|---|
{state}"""


def _learned_at(entry: dict[str, Any], program: str) -> str:
    if not entry.get("line"):
        return "a constant"
    return f"{PurePath(entry.get('in') or program).name}, line {entry['line']}"
