"""The sides as processes, each in its own environment, installed where they are not yet."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "sides"
PEERS = {
    "dvc": ("dvc_side", ["dvc", "pyarrow"]),
    "oxen": ("oxen_side", ["oxenai", "pyarrow"]),
    "delta": ("delta_side", ["deltalake", "pyarrow"]),
    "lance": ("lance_side", ["pylance", "pyarrow"]),
    "iceberg": ("iceberg_side", ["pyiceberg[sql-sqlite,pyarrow]"]),
}


class Failed(Exception):
    """A side can't do what it was asked, or not in time."""


class Side:
    """One side's process. ``limit`` bounds each question, in seconds."""

    def __init__(
        self, name: str, module: str, python: str, home: Path, limit: float, *more: str
    ) -> None:
        self.name = name
        self.folder: Path = home
        self._home = home
        self._more = more
        self._limit = limit
        self._stores = 0
        self._command = [python, str(HERE / "asked.py"), module]
        self._process: subprocess.Popen[str] | None = None

    def fresh(self) -> None:
        """A store that is new."""
        self._stores += 1
        self.folder = self._home / f"{self._stores}"
        self.ask("open", str(self.folder), *self._more)

    def again(self) -> None:
        """The same store in a new process, which holds no memory yet."""
        self.stop()
        self.ask("open", str(self.folder), *self._more)

    def ask(self, call: str, *given: Any, times: int = 1, most: float = 1e9) -> dict[str, Any]:
        """What the side answers. Raises Failed."""
        process = self._process or self._start()
        job = {"call": call, "with": given, "times": times, "most": most}
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(max(self._limit, min(most, 1e6) * 1.5 if most < 1e9 else 0)):
                self.stop()
                raise Failed(f"took more than {self._limit:.0f} s")
        line = process.stdout.readline()
        if not line:
            self.stop()
            raise Failed("the process ended")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def seconds(self, call: str, *given: Any) -> float:
        """How long the side takes."""
        return float(self.ask(call, *given)["seconds"][-1])

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        self._home.mkdir(parents=True, exist_ok=True)
        own = {"HOME": str(self._home), "DVC_NO_ANALYTICS": "1", "PYTHONPATH": ""}
        log = (self._home / "errors.txt").open("a")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **own},
        )
        return self._process


def sides(wanted: str, cache: Path, folder: Path, limit: float) -> dict[str, Side]:
    """All sides: the plain work, ours in three manners, and the peers that are asked for."""
    mine = sys.executable
    made = {
        "plain": Side("plain", "plain", mine, folder / "plain", limit),
        "ours": Side("ours", "ours", mine, folder / "ours", limit, "whole"),
        "ours, bytes": Side("ours, bytes", "ours", mine, folder / "bytes", limit, "bytes"),
        "ours, rows": Side("ours, rows", "ours", mine, folder / "rows", limit, "rows"),
    }
    names = {"all": list(PEERS), "none": []}.get(wanted)
    for name in wanted.split(",") if names is None else names:
        module, needed = PEERS[name]
        try:
            python = _installed(name, needed, cache)
        except subprocess.CalledProcessError as error:
            print(f"{name}: can't be installed: {error}", flush=True)
            continue
        title = f"{name} {_version(python, needed[0].partition('[')[0])}"
        made[name] = Side(title, module, str(python), folder / name, limit)
    return made


def _installed(name: str, needed: Sequence[str], cache: Path) -> Path:
    """The interpreter of a peer's own environment, made where it is not there."""
    python = cache / name / "bin" / "python"
    if (cache / name / "ready").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(cache / name)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *needed], check=True)
    (cache / name / "ready").touch()
    return python


def _version(python: Path, package: str) -> str:
    asked = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run(
        [str(python), "-c", asked], capture_output=True, text=True, check=True
    ).stdout.strip()
