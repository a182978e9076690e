"""Small valid values to build tests from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.core.release import FlowFile, Lock
from roadworthy.core.run import Run
from roadworthy.core.signature import Column, Output, Signature
from roadworthy.registry.drafts import ReleaseDraft

A_SIGNATURE = Signature(
    input="flights",
    kind="dataframe",
    columns=[Column(name="distance", type="float", dtype="float64", example=229.0)],
    outputs=[
        Output(
            name="scores",
            kind="array",
            columns=[Column(name="scores", type="float", dtype="float64")],
        )
    ],
)
A_LOCK = Lock(python="3.11.7", text="numpy==2.4.0\n", digest="5" * 64)


def a_run(identity: str, **changes: Any) -> Run:
    """A captured run of train.py."""
    run = Run(
        id=identity,
        program="train.py",
        files=[],
        arguments=[],
        parameters={},
        metrics={"auc": 0.83},
        python="3.11.7",
        packages=[],
        started="2026-03-01T12:00:00+00:00",
        seconds=1.5,
        status="captured",
    )
    return msgspec.structs.replace(run, **changes)


def a_draft(
    run: str, content: bytes = b"flow", model: str = "flight-delay", **changes: Any
) -> ReleaseDraft:
    """A draft of a release whose answers are determined by ``content``."""
    files: Mapping[str, bytes | Path | FlowFile] = {
        "flow.py": content,
        "state/table.bin": b"0123456789" * 100,
        "README.md": b"A flow.",
    }
    draft = ReleaseDraft(model=model, files=files, signature=A_SIGNATURE, lock=A_LOCK, run=run)
    return msgspec.structs.replace(draft, **changes)


def ticking_clock(
    start: datetime = datetime(2026, 3, 1, tzinfo=UTC), step: timedelta = timedelta(seconds=1)
) -> Callable[[], datetime]:
    """A clock that is one step later each time it is asked."""
    ticks = itertools.count()
    return lambda: start + next(ticks) * step
