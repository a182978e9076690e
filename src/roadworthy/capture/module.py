"""The text of ``flow.py``: imports, the program's own functions, constants, and the steps."""

from __future__ import annotations

import ast
import io
import re
import sys
import textwrap
import tokenize
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import black

from roadworthy.capture.comments import Comments, comments_of
from roadworthy.capture.emit import Emitter, Statement, input_name
from roadworthy.capture.loops import rolled

WIDTH = 100


def flow_text(plan: dict[str, Any], files: dict[str, str], title: str) -> str:
    """``flow.py`` for a plan; ``files``: path -> source of the program's modules."""
    emitter = Emitter(plan)
    statements = emitter.run()
    result = emitter.result()
    loops = {
        int(site): (found["variable"], found["line"], found["over"])
        for site, found in plan["loops"].items()
    }
    ends: Ends = {}
    for step in plan["steps"]:
        where = (step["file"], step["statement"])
        ends[where] = max(step["end_line"], ends.get(where, 0))
    body = _body(rolled(statements, loops, plan["constants"]), files, ends)
    body += f"\nreturn {ast.unparse(result)}\n"
    needs_frozen = "frozen." in body
    first, read = _read_first(plan)
    parts = [
        _docstring(plan, title),
        _imports(plan, needs_frozen),
        _constants(plan, body, first),
        _definitions(plan, list(files), lambda entry: not read(entry)),
        "state = load_state(__file__)\n" + _constants(plan, body, set(plan["constants"]) - first),
        _definitions(plan, list(files), read),
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
    words = _KINDS[plan["signature"]["kind"]] + " " + _returned(plan)
    for word, line in _NEEDED.items():
        if word in words:
            used.add(line)
    own = ["import flow_frozen as frozen"] if needs_frozen else []
    own.append("from flow_support import Flow, Rows, load_state")
    standard = sorted(line for line in used if _root(line) in sys.stdlib_module_names)
    others = sorted(used - set(standard))
    return "\n\n".join("\n".join(part) for part in (standard, others, own) if part) + "\n"


_NEEDED = {
    "pd.": "import pandas as pd",
    "np.": "import numpy as np",
    "Sequence": "from collections.abc import Sequence",
}


def _root(statement: str) -> str:
    """The package that an import statement imports from."""
    return statement.split()[1].partition(".")[0]


def _read_first(plan: dict[str, Any]) -> tuple[set[str], Callable[[Any], bool]]:
    """The constants that stand before the definitions, and which of these stand behind the rest.

    A default (``def tame(text, stop=STOP)``) is read when the function is defined.
    """
    constants: dict[str, str] = plan["constants"]
    plain = {title for title, text in constants.items() if "state." not in text}
    read = {entry["source"]: _read_when_defined(entry["source"]) for entry in plan["definitions"]}
    first = set().union(*read.values()) & plain
    return first, lambda entry: bool(read[entry["source"]] & (set(constants) - plain))


def _read_when_defined(source: str) -> set[str]:
    """The names that a function or class reads before anything in it is called.

    >>> sorted(_read_when_defined("def tame(text, stop=STOP):\\n    return stop or OTHER"))
    ['STOP']
    """
    found: set[str] = set()
    stack: list[ast.AST] = [ast.parse(source)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            stack += [node.args, *node.decorator_list]
        elif isinstance(node, ast.Lambda):
            stack.append(node.args)
        else:
            stack += ast.iter_child_nodes(node)
    return found


def _definitions(plan: dict[str, Any], files: list[str], wanted: Callable[[Any], bool]) -> str:
    ordered = sorted(
        filter(wanted, plan["definitions"]),
        key=lambda entry: (files.index(entry["file"]), entry["line"]),
    )
    return "\n\n\n".join(entry["source"] for entry in ordered) + ("\n" if ordered else "")


def _constants(plan: dict[str, Any], body: str, wanted: set[str]) -> str:
    """Those of the constants that the rest reads, by the names that the author gave them."""
    constants: dict[str, str] = plan["constants"]
    words = _names([f"def body():\n{textwrap.indent(body, '    ')}"])
    words |= _names([entry["source"] for entry in plan["definitions"]])
    while more := _names([constants[title] for title in words & set(constants)]) - words:
        words |= more
    made = [f"{title} = {text}\n" for title, text in constants.items() if title in words & wanted]
    return "".join(["\n", *made]) if made else ""


def _names(texts: list[str]) -> set[str]:
    """The names that texts of Python read, those in texts that they are given (``query``) too."""
    found: set[str] = set()
    for node in (node for text in texts for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if "\n" not in node.value:
                found.update(re.findall(r"[^\W\d]\w*", node.value))
    return found


_KINDS = {
    "dataframe": "pd.DataFrame", "series": "pd.Series", "array": "np.ndarray",
    "records": "list[dict]", "texts": "list[str]",
}  # fmt: skip


_RETURNED = {"dataframe": "pd.DataFrame", "series": "pd.Series", "array": "np.ndarray"}


def _returned(plan: dict[str, Any]) -> str:
    """The annotation of what the steps return."""
    outputs = plan["signature"]["outputs"]
    if len(outputs) > 1:
        return "dict"
    return _RETURNED.get(outputs[0]["kind"], "Sequence")


def _function(plan: dict[str, Any], body: str) -> str:
    kind = _KINDS[plan["signature"]["kind"]]
    argument = input_name(plan)
    outputs = " and ".join(plan["outputs"])
    head = f"def steps({argument}: {kind}, rows: Rows) -> {_returned(plan)}:\n"
    doc = f'"""The answer of each row of {argument}: {outputs}."""\n'
    return head + textwrap.indent(doc + body, "    ")


Ends = dict[tuple[str, int], int]
"""File and line of a statement -> its last line."""


def _body(statements: list[Statement], files: dict[str, str], ends: Ends) -> str:
    comments: dict[str, Comments] = {
        path: comments_of(source) for path, source in files.items() if source
    }
    lines: list[str] = []
    seen: set[tuple[str, int]] = set()
    reached: dict[tuple[str, int], int] = {}
    raw = _raw_texts(files)
    for place, statement in enumerate(statements):
        text = _as_written(ast.unparse(statement.tree), raw)
        found = comments.get(statement.file)
        where = (statement.file, statement.line)
        if found is not None and where not in seen:
            seen.add(where)
            head = found.paragraph.get(statement.line, statement.line)
            last = reached.get((statement.file, head), head - 1)
            if last < head and place:
                lines.append("")
            reached[statement.file, head] = max(last, statement.line, ends.get(where, 0))
            said = [found.above[n] for n in range(last + 1, statement.line + 1) if n in found.above]
            lines += said[-1] if said else []
            beside = found.beside.get(statement.line)
            if beside and "\n" not in text:
                text += "  " + beside
        lines += text.split("\n")
    return "\n".join(lines) + "\n"


def _raw_texts(files: dict[str, str]) -> set[str]:
    """The texts that the author wrote as raw strings."""
    found: set[str] = set()
    for source in files.values():
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.STRING and re.match("[rR]['\"]", token.string):
                found.add(ast.literal_eval(token.string))
    return found


def _as_written(text: str, raw: set[str]) -> str:
    r"""A statement's text with raw strings where the author wrote them so.

    >>> _as_written("x = y.match('\\\\d+')", {"\\d+"})
    'x = y.match(r"\\d+")'
    """
    if not raw or "\\" not in text:
        return text
    lines = text.split("\n")
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(text).readline))):
        if token.type != tokenize.STRING or token.start[0] != token.end[0]:
            continue
        if token.string[0] not in "'\"":
            continue
        value = ast.literal_eval(token.string)
        quote = next((q for q in "\"'" if q not in value), "")
        if value in raw and quote and "\n" not in value:
            line = lines[token.start[0] - 1]
            made = f"r{quote}{value}{quote}"
            lines[token.start[0] - 1] = line[: token.start[1]] + made + line[token.end[1] :]
    return "\n".join(lines)
