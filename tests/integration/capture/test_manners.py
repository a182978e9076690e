"""A capture leaves nothing behind when it is ended, and takes nothing from where it is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ENDLESS = """\
import time
from pathlib import Path
import pandas as pd

df = pd.DataFrame({"a": [1.0, 2.0, 3.0] * 10})
Path("begun").write_text("")
while True:
    try:
        time.sleep(0.01)
    except ValueError:
        pass
"""
SIMPLE = """\
import pandas as pd

df = pd.DataFrame({"a": [1.0, 2.0, 3.0] * 10})
scores = df["a"] * 2
"""


HASHED = """\
import pandas as pd

df = pd.DataFrame({"a": [1.0, 2.0, 3.0] * 10, "town": ["Ghent", "Mons", "Namur"] * 10})
scores = df["a"] + df["town"].map(lambda town: hash(town) % 1000003)
"""


@contextmanager
def capturing(folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """``roadworthy capture train.py`` in a folder, with its own place for temporary files."""
    (folder / "temporary").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "roadworthy", "capture", "train.py", "--input", "df"]
    environ = {**os.environ, "TMPDIR": str(folder / "temporary"), "PYTHONSAFEPATH": "1"}
    process = subprocess.Popen(
        [*command, "--output", "scores", *options], cwd=folder, env=environ,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with_it = session_of(process.pid)
        for each in with_it:
            os.kill(each, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def session_of(leader: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, _, _, session = (entry / "stat").read_text().rpartition(") ")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(session) == leader and state != "Z":
            found.append(int(entry.name))
    return found


def wait_for(what: Any) -> None:
    until = time.monotonic() + 120
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("told", ["Ctrl-C", "terminated"])
def test_an_endless_program_leaves_nothing_behind(tmp_path: Path, told: str) -> None:
    (tmp_path / "train.py").write_text(ENDLESS)
    with capturing(tmp_path) as process:
        wait_for((tmp_path / "begun").exists)
        assert list((tmp_path / "temporary").iterdir())
        if told == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.terminate()
        assert process.wait(60) == (130 if told == "Ctrl-C" else 143)
        wait_for(lambda: not session_of(process.pid))
    assert list((tmp_path / "temporary").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"train.py", "begun", "temporary"}


def test_files_named_like_the_library_s_modules_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "train.py").write_text(SIMPLE)
    (tmp_path / "random.py").write_text("raise SystemExit('not the library')\n")
    (tmp_path / "train.py").symlink_to("programs/train.py")
    with capturing(tmp_path, "--to", "flow") as process:
        assert process.stdout is not None
        said = process.stdout.read().decode()
        assert process.wait(60) == 0, said
    assert (tmp_path / "flow" / "flow.py").exists()


WANDERING = """\
import io
import os
import sys

import pandas as pd

os.chdir("/")
sys.argv[:] = ["another", "--name"]
sys.stdout = io.StringIO()
df = pd.DataFrame({"a": [1.0, 2.0, 3.0] * 10})
print(df.describe())
scores = df["a"] - df["a"].mean()
"""


def test_a_program_may_change_its_folder_its_arguments_and_its_output(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(WANDERING)
    with capturing(tmp_path, "--to", "flow") as process:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said.decode()
    text = (tmp_path / "flow" / "flow.py").read_text("utf-8")
    assert 'scores = df["a"] - state.a_mean' in text
    assert "argv" not in text


def test_two_captures_of_one_program_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SIMPLE)
    with capturing(tmp_path, "--to", "one") as first, capturing(tmp_path, "--to", "two") as second:
        for process in (first, second):
            said, _ = process.communicate(timeout=300)
            assert process.returncode == 0, said.decode()
    names = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.py")]
    assert names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_flow_that_is_not_verified_is_left_to_look_at_where_it_was_to_be(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HASHED)
    with capturing(tmp_path, "--to", "seen") as process:
        told = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 7
    assert "see what differs in seen/flow.py, which is not to be used" in told
    assert "hash(town)" in (tmp_path / "seen" / "flow.py").read_text()
