"""The tutorial's commands run as they are written, in order, and print what it shows.

A fenced ``console`` block holds commands (lines that begin with ``$ ``), below each what it prints;
``...`` stands for any text, and blanks count as one. A command with nothing below it is only run.
"""

import doctest
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def commands_of(text: str) -> list[tuple[str, str]]:
    """Each command of a page with the output shown below it."""
    found: list[tuple[str, str]] = []
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A directory with the examples, as a fresh checkout has them; what it started is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="rw-"))
    shutil.copytree(ROOT / "examples", folder / "examples")
    control, gateway = free_ports(2)
    (folder / "roadworthy.toml").write_text(
        f"[control]\nport = {control}\n[gateway]\nport = {gateway}\n"
    )
    yield folder
    run(folder, "roadworthy down")
    shutil.rmtree(folder)


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Runs one command as a person's shell would, with this environment's programs first."""
    programs = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if "ROADWORTHY" not in name},
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "COLUMNS": "100",
    }
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, printed)


def with_ports(command: str, folder: Path) -> str:
    """The command with the ports of this test in the place of the usual ones."""
    control, gateway = re.findall(r"port = (\d+)", (folder / "roadworthy.toml").read_text())
    return command.replace("127.0.0.1:8400", f"127.0.0.1:{control}").replace(
        "127.0.0.1:8401", f"127.0.0.1:{gateway}"
    )


@pytest.mark.timeout(600)
def test_the_tutorial_does_what_it_says(checkout: Path) -> None:
    commands = commands_of(TUTORIAL.read_text(encoding="utf-8"))
    assert len(commands) >= 8
    for command, shown in commands:
        done = run(checkout, with_ports(command, checkout))
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        if shown.strip():
            wanted = with_ports(shown, checkout)
            assert doctest.OutputChecker().check_output(wanted, done.stdout, SAME), (
                f"$ {command}\nthe tutorial shows\n{wanted}\nit printed\n{done.stdout}"
            )
