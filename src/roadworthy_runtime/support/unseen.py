"""Where a flow's operations tell of values that creation did not know."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Optional

Listener = Callable[[int, Sequence[int], Any, Any], None]
_LISTENER: ContextVar[Optional[Listener]] = ContextVar("listener", default=None)


def tell(count: int, places: Sequence[int], column: Any, values: Any) -> None:
    """Of ``count`` rows those at ``places`` hold values of this column that creation never saw."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(count, places, column, values)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """What is told meanwhile goes to this listener."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
