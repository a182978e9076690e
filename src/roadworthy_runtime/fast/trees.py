"""Ensembles of decision trees: for one row as Python conditions, for many by their own predictor.

Leaves are added in the order in which the ensemble adds them, so that every bit is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Union

from .graph import Leave, Unsupported

MOST_WRITTEN = 9_000
"""Leaves beyond which trees are walked as data: writing them as Python would slow the start."""
DEEPEST = 60
TREES_IN_A_FUNCTION = 40
_GREATEST = 3.4e38

Leaf = Union[float, tuple[float, ...]]


class Split(NamedTuple):
    """Left where ``value <= threshold``; ``missing_left`` says where NaN goes."""

    feature: int
    threshold: float
    missing_left: bool
    left: Any
    right: Any


class Ensemble(NamedTuple):
    """Trees in the order of their addition, each with the output that it adds to (-1: to all)."""

    trees: list[tuple[int, Any]]
    start: tuple[float, ...]
    divisor: float
    finite: bool
    """Whether rows with NaN, infinity or numbers beyond 32-bit floats are left."""
    many: Callable[[Any], Any]
    """Rows x features as float64 in C order to rows x outputs."""

    @property
    def outputs(self) -> int:
        """How many numbers there are for each row."""
        return len(self.start)

    def leaves(self) -> int:
        """How many leaves all trees have."""
        return sum(_leaves(tree) for _, tree in self.trees)


def one_row(ensemble: Ensemble) -> Callable[..., tuple[float, ...]]:
    """A function of one row's features that gives its outputs."""
    deepest = max((_depth(tree) for _, tree in ensemble.trees), default=0)
    written = ensemble.leaves() <= MOST_WRITTEN and deepest <= DEEPEST
    add = _written(ensemble) if written else _walked(ensemble)
    finite, divisor, start = ensemble.finite, ensemble.divisor, ensemble.start

    def answer(*features: float) -> tuple[float, ...]:
        if finite:
            for value in features:
                if not -_GREATEST < value < _GREATEST:
                    raise Leave
        sums = add(features, start)
        return sums if divisor == 1.0 else tuple([value / divisor for value in sums])

    return answer


def _walked(ensemble: Ensemble) -> Callable[[Any, Any], tuple[float, ...]]:
    trees = ensemble.trees

    def add(features: Any, start: Any) -> tuple[float, ...]:
        sums = list(start)
        for output, tree in trees:
            leaf = _leaf(tree, features)
            if output >= 0:
                sums[output] += leaf
            else:
                for place, share in enumerate(leaf):
                    sums[place] += share
        return tuple(sums)

    return add


def _leaf(node: Any, features: Any) -> Any:
    """The leaf of one row."""
    while type(node) is Split:
        feature, threshold, missing_left, left, right = node
        value = features[feature]
        goes_left = value <= threshold or (missing_left and value != value)
        node = left if goes_left else right
    return node


def _written(ensemble: Ensemble) -> Callable[[Any, Any], tuple[float, ...]]:
    """The trees as Python's own conditions, which run several times faster than a walk."""
    features = sorted({feature for _, tree in ensemble.trees for feature in _features(tree)})
    names = {feature: f"x{feature}" for feature in features}
    sums = [f"s{place}" for place in range(ensemble.outputs)]
    parts = []
    for first in range(0, len(ensemble.trees), TREES_IN_A_FUNCTION):
        lines = [f"def add(x, {', '.join(sums)}):"]
        lines += [f"    {name} = x[{feature}]" for feature, name in names.items()]
        for output, tree in ensemble.trees[first : first + TREES_IN_A_FUNCTION]:
            if output >= 0:
                lines.append(f"    s{output} += {_expression(tree, names)}")
                continue
            shares = [f"v{place}" for place in range(ensemble.outputs)]
            lines.append(f"    {', '.join(shares)}, = {_expression(tree, names)}")
            lines += [f"    {total} += {share}" for total, share in zip(sums, shares)]
        lines.append(f"    return {', '.join(sums)},")
        world: dict[str, Any] = {"inf": math.inf}
        exec(compile("\n".join(lines), "<trees>", "exec"), world)
        parts.append(world["add"])

    def add(values: Any, totals: Any) -> tuple[float, ...]:
        for part in parts:
            totals = part(values, *totals)
        return tuple(totals)

    return add


def _expression(node: Any, names: dict[int, str]) -> str:
    if type(node) is not Split:
        return repr(node)
    left, right = _expression(node.left, names), _expression(node.right, names)
    name = names[node.feature]
    test = (
        f"not {name} > {node.threshold!r}" if node.missing_left else f"{name} <= {node.threshold!r}"
    )
    return f"({left} if {test} else {right})"


def _leaves(node: Any) -> int:
    return _leaves(node.left) + _leaves(node.right) if type(node) is Split else 1


def _depth(node: Any) -> int:
    return 1 + max(_depth(node.left), _depth(node.right)) if type(node) is Split else 0


def _features(node: Any) -> set[int]:
    if type(node) is not Split:
        return set()
    return {node.feature} | _features(node.left) | _features(node.right)


# -- reading fitted estimators ------------------------------------------------------------------


