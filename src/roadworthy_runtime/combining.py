"""Captured flows as values of a program: read, put one after the other, averaged, saved.

A combination is a flow of its own: a directory whose ``flow.py`` asks the flows in its state. It
is captured, verified and deployed as any value that a program uses.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import io
import json
import math
import shutil
import textwrap
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Union

from . import schema, support
from .support.basis import FlowError
from .support.segment import Segment

Combine = Union[str, Sequence[float], Callable[[Sequence[Any]], Any]]
_MEANS = ("mean", "median", "min", "max")
_LEFT_OUT = ("flow_support", "flow_fast", "__pycache__")
_ROWS = 200


class CapturedFlow(Segment):
    """A captured flow, as ``flow(path)`` reads it: called with rows it gives their answers."""

    def then(self, other: CapturedFlow, name: str = "") -> CapturedFlow:
        """This flow, then ``other`` on its answers.

        ``other`` gets the columns that it needs from this flow's answers by name, and those that
        these lack from the rows themselves; where no name fits, as many columns by position.
        Raises FlowError where it lacks columns.
        """
        return _packed(_then(self, other, name or f"{self.name}_then_{other.name}"))

    def save(self, folder: Union[str, Path]) -> Path:
        """Writes the flow's directory, which runs without Roadworthy. Raises FileExistsError."""
        target = Path(folder)
        if target.exists() and any(target.iterdir()):
            raise FileExistsError(f"{target} is not empty: name another folder")
        for name, data in self.files.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        inner = Path(str(support.__file__)).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(inner, target / "flow_support", ignore=ignored)
        shutil.copyfile(inner.parent / "frozen.py", target / "flow_frozen.py")
        return target

    @cached_property
    def document(self) -> dict[str, Any]:
        """Its ``flow.toml``: the program, the lines and the signature that it was made from."""
        toml: Any = importlib.import_module("tomllib")
        found: dict[str, Any] = toml.loads(self.files["flow.toml"].decode("utf-8"))
        return found

    @cached_property
    def sample(self) -> dict[str, list[Any]]:
        """The input's columns of some rows of creation."""
        parquet: Any = importlib.import_module("pyarrow.parquet")
        table = parquet.read_table(io.BytesIO(self.files["sample.parquet"]))
        return {c["name"]: table.column(c["name"]).to_pylist() for c in self.signature["columns"]}


def flow(path: Union[str, Path]) -> CapturedFlow:
    """Reads a captured flow's directory, to be asked or combined within a program.

    ``path`` is what ``roadworthy capture PROGRAM --to FOLDER`` or ``CapturedFlow.save`` wrote. In a
    program that is captured the flow becomes state, with its own state and where it comes from.
    Raises FileNotFoundError where no flow is there.
    """
    folder = Path(path)
    if not (folder / "flow.py").is_file() or not (folder / "flow.toml").is_file():
        raise FileNotFoundError(
            f"{folder} holds no captured flow (no flow.py with a flow.toml): write one with "
            "roadworthy capture PROGRAM --to FOLDER"
        )
    files = {}
    for item in sorted(folder.rglob("*")):
        inner = item.relative_to(folder)
        if item.is_file() and not set(_LEFT_OUT) & set(inner.parts):
            if inner.as_posix() != "flow_frozen.py":
                files[inner.as_posix()] = item.read_bytes()
    return _packed(files)


def ensemble(
    flows: Sequence[CapturedFlow], combine: Combine = "mean", name: str = ""
) -> CapturedFlow:
    """Several flows asked for the same rows, whose answers are put together.

    ``combine``: ``mean``, ``median``, ``min``, ``max``, ``vote`` (what most say; the first flow
    where none has most), a weight for each flow, or a function of a module that takes the list of
    answers and gives one answer per row. Rows that one of the flows rejects are rejected. Raises
    FlowError where the flows don't take the same kind of rows, or have several outputs.
    """
    if not flows:
        raise FlowError("an ensemble needs at least one flow")
    for each in flows:
        if len(each.signature["outputs"]) != 1:
            raise FlowError(f"{each.name} has several outputs: capture it with the one that counts")
    return _packed(_ensemble(list(flows), combine, name or "_and_".join(f.name for f in flows)))


