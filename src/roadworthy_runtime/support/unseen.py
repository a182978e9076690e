"""Where a flow's operations tell what is to be known of a row beside its answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Optional

Listener = Callable[[int, Mapping[int, str], Any], None]
_LISTENER: ContextVar[Optional[Listener]] = ContextVar("listener", default=None)


class Unseen(ValueError):
    """Of ``count`` rows those at the places in ``reasons`` have a word that is not known."""

    def __init__(self, count: int, reasons: Mapping[int, str], line: Optional[int]) -> None:
        super().__init__(next(iter(reasons.values())))
        self.count, self.reasons, self.line = count, reasons, line


def refuse(count: int, reasons: Mapping[int, str], line: Optional[int]) -> None:
    """Raises Unseen for a flow that will answer the other rows; where none listens, nothing."""
    if _LISTENER.get() is not None and reasons:
        raise Unseen(count, reasons, line)


def tell(count: int, places: Sequence[int], column: Any, values: Any) -> None:
    """Of ``count`` rows those at ``places`` hold values of this column that creation never saw."""
    messages = {}
    for place in places if _LISTENER.get() is not None else ():
        value = values[int(place)]
        plain = value.item() if hasattr(value, "item") else value
        messages[int(place)] = f"{plain!r} was not seen in creation"
    say(count, messages, column)


def say(count: int, messages: Mapping[int, str], column: Any) -> None:
    """Of ``count`` rows those at these places have something to be told of this column."""
    listener = _LISTENER.get()
    if listener is not None and messages:
        listener(count, messages, column)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """What is told meanwhile goes to this listener."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