def histogram_boosting(fitted: Any) -> Ensemble:
    """HistGradientBoosting: raw sums, before the link."""
    if getattr(fitted, "is_categorical_", None) is not None:
        raise Unsupported("HistGradientBoosting with categorical features")
    if not hasattr(fitted, "classes_") and type(fitted._loss.link).__name__ != "IdentityLink":
        raise Unsupported(f"HistGradientBoosting with the loss {fitted.loss}")
    trees = [
        (output, _histogram_tree(predictor.nodes))
        for iteration in fitted._predictors
        for output, predictor in enumerate(iteration)
    ]
    baseline = fitted._baseline_prediction

    def many(rows: Any) -> Any:
        import numpy

        raw = numpy.zeros((len(rows), fitted.n_trees_per_iteration_), order="F")
        raw += baseline
        fitted._predict_iterations(rows, fitted._predictors, raw, False, 1)
        return raw

    start = tuple(float(value) for value in baseline.ravel())
    return Ensemble(trees, start, 1.0, False, many)


def _histogram_tree(nodes: Any) -> Any:
    if nodes["is_categorical"].any():
        raise Unsupported("HistGradientBoosting with categorical features")
    columns = [nodes[name].tolist() for name in (
        "is_leaf", "value", "feature_idx", "num_threshold", "missing_go_to_left", "left", "right"
    )]  # fmt: skip
    leaf, value, feature, threshold, missing, left, right = columns

    def read(place: int) -> Any:
        if leaf[place]:
            return value[place]
        below = (read(left[place]), read(right[place]))
        return Split(feature[place], threshold[place], bool(missing[place]), *below)

    return read(0)


def forest(fitted: Any) -> Ensemble:
    """A decision tree, or the mean of several: shares of classes, or values."""
    members = getattr(fitted, "estimators_", [fitted])
    if getattr(fitted, "n_outputs_", 1) != 1 or len(members[0].tree_.value.shape) != 3:
        raise Unsupported("trees with several outputs")
    classes = len(fitted.classes_) if hasattr(fitted, "classes_") else 0
    trees = [_tree(each.tree_, classes) for each in members]
    outputs = max(classes, 1)
    count = float(len(members))

    def many(rows: Any) -> Any:
        import numpy

        narrow = numpy.ascontiguousarray(rows, dtype=numpy.float32)
        total = numpy.zeros((len(rows), outputs))
        for each in members:
            total += each.tree_.predict(narrow)[:, :outputs]
        total /= count
        return total

    return Ensemble(
        [(-1 if classes else 0, tree) for tree in trees], (0.0,) * outputs, count, True, many
    )


def gradient_boosting(fitted: Any) -> Ensemble:
    """GradientBoosting: raw sums, before the link."""
    import numpy

    if hasattr(fitted, "classes_") and fitted.loss != "log_loss":
        raise Unsupported(f"GradientBoosting with the loss {fitted.loss}")
    if fitted.init_ != "zero" and type(fitted.init_).__name__ not in (
        "DummyClassifier", "DummyRegressor",
    ):  # fmt: skip
        raise Unsupported("GradientBoosting that starts from another model")
    stages = fitted.estimators_
    rate = float(fitted.learning_rate)
    row = numpy.zeros((1, fitted.n_features_in_), dtype=numpy.float32)
    start = fitted._raw_predict_init(row)
    trees = [
        (output, _tree(each.tree_, 0, rate))
        for stage in stages
        for output, each in enumerate(stage)
    ]

    def many(rows: Any) -> Any:
        narrow = numpy.ascontiguousarray(rows, dtype=numpy.float32)
        total = numpy.repeat(start, len(rows), axis=0)
        for stage in stages:
            for output, each in enumerate(stage):
                total[:, output] += rate * each.tree_.predict(narrow)[:, 0]
        return total

    return Ensemble(trees, tuple(float(v) for v in start.ravel()), 1.0, True, many)


def _tree(tree: Any, classes: int, rate: float = 1.0) -> Any:
    """One tree; its thresholds are those for values that were not rounded to 32 bits."""
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    feature, values = tree.feature.tolist(), tree.value.tolist()
    thresholds = unrounded(tree.threshold)

    def leaf(place: int) -> Leaf:
        if classes:
            return tuple(values[place][0][:classes])
        return float(rate * values[place][0][0])

    def read(place: int) -> Any:
        if left[place] < 0:
            return leaf(place)
        below = (read(left[place]), read(right[place]))
        return Split(feature[place], thresholds[place], False, *below)

    return read(0)


def unrounded(thresholds: Any) -> Sequence[float]:
    """The greatest doubles that, rounded to 32 bits, are not above each threshold.

    Trees of scikit-learn compare values rounded to 32 bits; with these thresholds values need not
    be rounded.
    """
    import numpy

    wide = numpy.asarray(thresholds, dtype=numpy.float64)
    below = wide.astype(numpy.float32)
    below = numpy.where(
        below.astype(numpy.float64) > wide, numpy.nextafter(below, numpy.float32(-numpy.inf)), below
    ).astype(numpy.float32)
    above = numpy.nextafter(below, numpy.float32(numpy.inf))
    middle = (below.astype(numpy.float64) + above.astype(numpy.float64)) / 2
    # A number in the very middle is rounded to the one whose last bit is 0.
    even = below.view(numpy.uint32) % 2 == 0
    found = numpy.where(even, middle, numpy.nextafter(middle, -numpy.inf))
    return found.tolist()  # type: ignore[no-any-return]