def _packed(files: Mapping[str, bytes]) -> CapturedFlow:
    """The files as an archive that is the same whenever they are."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return CapturedFlow(target.getvalue())


# ---- two kinds of combination


def _then(first: CapturedFlow, second: CapturedFlow, name: str) -> dict[str, bytes]:
    given = {c["name"] for output in first.signature["outputs"] for c in output["columns"]}
    needed = {c["name"]: c for c in second.signature["columns"]}
    extra = [c for title, c in needed.items() if title not in given]
    if len(extra) == len(needed) == len(given):
        extra = []  # by position
    if extra and first.signature["kind"] != "dataframe":
        raise FlowError(
            f"{second.name} needs {', '.join(c['name'] for c in extra)}, which {first.name} does "
            "not answer and its rows, being no table, do not bring"
        )
    own = {c["name"] for c in first.signature["columns"]}
    columns = [*first.signature["columns"], *(c for c in extra if c["name"] not in own)]
    signature = {
        **first.signature, "columns": columns, "outputs": second.signature["outputs"],
    }  # fmt: skip
    names = _titles([first, second])
    rows = _argument(signature["input"])
    outputs = [output["name"] for output in second.signature["outputs"]]
    body = f"""\
{rows}, first = state.{names[0]}.answered({rows}, rows)
asked = handed(state.{names[1]}, first, {rows})
_, answers = state.{names[1]}.answered(asked, rows)
return answers{f'["{outputs[0]}"]' if len(outputs) == 1 else ""}
"""
    said = f"{first.name}, then {second.name} on its answers"
    text = _text(name, said, signature, body, "handed", "")
    return _files(name, [first, second], names, signature, text)


def _ensemble(flows: list[CapturedFlow], combine: Combine, name: str) -> dict[str, bytes]:
    kinds = {each.signature["kind"] for each in flows}
    first = flows[0].signature
    titles = [[c["name"] for c in each.signature["columns"]] for each in flows]
    if len(kinds) > 1 or (kinds != {"dataframe"} and any(t != titles[0] for t in titles)):
        raise FlowError(f"{', '.join(f.name for f in flows)} don't take the same kind of rows")
    columns: dict[str, dict[str, Any]] = {}
    for each in flows:
        for column in each.signature["columns"]:
            known = columns.setdefault(column["name"], column)
            if known["type"] != column["type"]:
                raise FlowError(
                    f"column {column['name']} is {known['type']} for {flows[0].name} and "
                    f"{column['type']} for {each.name}"
                )
    signature = {**first, "columns": list(columns.values())}
    names = _titles(flows)
    rows = _argument(first["input"])
    listed = "[" + ", ".join(f"state.{title}" for title in names) + "]"
    call, helper, source = _combined(combine, len(flows))
    body = f"answers = asked({listed}, {rows}, rows)\nreturn {call}\n"
    said = f"{', '.join(each.name for each in flows)}, put together"
    text = _text(name, said, signature, body, "asked" + helper, source)
    return _files(name, flows, names, signature, text, answers=True)


def _combined(combine: Combine, count: int) -> tuple[str, str, str]:
    """The expression that puts ``answers`` together, what it imports, and its function's source."""
    if isinstance(combine, str):
        if combine == "vote":
            return "vote(answers)", ", vote", ""
        if combine not in _MEANS:
            known = ", ".join([*_MEANS, "vote"])
            raise FlowError(f"combine={combine!r} is not known; it is one of {known}")
        return f"np.{combine}(answers, axis=0)", "", ""
    if callable(combine):
        try:
            source = textwrap.dedent(inspect.getsource(combine))
            tree = ast.parse(source).body[0]
        except (OSError, TypeError, SyntaxError) as problem:
            raise FlowError(f"combine: its source can't be read: {problem}") from None
        if not isinstance(tree, ast.FunctionDef):
            raise FlowError("combine: a lambda has no name to be written by: write a def")
        return f"{tree.name}(answers)", "", source
    weights = [float(weight) for weight in combine]
    if len(weights) != count or not all(map(math.isfinite, weights)) or sum(weights) <= 0:
        raise FlowError(f"combine: {count} weights are wanted, whose sum is above zero")
    return f"np.average(answers, axis=0, weights={weights!r})", "", ""


# ---- the directory of a combination


def _titles(flows: Sequence[CapturedFlow]) -> list[str]:
    """A name in the state for each flow."""
    found: list[str] = []
    for each in flows:
        title = base = _argument(each.name)
        number = 1
        while title in found:
            number += 1
            title = f"{base}_{number}"
        found.append(title)
    return found


def _argument(text: str) -> str:
    made = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in text)
    taken = made in ("rows", "state", "answers", "first", "asked")
    return made if made.isidentifier() and not taken else f"flow_{made}"


def _text(
    name: str, said: str, signature: Mapping[str, Any], body: str, helpers: str, source: str
) -> str:
    rows = _argument(signature["input"])
    outputs = " and ".join(output["name"] for output in signature["outputs"])
    return f'''"""{name}: {len(signature["columns"])} columns of {rows} in, {outputs} out.

{said}; each lies in state/ with its own state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flow_support import Flow, Rows, load_state
from flow_support.segment import {helpers}

state = load_state(__file__)


{source + chr(10) * 2 if source else ""}def steps({rows}: Any, rows: Rows) -> Any:
    """The answer of each row of {rows}: {outputs}."""
{textwrap.indent(body, "    ")}

flow = Flow(__file__, steps, state)
predict, answer = flow.predict, flow.answer


if __name__ == "__main__":
    raise SystemExit(flow.main())
'''.replace("import numpy as np\n\n", "import numpy as np\n\n" if "np." in body + source else "")


