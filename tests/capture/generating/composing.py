"""Composes programs of idioms, with functions, a ``main()`` and several ways to end."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.capture.generating import numbers, rows, words
from tests.capture.generating.building import (
    NUMERIC,
    WORD,
    Build,
    Fails,
    NotHere,
    Rejected,
    Row,
    Table,
    null,
)
from tests.capture.generating.tables import make_columns, make_rows, new_rows

IDIOMS: list[tuple[Callable[[Build], None], int]] = [
    *numbers.IDIOMS, *words.IDIOMS, *rows.IDIOMS,
]  # fmt: skip
REJECTED, FAILS = "rejected", "fails"


@dataclass(frozen=True)
class Generated:
    """A program with its table, and what a careful person would expect of it.

    ``own`` are the answers to the program's own rows; ``expected`` one entry for each of ``asked``:
    a list of cells, REJECTED or FAILS. ``target`` has to be told where no model is fitted.
    ``must_refuse``: no flow can obey the law.
    """

    source: str
    table_name: str
    target: str | None
    creation: list[Row]
    asked: list[Row]
    own: list[list[Any]]
    expected: list[Any]
    must_refuse: bool
    idioms: tuple[str, ...]


def generate(rng: random.Random, most: int = 9) -> Generated:
    """A program, its table and its oracle's answers, all from one source of chance."""
    columns = make_columns(rng)
    creation = make_rows(rng, columns, rng.choice([48, 60, 75]))
    asked = new_rows(rng, columns, 8)
    g = Build(rng, Table(creation, dict(columns)))
    g.frame = rng.choice(["df", "data", "df", "table"])
    in_function, wanted = 0, rng.randint(2, most)
    outer = g.frame
    for _ in range(wanted * 3):
        if len(g.used) >= wanted:
            break
        if not in_function and g.whole and rng.random() < 0.12:
            in_function = rng.randint(1, 3)
            begin = len(g.lines)
            g.frame, g.indent, own = rng.choice(["frame", "t", outer]), "    ", g.fresh("prepare")
        found = _idiom(g)
        if found and in_function:
            in_function -= 1
            if not in_function:
                _close_function(g, begin, own, outer)
    if in_function:
        _close_function(g, begin, own, outer)
    answer = _ending(g)
    source = _text(g)
    own_answers = [answer(row) for row in g.table.answered]
    expected = [_expected(g.table, row, answer) for row in asked]
    return Generated(
        source,
        outer,
        None if ".predict" in source else "y",
        creation,
        asked,
        own_answers,
        expected,
        g.breaks,
        tuple(g.used),
    )


def _idiom(g: Build) -> bool:
    """One more idiom, if the one that chance chose fits the table as it is."""
    functions, weights = zip(*IDIOMS, strict=True)
    idiom = g.rng.choices(functions, weights)[0]
    table = copy.deepcopy(g.table)
    before = (list(g.lines), set(g.imports), list(g.top), list(g.must), g.breaks, g.train)
    try:
        idiom(g)
    except (NotHere, ZeroDivisionError, ValueError, IndexError):
        g.table = table
        g.lines, g.imports, g.top, g.must, g.breaks, g.train = before
        return False
    g.used.append(idiom.__name__)
    return True


def _close_function(g: Build, begin: int, own: str, outer: str) -> None:
    """What was said since is a function's body."""
    body = g.lines[begin:]
    del g.lines[begin:]
    inner, g.frame, g.indent = g.frame, outer, ""
    if body:
        g.top.append("\n".join([f"def {own}({inner}):", *body, f"    return {inner}"]))
        g.say(f"$F = {own}($F)")


# ---- endings


def _ending(g: Build) -> Callable[[Row], Any]:
    """The lines that give the answers, and what they are by hand for a row that was prepared."""
    ways = [_table, _table, _sum, _words, _model, _model, _model, _matrix]
    if g.must:
        ways = [_table]
    for way in [*g.rng.sample(ways, len(ways)), _table]:
        state = copy.deepcopy(g.table)
        before = (list(g.lines), set(g.imports))
        try:
            return way(g)
        except NotHere:
            g.table = state
            g.lines, g.imports = before
    raise AssertionError("a table can always be the answer")


def _table(g: Build) -> Callable[[Row], Any]:
    kinds = (*NUMERIC, WORD)
    names = [n for n, c in g.table.columns.items() if c.kind in kinds]
    if not g.must:
        names = g.some(1, 9, *kinds)
    g.say(f"answers = $F[{names!r}]")
    return lambda row: [row[name] for name in names]


def _sum(g: Build) -> Callable[[Row], Any]:
    names = g.some(2, 4, *NUMERIC)
    parts = " + ".join(f'$F["{name}"] * {i + 2}' for i, name in enumerate(names))
    g.say(f"answers = {parts}")
    return lambda row: [
        sum((math.nan if null(row[n]) else float(row[n])) * (i + 2) for i, n in enumerate(names))
    ]


def _words(g: Build) -> Callable[[Row], Any]:
    name = g.pick(WORD, nullable=False)
    g.say(f'answers = $F["{name}"].tolist()')
    return lambda row: [row[name]]


