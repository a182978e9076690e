"""Locks and environments with real interpreters, a real index and real kills."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.bundle import put_runtime
from roadworthy.runtime.environments import describe, satisfies
from roadworthy.runtime.indexes import IndexSettings
from roadworthy.runtime.locks import add_hashes, lock_from_installed, make_lock, read_hashes
from roadworthy.runtime.pins import make_lock_value, pins
from roadworthy.runtime.realised import collect, environment_damage, realise
from roadworthy.testing.environments import small_environment

OWN = Path(sys.executable)
NO_INDEX = IndexSettings(no_index=True)
UNREACHABLE = IndexSettings(index_url="http://me:secret@127.0.0.1:9/simple")


def run(python: Path, program: str, path: Path | None = None) -> str:
    done = subprocess.run(
        [str(python), "-c", program],
        env={**os.environ, "PYTHONPATH": str(path or "")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wait_until(holds: Callable[[], object], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)


def test_another_environment_is_described(other_environment: Path) -> None:
    found = describe(other_environment)
    assert found.distributions["pandas"].version.startswith("2.")
    assert found.distributions["scikit-learn"].version.startswith("1.6")
    assert "roadworthy" not in found.distributions
    assert found.prefix == str(other_environment.parent.parent)
    assert found.packages[0].name < found.packages[-1].name
    assert not satisfies(other_environment, lock_from_installed(["pandas"], OWN)).fits


def test_the_runtime_works_where_roadworthy_is_not_installed(
    other_environment: Path, tmp_path: Path
) -> None:
    program = "import roadworthy_runtime.frames as f, pandas; print(f.__file__, pandas.__version__)"
    path = put_runtime(tmp_path)
    place, version = run(other_environment, program, path).split()
    assert place.startswith(str(path))
    assert version.startswith("2.")


def test_what_changes_in_an_environment_is_seen(small: Path) -> None:
    assert describe(small) is describe(small)
    assert set(describe(small).distributions) == {"six"}
    lock = lock_from_installed(["six"], small)
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(small), "six==1.17.0"],
        check=True,
    )
    assert describe(small).distributions["six"].version == "1.17.0"
    assert satisfies(small, lock).reasons == ("six is 1.17.0, locked is 1.16.0",)


@pytest.mark.parametrize(
    "content", [None, "#!/bin/sh\necho no >&2\nexit 3\n", "#!/bin/sh\necho {}\n"]
)
def test_what_is_no_python_is_named(tmp_path: Path, content: str | None) -> None:
    python = tmp_path / "python"
    if content is not None:
        python.write_text(content)
        python.chmod(0o755)
    with pytest.raises(EnvironmentFailed, match="can't be used as a Python interpreter"):
        describe(python)


def test_a_lock_has_what_is_needed_and_no_more(other_environment: Path) -> None:
    lock = lock_from_installed(["scikit-learn"], other_environment)
    locked = pins(lock.text)
    assert {"scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl"} <= set(locked)
    assert "pandas" not in locked
    assert lock.python == describe(other_environment).python
    assert satisfies(other_environment, lock).fits
    assert lock == lock_from_installed(["scikit_learn # as pinned"], other_environment)


def test_hashes_come_from_the_index_and_no_address_is_kept(small: Path) -> None:
    lock = make_lock(["six"], small)
    assert read_hashes(lock.text)["six"]
    assert "://" not in lock.text
    assert "#" not in lock.text
    assert add_hashes(lock, small) == lock


@pytest.mark.parametrize("indexes", [NO_INDEX, UNREACHABLE], ids=["none", "unreachable"])
def test_without_an_index_the_lock_is_what_is_installed(
    small: Path, indexes: IndexSettings
) -> None:
    lock = make_lock(["six"], small, indexes=indexes)
    assert lock == lock_from_installed(["six"], small)
    assert lock.text == "# without hashes: six\nsix==1.16.0\n"


def test_a_lock_is_realised_once_and_found_again(small: Path, tmp_path: Path) -> None:
    lock = make_lock(["six"], small)
    python = realise(lock, tmp_path / "envs", python=small)
    assert python == tmp_path / "envs" / lock.digest / "bin" / "python"
    assert run(python, "import six; print(six.__version__)") == "1.16.0"
    assert run(python, "import sys; print(sys.prefix)") == str(python.parent.parent)
    assert satisfies(python, lock).fits
    made = (python.parent.parent / "pyvenv.cfg").stat().st_mtime_ns
    assert realise(lock, tmp_path / "envs") == python
    assert (python.parent.parent / "pyvenv.cfg").stat().st_mtime_ns == made


def test_a_lock_without_packages_is_realised(tmp_path: Path) -> None:
    lock = lock_from_installed([], OWN)
    python = realise(lock, tmp_path / "envs")
    assert run(python, "import sys; print(sys.version_info[:3])") == str(sys.version_info[:3])


def test_another_python_of_the_machine_is_used(small: Path, tmp_path: Path) -> None:
    lock = replace(lock_from_installed(["six"], small), python="3.11.0")
    python = realise(lock, tmp_path / "envs", python=small)
    assert "a patch of the locked 3.11.0" in str(satisfies(python, lock))


@pytest.mark.parametrize("damage", ["truncate", "delete", "uninstall", "flip"])
def test_a_damaged_environment_is_found_and_made_again(
    small: Path, tmp_path: Path, damage: str
) -> None:
    lock = lock_from_installed(["six"], small)
    python = realise(lock, tmp_path / "envs")
    directory = python.parent.parent
    module = next(directory.glob("lib/python*/site-packages/six.py"))
    content = module.read_bytes()
    module.unlink()  # the file is a link into uv's cache, which stays as it is
    if damage == "truncate":
        module.write_bytes(content[:100])
    elif damage == "flip":
        module.write_bytes(content[:-2] + b"#\n")
        assert environment_damage(directory, lock) is None
        assert (
            environment_damage(directory, lock, deep=True)
            == "six: six.py is not as it was installed"
        )
        return
    elif damage == "uninstall":
        info = next(directory.glob("lib/python*/site-packages/six-*.dist-info"))
        info.rename(tmp_path / "gone")
    assert environment_damage(directory, lock) is not None
    assert realise(lock, tmp_path / "envs") == python
    assert run(python, "import six; print(six.__version__)") == "1.16.0"


def test_several_at_once_get_the_same_environment(small: Path, tmp_path: Path) -> None:
    lock = lock_from_installed(["six"], small)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: realise(lock, tmp_path / "envs"), range(4)))
    assert set(found) == {tmp_path / "envs" / lock.digest / "bin" / "python"}
    assert environment_damage(found[0].parent.parent, lock, deep=True) is None


_REALISE = """
import sys
from pathlib import Path
from roadworthy.runtime.pins import make_lock_value
from roadworthy.runtime.realised import realise
realise(make_lock_value(sys.argv[1], sys.argv[2]), Path(sys.argv[3]))
"""


def test_a_killed_realisation_leaves_nothing_half(small: Path, tmp_path: Path) -> None:
    lock = lock_from_installed(["six"], small)
    envs = tmp_path / "envs"
    for stage in (
        ".making-*",
        ".making-*/pyvenv.cfg",
        ".making-*/lib/python*/site-packages/six.py",
    ):
        with subprocess.Popen(
            [sys.executable, "-c", _REALISE, lock.python, lock.text, str(envs)]
        ) as process:
            # A quick one may have ended before it was seen at this stage: that is right as well.
            wait_until(lambda stage=stage: process.poll() is not None or any(envs.glob(stage)))
            process.kill()
        target = envs / lock.digest
        assert not target.exists() or environment_damage(target, lock) is None
    python = realise(lock, envs)
    assert run(python, "import six; print(six.__version__)") == "1.16.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("roadworthy-nonesuch==1.0\n", "roadworthy-nonesuch==1.0 is on no package index"),
        ("six==99.0\n", "six==99.0 is on no package index that is configured in that version"),
        (
            f"six==1.16.0 \\\n    --hash=sha256:{'0' * 64}\n",
            "six==1.16.0 is not what was locked: its hash differs",
        ),
    ],
)
def test_a_package_that_can_not_be_had_is_named(text: str, message: str, tmp_path: Path) -> None:
    lock = make_lock_value(describe(OWN).python, text)
    with pytest.raises(EnvironmentFailed, match="realising the locked environment: ") as caught:
        realise(lock, tmp_path / "envs")
    assert message in str(caught.value)
    assert not (tmp_path / "envs" / lock.digest).exists()
    assert not list((tmp_path / "envs").glob(".making-*"))


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match=r"Python 3\.99\.1: no such Python is installed"):
        realise(make_lock_value("3.99.1", "six==1.16.0\n"), tmp_path / "envs")


def test_an_index_that_is_away_shows_no_password(tmp_path: Path) -> None:
    lock = make_lock_value(describe(OWN).python, "roadworthy-nonesuch==1.0\n")
    with pytest.raises(EnvironmentFailed, match="no package index answers") as caught:
        realise(lock, tmp_path / "envs", indexes=UNREACHABLE)
    assert "secret" not in str(caught.value.problem())


def make_package(folder: Path) -> Path:
    """A package of somebody's own, in a folder."""
    (folder / "ours").mkdir(parents=True)
    (folder / "ours" / "__init__.py").write_text("VALUE = 1\n")
    (folder / "ours" / "data.txt").write_text("x")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "ours"\nversion = "0.3"\ndependencies = ["six"]\n'
        '[project.scripts]\nours = "ours:main"\n'
    )
    return folder


