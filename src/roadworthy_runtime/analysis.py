"""Decides, for each operation that the outputs need, what becomes of it in production.

All operations are evaluated in lock step on all rows of creation and on a few selections of
them. Where each selection's result equals the selection of the full result, the operation obeys
the law and is kept (*apply*). Otherwise it gets a frozen form (*form*), is a selection of rows
that requests do not need (*bypass*), or its result is frozen (*state*).
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from . import beside, byheart, forms, halves, kinds, overrides
from .judging import InLane, judge
from .lanes import Lane, choose_rows, duplicate, execute, fresh, inplace_rows, selections
from .refusal import Refusal
from .rows import candidates, columns_of, is_opaque, same, take
from .snapshot import snapshot
from .testside import Lesson
from .trace import (
    ONLY,
    Const,
    Op,
    Recording,
    Ref,
    Source,
    fill,
    first_node,
    looked_at,
    shows,
    written_column,
)

ROW, STATE = "row", "state"
_FEW = 12


class FewRows(Exception):
    """The selections have to be made of other rows: of ``rows``, which a condition lets pass."""

    def __init__(self, rows: Any) -> None:
        super().__init__()
        self.rows = rows


class Rule(NamedTuple):
    """What becomes of one operation."""

    op: Op
    rule: str
    """apply, form, bypass or state."""
    rejects: bool = False
    """Whether rows are dropped, by a condition that each row decides for itself."""
    form: Any = None
    frozen: Dict[int, Any] = {}
    """State nodes that it reads, as they were when it read them."""
    operand: int = -1
    """For bypass: the node whose rows go on."""
    note: str = ""


class Analysis:
    """The rules for all operations that the outputs need; made by ``asked.analysed``."""

    def __init__(
        self, recording: Recording, source: Source, outputs: Dict[str, int], answered: Any = None
    ) -> None:
        self.recording = recording
        self.source = source
        self.outputs = outputs
        self.count = kinds.rows_of(source.value) or 0
        self._answered = np.arange(self.count) if answered is None else answered
        """Rows that selections are made of for the most part: no condition rejects them."""
        self.side: Any = None
        """Rows that selections are made of only: those of one part of a stack; None: any."""
        self.stacked: List[Any] = []
        """The rows of each part, for stacks of several parts of the input's rows."""
        self.certain = False
        """Whether these are the rows that the program answered; else it is not known yet."""
        self.rules: List[Rule] = []
        self.roles: Dict[int, str] = {}
        self.derived: Set[int] = set()
        self.memorised: Dict[int, Op] = {}
        self.origins: Dict[int, Op] = {}
        """For parts of such values, too: where the rows were lost."""
        self.beside: Dict[int, Op] = {}
        """Assignments of columns that no request has: the operation that can't be frozen."""
        self.failed: Set[int] = set()
        self.full = Lane(np.arange(self.count), full=True)
        self.lanes: List[Lane] = []
        self.producer: Dict[int, Op] = {}
        self.warnings: List[str] = []
        self.watch: Any = None
        """Who looks on, where a variable is to be explained."""
        self.counted: Dict[int, int] = {}
        """Numbers of rows, and shapes: the table whose rows they count."""
        for op in recording.ops:
            if op.result is not None and op.result not in self.producer:
                self.producer[op.result] = op
        self.declared: Set[int] = set()
        """State because the program says so, and what was computed of such state alone."""
        self.per_row = overrides.declared_rows(recording)
        self._telling: Optional[List[Any]] = None
        self._places: Dict[int, Tuple[Any, Any]] = {}
        self._copies: Dict[Tuple[int, int], Any] = {}
        self.taught: Dict[int, Lesson] = {}
        """Operations of a test side that get what the training side learned."""
        self.as_fitted: Dict[int, Any] = {}
        """Copies of the views that estimators were fitted on, made when they were."""
        self._versions: Dict[int, int] = {}

    # ---- which operations are needed

    def base(self, node: int) -> int:
        """The object whose contents a value shows: of an accessor, the table behind it."""
        op = self.producer.get(node)
        while op is not None and shows(op):
            node = op.args[0].node
            op = self.producer.get(node)
        return node

    def writes(self, op: Op) -> Optional[int]:
        """The node that an operation changes, where it changes one."""
        owner = op.args[0] if op.args else None
        if op.kind in ("setitem", "setattr", "delitem"):
            return self.base(owner.node) if isinstance(owner, Ref) else None
        if op.kind == "inplace":
            return (
                self.base(owner.node)
                if isinstance(owner, Ref) and op.result == owner.node
                else None
            )
        if op.kind == "method" and isinstance(owner, Ref):
            if (
                op.result is None
                or op.result == owner.node
                or op.name in ("pop", "insert", "update")
            ):
                return self.base(owner.node)
        if op.kind == "call" and op.result is None and len(op.args) > 1:
            return op.args[1].node if isinstance(op.args[1], Ref) else None
        return None

    def needed(self, goals: Sequence[int], end: Optional[int] = None) -> Set[int]:
        """Indices of the operations that the goals need, of those before operation ``end``."""
        nodes = {self.base(node) for node in goals} | set(goals)
        kept: Set[int] = set()
        for op in reversed(self.recording.ops[:end]):
            changed = self.writes(op)
            if op.result in nodes or (changed is not None and changed in nodes):
                kept.add(op.index)
                for node in op.refs():
                    nodes.add(node)
                    nodes.add(self.base(node))
        return kept

    # ---- the pass over all operations

    def run(self, soft: Sequence[int]) -> None:
        """Decides on everything. ``soft`` goals may fail without harm. Raises Refusal."""
        hard = self.needed(list(self.outputs.values()))
        wanted = hard | self.needed(list(soft))
        for op in self.recording.ops:
            if op.index not in wanted:
                continue
            if op.kind != ONLY and any(node in self.failed for node in op.refs()):
                self._fail(op)
                continue
            try:
                self._step(op)
            except Refusal:
                if op.index in hard:
                    raise
                self._fail(op)
        halves.keep_rows_put_back(self)
        self._check_outputs()

    def _fail(self, op: Op) -> None:
        if op.result is not None:
            self.failed.add(op.result)

    def _step(self, op: Op) -> None:
        if op.kind == "source":
            self._start(op)
        elif not overrides.settle(self, op):
            self.judged(op)
        if self.watch is not None:
            self.watch.look(self, op)

    def judged(self, op: Op) -> None:
        """Decides on an operation of which the program itself says nothing. Raises Refusal."""
        followed = list(op.refs())
        rows = [node for node in followed if self.roles.get(node) == ROW]
        if not rows:
            return self._state_only(op)
        numbered = forms.numbered(self, op)
        if numbered is not None:
            return self._settle(op, numbered)
        owner = first_node(op)
        changed = self.writes(op)
        if changed is not None and self.roles.get(changed) == STATE:
            self._state_only(op)
            return byheart.put_into(self, op, changed)
        culprit = self._learned_by_heart(op, followed, owner)
        if culprit is not None and op.result is not None and halves.by_others(self, op):
            self.full.values[op.result] = self.evaluate(op, self.full)
            return self._settle(op, self.bypass(op))
        if culprit is None and forms.fills_from_neighbours(op):
            culprit = op
        if culprit is not None:
            return self._by_heart(op, changed, culprit)
        if inplace_rows(op):
            return self._new_rows(op)
        if changed is not None:
            return None if beside.settle(self, op, changed) else self._change(op, changed)
        self._settle(op, self._rule(op))

    def _rule(self, op: Op) -> Optional[Rule]:
        """What becomes of an operation that gives a new value; None: it is state, or refused."""
        rule: Optional[Rule] = forms.taught(self, op) or forms.special(self, op)
        rule = rule or forms.foreseen(self, op)
        if rule is None and forms.positional(op) and self._position(op):
            rule = self.bypass(op)
        elif rule is None and not forms.refits(op):
            rule = self._apply(op)
        if rule is None:
            rule = forms.frozen(self, op)
        if rule is None and not forms.refits(op):
            rule = self.bypass(op)
        return rule

    def _start(self, op: Op) -> None:
        node = op.result
        assert node is not None
        if node != self.source.node:
            other = next(source for source in self.recording.sources if source.node == node)
            self.full.values[node] = duplicate(other.value)
            self.roles[node] = STATE
            return
        value = self.source.value
        picked = choose_rows(value, self._answered)
        if self.side is not None:
            picked = self.side[np.isin(self.side, picked)]
        self.full.values[node] = duplicate(value)
        self.full.ids[node] = self.full.rows
        self.lanes = [Lane(rows) for rows in selections(picked)]
        for lane in self.lanes:
            lane.values[node] = fresh(take(value, lane.rows))
            lane.ids[node] = lane.rows
        self.roles[node] = ROW
        self.derived.add(node)
        self.rules.append(Rule(op, "apply"))

    # ---- values

    def value(self, lane: Lane, node: int) -> Any:
        """The value of a node in a lane; state is the same in all."""
        return lane.values[node] if self.roles.get(node) == ROW else self.full.values[node]

    def evaluate(self, op: Op, lane: Lane) -> Any:
        """The operation in a lane. Raises what it raises."""
        return execute(op, lambda node: self.value(lane, node))

    def alive(self) -> List[Lane]:
        """The lanes that still have rows."""
        return [lane for lane in self.lanes if not lane.dead]

    def row_operands(self, op: Op, lane: Lane) -> List[Tuple[int, Any, Any]]:
        """(node, value, row numbers) of the row values that an operation reads."""
        out = []
        for node in dict.fromkeys(self.behind(node, lane) for node in op.refs()):
            if self.roles.get(node) == ROW and isinstance(lane.ids.get(node), np.ndarray):
                out.append((node, lane.values[node], lane.ids[node]))
        return out

    def candidates(self, op: Op, result: Any, lane: Lane) -> Iterator[Tuple[str, int, Any]]:
        """Which input rows the rows of a result could be in a lane; see rows.candidates."""
        key = fill(op.args[1], lambda n: self.value(lane, n)) if op.kind == "item" else None
        return candidates(op, result, self.row_operands(op, lane), key)

    def places(self, ids: Any) -> Any:
        """For each input row its place among ``ids``, -1 where it is not there.

        None where a row stands there twice.
        """
        kept = self._places.get(id(ids))
        if kept is None or kept[0] is not ids:
            made = np.full(self.count + 1, -1, dtype=np.int64)
            own = np.flatnonzero(ids >= 0)
            made[ids[own]] = own
            made[-1] = -1
            twice = int((made >= 0).sum()) != len(own)
            kept = (ids, None if twice else made)
            self._places[id(ids)] = kept
        return kept[1]

    def behind(self, node: int, lane: Lane) -> int:
        """The table that an accessor or group object looks at; any other value itself."""
        node = self.counted.get(node, node)
        while node in lane.values and is_opaque(lane.values[node]):
            shown = looked_at(self.producer.get(node))
            if shown is None:
                break
            node = shown
        return node

    def touch_version(self, node: int) -> None:
        """Notes that a value was changed in place."""
        self._versions[node] = self._versions.get(node, 0) + 1

    def frozen_operands(self, op: Op) -> Dict[int, Any]:
        """Copies of the state that an operation reads, as it is now."""
        out = {}
        for node in op.refs():
            if self.roles.get(node) == STATE:
                key = (node, self._versions.get(self.base(node), 0))
                if key not in self._copies:
                    self._copies[key] = snapshot(self.full.values[node])
                out[node] = self._copies[key]
        return out

    def line(self, op: Op) -> int:
        """The line of the program where an operation stands."""
        line: int = self.recording.sites[op.site].line
        return line

    # ---- one operation

    def _state_only(self, op: Op) -> None:
        try:
            result = self.evaluate(op, self.full)
        except Exception as error:
            raise Refusal(
                "evaluating this line again failed: %s: %s" % (type(error).__name__, error),
                "what depends on a file, the clock or the network belongs before the input",
                self.line(op),
            ) from None
        changed = self.writes(op)
        if changed is not None:
            self._versions[changed] = self._versions.get(changed, 0) + 1
            if inplace_rows(op):
                self.full.values[changed] = result
        from_rows = any(node in self.derived or self.roles.get(node) == ROW for node in op.refs())
        if op.result is not None:
            self._freeze(op, result, from_rows)
        elif changed is not None and from_rows:
            self.derived.add(changed)

    def _freeze(self, op: Op, result: Any, from_rows: bool) -> None:
        node = op.result
        assert node is not None
        lesson = self.taught.get(op.index)
        self.full.values[node] = result = result if lesson is None else lesson.value
        self.roles[node] = STATE
        if from_rows:
            self.derived.add(node)
            if self.declared and self.declared.issuperset(op.refs()):
                self.declared.add(node)
            elif self._row_sized(result) or self.known_rows(result):
                self.memorised[node] = next(
                    (self.memorised[ref] for ref in op.refs() if ref in self.memorised), op
                )
            made = (self.memorised.get(ref, self.origins.get(ref)) for ref in (node, *op.refs()))
            origin = next((found for found in made if found is not None), None)
            if origin is not None and not kinds.is_atom(result):
                self.origins[node] = origin

    def _row_sized(self, value: Any) -> bool:
        """Whether a frozen value holds something for nearly each row of creation."""
        if self.count < 20 or kinds.is_atom(value):
            return False
        limit = max(20, self.count // 2)
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and shape:
            return bool(max(shape) >= limit)
        if isinstance(value, (list, tuple)) and any(map(self._row_sized, value[:8])):
            return True
        return isinstance(value, (list, tuple, dict, set, range)) and len(value) >= limit

    def known_rows(self, value: Any) -> bool:
        """Whether a value is a table, set or mapping by a column that tells single rows apart."""
        if isinstance(value, (dict, set, frozenset)):
            keys = list(value)
        elif isinstance(value, list) and all(map(kinds.is_atom, value[:20])):
            keys = value
        elif kinds.is_series(value) or kinds.is_frame(value):
            keys = list(value.index)
        else:
            return False
        if len(keys) < 20 or self.count < 20:
            return False
        sample = [key for key in keys[:: max(1, len(keys) // 200)] if kinds.is_atom(key)]
        return any(
            sum(key in known for key in sample) >= 0.9 * len(sample)
            for known in self._telling_columns()
            if sample and len(keys) >= 0.3 * len(known)
        )

    def _telling_columns(self) -> List[Any]:
        """The values of each input column that has (nearly) another one in each row."""
        if self._telling is None:
            self._telling = []
            value = self.source.value
            for name in value.columns if kinds.is_frame(value) else []:
                column = value[name]
                if not kinds.is_series(column):
                    continue
                try:
                    if column.nunique() >= max(20, 0.95 * column.count()):
                        self._telling.append(set(column.dropna().tolist()))
                except TypeError:
                    continue
        return self._telling

    def _learned_by_heart(self, op: Op, followed: List[int], owner: Optional[int]) -> Optional[Op]:
        """The operation that made a frozen operand with an entry for each row, if there is one."""
        for node in followed:
            if self.roles.get(node) == STATE and node in self.memorised and owner != node:
                return self.memorised[node]
        for operand in (*op.args, *op.kwargs.values()):
            if isinstance(operand, Const) and operand.learned and not operand.declared:
                numbers = isinstance(operand.value, range) and self._row_sized(operand.value)
                if numbers or self.known_rows(operand.value):
                    return op
        return None

    def _by_heart(self, op: Op, changed: Optional[int], culprit: Op) -> None:
        """What only creation's rows have goes on as state, until an answer would need it."""
        if beside.settle_assigned(self, op, culprit):
            return
        if op.kind == "inplace" and changed == op.result and changed is not None:
            if kinds.is_series(self.full.values.get(changed)):  # no view of anything else
                self.evaluate(op, self.full)
                self.touch_version(changed)
                self.roles[changed], self.memorised[changed] = STATE, culprit
                return
        if changed is not None or op.result is None or inplace_rows(op):
            if changed is None or not beside.settle_by_heart(self, op, changed, culprit):
                raise byheart.refusal(self, culprit)
            return
        try:
            result = self.evaluate(op, self.full)
        except Exception:
            raise byheart.refusal(self, culprit) from None
        self._freeze(op, result, True)
        if not kinds.is_atom(result):
            self.memorised[op.result] = culprit

    def _enough(self, node: int) -> None:
        """Raises FewRows where a condition leaves the selections hardly a row to be tried on."""
        ids, tried = self.full.ids.get(node), self.lanes[0].ids.get(node)
        if self.certain or not isinstance(ids, np.ndarray) or not isinstance(tried, np.ndarray):
            return
        there = np.zeros(self.count, dtype=bool)
        there[ids[ids >= 0]] = True
        if self.side is not None:
            there &= np.isin(np.arange(self.count), self.side)
        left = np.flatnonzero(there)
        if len(left) < len(self._answered) and np.isin(tried, left).sum() < min(_FEW, len(left)):
            raise FewRows(left)

    def untried(self) -> Any:
        """The rows that were answered, where none of them was tried; else None.

        A condition that only what is learned asks had left other rows: the age of one title's.
        """
        answered = self.full.ids.get(next(iter(self.outputs.values())))
        if self.certain or not isinstance(answered, np.ndarray):
            return None
        return None if np.isin(self.lanes[0].rows, answered).any() else answered[answered >= 0]

    def _settle(self, op: Op, rule: Optional[Rule]) -> None:
        if rule is not None:
            if rule.rejects and op.result is not None:
                self._enough(op.result)
            self.rules.append(rule)
            if op.result is not None and rule.rule != "state":
                self.roles[op.result] = ROW
                self.derived.add(op.result)
                self._note_fitted(op.result)
            return
        if op.result is None:
            raise Refusal(
                "this line treats a row differently alone than among others",
                "compute what it learns in a statement of its own", self.line(op), "law-broken",
            )  # fmt: skip
        if op.result not in self.full.values:
            try:
                self.full.values[op.result] = self.evaluate(op, self.full)
            except Exception as error:
                raise Refusal(
                    "evaluating this line again failed: %s: %s" % (type(error).__name__, error),
                    "", self.line(op),
                ) from None  # fmt: skip
        result = self.full.values[op.result]
        self._freeze(op, result, True)
        self.rules.append(Rule(op, "state"))

    def _position(self, op: Op) -> bool:
        """Whether an operation selects rows of a row value by where they stand."""
        assert op.result is not None
        owner = first_node(op)
        if owner is None or self.roles.get(owner) != ROW or owner in self.counted:
            return False
        if isinstance(self.full.ids.get(owner), dict):
            return False
        if type(self.full.values.get(owner)).__name__ == "StringMethods":
            return False
        self.full.values[op.result] = self.evaluate(op, self.full)
        return True

    def _note_fitted(self, node: int) -> None:
        """Keeps what an estimator was fitted on where a later line may write through it."""
        value = self.full.values[node]
        if getattr(value, "base", None) is not None and any(
            node in fit.nodes for fit in self.recording.fits
        ):
            self.as_fitted[node] = value.copy()

    def _apply(self, op: Op) -> Optional[Rule]:
        """Kept as it is, if the law holds for it on every selection."""
        try:
            result = self.evaluate(op, self.full)
        except Exception as error:
            raise Refusal(
                "evaluating this line again failed: %s: %s" % (type(error).__name__, error),
                "see whether it depends on something outside the program", self.line(op),
            ) from None  # fmt: skip
        assert op.result is not None
        self.full.values[op.result] = result
        found = self.judge(op, result, lambda lane: self.evaluate(op, lane))
        if found is None:
            return None
        rejects = found or forms.is_condition(self, op)
        return Rule(op, "apply", rejects=rejects, frozen=self.frozen_operands(op))

    def judge(self, op: Op, result: Any, in_lane: InLane) -> Optional[bool]:
        """Whether ``in_lane`` obeys the law for this full result; then, whether it drops rows."""
        return judge(self, op, result, in_lane)

    # ---- changes in place

    def _new_rows(self, op: Op) -> None:
        """``df.dropna(inplace=True)``: the object goes on with other rows."""
        node = op.args[0].node
        self._versions[node] = self._versions.get(node, 0) + 1
        shadow = Op(
            op.index, "method", op.site, op.context, op.name, op.args, op.kwargs, -op.index - 1
        )
        result = self.evaluate(op, self.full)
        self.full.values[shadow.result] = result  # type: ignore[index]
        rejects = self.judge(shadow, result, lambda lane: self.evaluate(op, lane))
        key = shadow.result
        assert key is not None
        if rejects is None:
            bypassed = self.bypass(shadow)
            if bypassed is None:
                raise Refusal(
                    "%s keeps rows by what other rows hold" % op.name,
                    "select the rows in a statement of its own, or leave the line to creation: "
                    + overrides.BLOCK, self.line(op), "law-broken",
                )  # fmt: skip
            self.rules.append(bypassed._replace(op=op, operand=node))
        else:
            rejects = rejects or forms.is_condition(self, op)
            self.rules.append(Rule(op, "apply", rejects, frozen=self.frozen_operands(op)))
        for lane in [self.full, *self.alive()]:
            lane.values[node], lane.ids[node] = lane.values.pop(key), lane.ids.pop(key)
        self._enough(node)

    def _change(self, op: Op, changed: int) -> None:
        """An assignment into a row value: its rows stay, what it holds must obey the law."""
        self._versions[changed] = self._versions.get(changed, 0) + 1
        frozen = self.frozen_operands(op)
        try:
            result = self.evaluate(op, self.full)
        except Exception as error:
            raise Refusal(
                "evaluating this line again failed: %s: %s" % (type(error).__name__, error),
                "", self.line(op),
            ) from None  # fmt: skip
        whole = self.full.values[changed]
        if kinds.rows_of(whole) != len(self.full.ids[changed]):
            raise Refusal(
                "this line changes which rows a table has",
                "make a new table instead of changing this one", self.line(op), "law-broken",
            )  # fmt: skip
        outcome = self._changed_in_lanes(op, changed)
        if outcome is None:
            self.roles[changed], self.memorised[changed] = STATE, op
            return
        if op.result is not None and op.result != changed:
            self.full.values[op.result] = result
            if op.result not in self.roles:
                self.roles[op.result] = ROW
            self.full.ids[op.result] = self.full.ids[changed]
            for lane in self.alive():
                lane.values[op.result] = outcome[id(lane)]
                lane.ids[op.result] = lane.ids[changed]
        self.rules.append(Rule(op, "apply", frozen=frozen))

    def _changed_in_lanes(self, op: Op, changed: int) -> Optional[Dict[int, Any]]:
        """What an assignment gives in each lane, which agrees with the full one. Raises Refusal.

        None for ``oof[held] = …``: what is put together fold by fold is of creation's rows only.
        """
        outcome: Dict[int, Any] = {}
        by_fold = halves.positions_of_fold(op) is not None
        for lane in self.alive():
            try:
                outcome[id(lane)] = self.evaluate(op, lane)
            except Exception as error:
                if len(lane.ids[changed]) == 0:
                    lane.dead = True
                elif by_fold:
                    return None
                else:
                    raise self._law(op, error) from None
        if all(self._agrees(op, changed, lane) for lane in self.alive()):
            return outcome
        if by_fold:
            return None
        raise self._law(op, None)

    def _agrees(self, op: Op, changed: int, lane: Lane) -> bool:
        whole, part = self.full.values[changed], lane.values[changed]
        places = self.places(self.full.ids[changed])
        assert places is not None
        mine = np.flatnonzero(places[lane.ids[changed]] >= 0)
        theirs = places[lane.ids[changed][mine]]
        if kinds.rows_of(part) != len(lane.ids[changed]):
            return False
        key = written_column(op)
        if key is not None and kinds.is_frame(whole) and list(whole.columns).count(key) == 1:
            return key in part.columns and same(take(whole[key], theirs), take(part[key], mine))
        return same(take(whole, theirs), take(part, mine))

    def _law(self, op: Op, error: Optional[Exception]) -> Refusal:
        counts = {len(ids) for _, _, ids in self.row_operands(op, self.full)}
        for node in op.refs():
            origin = self.memorised.get(node)
            if origin is None and kinds.rows_of(self.full.values.get(node)) in counts:
                origin = self.origins.get(node)
            if origin is not None:
                return byheart.refusal(self, origin)
        where = self.line(op)
        return Refusal(
            "this line gives a row another value when the row comes alone"
            + (": %s" % error if error else ""),
            "compute what it learns from the rows (a mean, a rank, a position) in a statement of "
            "its own (rw.learned says that a value is one), or select rows by what they hold "
            "instead of where they stand; or leave the line to creation: " + overrides.BLOCK,
            where, "law-broken",
        )  # fmt: skip

    # ---- selections that requests do not need

    def bypass(self, op: Op) -> Optional[Rule]:
        """A selection of rows by chance, position, group or the target: all rows go on."""
        if op.result is None or op.result not in self.full.values:
            return None
        result = self.full.values[op.result]
        for how, primary, ids in self.candidates(op, result, self.full):
            if how == "place":
                continue
            value = self.full.values[primary]
            places = self.places(self.full.ids[primary])
            if places is None or (ids < 0).any() or (places[ids] < 0).any():
                continue
            try:
                taken = take(value, places[ids])
                columns = columns_of(result, taken)
            except (KeyError, IndexError, TypeError):
                continue
            if columns is False:
                continue
            self.full.ids[op.result] = ids
            for lane in self.alive():
                whole = lane.values[primary]
                lane.values[op.result] = duplicate(whole if columns is None else whole[columns])
                lane.ids[op.result] = lane.ids[primary]
            return Rule(op, "bypass", operand=primary, form=columns)
        return None

    # ---- the end

    def _check_outputs(self) -> None:
        for name, node in self.outputs.items():
            if self.roles.get(node) == ROW and isinstance(self.full.ids.get(node), np.ndarray):
                self._enough(node)
                continue
            op = self.memorised.get(node, self.origins.get(node))
            if op is not None:
                raise byheart.refusal(self, op)
            producer = self.producer.get(node)
            line = self.line(producer) if producer is not None else 0
            value = self.full.values.get(node)
            rows = None if value is None or kinds.is_atom(value) else kinds.rows_of(value)
            if node in self.derived:
                raise Refusal(
                    "output %s is not one answer per row: it is %s for %s input rows"
                    % (name, _amount(rows), f"{self.count:,}"),
                    "name the answers before they are summed up, as in "
                    '--output "model.predict(X)"', line, output=name,
                )  # fmt: skip
            raise Refusal(
                "output %s does not depend on the input %s" % (name, self.source.name),
                "name another output, or the table that the answers come from as --input",
                line, output=name,
            )  # fmt: skip


def _amount(rows: Optional[int]) -> str:
    return "one value" if rows is None else "%d values" % rows
