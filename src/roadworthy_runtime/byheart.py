"""Values that hold something for each row of creation, known by heart: which, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import halves, overrides
from .narrowing import is_snippet
from .refusal import Refusal
from .trace import ROW_LABELS, Op

if TYPE_CHECKING:
    from .analysis import Analysis


def put_into(analysis: Analysis, op: Op, changed: int) -> None:
    """Notes ``answers[fold, :] = model.predict(X)`` where ``answers`` is frozen."""
    counts = {len(ids) for _, _, ids in analysis.row_operands(op, analysis.full)}
    if op.kind == "setitem" and counts & set(_shape(analysis, changed)[1:]):
        analysis.memorised.setdefault(changed, op)


def _shape(analysis: Analysis, node: int) -> Any:
    return getattr(analysis.full.values.get(node), "shape", ())


def _rows_second(analysis: Analysis, op: Op) -> bool:
    """Whether an assignment puts rows into the second dimension of an array."""
    changed = analysis.writes(op)
    if changed is None or halves.positions_of_fold(op) is not None:
        return False
    return len(_shape(analysis, changed)) > 1


def refusal(analysis: Analysis, op: Op) -> Refusal:
    """Why what an operation gave can't be carried into production, with the cure."""
    name = "this loop" if is_snippet(op) else op.name or "this " + op.kind
    if op.kind == "setitem" and _rows_second(analysis, op):
        return Refusal(
            "this array has the rows in its second dimension, which can't be followed",
            "give it the rows first, as in np.zeros((len(X), models)) and answers[:, i] = …; "
            "or keep what each model answers in a list and take np.mean(answers, axis=0)",
            analysis.line(op), "law-broken",
        )  # fmt: skip
    if _out_of_fold(analysis, op):
        return Refusal(
            "these answers are out of fold: each row's comes from a model that did not learn "
            "from it, and a request's rows are in no fold",
            "name what answers new rows: fit once more on all rows and name "
            '--output "model.predict(X)", or keep the folds\' models in a list and name the '
            "mean of what they answer; these answers are good for measuring",
            analysis.line(op), "law-broken",
        )  # fmt: skip
    if op.name in ("reset_index", ROW_LABELS):
        made = op if op.kind == "method" else analysis.recording.ops[op.index + 3]
        bound = analysis.recording.names.get(made.result or 0)
        after = "--input %s:%d" % (bound[0][0], analysis.line(op)) if bound else "and name it so"
        return Refusal(
            "reset_index makes a column of the row labels, and a request's rows have none",
            "let the rows bring that column: the input is the table after this line: " + after,
            analysis.line(op), "law-broken",
        )  # fmt: skip
    return Refusal(
        "%s gives each row a value that depends on the other rows, and can't be frozen" % name,
        "compute from each row alone, or learn a table by group or key and look it up; or, if "
        "it is meant to stay as it was in creation: " + overrides.freezing(analysis, op),
        analysis.line(op), "law-broken",
    )  # fmt: skip


def _out_of_fold(analysis: Analysis, op: Op) -> bool:
    """Whether a value with an entry per row is put together of what models of folds predict."""
    if op.name.endswith("cross_val_predict"):
        return True
    site = analysis.recording.sites[op.site]
    lines = analysis.recording.files.get(site.file, "").split("\n")
    text = "\n".join(lines[site.statement - 1 : max(site.end_line, site.statement)])
    looped = is_snippet(op) or any(step[0] == "loop" for step in op.context)
    return looped and ".predict" in text
