"""Frozen forms: operations that learn and apply at once, and operations on whole sets of rows.

A form is the operation that applies what was learned on the rows of creation: the same rows, with
what was learned among its operands. It counts only where the law then holds.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from . import frozen as apply_frozen
from . import halves, kinds
from .lanes import Lane, duplicate
from .rows import same, take
from .trace import Const, Op, Pack, Ref, fill, first_node

REFITS = {"fit_transform": "transform", "fit_predict": "predict"}


class Form(NamedTuple):
    """How an operation is applied once it has learned."""

    op: Op
    """The operation in its applied form; what was learned is among its operands."""
    note: str


def is_shape(value: Any) -> bool:
    """Whether a value is the shape of an array or table."""
    return isinstance(value, tuple) and 1 <= len(value) <= 4 and all(type(n) is int for n in value)


def refits(op: Op) -> bool:
    """Whether running the operation again would learn again."""
    return op.kind == "method" and op.name in REFITS and isinstance(op.args[0], Const)


def is_condition(analysis: Any, op: Op) -> bool:
    """Whether an operation can drop rows, even if it dropped none in creation."""
    if op.kind == "method" and op.name in ("dropna", "query"):
        axis = op.kwargs.get("axis", op.args[1] if op.name == "dropna" and op.args[1:] else None)
        owner = _plain(analysis, op.args[0])
        return kinds.rows_of(owner) is not None and getattr(axis, "value", 0) in (0, "index", None)
    if op.kind != "item" or not isinstance(op.args[1], (Ref, Pack)):
        return False
    key = op.args[1]
    if isinstance(key, Pack):
        key = key.items[0] if key.kind == "tuple" and key.items else key
    if not isinstance(key, Ref) or analysis.roles.get(key.node) != "row":
        return False
    mask = analysis.value(analysis.full, key.node)
    return getattr(getattr(mask, "dtype", None), "kind", "") == "b" and mask.ndim == 1


def positional(op: Op) -> bool:
    """Whether an operation selects rows by where they stand: ``x[:800]``, ``df.head(5)``."""
    if op.kind == "method":
        return op.name in ("head", "tail")
    if op.kind != "item":
        return False
    key = op.args[1]
    if isinstance(key, Const):
        first = key.value[0] if isinstance(key.value, tuple) and key.value else key.value
        return isinstance(first, slice) and first not in (slice(None), slice(None, None, 1))
    if isinstance(key, Pack) and key.kind == "tuple" and key.items:
        key = key.items[0]
        if isinstance(key, Const):
            return isinstance(key.value, slice) and key.value != slice(None)
    return isinstance(key, Pack) and key.kind == "slice"


def frozen(analysis: Any, op: Op) -> Any:
    """The first frozen form of an operation that obeys the law, as a Rule; None: there is none."""
    for make in FORMS:
        form = make(analysis, op)
        if form is None:
            continue
        rule = _tried(analysis, op, form)
        if rule is not None:
            return rule
    return None


def fills_from_neighbours(op: Op) -> bool:
    """Whether an operation takes what a row lacks from those beside it, if any lacks something."""
    return op.kind == "method" and op.name in ("ffill", "bfill", "pad", "backfill", "interpolate")


def foreseen(analysis: Any, op: Op) -> Any:
    """What an operation learns is frozen even where creation's rows don't show it, as a Rule.

    ``groupby(k).x.transform(lambda s: s.fillna(s.mean()))`` changes nothing where no row is null;
    a split text has as many parts alone where each has the same number.
    """
    form = _group_transform(analysis, op) or _parts(analysis, op) or _codes(analysis, op)
    if form is None or (form.op.name == "frozen.transform" and not _asks(form.op.args[-1].value)):
        return None
    return _tried(analysis, op, form)


def taught(analysis: Any, op: Op) -> Any:
    """An operation of a test side with what the training side learned, as a Rule."""
    lesson = analysis.taught.get(op.index)
    if lesson is None or lesson.applied is None:
        return None
    note = "as the training side learned it at line %d" % analysis.line(lesson.op)
    return _tried(analysis, op, Form(lesson.applied, note))


def numbered(analysis: Any, op: Op) -> Any:
    """``pd.DataFrame(X, index=range(240))`` of 240 rows of an array: labels that say the place."""
    if op.kind != "call" or _callee(op) not in ("DataFrame", "Series") or "index" not in op.kwargs:
        return None
    index = op.kwargs["index"]
    rows = _plain(analysis, op.args[1] if len(op.args) > 1 else op.kwargs.get("data"))
    if _is_row(analysis, index) or not kinds.is_array(rows):
        return None
    if list(_plain(analysis, index)) != list(range(len(rows))):
        return None
    kwargs = {key: value for key, value in op.kwargs.items() if key != "index"}
    return _tried(analysis, op, Form(op.having(op.args, op.result, kwargs), "rows numbered from 0"))


def _asks(learned: Dict[Any, Dict[Any, Any]]) -> bool:
    return any(answers for groups in learned.values() for answers in groups.values())


def _tried(analysis: Any, op: Op, form: Form) -> Any:
    from .analysis import Rule

    try:
        result = analysis.evaluate(form.op, analysis.full)
    except Exception:
        return None
    analysis.full.values[op.result] = result
    found = analysis.judge(form.op, result, lambda lane: analysis.evaluate(form.op, lane))
    if found is None:
        return None
    return Rule(op, "form", found, form, analysis.frozen_operands(form.op), note=form.note)


def _with(op: Op, kind: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Op:
    return Op(op.index, kind, op.site, op.context, name, args, kwargs, op.result, None, name)


def _plain(analysis: Any, operand: Any) -> Any:
    """The concrete value of an operand on all rows; None for what is missing."""
    return None if operand is None else fill(operand, lambda n: analysis.value(analysis.full, n))


def _callee(op: Op) -> str:
    return op.name.rpartition(".")[2]


# ---- forms


def _refit(analysis: Any, op: Op) -> Optional[Form]:
    """``encoder.fit_transform(x)`` → ``encoder.transform(x)``, as it was fitted there."""
    if not refits(op):
        return None
    args = tuple(op.args[:2]) if op.args[1:] else (op.args[0],)
    kwargs = {key: value for key, value in op.kwargs.items() if key == "X"}
    note = "%s as it was fitted here" % type(op.args[0].value).__name__
    return Form(_with(op, "method", REFITS[op.name], args, kwargs), note)


def _levels(series: Any) -> List[Any]:
    pandas = sys.modules["pandas"]
    return list(pandas.Categorical(series).categories)


def _called(values: Any, what: str) -> str:
    """A name for what was learned of a column: ``fare_edges``."""
    title = getattr(values, "name", None)
    return "%s_%s" % (title, what) if isinstance(title, str) else what


def _dummies(analysis: Any, op: Op) -> Optional[Form]:
    if op.kind != "call" or _callee(op) != "get_dummies" or len(op.args) < 2:
        return None
    rows = _plain(analysis, op.args[1])
    how = {key: _plain(analysis, value) for key, value in op.kwargs.items()}
    for key, value in zip(("prefix", "prefix_sep", "dummy_na", "columns"), op.args[2:]):
        how[key] = _plain(analysis, value)
    if kinds.is_frame(rows):
        chosen = how.get("columns")
        if chosen is None:
            chosen = [n for n in rows.columns if rows[n].dtype.kind == "O" or _texty(rows[n])]
        levels = {name: _levels(rows[name]) for name in chosen}
        how["columns"] = list(chosen)
    elif kinds.is_series(rows):
        levels = {rows.name if rows.name is not None else "values": _levels(rows)}
    else:
        return None
    made = analysis.evaluate(op, analysis.full)
    names = list(made.columns)
    levels, names = _of_training(analysis, op, levels, names)
    args = (
        Const(apply_frozen.get_dummies), op.args[1],
        Const(levels, "dummy_levels", analysis.line(op)),
        Const(names, "dummy_columns", analysis.line(op)),
    )  # fmt: skip
    kwargs: Dict[str, Any] = {key: Const(value) for key, value in how.items()}
    count = sum(len(known) for known in levels.values())
    note = "%d levels and the order of %d columns" % (count, len(names))
    return Form(_with(op, "call", "frozen.get_dummies", args, kwargs), note)


def _of_training(analysis: Any, op: Op, levels: Any, names: List[Any]) -> Tuple[Any, List[Any]]:
    """The levels and columns of the training side, where other rows got their dummies before."""
    ids = analysis.full.ids.get(getattr(op.args[1], "node", None))
    for rule in analysis.rules:
        if rule.rule != "form" or rule.form.op.name != "frozen.get_dummies":
            continue
        _, rows, known, columns = rule.form.op.args
        others = analysis.full.ids.get(rows.node)
        if list(known.value) != list(levels) or ids is None or others is None:
            continue
        if not len(np.intersect1d(ids, others)):
            analysis.warnings.append(
                "line %d: the levels of the training side (line %d) are used"
                % (analysis.line(op), analysis.line(rule.op))
            )
            own = set(names).intersection(getattr(_plain(analysis, op.args[1]), "columns", ()))
            rest = [name for name in names if name in own and name not in columns.value]
            return known.value, [*rest, *columns.value]
    return levels, names


def _texty(series: Any) -> bool:
    name = str(series.dtype)
    return name in ("category", "str", "string", "object")


def _category(analysis: Any, op: Op) -> Optional[Form]:
    if op.kind != "method" or op.name != "astype" or not isinstance(op.args[0], Ref):
        return None
    asked = _plain(analysis, op.args[1] if len(op.args) > 1 else op.kwargs.get("dtype"))
    rows = _plain(analysis, op.args[0])
    if asked == "category" and kinds.is_series(rows):
        levels = {rows.name if rows.name is not None else "values": _levels(rows)}
    elif asked == "category" and kinds.is_frame(rows):
        levels = {name: _levels(rows[name]) for name in rows.columns}
    elif isinstance(asked, dict) and all(value == "category" for value in asked.values()):
        levels = {name: _levels(rows[name]) for name in asked}
    else:
        return None
    args = (
        Const(apply_frozen.as_category), op.args[0],
        Const(levels, _called(rows, "levels"), analysis.line(op)),
    )  # fmt: skip
    note = "%d levels" % sum(map(len, levels.values()))
    return Form(_with(op, "call", "frozen.as_category", args, {}), note)


def _categorical(analysis: Any, op: Op) -> Optional[Form]:
    """``pd.Categorical(x)`` and ``pd.factorize(x)``."""
    name = _callee(op)
    if op.kind == "call" and name in ("Categorical", "factorize") and len(op.args) > 1:
        operand = op.args[1]
    elif op.kind == "method" and name == "factorize":
        operand = op.args[0]
    else:
        return None
    values = _plain(analysis, operand)
    if name == "Categorical":
        if len(op.args) > 2 or set(op.kwargs) - {"ordered"}:
            return None
        learned = Const(_levels(values), _called(values, "levels"), analysis.line(op))
        args = (Const(apply_frozen.categorical), operand, learned)
        applied = _with(op, "call", "frozen.categorical", args, dict(op.kwargs))
        return Form(applied, "%d levels" % len(learned.value))
    _, uniques = analysis.evaluate(op, analysis.full)
    learned = Const(uniques, _called(values, "levels"), analysis.line(op))
    args = (Const(apply_frozen.factorize), operand, learned)
    return Form(_with(op, "call", "frozen.factorize", args, {}), "%d levels" % len(uniques))


def _cut(analysis: Any, op: Op) -> Optional[Form]:
    """``pd.cut(x, 4)`` and ``pd.qcut(x, 4)`` with the edges of creation."""
    if op.kind != "call" or _callee(op) not in ("cut", "qcut") or len(op.args) < 2:
        return None
    pandas = sys.modules["pandas"]
    values = _plain(analysis, op.args[1])
    how = {key: _plain(analysis, value) for key, value in op.kwargs.items()}
    positional = ("bins", "right", "labels") if _callee(op) == "cut" else ("q", "labels")
    for key, operand in zip(positional, op.args[2:]):
        how[key] = _plain(analysis, operand)
    function = getattr(pandas, _callee(op))
    _, edges = function(values, **{**how, "retbins": True})
    if _callee(op) == "cut" and np.ndim(how["bins"]):
        return None
    kept = {
        key: value
        for key, value in how.items()
        if key in ("labels", "right", "precision", "ordered", "retbins")
    }
    if _callee(op) == "qcut" or how.get("include_lowest"):
        kept["include_lowest"] = True
    cut = op.args[0] if _callee(op) == "cut" else Const(pandas.cut)
    args = (cut, op.args[1], Const(np.asarray(edges), _called(values, "edges"), analysis.line(op)))
    spelled = op.name.rpartition(".")[0]
    name = spelled + ".cut" if spelled else "pd.cut"
    kwargs: Dict[str, Any] = {key: Const(value) for key, value in kept.items()}
    return Form(_with(op, "call", name, args, kwargs), "%d edges" % len(edges))


def _group_transform(analysis: Any, op: Op) -> Optional[Form]:
    """``df.groupby(k).x.transform("mean")`` → each row's entry in the table by group.

    ``apply`` of a function that gives each row of a group a value means the same.
    """
    if op.kind != "method" or op.name not in ("transform", "apply"):
        return None
    if not isinstance(op.args[0], Ref):
        return None
    grouped = _plain(analysis, op.args[0])
    if type(grouped).__name__ not in ("SeriesGroupBy", "DataFrameGroupBy"):
        return None
    how = _plain(analysis, op.args[1] if len(op.args) > 1 else op.kwargs.get("func"))
    if len(op.args) > 2 or set(op.kwargs) - {"func"}:
        return None
    return _group_table(analysis, op, grouped, how) or _in_groups(analysis, op, grouped, how)


def _group_table(analysis: Any, op: Op, grouped: Any, how: Any) -> Optional[Form]:
    """One value per group, looked up by keys that are columns."""
    chain = _group_chain(analysis, op.args[0].node)
    if chain is None or chain[2] is None:
        return None
    table_node, keys, column = chain
    try:
        table = grouped.agg(how)
        made = apply_frozen.by_group(_plain(analysis, Ref(table_node)), keys, table)
        if not same(analysis.evaluate(op, analysis.full), made):
            return None
    except Exception:
        return None
    if analysis._row_sized(table):
        return None
    title = column if isinstance(column, str) else "values"
    args = (
        Const(apply_frozen.by_group), Ref(table_node), Const(keys),
        Const(table, "%s_by_%s" % (title, "_".join(map(str, keys))), analysis.line(op)),
    )  # fmt: skip
    note = "%s of %d groups" % (how if isinstance(how, str) else "value", len(table))
    return Form(_with(op, "call", "frozen.by_group", args, {}), note)


def _constant(analysis: Any, op: Op) -> Optional[Form]:
    """``sm.add_constant(x)`` looks whether some column is constant, which any single row is."""
    if op.kind != "call" or _callee(op) != "add_constant" or len(op.args) < 2:
        return None
    if "has_constant" in op.kwargs or len(op.args) > 3:
        return None
    rows, made = _plain(analysis, op.args[1]), analysis.full.values.get(op.result)
    if made is None or np.ndim(rows) != np.ndim(made) or made.shape[1] == rows.shape[1]:
        return None
    kwargs = {**op.kwargs, "has_constant": Const("add")}
    return Form(_with(op, "call", op.name, op.args, kwargs), "a constant is added")


def _in_groups(analysis: Any, op: Op, grouped: Any, how: Any) -> Optional[Form]:
    """A function of each group: what it asks of the group is frozen, the rest applied."""
    try:
        made = analysis.evaluate(op, analysis.full)
        names = list(made.columns) if kinds.is_frame(made) else [None]
        learned = apply_frozen.learn_groups(grouped, how, names)
        if not same(made, apply_frozen.transform(grouped, how, learned)):
            return None
    except Exception:
        return None
    if analysis._row_sized(next(iter(learned.values()), {})):
        return None
    function = op.args[1] if len(op.args) > 1 else op.kwargs["func"]
    args = (
        Const(apply_frozen.transform), op.args[0], function,
        Const(learned, "groups", analysis.line(op)),
    )  # fmt: skip
    note = "what it asks of %d groups" % grouped.ngroups
    return Form(_with(op, "call", "frozen.transform", args, {}), note)


def _group_chain(analysis: Any, node: int) -> Optional[Tuple[int, List[Any], Any]]:
    """(table, keys, column) behind a group object that was made by ``table.groupby(keys)``."""
    column = None
    op = analysis.producer.get(node)
    if op is not None and op.kind == "attr":
        column, op = op.name, analysis.producer.get(op.args[0].node)
    elif op is not None and op.kind == "item" and isinstance(op.args[0], Ref):
        column, op = _plain(analysis, op.args[1]), analysis.producer.get(op.args[0].node)
    if op is None or op.kind != "method" or op.name != "groupby" or not isinstance(op.args[0], Ref):
        return None
    by = _plain(analysis, op.args[1] if len(op.args) > 1 else op.kwargs.get("by"))
    keys = [by] if isinstance(by, str) else by
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        return None
    return op.args[0].node, keys, column


def _parts(analysis: Any, op: Op) -> Optional[Form]:
    """``df["cabin"].str.split("/", expand=True)``: as many columns as the widest row needed."""
    if op.kind != "method" or op.name not in ("split", "rsplit"):
        return None
    shown = analysis.producer.get(first_node(op))
    if shown is None or _plain(analysis, op.kwargs.get("expand")) is not True:
        return None
    width = analysis.evaluate(op, analysis.full).shape[1]
    args = (Const(apply_frozen.split_parts), shown.args[0], Const(width), *op.args[1:])
    kwargs = {key: value for key, value in op.kwargs.items() if key != "expand"}
    kwargs["line"] = Const(int(analysis.line(op)))
    if op.name == "rsplit":
        kwargs["right"] = Const(True)
    form = _with(op, "call", "frozen.split_parts", args, kwargs)
    return Form(form, "%d parts of each text" % width)


def _codes(analysis: Any, op: Op) -> Optional[Form]:
    """``df[names].apply(LabelEncoder().fit_transform)``: an encoder for each column."""
    if op.kind != "method" or op.name != "apply" or len(op.args) != 2 or op.kwargs:
        return None
    function = op.args[1].value if isinstance(op.args[1], Const) else None
    encoder: Any = getattr(function, "__self__", None)
    rows = _plain(analysis, op.args[0])
    if type(encoder).__name__ != "LabelEncoder" or not kinds.is_frame(rows):
        return None
    encoders = {name: type(encoder)().fit(rows[name]) for name in rows.columns}
    line = analysis.line(op)
    args = (Const(apply_frozen.encoded_columns), op.args[0], Const(encoders, "encoders", line))
    form = _with(op, "call", "frozen.encoded_columns", args, {"line": Const(int(line))})
    return Form(form, "the words of %d columns" % len(encoders))


FORMS: List[Callable[[Any, Op], Optional[Form]]] = [
    _refit, _dummies, _category, _categorical, _cut, _group_transform, _constant,
]  # fmt: skip


# ---- operations on whole sets of rows


def special(analysis: Any, op: Op) -> Any:
    """Splits, joins and stackings of tables, as a Rule; None for anything else."""
    name = _callee(op)
    if op.kind == "call" and name in ("train_test_split", "shuffle", "resample"):
        return _split(analysis, op)
    if name == "merge" and op.kind in ("call", "method"):
        return _merge(analysis, op)
    if op.kind == "call" and name in ("concat", "concatenate", "vstack"):
        return _stack(analysis, op)
    return None


def _split(analysis: Any, op: Op) -> Any:
    """A split by chance: which rows went where is told by a passenger; requests go both ways."""
    from .analysis import Rule

    arrays = op.args[1:]
    row_nodes = [a.node if _is_row(analysis, a) else None for a in arrays]
    first = next((node for node in row_nodes if node is not None), None)
    if first is None:
        return None
    ids = analysis.full.ids[first]
    passenger = Op(
        op.index, op.kind, op.site, op.context, op.name,
        (*op.args, Const(np.arange(len(ids)))), op.kwargs, op.result, op.random,
    )  # fmt: skip
    try:
        result = list(analysis.evaluate(passenger, analysis.full))
    except Exception:
        return None
    several = len(result) // (len(arrays) + 1)
    places = result[-several:]
    values = result[:-several]
    single = several == 1 and len(values) == 1
    analysis.full.values[op.result] = values[0] if single else values
    part_ids: Dict[Any, Any] = {}
    for number in range(len(values)):
        node = row_nodes[number // several]
        if node is not None:
            part_ids[number] = analysis.full.ids[node][places[number % several]]
        else:
            part_ids[number] = None
    analysis.full.ids[op.result] = part_ids[0] if single else part_ids
    for lane in analysis.alive():
        parts, held = [], {}
        for number in range(len(values)):
            node = row_nodes[number // several]
            if node is not None:
                parts.append(duplicate(lane.values[node]))
                held[number] = lane.ids[node]
            else:
                parts.append(values[number])
                held[number] = None
        lane.values[op.result] = parts[0] if single else parts
        lane.ids[op.result] = held[0] if single else held
    parts_given = tuple(range(len(values)))
    return Rule(op, "bypass", form=parts_given, operand=first, note="split")


def _is_row(analysis: Any, operand: Any) -> bool:
    return isinstance(operand, Ref) and analysis.roles.get(operand.node) == "row"


def _merge(analysis: Any, op: Op) -> Any:
    """A join with a table that is not per row; rows are told apart by a passenger column."""
    from .analysis import Rule

    tables = list(op.args[1:3]) if op.kind == "call" else list(op.args[:2])
    if len(tables) < 2:
        return None
    sides = [
        side for side, operand in enumerate(tables)
        if isinstance(operand, Ref) and analysis.roles.get(operand.node) == "row"
    ]  # fmt: skip
    if len(sides) != 1:
        return None
    place = sides[0] + (1 if op.kind == "call" else 0)
    node = tables[sides[0]].node

    def join(lane: Lane) -> Any:
        mark = -len(analysis.recording.ops) - op.index - 7
        marked = analysis.value(lane, node).assign(__rw_row=lane.ids[node])
        args = (*op.args[:place], Ref(mark), *op.args[place + 1 :])
        shadow = Op(op.index, op.kind, op.site, op.context, op.name, args, op.kwargs, op.result)
        from .lanes import execute

        made = execute(shadow, lambda n: marked if n == mark else analysis.value(lane, n))
        ids = made["__rw_row"].to_numpy()
        return made.drop(columns="__rw_row"), ids

    made, ids = join(analysis.full)
    if np.isnan(ids.astype(float)).any() or len(set(ids.tolist())) != len(ids):
        from .refusal import Refusal

        raise Refusal(
            "this join gives several rows (or rows of its own) for one input row",
            "give the other table one row per key (drop_duplicates, groupby), join how='left'",
            analysis.line(op), "law-broken",
        )  # fmt: skip
    ids = ids.astype(np.int64)
    known = analysis.places(ids)
    analysis.full.values[op.result], analysis.full.ids[op.result] = made, ids
    outcome = []
    for lane in analysis.alive():
        got, found = join(lane)
        expected = lane.ids[node][known[lane.ids[node]] >= 0]
        if sorted(expected.tolist()) != sorted(found.tolist()):
            return None
        if not same(take(made, known[found]), got):
            return None
        outcome.append((lane, got, found))
    for lane, got, found in outcome:
        lane.values[op.result], lane.ids[op.result] = got, found
    how = _plain(analysis, op.kwargs.get("how"))
    rejects = len(ids) < len(analysis.full.ids[node]) or how in (None, "inner")
    return Rule(op, "apply", rejects, frozen=analysis.frozen_operands(op), operand=node)


def _stack(analysis: Any, op: Op) -> Any:
    """Tables put below one another: request rows go on, the other tables' rows stay behind."""
    from .analysis import Rule

    pack = op.args[1] if len(op.args) > 1 else op.kwargs.get("objs")
    axis = _plain(analysis, op.kwargs.get("axis", op.args[2] if len(op.args) > 2 else None))
    if not isinstance(pack, Pack) or axis in (1, "columns", -1):
        return None
    nodes = [item.node if isinstance(item, Ref) else None for item in pack.items]
    rows = [node for node in nodes if node is not None and analysis.roles.get(node) == "row"]
    if not rows:
        return None
    rejoined = halves.together(analysis, op, pack) if len(rows) == len(nodes) > 1 else None
    if rejoined is not None:
        return rejoined
    made = analysis.evaluate(op, analysis.full)
    ids: List[Any] = []
    for item, node in zip(pack.items, nodes):
        if node in rows:
            ids.append(analysis.full.ids[node])
        else:
            count = kinds.rows_of(_plain(analysis, item)) or 0
            ids.append(np.full(count, -1))
    joined = np.concatenate(ids)
    own = joined[joined >= 0]
    if len(own) != len(set(own.tolist())):
        return None
    analysis.full.values[op.result], analysis.full.ids[op.result] = made, joined
    chosen = rows[0]
    if len(rows) > 1:
        parts = [analysis.full.ids[node] for node in rows]
        analysis.stacked.append(parts)
        if analysis.side is not None:
            within = [node for node, ids in zip(rows, parts) if np.isin(analysis.side, ids).all()]
            chosen = within[0] if within else chosen
    part = analysis.full.values[chosen]
    if kinds.is_frame(made) and kinds.is_frame(part):
        if chosen != rows[0] or not made.columns.isin(part.columns).all():
            return _of_part(analysis, op, chosen, list(made.columns))
    args = (op.args[0], Pack(pack.kind, (Ref(chosen),)), *op.args[2:])
    shadow = Op(op.index, op.kind, op.site, op.context, op.name, args, op.kwargs, op.result)
    for lane in analysis.alive():
        lane.values[op.result] = analysis.evaluate(shadow, lane)
        lane.ids[op.result] = lane.ids[chosen]
    return Rule(op, "bypass", operand=chosen, note="stack", form=None)


def _of_part(analysis: Any, op: Op, chosen: int, columns: List[Any]) -> Any:
    """A stack for rows of a later part: that part, with the columns that only the others have."""
    from .analysis import Rule

    kwargs: Dict[str, Any] = {"columns": Const(columns)}
    form = _with(op, "method", "reindex", (Ref(chosen),), kwargs)
    for lane in analysis.alive():
        lane.values[op.result] = analysis.evaluate(form, lane)
        lane.ids[op.result] = lane.ids[chosen]
    note = "the rows of one part; the others were put beside it in creation"
    return Rule(op, "form", False, Form(form, note), note=note)
