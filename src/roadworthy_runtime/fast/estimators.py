"""Fitted transformers of scikit-learn, column by column, with exactly their arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .columns import Column, arithmetic
from .graph import Graph, Node, Unsupported, plain
from .models import MODELS, Answer
from .tables import Matrix, Table

Nodes = list[Node]


def is_estimator(value: Any) -> bool:
    """Whether a value is a fitted estimator of scikit-learn's own."""
    return type(value).__module__.split(".")[0] == "sklearn" and hasattr(value, "get_params")


class Estimator:
    """A fitted estimator while steps are followed."""

    def __init__(self, graph: Graph, fitted: Any) -> None:
        self._graph = graph
        self._fitted = fitted

    def __getattr__(self, name: str) -> Any:
        if not name.endswith("_") and name not in ("n_features_in_",):
            raise Unsupported(f"{type(self._fitted).__name__}.{name}")
        found = getattr(self._fitted, name)
        return [plain(item) for item in found] if getattr(found, "ndim", 0) == 1 else plain(found)

    def transform(self, rows: Any) -> Any:
        """The transformed columns."""
        nodes, names = columns_of(rows)
        made = transformed(self._graph, self._fitted, nodes, names)
        if type(self._fitted).__name__ == "LabelEncoder":
            return Column(self._graph, made[0], "array")
        return Matrix(self._graph, made)

    def predict(self, rows: Any) -> Any:
        """One answer per row."""
        return Column(self._graph, self._answer(rows).predicted(), "array")

    def predict_proba(self, rows: Any) -> Matrix:
        """One probability per row and class."""
        return Matrix(self._graph, self._answer(rows).probabilities())

    def decision_function(self, rows: Any) -> Any:
        """The score of each row, or one per class."""
        found = self._answer(rows).scores()
        return Column(self._graph, found[0], "array") if len(found) == 1 else Matrix(
            self._graph, found
        )  # fmt: skip

    def _answer(self, rows: Any) -> Answer:
        nodes, names = columns_of(rows)
        return answered(self._graph, self._fitted, nodes, names)


def columns_of(rows: Any) -> tuple[Nodes, Any]:
    """The columns of a table, an array or one column, and their names (None: they have none)."""
    if isinstance(rows, Table):
        return list(rows.nodes.values()), list(rows.nodes)
    if isinstance(rows, Matrix):
        return list(rows.columns), None
    if isinstance(rows, Column):
        return [rows.node], None
    raise Unsupported(f"an estimator on a {type(rows).__name__}")


def answered(graph: Graph, fitted: Any, nodes: Nodes, names: Any) -> Answer:
    """The answers of a fitted predictor, or of a pipeline that ends with one."""
    name = type(fitted).__name__
    if name == "Pipeline":
        for _, step in fitted.steps[:-1]:
            nodes, names = _step(graph, step, nodes, names)
        return answered(graph, fitted.steps[-1][1], nodes, names)
    if name in ("GridSearchCV", "RandomizedSearchCV"):
        return answered(graph, fitted.best_estimator_, nodes, names)
    if name not in MODELS:
        raise Unsupported(f"the predictor {name}")
    _check(fitted, nodes, names)
    return MODELS[name](graph, fitted, [graph.numeric(node) for node in nodes])


def transformed(graph: Graph, fitted: Any, nodes: Nodes, names: Any) -> Nodes:
    """The columns that a fitted transformer gives."""
    name = type(fitted).__name__
    if name == "Pipeline":
        for _, step in fitted.steps:
            nodes, names = _step(graph, step, nodes, names)
        return nodes
    if name not in _TRANSFORMERS:
        raise Unsupported(f"the transformer {name}")
    if getattr(fitted, "_sklearn_output_config", None):
        raise Unsupported(f"{name} with another kind of output")
    if name != "LabelEncoder":
        _check(fitted, nodes, names)
    return _TRANSFORMERS[name](graph, fitted, nodes)


def _step(graph: Graph, step: Any, nodes: Nodes, names: Any) -> tuple[Nodes, Any]:
    if step is None or step == "passthrough":
        return nodes, names
    return transformed(graph, step, nodes, names), None


def _check(fitted: Any, nodes: Nodes, names: Any) -> None:
    wanted = getattr(fitted, "feature_names_in_", None)
    if names is not None and wanted is not None and [*wanted] != names:
        raise Unsupported(f"other columns than {type(fitted).__name__} was fitted on")
    if len(nodes) != getattr(fitted, "n_features_in_", len(nodes)):
        raise Unsupported(f"{len(nodes)} columns for {type(fitted).__name__}")


# -- one column after the other -----------------------------------------------------------------


def _affine(graph: Graph, node: Node, steps: list[tuple[str, Any]]) -> Node:
    node = graph.numeric(node)
    for op, value in steps:
        if value is not None:
            node = arithmetic(graph, op, node, graph.constant(float(value)))
    return node


def _each(values: Any, count: int) -> list[Any]:
    return [None] * count if values is None else [float(value) for value in values]


