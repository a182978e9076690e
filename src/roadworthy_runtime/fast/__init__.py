"""The fast form of a flow: the same answers without building tables.

This package stands as ``flow_fast`` beside ``flow.py`` where it was certified equal; it uses the
standard library, NumPy and what the flow's state uses. ``load`` follows the flow's steps once, with
stand-ins for its table, its libraries and its state, and so learns which operations lead from the
columns to the answers (``graph``). If it knows them all (``operations``, ``estimators``,
``models``, ``trees``), it writes them as two programs (``compiling``): one on plain values for one
row, one on arrays for many. Anything it does not know means that there is no fast form. A row that
needs what the programs do not cover is left, and the flow itself answers it.
"""

from .form import Form, load
from .graph import Leave, Unsupported

__all__ = ["Form", "Leave", "Unsupported", "load"]
