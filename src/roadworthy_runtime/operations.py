"""Runs one operation of the program and records it: what it read, and what it gave or changed."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from . import facade, kinds
from .chance import as_now, random_state
from .followed import DEEP, plain_list
from .rewrite import Site, Spelling
from .rowloops import RowLoops
from .trace import VIEW, Const, Fit, Op, Ref

WRITES = frozenset(("setitem", "setattr", "delitem", "inplace"))
"""Kinds of operations that change their first operand."""
OVERRIDES = frozenset((id(facade.learned), id(facade.row_wise)))
# Methods that use what an object has learned and change nothing in it.
_PURE = ("predict", "transform", "decision_function", "score", "inverse_transform", "get_", "apply")
# Methods that print, draw or write what a value holds, and give nothing.
_SHOWS = ("to_", "info", "hist", "plot", "tofile", "dump")
MOST_FOLDS = 50
"""Of more folds the loop over them is one step."""


class Operations(RowLoops):
    """The operations so far."""

    def __init__(self, sites: List[Site]) -> None:
        super().__init__(sites)
        self.ops: List[Op] = []
        self.bound: Dict[str, List[Tuple[int, int, Any]]] = {}
        self.fits: List[Fit] = []
        self.paused = False
        self._designs: Dict[int, Tuple[Any, Any]] = {}
        """Models of statsmodels: the model, and the rows that it is to learn from."""
        self._inner: Dict[Tuple[int, int], int] = {}
        """Site (of ``df["x"] += y``) and number of operands -> site of the addition alone."""

    def _operate(
        self,
        kind: str,
        site: int,
        name: str,
        run: Callable[[], Any],
        args: Tuple[Any, ...],
        kwargs: Dict[str, Any],
        spelled: str = "",
    ) -> Any:
        """Runs an operation on followed operands and records it."""
        where = self.sites[site]
        random = random_state() if kind in ("call", "method") else None
        nodes = self._before(where, args, kwargs)
        self.paused = True
        try:
            result = run()
        finally:
            self.paused = False
        if random is not None and random_state() == random:
            random = None
        known = self.node_of(result)
        if kind == "call" and id(args[0]) in OVERRIDES:
            known = None
        if kinds.is_atom(result):
            followed = result is not None
        else:
            followed = kinds.is_data(result) or plain_list(result)
        if not followed and (type(result) is range or hasattr(result, "__next__")):
            followed = not _splits(kind, name, args, kwargs) and self._gives_rows(
                kind, result, nodes()[0]
            )
        writes = kind in WRITES
        self._learn(kind, where, name, args, kwargs, None if followed else result)
        if not followed and not writes:
            if not self._changes_rows(kind, name, args, kwargs, result):
                return result
        operands, keywords = nodes()
        if kind == "item" and kinds.is_view(result, args[0]):
            name = VIEW
        op = Op(
            len(self.ops), kind, site, self.context, name, operands, keywords, None, random, spelled
        )
        if followed and known is None:
            if kinds.is_atom(result):
                self._nodes += 1
                op.result = self._nodes
                self._atoms[site] = self._last_atom = (op.result, result)
            else:
                op.result = self._follow(result)
        elif followed:
            op.result = known
        self.ops.append(op)
        if op.result is not None and known is None:
            self._note_rows(op, result, args[0])
            self._elements(op.result, result, site)
        return result

    def _before(
        self, where: Site, args: Tuple[Any, ...], kwargs: Dict[str, Any]
    ) -> Callable[[], Tuple[Tuple[Any, ...], Dict[str, Any]]]:
        """Nodes are looked up before the operation, values frozen after it.

        Followed values are the same objects before and after; of the others the state after
        the operation is the one wanted (an encoder as ``fit_transform`` left it), of random
        generators the state before.
        """
        spelled = where.operands
        args = tuple(map(as_now, args))
        kwargs = {key: as_now(value) for key, value in kwargs.items()}

        def operands() -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
            made = tuple(
                self._operand(value, spelled[place] if place < len(spelled) else ("other", None))
                for place, value in enumerate(args)
            )
            named = {
                key: self._operand(value, where.keywords.get(key, ("other", None)))
                for key, value in kwargs.items()
            }
            return made, named

        return operands

    def _learn(
        self, kind: str, where: Site, name: str, args: Any, kwargs: Dict[str, Any], result: Any
    ) -> None:
        """Notes which values that are not followed may have learned from rows here."""
        if kind not in ("call", "method"):
            return
        taught = (args[0], result) if kind == "method" and not name.startswith(_PURE) else (result,)
        for value in taught:
            if self.node_of(value) is None:
                self._touch(value, where.line)
        if kind == "call" and kinds.root(result) == "statsmodels":
            self._design(where, args, kwargs, result)
        if name.startswith(("fit", "partial_fit", "train", "cross_val")):
            data = [self.node_of(value) for value in args[1:]]
            found = [node for node in data if node is not None]
            towards = kwargs.get("y")
            target = [self.node_of(towards)] if towards is not None else found[1:2]
            self.fits.append(
                Fit(
                    where.line,
                    tuple(found[:1]),
                    tuple(node for node in target if node is not None),
                    type(args[0]).__name__ if args else "",
                    len(self.ops),
                )
            )

    def _design(self, where: Site, args: Any, kwargs: Dict[str, Any], model: Any) -> None:
        """Notes which rows a model of statsmodels is to learn from, and towards what."""
        rows = kwargs.get("exog", kwargs.get("data", args[2] if len(args) > 2 else None))
        self._designs[id(model)] = (model, rows)
        found = self.node_of(rows), self.node_of(kwargs.get("endog", args[1] if args[1:] else None))
        nodes, towards = (() if node is None else (node,) for node in found)
        self.fits.append(Fit(where.line, nodes, towards, type(model).__name__, len(self.ops)))

    def _changes_rows(
        self, kind: str, name: str, args: Any, kwargs: Dict[str, Any], result: Any
    ) -> bool:
        if result is not None:
            return False
        if kind == "method" and args and self.node_of(args[0]) is not None:
            return not name.startswith(_SHOWS)
        return kind == "call" and name.rpartition(".")[2] in (
            "shuffle", "put", "place", "copyto", "putmask", "fill_diagonal", "setattr", "delattr"
        )  # fmt: skip

    def _elements(self, node: int, value: Any, site: int) -> None:
        if not isinstance(value, (list, tuple, dict)):
            return
        pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        for key, item in pairs[:DEEP]:
            if kinds.is_data(item) and self.node_of(item) is None:
                self._element(node, key, item, site)

    def _element(self, node: int, key: Any, item: Any, site: int) -> None:
        made = self._note(site, "element", "", (Ref(node), Const(key)), item)
        self._elements(made, item, site)

    def _note(self, site: int, kind: str, name: str, operands: Tuple[Any, ...], result: Any) -> int:
        """Records an operation that the program did not spell so; the node of its result."""
        node = self._follow(result)
        op = Op(len(self.ops), kind, site, self.context, name, operands, {}, node)
        self.ops.append(op)
        self._note_rows(op, result)
        return node

    def _rename(self, site: int, old: int, new: int) -> None:
        """An object goes on as another node: so do the names that it is bound to."""
        for name, seen in self.bound.items():
            if seen and seen[-1][1] == old:
                seen.append((site, new, None))
                self.names.setdefault(new, []).append((name, site, self.context))

    def _unspelled(self, site: int, callee: str = "", operands: Tuple[Spelling, ...] = ()) -> int:
        """The site of another operation on the same line, which the program does not spell so."""
        key = (site, len(operands))
        inner = self._inner.get(key)
        if inner is None:
            inner = self._inner[key] = len(self.sites)
            line = self.sites[site]
            self.sites.append(line._replace(callee=callee, operands=operands, keywords={}))
        return inner


def _splits(kind: str, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> bool:
    """Whether a call gives a few folds: pairs of positions, each a turn to follow, and no rows."""
    if kind != "method" or name != "split" or not hasattr(args[0], "get_n_splits"):
        return False
    try:
        return int(args[0].get_n_splits(*args[1:], **kwargs)) <= MOST_FOLDS
    except Exception:
        return False
