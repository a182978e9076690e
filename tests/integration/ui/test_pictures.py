"""The tutorial's pictures: each is there, small, shown, and of a page that there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from httpx import Client

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 90_000


@pytest.fixture(scope="module")
def shots() -> dict[str, tuple[str, int]]:
    spec = spec_from_file_location("screenshots", ROOT / "tools" / "screenshots.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, tuple[str, int]] = module.SHOTS
    return found


def test_each_picture_is_there_small_and_shown(shots: dict[str, tuple[str, int]]) -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(images/([a-z-]+)\.webp\)", tutorial))
    kept = {path.stem: path.stat().st_size for path in IMAGES.iterdir()}
    assert shown == set(kept) == set(shots)
    assert {name: size for name, size in kept.items() if size > MOST_BYTES} == {}


def test_each_page_shown_exists(
    world: Any, client_of: Callable[..., Client], shots: dict[str, tuple[str, int]]
) -> None:
    client = client_of(world)
    failed = next(run for run in world.registry.runs() if run.status == "failed")
    for path, _ in shots.values():
        assert client.get(path or f"/runs/{failed.id}").status_code == 200, path
