"""The fast form of one flow: follows its steps once, then answers rows without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .columns import Column
from .compiling import Program
from .entering import Entry
from .estimators import columns_of
from .graph import Graph, Leave, Node, Unsupported
from .libraries import FollowedRows, Wrapper
from .tables import Matrix, Table

FORMAT = 1


class Form:
    """A flow as programs on plain columns.

    Every answer is the flow's own, or the row is left: then it has to be asked of the flow.
    """

    takes_codes = True
    """Whether columns of texts may come by ``levels`` and ``codes`` (forms made earlier: no)."""

    def __init__(
        self, entries: list[Entry], outputs: list[tuple[str, str]], program: Program
    ) -> None:
        self.entries = entries
        self.outputs = outputs
        """(output, column) of each answer, in order."""
        self._one = program.one()
        self._many = program.many()

    def by_row(self, columns: Mapping[str, Sequence[Any]], n: int) -> list[Any]:
        """For each row its answers as a tuple, or None: left. Null is None, times microseconds."""
        one, entries = self._one, self.entries
        lists = [columns[entry.name] for entry in entries]
        if n > 1:
            try:
                entered = [entry.listed(values) for entry, values in zip(entries, lists)]
                return [one(*row) for row in zip(*entered)]
            except Exception:  # some row is to be left: which, is found out row by row
                pass
        found: list[Any] = []
        for row in zip(*lists):
            try:
                found.append(one(*[entry.one(value) for entry, value in zip(entries, row)]))
            except Exception:  # whatever it is, the flow itself answers or says it
                found.append(None)
        return found

    def by_column(self, columns: Mapping[str, Any], n: int) -> tuple[list[Any], list[int]]:
        """A column for each answer, and the rows that are left, of which the answers are void.

        Columns are arrays, or lists for texts; null is NaN, NaT or None. Raises Leave where rows
        have to be taken one by one.
        """
        import numpy

        left = numpy.zeros(n, dtype=bool)
        try:
            with numpy.errstate(all="ignore"):
                entered = [entry.many(columns[entry.name], left) for entry in self.entries]
                answers, others = self._many(n, *entered)
        except Exception as error:
            raise Leave from error
        return list(answers), numpy.flatnonzero(left | others).tolist()


def load(flow: Any) -> Form:
    """The fast form of a loaded flow. Raises Unsupported with what has none."""
    graph = Graph()
    entries = [Entry(graph, spec) for spec in flow.signature["columns"]]
    inputs = [entry.node for entry in entries]
    graph.evaluate = _evaluator(entries)  # type: ignore[attr-defined]
    given = _input(graph, flow, entries)
    wrapper = Wrapper(graph, flow.directory)
    try:
        result = wrapper.rebind(flow._steps)(given, FollowedRows(graph))
        outputs = _outputs(graph, flow, result)
        program = Program(inputs, [node for _, node in outputs], graph)
        return Form(entries, [name for name, _ in outputs], program)
    except Unsupported:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise Unsupported(f"following the steps ended with {text}") from error


def _input(graph: Graph, flow: Any, entries: list[Entry]) -> Any:
    nodes = {entry.label: entry.node for entry in entries}
    if flow.kind == "dataframe":
        return Table(graph, nodes)
    if flow.kind == "series":
        return Column(graph, entries[0].node, "series", entries[0].label)
    if flow.kind == "array":
        if flow.signature.get("ndim", 1 if len(entries) == 1 else 2) == 1:
            return Column(graph, entries[0].node, "array")
        return Matrix(graph, list(nodes.values()))
    raise Unsupported(f"an input of {flow.kind}")


def _outputs(graph: Graph, flow: Any, result: Any) -> list[tuple[tuple[str, str], Node]]:
    names = [output.name for output in flow.outputs]
    if not isinstance(result, dict) or set(result) != set(names):
        if len(names) != 1:
            raise Unsupported("the steps did not return the outputs by name")
        result = {names[0]: result}
    found = []
    for output in flow.outputs:
        nodes, _ = columns_of(result[output.name])
        if len(nodes) != len(output.columns):
            raise Unsupported(f"output {output.name} with {len(nodes)} columns")
        for column, node in zip(output.columns, nodes):
            given = graph.text_of(node) if node.type == "code" else node
            if given.type not in ("float", "int", "bool", "text"):
                raise Unsupported(f"an output of {given.type}")
            found.append(((output.name, column), given))
    return found


def _evaluator(entries: list[Entry]) -> Any:
    """What a node is for the signature's example row."""

    def evaluate(node: Node) -> Any:
        program = Program([entry.node for entry in entries], [node], Graph())
        try:
            return program.one()(*[entry.example for entry in entries])[0]
        except Exception as error:
            raise Unsupported(f"the example row has no value here: {error!r}") from None

    return evaluate