def _model(g: Build) -> Callable[[Row], Any]:
    names = g.some(2, 6, *NUMERIC, nullable=False)
    if "y" not in g.table.columns:
        raise NotHere
    data = np.array([[float(row[name]) for name in names] for row in g.table.learn])
    target = np.array([row["y"] for row in g.table.learn])
    binary = set(target.tolist()) == {0, 1}
    head, of = g.rng.choice(_CLASSIFIERS if binary else _REGRESSORS)
    module, _, name = head.partition(":")
    kind = name.partition("(")[0]
    g.need(f"from {module} import {kind}")
    model, predict = of(data, target)
    call = predict
    if g.rng.random() < 0.4 and g.whole:
        g.say(f'X, y = $F[{names!r}], $F["y"]\nmodel = {name}.fit(X, y)\nanswers = model.{call}')
        g.lines[-1] = g.lines[-1].replace("X_test", "X")
    else:
        g.say(f'X, y = $L[{names!r}], $L["y"]\nmodel = {name}\nmodel.fit(X, y)')
        g.say(f"X_test = $F[{names!r}]\nanswers = model.{call}")

    def answer(row: Row) -> list[Any]:
        line = np.array([[float(row[name]) for name in names]])
        if "proba" in predict:
            return [float(model.predict_proba(line)[0, 1])]
        return [model.predict(line)[0].item()]

    return answer


def _linear(data: np.ndarray, target: np.ndarray) -> tuple[Any, str]:
    from sklearn.linear_model import Ridge

    return Ridge().fit(data, target), "predict(X_test)"


def _tree(data: np.ndarray, target: np.ndarray) -> tuple[Any, str]:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(max_depth=2, random_state=0).fit(data, target), "predict(X_test)"


def _bayes(data: np.ndarray, target: np.ndarray) -> tuple[Any, str]:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB(var_smoothing=1e-3).fit(data, target), "predict_proba(X_test)[:, 1]"


def _tree_classes(data: np.ndarray, target: np.ndarray) -> tuple[Any, str]:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=2, random_state=0).fit(data, target), "predict(X_test)"


_REGRESSORS = [
    ("sklearn.linear_model:Ridge()", _linear),
    ("sklearn.tree:DecisionTreeRegressor(max_depth=2, random_state=0)", _tree),
]
_CLASSIFIERS = [
    ("sklearn.naive_bayes:GaussianNB(var_smoothing=1e-3)", _bayes),
    ("sklearn.tree:DecisionTreeClassifier(max_depth=2, random_state=0)", _tree_classes),
]


def _matrix(g: Build) -> Callable[[Row], Any]:
    """A model of NumPy alone, on a matrix that is made standard first."""
    names = g.some(2, 4, *NUMERIC, nullable=False)
    if "y" not in g.table.columns:
        raise NotHere
    data = np.array([[float(row[name]) for name in names] for row in g.table.learn])
    mean, deviation = data.mean(axis=0), data.std(axis=0)
    target = np.array([float(row["y"]) for row in g.table.learn])
    if (deviation < 1e-6).any():
        raise NotHere
    design = np.column_stack([np.ones(len(data)), (data - mean) / deviation])
    penalty = np.eye(design.shape[1])
    weights = np.linalg.solve(design.T @ design + penalty, design.T @ target)
    g.say(f'X, y = $L[{names!r}].to_numpy(dtype=float), $L["y"].to_numpy(dtype=float)')
    g.say("m, s = X.mean(axis=0), X.std(axis=0)\nX = (X - m) / s")
    g.say("X = np.column_stack([np.ones(len(X)), X])")
    g.say("w = np.linalg.solve(X.T @ X + np.eye(X.shape[1]), X.T @ y)")
    if g.whole:
        g.say("answers = X @ w")
    else:
        g.say(f"Z = ($F[{names!r}].to_numpy(dtype=float) - m) / s")
        g.say("Z = np.column_stack([np.ones(len(Z)), Z])\nanswers = Z @ w")

    def answer(row: Row) -> list[Any]:
        line = (np.array([float(row[name]) for name in names]) - mean) / deviation
        return [float(weights[0] + line @ weights[1:])]

    return answer


# ---- the text, and what is expected


def _text(g: Build) -> str:
    lines = ["from pathlib import Path", "", *sorted(g.imports), ""]
    for block in g.top:
        lines += ["", *block.split("\n"), ""]
    body = [f'{g.frame} = pd.read_csv(Path(__file__).with_name("table.csv"))', *g.lines]
    if g.rng.random() < 0.12:
        lines += ["", "def main():", *("    " + line if line else "" for line in body)]
        lines += ["    return answers", "", "", 'if __name__ == "__main__":', "    main()"]
    else:
        lines += ["", *body]
    return "\n".join(lines) + "\n"


def _expected(table: Table, row: Row, answer: Callable[[Row], Any]) -> Any:
    try:
        return table.answer(row, answer)
    except Rejected:
        return REJECTED
    except Fails:
        return FAILS
