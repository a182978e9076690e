"""The text of ``flow.py``: imports, the program's own functions, constants, and the steps."""

from __future__ import annotations

import ast
import sys
import textwrap
from pathlib import PurePath
from typing import Any

import black

from roadworthy.capture.comments import Comments, comments_of
from roadworthy.capture.emit import Emitter, Statement
from roadworthy.capture.loops import rolled

WIDTH = 100


def flow_text(plan: dict[str, Any], files: dict[str, str], title: str) -> str:
    """``flow.py`` for a plan; ``files``: path -> source of the program's modules."""
    emitter = Emitter(plan)
    statements = emitter.run()
    result = emitter.result()
    loops = {int(site): (found["variable"], found["line"]) for site, found in plan["loops"].items()}
    body = _body(rolled(statements, loops), files)
    body += f"\nreturn {ast.unparse(result)}\n"
    needs_frozen = "frozen." in body
    parts = [
        _docstring(plan, title),
        _imports(plan, needs_frozen),
        _definitions(plan),
        "state = load_state(__file__)\n",
        _constants(plan),
        _function(plan, body),
        "flow = Flow(__file__, steps, state)\npredict, answer = flow.predict, flow.answer\n",
        'if __name__ == "__main__":\n    raise SystemExit(flow.main())\n',
    ]
    text = "\n\n".join(part for part in parts if part)
    return black.format_str(text, mode=black.Mode(line_length=WIDTH))


def _docstring(plan: dict[str, Any], title: str) -> str:
    columns = len(plan["signature"]["columns"])
    outputs = ", ".join(plan["outputs"])
    program = PurePath(plan["program"]).name
    plural = "" if columns == 1 else "s"
    rows = plan["signature"]["input"]
    return (
        f'"""{title}: {columns} column{plural} of {rows} in, {outputs} out.\n\n'
        f"The part of {program} that production needs; what the program learned is in state/.\n"
        '"""\n'
    )


def _imports(plan: dict[str, Any], needs_frozen: bool) -> str:
    used = set(plan["imports"].values())
    if plan["signature"]["kind"] in ("dataframe", "series"):
        used.add("import pandas as pd")
    if plan["signature"]["kind"] == "array":
        used.add("import numpy as np")
    own = ["import flow_frozen as frozen"] if needs_frozen else []
    own.append("from flow_support import Flow, Rows, load_state")
    standard = sorted(line for line in used if _root(line) in sys.stdlib_module_names)
    others = sorted(used - set(standard))
    return "\n\n".join("\n".join(part) for part in (standard, others, own) if part) + "\n"


def _root(statement: str) -> str:
    """The package that an import statement imports from."""
    return statement.split()[1].partition(".")[0]


def _definitions(plan: dict[str, Any]) -> str:
    ordered = sorted(plan["definitions"], key=lambda entry: (entry["file"], entry["line"]))
    return "\n\n\n".join(entry["source"] for entry in ordered) + ("\n" if ordered else "")


def _constants(plan: dict[str, Any]) -> str:
    return "".join(f"{title} = {text}\n" for title, text in plan["constants"].items())


_KINDS = {
    "dataframe": "pd.DataFrame", "series": "pd.Series", "array": "np.ndarray",
    "records": "list[dict]", "texts": "list[str]",
}  # fmt: skip


def _function(plan: dict[str, Any], body: str) -> str:
    kind = _KINDS[plan["signature"]["kind"]]
    argument = plan["signature"]["input"]
    outputs = " and ".join(plan["outputs"])
    head = f"def steps({argument}: {kind}, rows: Rows):\n"
    doc = f'"""The answer of each row of {argument}: {outputs}."""\n'
    return head + textwrap.indent(doc + body, "    ")


def _body(statements: list[Statement], files: dict[str, str]) -> str:
    comments: dict[str, Comments] = {
        path: comments_of(source) for path, source in files.items() if source
    }
    lines: list[str] = []
    seen: set[tuple[str, int]] = set()
    for place, statement in enumerate(statements):
        text = ast.unparse(statement.tree)
        found = comments.get(statement.file)
        where = (statement.file, statement.line)
        if found is not None and where not in seen:
            seen.add(where)
            if statement.line in found.blank_before and place:
                lines.append("")
            lines += found.above.get(statement.line, [])
            beside = found.beside.get(statement.line)
            if beside and "\n" not in text:
                text += "  " + beside
        lines += _wrapped(text)
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> list[str]:
    return text.split("\n")
