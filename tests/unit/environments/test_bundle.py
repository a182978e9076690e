"""The runtime's copy and directories that are made once: whole, checked, safe under kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from roadworthy.errors import Damaged
from roadworthy.runtime.bundle import FACADE_NAMES, put_runtime
from roadworthy.runtime.directories import made_once, remove


@pytest.fixture
def source(tmp_path: Path) -> Path:
    package = tmp_path / "source" / "roadworthy_runtime"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    names = "\n".join(f"def {name}():\n    return {name!r}\n" for name in FACADE_NAMES)
    (package / "facade.py").write_text(names)
    (package / "__pycache__" / "facade.pyc").write_bytes(b"old")
    return package


def run(path: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_copy_is_importable_where_roadworthy_is_not_installed(
    tmp_path: Path, source: Path
) -> None:
    path = put_runtime(tmp_path / "home", source)
    assert path.parent == tmp_path / "home" / "runtime"
    done = run(path, "import roadworthy as rw; print(rw.deploy(), rw.param(), dir(rw))")
    assert done.stdout == f"deploy param {sorted(FACADE_NAMES)}\n", done.stderr
    assert not list((path / "roadworthy_runtime").glob("__pycache__/facade.pyc"))


def test_what_the_facade_does_not_have_is_told(tmp_path: Path, source: Path) -> None:
    done = run(put_runtime(tmp_path, source), "import roadworthy; roadworthy.Client")
    assert "roadworthy has no 'Client' while a program is recorded or served" in done.stderr


def test_importing_the_facade_loads_nothing_yet(tmp_path: Path, source: Path) -> None:
    program = "import sys, roadworthy; print('roadworthy_runtime' in sys.modules)"
    assert run(put_runtime(tmp_path, source), program).stdout == "False\n"


def test_the_same_content_is_one_copy_and_other_content_another(
    tmp_path: Path, source: Path
) -> None:
    first = put_runtime(tmp_path, source)
    before = (first / "roadworthy" / "__init__.py").stat().st_mtime_ns
    (first / "roadworthy_runtime" / "__pycache__").mkdir()
    assert put_runtime(tmp_path, source) == first
    assert (first / "roadworthy" / "__init__.py").stat().st_mtime_ns == before
    (source / "__init__.py").write_text("changed = 1\n")
    assert put_runtime(tmp_path, source) != first


@pytest.mark.parametrize("damage", ["change", "lose", "add"])
def test_a_damaged_copy_is_made_again(tmp_path: Path, source: Path, damage: str) -> None:
    path = put_runtime(tmp_path, source)
    facade = path / "roadworthy_runtime" / "facade.py"
    whole = facade.read_bytes()
    if damage == "change":
        facade.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    elif damage == "lose":
        facade.unlink()
    else:
        (path / "pandas.py").write_text("raise SystemExit\n")
    assert put_runtime(tmp_path, source) == path
    assert facade.read_bytes() == whole
    assert not (path / "pandas.py").exists()


def test_the_installed_runtime_can_be_bundled(tmp_path: Path) -> None:
    path = put_runtime(tmp_path)
    assert (path / "roadworthy_runtime" / "worker.py").is_file()


def test_many_at_once_build_it_once(tmp_path: Path) -> None:
    built: list[Path] = []
    start = threading.Barrier(6)

    def build(directory: Path) -> None:
        built.append(directory)
        (directory / "whole").touch()

    def damage(directory: Path) -> str | None:
        return None if (directory / "whole").exists() else "not whole"

    def make() -> None:
        start.wait()
        made_once(tmp_path / "target", build, damage)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert (tmp_path / "target" / "whole").exists()


def test_what_is_built_wrongly_is_never_there(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="not whole: no"):
        made_once(tmp_path / "target", lambda directory: None, lambda directory: "no")
    with pytest.raises(ZeroDivisionError):
        made_once(tmp_path / "target", lambda directory: print(1 / 0), lambda directory: None)
    assert [path.name for path in tmp_path.iterdir()] == [".target.lock"]


_KILLED = """
import sys
from pathlib import Path
from roadworthy.runtime.directories import made_once
def build(directory):
    (directory / "half").touch()
    print("building", flush=True)
    sys.stdin.read()
made_once(Path(sys.argv[1]), build, lambda directory: None)
"""


def test_a_killed_builder_leaves_no_lock_and_nothing_half(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"building\n"
        os.kill(process.pid, signal.SIGKILL)
    assert not target.exists()
    assert list(tmp_path.glob(".making-*"))
    made_once(target, lambda directory: (directory / "whole").touch(), lambda directory: None)
    assert [path.name for path in target.iterdir()] == ["whole"]
    assert not list(tmp_path.glob(".making-*"))


def test_a_directory_can_be_removed(tmp_path: Path) -> None:
    target = made_once(tmp_path / "target", lambda directory: None, lambda directory: None)
    remove(target)
    remove(target)
    assert not target.exists()
