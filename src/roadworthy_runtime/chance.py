"""The state of the random generators: read before an operation, put back for its repetition."""

from __future__ import annotations

import copy
import sys
from typing import Any, List

_GENERATORS = frozenset({"Generator", "RandomState", "Random"})


def random_state() -> Any:
    """The state of Python's and NumPy's generators; None where there is neither."""
    numpy = sys.modules.get("numpy")
    random = sys.modules.get("random")
    parts: List[Any] = []
    if numpy is not None and hasattr(numpy, "random"):
        name, keys, position, *rest = numpy.random.get_state()
        parts.append((name, keys.tobytes(), position, tuple(rest)))
    if random is not None:
        parts.append(random.getstate())
    return tuple(parts) or None


def as_now(value: Any) -> Any:
    """A generator of its own as it is now, for drawing the same again; anything else itself."""
    if type(value).__name__ in _GENERATORS and type(value).__module__.startswith(
        ("numpy.random", "random")
    ):
        return copy.deepcopy(value)
    return value


class Restored:
    """The random generators as they were before an operation, for its time."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __enter__(self) -> None:
        self.before = random_state()
        _set(self.state)

    def __exit__(self, *_: Any) -> None:
        _set(self.before)


def _set(state: Any) -> None:
    for part in state or ():
        if isinstance(part[0], str):
            numpy = sys.modules["numpy"]
            name, keys, position, rest = part
            words = numpy.frombuffer(keys, dtype=numpy.uint32)
            numpy.random.set_state((name, words, position, *rest))
        else:
            sys.modules["random"].setstate(part)
