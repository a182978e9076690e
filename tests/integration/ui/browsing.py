"""Pages in a real Chromium: opened, watched for complaints, held against axe."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
AXE_RUN = """() => axe.run(document, {resultTypes: ["violations"]}).then((found) => ({
    passed: found.passes.length,
    wrong: found.violations.flatMap((rule) =>
        rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)}`)),
}))"""


def axe(page: Page) -> list[str]:
    """What axe finds, by rule and element."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate(AXE_RUN)
    assert found["passed"] > 10
    return list(found["wrong"])


expect.set_options(timeout=60_000)  # a busy machine shows late what it shows at all


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("Chromium is needed here: apt-get install chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


class Watched:
    """A page, and everything that the browser complained about on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on(
            "console",
            lambda said: (
                self.complaints.append(f"{said.type}: {said.text}")
                if said.type in ("error", "warning")
                else None
            ),
        )

    def forgive(self, what: str) -> None:
        """Take off the list what the browser says by itself about an expected status."""
        assert self.complaints
        assert all(what in each for each in self.complaints), self.complaints
        self.complaints.clear()


@pytest.fixture
def open_page(chromium: Browser, serve: Any) -> Iterator[Callable[..., Watched]]:
    """Opens a path of a world's app in a browser of its own; fails on any complaint."""
    with ExitStack() as stack:
        opened: list[Watched] = []
        addresses: dict[tuple[Any, ...], str] = {}

        def open_(
            world: Any,
            path: str,
            scheme: str = "light",
            width: int = 1200,
            javascript: bool = True,
            **changes: Any,
        ) -> Watched:
            key = (id(world), *changes)
            if key not in addresses:
                addresses[key] = stack.enter_context(serve(world, **changes)).address
            context = chromium.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=scheme,  # type: ignore[arg-type]
                java_script_enabled=javascript,
            )
            stack.callback(context.close)
            watched = Watched(context.new_page())
            opened.append(watched)
            watched.page.goto(addresses[key] + path)
            return watched

        yield open_
        found = [complaint for each in opened for complaint in each.complaints]
    assert found == []
