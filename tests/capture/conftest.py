"""Each program is captured, run plainly and asked once in a session, two at a time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.capture.making import Outcome, make_outcome, make_refusal


class Laboratory:
    """What came of the programs that this session's tests need."""

    def __init__(self, pool: ProcessPoolExecutor, folder: Path) -> None:
        self._pool = pool
        self._folder = folder
        self._made: dict[Any, Future[Any]] = {}

    def prepare(self, item: pytest.Item) -> None:
        """Begins what a test will ask for."""
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if "case" in parameters:
            name = parameters["case"].program
            if name not in self._made:
                folder = self._folder / name
                self._made[name] = self._pool.submit(make_outcome, name, folder)
        if "refusal" in parameters:
            refusal = parameters["refusal"]
            folder = self._folder / f"refusal {len(self._made)}"
            self._made[refusal] = self._pool.submit(
                make_refusal, refusal.program, folder, refusal.input, refusal.outputs
            )

    def outcome(self, program: str) -> Outcome:
        """The outcome of a case; raises again what its capture raised."""
        made = self._made[program].result()
        if isinstance(made, Exception):
            raise made.with_traceback(None)
        assert isinstance(made, Outcome)
        return made

    def refusal(self, refusal: Any) -> Exception | None:
        """What capturing the program raised."""
        raised: Exception | None = self._made[refusal].result()
        return raised


@pytest.fixture(scope="session")
def laboratory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laboratory]:
    """Captures what the selected tests need, in processes of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        made = Laboratory(pool, tmp_path_factory.mktemp("programs"))
        for item in request.session.items:
            if item.path.parent == Path(__file__).parent:
                made.prepare(item)
        yield made
        pool.shutdown(cancel_futures=True)
