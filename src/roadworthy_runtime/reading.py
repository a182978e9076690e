"""Which columns of a table a library's object reads by their names.

A column that such an object never reads is not required, even where the table that the program
gave it had that column: ``ColumnTransformer(remainder="drop")``, a formula.
"""

from __future__ import annotations

import ast
from typing import Any, Optional, Set

_ASKED = ("predict", "transform", "decision_function", "score_samples", "staged_predict")


def columns_read(owner: Any, method: str) -> Optional[Set[Any]]:
    """The columns that a method of a fitted object reads of its table; None: it is not known."""
    if not method.startswith(_ASKED):
        return None
    return _of(owner, 0)


def _of(owner: Any, depth: int) -> Optional[Set[Any]]:
    kind = type(owner).__name__
    if depth > 6:
        return None
    if _is_formula(owner):
        return _formula_columns(owner)
    if not (type(owner).__module__ or "").startswith(("sklearn.", "imblearn.")):
        return None
    if kind == "ColumnTransformer":
        return _transformed(owner)
    if kind in ("Pipeline", "FeatureUnion"):
        named = owner.steps[:1] if kind == "Pipeline" else owner.transformer_list
        return _union([part for _, part in named if part != "drop"], depth)
    if hasattr(owner, "best_estimator_"):
        return _of(owner.best_estimator_, depth + 1)
    if kind.startswith(("Voting", "Stacking")) and not getattr(owner, "passthrough", False):
        return _union(owner.estimators_, depth)
    if kind == "CalibratedClassifierCV":
        return _union([part.estimator for part in owner.calibrated_classifiers_], depth)
    if kind in ("TransformedTargetRegressor", "FrozenEstimator"):
        return _of(getattr(owner, "regressor_", None) or owner.estimator, depth + 1)
    return None


def _union(parts: Any, depth: int) -> Optional[Set[Any]]:
    found: Set[Any] = set()
    for part in parts:
        one = _of(part, depth + 1)
        if one is None:
            return None
        found |= one
    return found if parts else None


def _transformed(owner: Any) -> Optional[Set[Any]]:
    names = getattr(owner, "feature_names_in_", None)
    places = getattr(owner, "_transformer_to_input_indices", None)
    if names is None or places is None:
        return None
    dropped = {title for title, part, _ in owner.transformers_ if isinstance(part, str)}
    dropped -= {title for title, part, _ in owner.transformers_ if part == "passthrough"}
    return {names[i] for title, some in places.items() if title not in dropped for i in some}


def _is_formula(owner: Any) -> bool:
    if not (type(owner).__module__ or "").startswith("statsmodels."):
        return False
    return getattr(getattr(owner, "model", None), "formula", None) is not None


def formula_target(owner: Any) -> Set[Any]:
    """The names on the left side of the formula that a fitted object is of; empty without one."""
    return (_names(owner, 0) or set()) if _is_formula(owner) else set()


def _formula_columns(owner: Any) -> Optional[Set[Any]]:
    return _names(owner, 2)


def _names(owner: Any, side: int) -> Optional[Set[Any]]:
    """The names on one side of a formula; among them functions."""
    text = str(owner.model.formula).partition("~")[side].replace(":", "*")
    try:
        tree = ast.parse(text.replace("\n", " ").strip(), mode="eval")
    except SyntaxError:
        return None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    quoted = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Q"
        and node.args and isinstance(node.args[0], ast.Constant)
    ]  # fmt: skip
    return names | set(quoted)
