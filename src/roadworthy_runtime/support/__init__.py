"""What a captured flow needs besides its own steps: its state, and its rows in and out.

This package stands as ``flow_support`` beside ``flow.py`` and runs without Roadworthy: it uses
the standard library and, where the flow does, NumPy and pandas. ``state`` loads what was frozen,
``columns`` gives rows creation's own types, ``rows`` follows filters, ``answers`` gives one answer
per row, ``flow`` puts these together, ``command`` is ``python flow.py``.
"""

from .basis import Answers, FlowError, MissingColumn, Rejected, UnknownLevel, Warned
from .flow import Flow
from .rows import Rows
from .state import State, load_state

__all__ = [
    "Answers",
    "Flow",
    "FlowError",
    "MissingColumn",
    "Rejected",
    "Rows",
    "State",
    "UnknownLevel",
    "Warned",
    "load_state",
]
