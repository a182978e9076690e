"""Roadworthy: from the program where a model was created to certified, reversible production.

The names listed here are the public ones; each is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roadworthy.client.models import Client as Client
    from roadworthy.errors import RoadworthyError as RoadworthyError
    from roadworthy_runtime.facade import deploy as deploy
    from roadworthy_runtime.facade import log_metric as log_metric
    from roadworthy_runtime.facade import param as param

_HOMES = {
    "Client": "roadworthy.client.models",
    "RoadworthyError": "roadworthy.errors",
    "deploy": "roadworthy_runtime.facade",
    "log_metric": "roadworthy_runtime.facade",
    "param": "roadworthy_runtime.facade",
}

__all__ = ["Client", "RoadworthyError", "__version__", "deploy", "log_metric", "param"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'roadworthy' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
