"""A release made of a tiny flow, rows for it, and what it should answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roadworthy.core.signature import Signature
from roadworthy.pipelines.batch import Batch
from roadworthy.pipelines.workers import Runnable
from roadworthy.testing.flows import SIGNATURE, write_flow
from roadworthy.testing.hosts import SOURCE


@pytest.fixture
def make_batch(tmp_path: Path) -> Callable[..., Batch]:
    """A batch of the tiny flow: ``make_batch(input, output, …)``."""

    def make(source: str, output: str, **more: Any) -> Batch:
        flow = tmp_path / "flow"
        if not flow.exists():
            write_flow(flow)
        runnable = Runnable(
            release="tiny@1",
            python=sys.executable,
            flow=str(flow),
            runtime=str(SOURCE),
            seconds=more.pop("seconds", 60.0),
        )
        return Batch(
            runnable=runnable,
            digest="0" * 64,
            signature=msgspec.convert(SIGNATURE, Signature),
            input=source,
            output=output,
            **more,
        )

    return make