def _standard(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    means = _each(fitted.mean_ if fitted.with_mean else None, len(nodes))
    scales = _each(fitted.scale_ if fitted.with_std else None, len(nodes))
    return [
        _affine(graph, node, [("sub", mean), ("div", scale)])
        for node, mean, scale in zip(nodes, means, scales)
    ]


def _min_max(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    if fitted.clip:
        raise Unsupported("MinMaxScaler that clips")
    pairs = zip(nodes, fitted.scale_, fitted.min_)
    return [_affine(graph, node, [("mul", scale), ("add", low)]) for node, scale, low in pairs]


def _max_abs(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    return [_affine(graph, node, [("div", s)]) for node, s in zip(nodes, fitted.scale_)]


def _robust(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    centers, scales = _each(fitted.center_, len(nodes)), _each(fitted.scale_, len(nodes))
    return [
        _affine(graph, node, [("sub", center), ("div", scale)])
        for node, center, scale in zip(nodes, centers, scales)
    ]


def _impute(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    if fitted.add_indicator or not _is_null(fitted.missing_values):
        raise Unsupported("SimpleImputer with an indicator or another sign for null")
    made = []
    for node, value in zip(nodes, fitted.statistics_):
        if _is_null(value):
            raise Unsupported("SimpleImputer of a column that was all null")
        text = node.type in ("text", "code")
        filling = graph.constant(value)
        if text != (filling.type == "text"):
            raise Unsupported("SimpleImputer with values of another type")
        own = graph.text_of(node) if text else graph.numeric(node)
        made.append(graph.choose(graph.missing(own), filling, own))
    return made


def _one_hot(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    if getattr(fitted, "_infrequent_enabled", False) or str(fitted.dtype) == "float32":
        raise Unsupported("OneHotEncoder with infrequent categories")
    if "float64" not in str(fitted.dtype):
        raise Unsupported(f"OneHotEncoder of {fitted.dtype}")
    dropped = fitted.drop_idx_
    made = []
    for place, (node, categories) in enumerate(zip(nodes, fitted.categories_)):
        code = _encoded(graph, node, categories, fitted.handle_unknown == "error")
        gone = None if dropped is None else dropped[place]
        for number in range(len(categories)):
            if gone is None or number != gone:
                made.append(graph.add("onehot", (code,), "float", number))
    return made


def _ordinal(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    if getattr(fitted, "_infrequent_enabled", False) or "float64" not in str(fitted.dtype):
        raise Unsupported("OrdinalEncoder with infrequent categories")
    made = []
    for node, categories in zip(nodes, fitted.categories_):
        strict = fitted.handle_unknown == "error"
        known = [float(number) for number in range(len(categories))]
        if len(categories) and _is_null(categories[-1]):
            known[-1] = float(fitted.encoded_missing_value)
        unknown = math.nan if strict else float(fitted.unknown_value)
        made.append(_encoded(graph, node, categories, strict, known, unknown))
    return made


def _encoded(
    graph: Graph, node: Node, categories: Any, strict: bool, values: Any = None,
    unknown: Any = -1,
) -> Node:  # fmt: skip
    """The number of each value's category; ``values`` stand for the numbers, if given."""
    if node.type == "code":
        node = graph.text_of(node)
    keys = [None if _is_null(category) else plain(category) for category in categories]
    text = node.type == "text"
    if any(key is not None and isinstance(key, str) != text for key in keys):
        raise Unsupported("an encoder of mixed types")
    if not text and node.type not in ("int", "float", "bool"):
        raise Unsupported(f"an encoder of {node.type}")
    table = dict(zip(keys, range(len(keys)) if values is None else values))
    type_ = "code" if values is None else "float"
    levels = keys if values is None else None
    if strict:
        if node.type == "float":
            node = graph.add("none_if_nan", (node,), "text")
        return graph.add("exact_lookup", (node,), type_, table, levels=levels)
    op = "float_lookup" if node.type == "float" else "lookup"
    return graph.add(op, (node,), type_, (table, unknown), levels=levels)


def _label(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    node = nodes[0]
    text = node.type in ("text", "code")
    classes = [plain(label) for label in fitted.classes_]
    if any(_is_null(label) or isinstance(label, str) != text for label in classes):
        raise Unsupported("LabelEncoder of mixed types")
    node = graph.text_of(node) if text else node
    table = {label: number for number, label in enumerate(classes)}
    return [graph.add("exact_lookup", (node,), "int", table, len(classes) + 1.0)]


def _by_columns(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    places = fitted._transformer_to_input_indices
    made: Nodes = []
    for name, transformer, _ in fitted.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        chosen = [nodes[place] for place in places[name]]
        if not chosen:
            continue
        if isinstance(transformer, str) or type(transformer).__name__ == "FunctionTransformer":
            made += (
                chosen if isinstance(transformer, str) else _function(graph, transformer, chosen)
            )
        else:
            made += transformed(graph, transformer, chosen, None)
    return made


def _union(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    made: Nodes = []
    for _, transformer in fitted.transformer_list:
        if transformer == "drop":
            continue
        made += nodes if transformer == "passthrough" else transformed(
            graph, transformer, nodes, None
        )  # fmt: skip
    return made


def _function(graph: Graph, fitted: Any, nodes: Nodes) -> Nodes:
    name = getattr(fitted.func, "__name__", "")
    if fitted.func is None:
        return nodes
    if fitted.kw_args or name not in ("log", "log1p", "sqrt", "exp", "expm1"):
        raise Unsupported(f"FunctionTransformer({name})")
    return [graph.add(name, (graph.numeric(node),), "float") for node in nodes]


def _is_null(value: Any) -> bool:
    return value is None or bool(value != value)


_TRANSFORMERS: dict[str, Callable[[Graph, Any, Nodes], Nodes]] = {
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "RobustScaler": _robust,
    "SimpleImputer": _impute,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "LabelEncoder": _label,
    "ColumnTransformer": _by_columns,
    "FeatureUnion": _union,
    "FunctionTransformer": _function,
}