@pytest.mark.parametrize("editable", [True, False], ids=["editable", "from a folder"])
def test_a_package_of_one_s_own_goes_along_as_a_wheel(tmp_path: Path, editable: bool) -> None:
    package = str(make_package(tmp_path / "package"))
    wanted = [f"-e{package}"] if editable else [package]
    python = small_environment(tmp_path / "env", wanted, sys.executable)
    with pytest.raises(EnvironmentFailed, match=r"ours 0\.3 is installed .* no package index has"):
        lock_from_installed(["ours"], python)
    lock = lock_from_installed(["ours"], python, tmp_path / "wheels")
    assert lock == lock_from_installed(["ours"], python, tmp_path / "wheels")
    assert len(read_hashes(lock.text)["ours"]) == 1
    assert satisfies(python, lock).fits is not editable
    made = realise(lock, tmp_path / "envs", wheels=tmp_path / "wheels")
    (tmp_path / "package" / "ours" / "__init__.py").write_text("VALUE = 2\n")
    assert run(made, "import ours; print(ours.VALUE)") == "1"
    assert run(made, "import six; print(six.__name__)") == "six"
    if editable:
        assert lock_from_installed(["ours"], python, tmp_path / "wheels") != lock


def test_environments_that_nobody_needs_are_removed(small: Path, tmp_path: Path) -> None:
    envs = tmp_path / "envs"
    kept, unused = lock_from_installed(["six"], small), lock_from_installed([], small)
    realise(kept, envs)
    realise(unused, envs)
    assert collect(envs, [kept.digest]) == [unused.digest]
    assert collect(envs, [kept.digest]) == []
    assert (envs / kept.digest).is_dir()
