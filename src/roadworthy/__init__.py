"""Roadworthy: from the program where a model was created to certified, reversible production.

The names listed here are the public ones; each is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roadworthy.client.models import Client as Client
    from roadworthy.errors import RoadworthyError as RoadworthyError
    from roadworthy_runtime.facade import captured as captured
    from roadworthy_runtime.facade import creation_only as creation_only
    from roadworthy_runtime.facade import dataset as dataset
    from roadworthy_runtime.facade import deploy as deploy
    from roadworthy_runtime.facade import ensemble as ensemble
    from roadworthy_runtime.facade import flow as flow
    from roadworthy_runtime.facade import learned as learned
    from roadworthy_runtime.facade import log_metric as log_metric
    from roadworthy_runtime.facade import param as param
    from roadworthy_runtime.facade import row_wise as row_wise

_HOMES = {
    "Client": "roadworthy.client.models",
    "RoadworthyError": "roadworthy.errors",
    "captured": "roadworthy_runtime.facade",
    "creation_only": "roadworthy_runtime.facade",
    "dataset": "roadworthy_runtime.facade",
    "deploy": "roadworthy_runtime.facade",
    "ensemble": "roadworthy_runtime.facade",
    "flow": "roadworthy_runtime.facade",
    "learned": "roadworthy_runtime.facade",
    "log_metric": "roadworthy_runtime.facade",
    "param": "roadworthy_runtime.facade",
    "row_wise": "roadworthy_runtime.facade",
}

__all__ = [
    "Client",
    "RoadworthyError",
    "__version__",
    "captured",
    "creation_only",
    "dataset",
    "deploy",
    "ensemble",
    "flow",
    "learned",
    "log_metric",
    "param",
    "row_wise",
]

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext roadworthy``: traces a notebook's cells, and offers ``%deploy``."""
    import_module("roadworthy_runtime.kernel").load_ipython_extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext roadworthy``."""
    import_module("roadworthy_runtime.kernel").unload_ipython_extension(shell)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'roadworthy' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
