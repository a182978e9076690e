"""The pictures of the tutorial, from a real run: ``make screenshots``.

Starts a Roadworthy of its own in a fresh directory, deploys the flight example twice, asks it
for a while, and takes the pages in Chromium into docs/images. ``--all DIR`` takes every page, in
light and dark, wide and on a phone, to be looked at; ``--keep`` leaves the system up until Enter.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from roadworthy.testing.systems import System

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
EXAMPLE = ROOT / "examples" / "flight_delay"
MODEL = "flight-delay"
WIDTH = 1200
NAMED = (
    "import socket; socket.gethostname = lambda: 'example'; import roadworthy.cli as c; c.main()"
)
"""The command line, without this machine's name in what it records."""
SETTINGS = {"LOGNAME": "ada", "USER": "ada", "OMP_NUM_THREADS": "1"}
"""Who deploys; and one thread, since several wait for each other busily where others work too."""
SHOTS = {
    "overview": ("/", 620),
    "model": (f"/models/{MODEL}", 1330),
    "certificate": (f"/models/{MODEL}/releases/1", 900),
    "capture": (f"/models/{MODEL}/releases/1#capture", 900),
    "compare": (f"/models/{MODEL}/compare?before=1&after=2", 900),
    "promote": (f"/models/{MODEL}/releases/2/promote?to=production", 620),
    "app": (f"/apps/{MODEL}", 900),
    "log": (f"/models/{MODEL}/log", 700),
    "failed-run": ("", 560),
}
"""Name, address and height of each picture; the failed run's address is known once it failed."""


def main() -> int:
    """Run it; 0 once every picture is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="DIR")
    parser.add_argument("--seconds", type=float, default=150, help="how long it is asked")
    parser.add_argument("--keep", action="store_true", help="wait for Enter at the end")
    given = parser.parse_args()
    with System(SETTINGS) as system, chromium() as browser:
        failed = prepare(system, given.seconds)
        if given.all:
            every_page(system, browser, given.all, failed)
        else:
            pictures(system, browser, failed)
        if given.keep:
            input(f"{system.address} (Enter ends it)")
    return 0


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        sys.exit("Chromium is needed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def prepare(system: System, seconds: float) -> str:
    """Two releases, traffic, a failed run; the id of that run."""
    program = Path(shutil.copy(EXAMPLE / "train.py", system.directory / "train.py"))
    deploy(system, "--notes", "the first one")
    source = program.read_text()
    program.write_text(source.replace("max_iter=120", "max_iter=160"))
    ask = threading.Event()
    asking = threading.Thread(target=keep_asking, args=(system, ask))
    asking.start()
    try:
        deploy(system, "--stage", "staging", "--notes", "more trees")
        program.write_text(source.replace('df["seats"].median()', 'df["seat"].median()'))
        deploy(system, good=False)
        time.sleep(seconds)
    finally:
        ask.set()
        asking.join()
    (failed, *_) = [each["id"] for each in system.answer("runs") if each["status"] == "failed"]
    return str(failed)


def deploy(system: System, *more: str, good: bool = True) -> None:
    """``roadworthy deploy`` of the program as it is now."""
    command = ["deploy", "train.py", "--input", "flights", "--output", "scores", "--name", MODEL]
    done = subprocess.run(
        [sys.executable, "-c", NAMED, *command, *more],
        cwd=system.directory, env=system.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if (done.returncode == 0) != good:
        sys.exit(done.stdout + done.stderr)


def keep_asking(system: System, stop: threading.Event) -> None:
    """Ask production, and staging now and then, with the example's rows."""
    rows = list(csv.DictReader((EXAMPLE / "rows.csv").open(encoding="utf-8")))
    with httpx.Client(base_url=system.gateway, trust_env=False, timeout=20) as client:
        typed = [numbers(row) for row in rows]
        for place, row in enumerate(itertools.cycle(typed)):
            if stop.wait(0.12 + 0.08 * (place // 40 % 3)):
                return
            version = "/versions/2" if place > 300 and place % 3 == 0 else ""
            with suppress(httpx.HTTPError):  # a busy machine: the next row is asked all the same
                client.post(f"/models/{MODEL}{version}/predict", json=row)


def numbers(row: dict[str, str]) -> dict[str, object]:
    """A row of CSV with numbers where they are."""
    found: dict[str, object] = {}
    for name, text in row.items():
        try:
            found[name] = int(text) if text.lstrip("-").isdigit() else float(text)
        except ValueError:
            found[name] = text or None
    return found


def pictures(system: System, browser: Browser, failed: str) -> None:
    """Write each of SHOTS."""
    IMAGES.mkdir(exist_ok=True)
    context = browser.new_context(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
    page = context.new_page()
    for name, (path, height) in SHOTS.items():
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.goto(system.address + (path or f"/runs/{failed}"))
        settle(page)
        image = Image.open(io.BytesIO(page.screenshot()))
        image.convert("RGB").save(IMAGES / f"{name}.webp", quality=80, method=6)
        print(f"{name}.webp {(IMAGES / f'{name}.webp').stat().st_size / 1000:.0f} kB")
    context.close()


def settle(page: Page) -> None:
    """Until fonts are there and a smooth scroll has ended."""
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(800)


def every_page(system: System, browser: Browser, into: Path, failed: str) -> None:
    """All pages, each in light, dark and on a phone, whole."""
    into.mkdir(parents=True, exist_ok=True)
    one = f"/models/{MODEL}"
    paths = {
        **{name: path for name, (path, _) in SHOTS.items() if path and "#" not in path},
        "failed-run": f"/runs/{failed}", "models": "/models", "runs": "/runs",
        "try": f"{one}/releases/1/try", "card": f"{one}/card", "release-2": f"{one}/releases/2",
        "notes": f"{one}/releases/2/notes", "system": "/system", "doctor": "/system/doctor",
        "settings": "/system/settings", "log-control": "/system/logs/control",
        "missing": "/models/nothing", "log-empty": f"{one}/log?caller=nobody",
        "alone": f"{one}/compare?before=1&after=1", "live-already": f"{one}/releases/1/promote",
    }  # fmt: skip
    for scheme, width in (("light", 1200), ("dark", 1200), ("light", 390)):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page = context.new_page()
        for name, path in paths.items():
            page.goto(system.address + path)
            page.screenshot(path=str(into / f"{name}-{scheme}-{width}.png"), full_page=True)
        context.close()


if __name__ == "__main__":
    sys.exit(main())
