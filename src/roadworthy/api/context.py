"""What routes are given: the parts of the control plane, put together by wiring."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Request

from roadworthy.core.certificate import Certificate
from roadworthy.operations.desired import Desired
from roadworthy.registry import Registry
from roadworthy.settings import Settings
from roadworthy.storage.blobs import Blobs

if TYPE_CHECKING:
    from roadworthy.data.browser import Browser


@dataclass(frozen=True, kw_only=True)
class Context:
    """The control plane's parts. ``closing`` is set once it is to end, so that waits end.

    ``browser`` gives what reads versioned data; it is made when it is first asked for.
    """

    settings: Settings
    desired: Desired
    registry: Registry
    blobs: Blobs
    browser: Callable[[], Browser]
    version: str
    junit: Callable[[Certificate], bytes]
    closing: threading.Event = field(default_factory=threading.Event)


def context_of(request: Request) -> Context:
    """The context that the app was made with."""
    context: Context = request.app.state.context
    return context