def _files(
    name: str, flows: Sequence[CapturedFlow], names: Sequence[str], signature: dict[str, Any],
    text: str, answers: bool = False,
) -> dict[str, bytes]:  # fmt: skip
    entries = [entry_of(title, each) for title, each in zip(names, flows)]
    files = {f"state/{e['file']}": each.data for e, each in zip(entries, flows)}
    index = {"format": 1, "values": sorted(entries, key=lambda e: str(e["name"]))}
    files["state/index.json"] = (json.dumps(index, indent=1) + "\n").encode()
    files["flow.py"] = text.encode()
    document = {
        "format": 1,
        "flow": name,
        "python": flows[0].document["python"],
        "program": ", ".join(dict.fromkeys(each.document["program"] for each in flows)),
        "tolerance": max(each.document["tolerance"] for each in flows),
        "signature": signature,
        "lines": [line for each in flows for line in each.document["lines"]],
        "made_from": [
            {"flow": e.name, "program": e.document["program"], "digest": entry["digest"]}
            for e, entry in zip(flows, entries)
        ],
    }
    files["flow.toml"] = _toml(document).encode()
    needed = sorted({line for each in flows for line in _requirements(each)})
    files["requirements.txt"] = "".join(line + "\n" for line in needed).encode()
    sample = _sample(flows, signature)
    if answers:  # a mean of whole numbers is none
        made = _packed(files)(_table(sample, signature))
        document["signature"] = {
            **signature,
            "outputs": [schema.output_signature(signature["outputs"][0]["name"], made)],
        }
        files["flow.toml"] = _toml(document).encode()
    files["sample.parquet"] = _with_answers(_packed(files), sample)
    files["README.md"] = _readme(name, document).encode()
    return files


def _toml(document: Mapping[str, Any]) -> str:
    """A document as TOML; what has no value is left out."""

    def text(value: Any) -> str:
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{json.dumps(k)} = {text(v)}" for k, v in value.items()) + "}"
        if isinstance(value, (list, tuple)):
            return "[" + ", ".join(map(text, value)) + "]"
        if isinstance(value, float):
            return repr(value)
        return json.dumps(value, ensure_ascii=False)

    return "".join(f"{key} = {text(value)}\n" for key, value in document.items())


def entry_of(title: str, segment: Segment) -> dict[str, Any]:
    """What the state's index says of a flow."""
    digest = hashlib.sha256(segment.data).hexdigest()
    return {
        "name": title, "file": f"{title}.zip", "format": "flow", "digest": digest,
        "bytes": len(segment.data), "summary": summary(segment),
        "requires": [line.partition("==")[0] for line in _requirements(segment)],
    }  # fmt: skip


def summary(segment: Segment) -> str:
    """What it is, for people."""
    toml: Any = importlib.import_module("tomllib")
    document = toml.loads(segment.files["flow.toml"].decode("utf-8"))
    return f"flow {document['flow']}, captured from {document['program']}"


def _requirements(segment: Segment) -> list[str]:
    return segment.files.get("requirements.txt", b"").decode("utf-8").split()


def _sample(flows: Sequence[CapturedFlow], signature: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Rows for a combination: the flows' own rows, put beside one another."""
    found: dict[str, list[Any]] = {}
    count = min(_ROWS, *(len(next(iter(each.sample.values()))) for each in flows))
    for column in signature["columns"]:
        owner = next(each for each in flows if column["name"] in each.sample)
        found[column["name"]] = owner.sample[column["name"]][:count]
    return found


def _table(sample: Mapping[str, list[Any]], signature: Mapping[str, Any]) -> Any:
    return sample if signature["kind"] != "texts" else next(iter(sample.values()))


def _with_answers(made: CapturedFlow, sample: Mapping[str, list[Any]]) -> bytes:
    """``sample.parquet``: the rows with the combination's answers."""
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    count = len(next(iter(sample.values())))
    found = made.flow.answer_columns(sample, count)
    arrays = {name: arrow.array(values) for name, values in sample.items()}
    for output in made.signature["outputs"]:
        for column in output["columns"]:
            several = len(output["columns"]) > 1
            title = f"{output['name']}:{column['name']}" if several else output["name"]
            cells = found.values[output["name"]][column["name"]]
            listed = cells.tolist() if hasattr(cells, "tolist") else list(cells)
            arrays[f"answer:{title}"] = arrow.array(listed)
    left_out = {item.row for item in found.rejected}
    arrays["rejected"] = arrow.array([row in left_out for row in range(count)])
    target = io.BytesIO()
    parquet.write_table(arrow.table(arrays), target)
    return target.getvalue()


def _readme(name: str, document: Mapping[str, Any]) -> str:
    made = "".join(
        f"| {part['flow']} | {part['program']} | {part['digest'][:12]} |\n"
        for part in document["made_from"]
    )
    return f"""# {name}

A combination of captured flows. It runs without Roadworthy.

    pip install -r requirements.txt
    python flow.py rows.csv -o answers.csv

| flow | captured from | digest of its files |
|---|---|---|
{made}"""
