"""What statements do with texts, times and categories of a column: ``.str``, ``.dt``, ``.cat``."""

from __future__ import annotations

import datetime
import importlib
import re
from typing import Any

from .columns import Column
from .graph import Node, Unsupported

PARTS = frozenset(
    (
        "year", "month", "day", "hour", "minute", "second", "microsecond", "weekday",
        "dayofweek", "day_of_week", "dayofyear", "day_of_year", "quarter",
    )
)  # fmt: skip


class Texts:
    """``column.str``."""

    def __init__(self, column: Column, pieces: Any = None) -> None:
        self._column = column
        self._node = column.graph.text_of(column.node)
        self._pieces = pieces

    def __getattr__(self, name: str) -> Any:
        raise Unsupported(f"str.{name}")

    def _text(self, function: Any) -> Column:
        node = self._column.graph.add("text_method", (self._node,), "text", function)
        return self._column.made(node)

    def _test(self, function: Any) -> Column:
        node = self._column.graph.add("text_test", (self._node,), "bool", function)
        return self._column.made(node)

    def lower(self) -> Column:
        return self._text(str.lower)

    def upper(self) -> Column:
        return self._text(str.upper)

    def title(self) -> Column:
        return self._text(str.title)

    def strip(self, characters: Any = None) -> Column:
        return self._text(lambda text: text.strip(characters))

    def len(self) -> Column:
        node = self._column.graph.add("text_method", (self._node,), "int", len)
        self._guard_null()
        return self._column.made(node)

    def startswith(self, what: Any) -> Column:
        return self._test(lambda text: text.startswith(what))

    def endswith(self, what: Any) -> Column:
        return self._test(lambda text: text.endswith(what))

    def contains(self, what: str, case: bool = True, regex: bool = True, na: Any = None) -> Column:
        if na not in (None, False):
            raise Unsupported("str.contains with another value for null")
        flags = 0 if case else re.IGNORECASE
        search = re.compile(what if regex else re.escape(what), flags).search
        if na is False:
            return self._test(lambda text: text is not None and search(text) is not None)
        self._guard_null()
        return self._test(lambda text: search(text) is not None)

    def extract(self, pattern: str, flags: int = 0, expand: bool = True) -> Column:
        compiled = re.compile(pattern, flags)
        if expand or compiled.groups != 1:
            raise Unsupported("str.extract of several groups")

        def extracted(text: str) -> Any:
            found = compiled.search(text)
            return None if found is None else found.group(1)

        return self._text(extracted)

    def replace(self, what: str, by: str, regex: bool = False) -> Column:
        if callable(by) or not isinstance(what, str):
            raise Unsupported("str.replace by a function or pattern")
        if regex:
            compiled = re.compile(what)
            return self._text(lambda text: compiled.sub(by, text))
        return self._text(lambda text: text.replace(what, by))

    def slice(self, start: Any = None, stop: Any = None) -> Column:
        return self._text(lambda text: text[start:stop])

    def split(self, separator: Any = None, expand: bool = False) -> Texts:
        if expand or (separator is not None and len(separator) != 1):
            raise Unsupported("str.split by a pattern or into columns")
        return Pieces(self._column, lambda text: text.split(separator))  # type: ignore[return-value]

    def get(self, place: int) -> Column:
        return self[place]

    def __getitem__(self, place: Any) -> Column:
        if isinstance(place, slice):
            return self.slice(place.start, place.stop)

        def at(text: str) -> Any:
            return text[place] if -len(text) <= place < len(text) else None

        return self._text(at)

    def _guard_null(self) -> None:
        graph = self._column.graph
        there = graph.add("not", (graph.missing(self._node),), "bool")
        graph.guards.append(there)


class Pieces:
    """``column.str.split(…)``, of which ``.str[0]`` and the like are taken."""

    def __init__(self, column: Column, split: Any) -> None:
        self._column, self._split = column, split

    @property
    def str(self) -> Pieces:
        return self

    def get(self, place: int) -> Column:
        return self[place]

    def __getitem__(self, place: Any) -> Column:
        if not isinstance(place, int):
            raise Unsupported("several pieces of a text")
        split = self._split

        def piece(text: Any) -> Any:
            pieces = split(text)
            return pieces[place] if -len(pieces) <= place < len(pieces) else None

        column = self._column
        text = column.graph.text_of(column.node)
        return column.made(column.graph.add("text_method", (text,), "text", piece))


class Times:
    """``column.dt``."""

    def __init__(self, column: Column) -> None:
        if column.node.type != "time":
            raise Unsupported(f".dt of {column.node.type}")
        self._column = column

    def __getattr__(self, name: str) -> Any:
        if name not in PARTS:
            raise Unsupported(f"dt.{name}")
        graph = self._column.graph
        return self._column.made(graph.add("part", (self._column.node,), "int", name, 1e6))

    def tz_convert(self, zone: Any) -> Column:
        return self._column.made(in_zone(self._column, zone))


def in_zone(column: Column, zone: Any) -> Node:
    """Times with a zone, in another zone."""
    if column.node.data is None or not _aware(column.node):
        raise Unsupported("tz_convert of times without a zone")
    if zone in ("UTC", "utc"):
        found: Any = datetime.timezone.utc
    else:
        zones: Any = importlib.import_module("zoneinfo")
        try:
            found = zones.ZoneInfo(str(zone))
        except Exception:
            raise Unsupported(f"the time zone {zone}") from None
    return column.graph.add("in_zone", (column.node,), "time", found)


def _aware(node: Node) -> bool:
    if node.op == "in_zone":
        return True
    return bool(getattr(node.data, "utc", node.data == "aware"))


class Categories:
    """``column.cat``."""

    def __init__(self, column: Column) -> None:
        if column.node.type != "code":
            raise Unsupported(".cat of other than categories")
        self._column = column

    def __getattr__(self, name: str) -> Any:
        raise Unsupported(f"cat.{name}")

    @property
    def codes(self) -> Column:
        return self._column.made(as_number(self._column))

    @property
    def categories(self) -> list[Any]:
        return list(self._column.node.levels or ())


def as_number(column: Column) -> Node:
    """The codes themselves as whole numbers."""
    node = column.node
    zero = column.graph.constant(0)
    bound = len(node.levels or ()) + 1.0
    return column.graph.add("add", (node, zero), "int", None, bound)
