"""Fitted predictors: linear models by their coefficients, tree ensembles by their nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from .graph import Graph, Node, Unsupported, plain
from .trees import Ensemble, forest, gradient_boosting, histogram_boosting

NEAR = 1e-9
"""A score this near to a decision is left: sums are added in another order here."""


class Answer:
    """What a predictor says of a row, made when it is asked for."""

    def predicted(self) -> Node:
        raise Unsupported("predict")

    def probabilities(self) -> list[Node]:
        raise Unsupported("predict_proba")

    def scores(self) -> list[Node]:
        raise Unsupported("decision_function")


class Linear:
    """One linear sum over columns; columns of one category are a table of its coefficients."""

    def __init__(self, coefficients: list[float], intercept: float) -> None:
        self.coefficients = coefficients
        self.intercept = intercept

    def parts(self, args: tuple[Node, ...]) -> tuple[list[tuple[int, float]], dict[int, Any]]:
        """Places with their coefficients, and tables of coefficients by the place of a code."""
        plain_parts: list[tuple[int, float]] = []
        tables: dict[int, Any] = {}
        for place, (node, coefficient) in enumerate(zip(args, self.coefficients)):
            if node.op != "onehot":
                plain_parts.append((place, coefficient))
                continue
            code = node.args[0]
            _, table = tables.setdefault(code.serial, (code, [0.0] * (len(code.levels or ()) + 1)))
            table[node.data] += coefficient  # the last entry stands for -1: no category
        return plain_parts, tables


class _LinearAnswer(Answer):
    def __init__(self, graph: Graph, fitted: Any, nodes: list[Node]) -> None:
        import numpy

        self.graph, self.fitted = graph, fitted
        rows = numpy.atleast_2d(numpy.asarray(fitted.coef_, dtype=float))
        starts = numpy.broadcast_to(numpy.asarray(fitted.intercept_, float).ravel(), (len(rows),))
        if rows.shape[1] != len(nodes):
            raise Unsupported("coefficients for other columns")
        self.sums = [
            graph.add("linear", _without_dummies(nodes), "float",
                      Linear([float(c) for c in row], float(start)))
            for row, start in zip(rows, starts)
        ]  # fmt: skip

    def scores(self) -> list[Node]:
        return self.sums


def _without_dummies(nodes: list[Node]) -> list[Node]:
    """Columns of dummies, which were made numbers, as columns of one category again."""
    return [
        Node(node.serial, "onehot", node.args[0].args, "float", node.args[0].data)
        if node.op == "to_float" and node.args[0].op == "dummy" else node
        for node in nodes
    ]  # fmt: skip


class _Regression(_LinearAnswer):
    def predicted(self) -> Node:
        if len(self.sums) != 1 or getattr(self.fitted.coef_, "ndim", 1) != 1:
            raise Unsupported("a regression with several answers")
        return self.sums[0]


class _Classification(_LinearAnswer):
    """Labels only: models without probabilities."""

    def predicted(self) -> Node:
        return labelled(self.graph, self.fitted.classes_, self.sums, NEAR)


class _Logistic(_Classification):
    def probabilities(self) -> list[Node]:
        graph = self.graph
        if len(self.fitted.classes_) == 2:
            return pair_of(graph, graph.add("expit", (self.sums[0],), "float"))
        return [graph.add("softmax", self.sums, "float", place) for place in range(len(self.sums))]


class _Trees(Answer):
    def __init__(self, graph: Graph, nodes: list[Node], ensemble: Ensemble, classes: Any) -> None:
        self.graph, self.classes, self.ensemble = graph, classes, ensemble
        whole = graph.add("trees", nodes, "many", ensemble)
        self.sums = [
            graph.add("taken", (whole,), "float", place) for place in range(ensemble.outputs)
        ]


class _Forest(_Trees):
    """Means over trees: of values, or of the shares of classes."""

    def predicted(self) -> Node:
        if self.classes is None:
            return self.sums[0]
        return labelled(self.graph, self.classes, self.sums, 0.0, argmax=True)

    def probabilities(self) -> list[Node]:
        if self.classes is None:
            raise Unsupported("predict_proba of a regression")
        return self.sums


class _Boosted(_Trees):
    """Sums over trees, through a link."""

    def scores(self) -> list[Node]:
        return self.sums

    def predicted(self) -> Node:
        if self.classes is None:
            return self.sums[0]
        return labelled(self.graph, self.classes, self.sums, NEAR)

    def probabilities(self) -> list[Node]:
        if self.classes is None:
            raise Unsupported("predict_proba of a regression")
        if len(self.sums) == 1:
            return pair_of(self.graph, self.graph.add("expit", (self.sums[0],), "float"))
        return [
            self.graph.add("softmax", self.sums, "float", place) for place in range(len(self.sums))
        ]


def pair_of(graph: Graph, positive: Node) -> list[Node]:
    """The probabilities of both classes."""
    return [graph.add("sub", (graph.constant(1.0), positive), "float"), positive]


def labelled(
    graph: Graph, classes: Any, scores: list[Node], near: float, argmax: bool = False
) -> Node:
    """The class of each row. A row whose scores are too near to one another is left."""
    labels = [plain(label) for label in classes]
    kinds = {type(label) for label in labels}
    if len(kinds) != 1 or not kinds <= {int, str, float, bool}:
        raise Unsupported("classes that are no numbers or texts")
    type_ = {int: "int", str: "text", float: "float", bool: "bool"}[kinds.pop()]
    op = "label_of_greatest" if argmax or len(scores) > 1 else "label_of_sign"
    bound = max((abs(label) + 1.0 for label in labels if isinstance(label, int)), default=1.0)
    return graph.add(op, scores, type_, Labels(labels, near), bound)


class Labels:
    """Classes in order, and how near scores may be to one another."""

    def __init__(self, labels: list[Any], near: float) -> None:
        self.labels = labels
        self.near = near


def _boosted_answer(read: Callable[[Any], Ensemble]) -> Callable[..., Answer]:
    def made(graph: Graph, fitted: Any, nodes: list[Node]) -> Answer:
        return _Boosted(graph, nodes, read(fitted), _classes(fitted))

    return made


def _forest_answer(graph: Graph, fitted: Any, nodes: list[Node]) -> Answer:
    return _Forest(graph, nodes, forest(fitted), _classes(fitted))


def _classes(fitted: Any) -> Optional[Any]:
    return getattr(fitted, "classes_", None)


Made = Callable[[Graph, Any, list[Node]], Answer]
MODELS: dict[str, Made] = {
    **dict.fromkeys(
        (
            "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet",
            "ElasticNetCV", "BayesianRidge", "HuberRegressor", "SGDRegressor", "LinearSVR",
            "Lars", "LassoLars",
        ),
        _Regression,
    ),
    **dict.fromkeys(
        ("RidgeClassifier", "RidgeClassifierCV", "LinearSVC", "Perceptron", "SGDClassifier"),
        _Classification,
    ),
    **dict.fromkeys(("LogisticRegression", "LogisticRegressionCV"), _Logistic),
    **dict.fromkeys(
        (
            "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier",
            "ExtraTreeRegressor", "RandomForestClassifier", "RandomForestRegressor",
            "ExtraTreesClassifier", "ExtraTreesRegressor",
        ),
        _forest_answer,
    ),
    **dict.fromkeys(
        ("GradientBoostingClassifier", "GradientBoostingRegressor"),
        _boosted_answer(gradient_boosting),
    ),
    **dict.fromkeys(
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
        _boosted_answer(histogram_boosting),
    ),
}  # fmt: skip
