"""Rows 1, 3 and 14 for data that arrives: kills of pollers and of their process; clocks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roadworthy.core.source import Column, Source
from roadworthy.settings import load_settings
from roadworthy.testing.hosts import wait_until
from roadworthy.wiring import open_sources

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))


@pytest.mark.fault("1")
@pytest.mark.timeout(600 + 120 * ROUNDS)
def test_twenty_customers_under_kills_lose_double_and_mix_up_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "roadworthy.testing.source_kills"]
    done = subprocess.run(
        [*command, str(tmp_path / "k"), "1", str(8 * ROUNDS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"of 20 customers under {8 * ROUNDS} kills" in done.stdout


@pytest.mark.fault("1")
def test_polls_go_on_after_their_process_is_killed(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "in"
    folder.mkdir()
    columns = {"n": Column(type="int64")}
    told = {"ROADWORTHY_HOME": str(home)}
    settings = load_settings(tmp_path, told)
    with open_sources(settings) as sources:
        sources.add(
            Source(
                name="acme",
                url=f"{folder}/*.csv",
                dataset="orders",
                columns=columns,
                schedule="every 1 second",
                most_deliveries=1,
                settle_seconds=0,
            )
        )
    environment = {**os.environ, **told}

    def rows() -> list[int]:
        with open_sources(settings) as sources:
            if not sources.datasets.log("orders"):
                return []
            found = sources.datasets.read("orders").to_arrow("acme")["n"].to_pylist()
            return sorted(found)

    delivered: list[int] = []
    for life in range(2):
        for file in range(5):
            number = life * 5 + file
            hidden = folder / ".part"
            hidden.write_text(f"n\n{number}\n")
            hidden.replace(folder / f"{number:03}.csv")
            delivered.append(number)
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "roadworthy", "serve", "sources"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            # Killed among its polls in its first life, when all is there in the second.
            enough = len(delivered) if life == 1 else 2
            wait_until(lambda: len(rows()) >= enough, 60, "rows")  # noqa: B023
        finally:
            process.kill()
            process.wait()
    assert rows() == delivered
