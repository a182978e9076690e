"""The copy of ``roadworthy_runtime`` that is put on the path of other people's environments."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from roadworthy.errors import EnvironmentFailed
from roadworthy.runtime.directories import made_once

FACADE_NAMES = (
    "captured",
    "creation_only",
    "dataset",
    "deploy",
    "ensemble",
    "flow",
    "learned",
    "log_metric",
    "param",
    "row_wise",
)

_FACADE = f'''"""What a program can say to Roadworthy in an environment that does not have it."""

from __future__ import annotations

__all__ = {sorted(FACADE_NAMES)!r}


def load_ipython_extension(shell):
    """``%load_ext roadworthy``."""
    from roadworthy_runtime import kernel

    kernel.load_ipython_extension(shell)


def __getattr__(name):
    if name in __all__:
        from roadworthy_runtime import facade

        return getattr(facade, name)
    raise AttributeError(
        "roadworthy has no {{!r}} while a program is recorded or served; it has {{}}".format(
            name, ", ".join(__all__)
        )
    )


def __dir__():
    return sorted(__all__)
'''


def put_runtime(home: Path, source: Path | None = None) -> Path:
    """The directory for PYTHONPATH with ``roadworthy_runtime`` and the facade ``roadworthy``.

    It lies in ``home/runtime`` under the digest of its content, is made if it is absent, and
    made again if a file in it was changed, added or lost. ``source`` is the package to copy;
    without it, the one that this process would import.
    """
    files = _content(source or _installed())
    digest = _digest(files)

    def build(directory: Path) -> None:
        for path, content in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def damage(directory: Path) -> str | None:
        found = dict(_read(directory, ""))
        changed = [path for path in files | found if files.get(path) != found.get(path)]
        return f"{changed[0]} is not as it was written" if changed else None

    return made_once(home / "runtime" / digest, build, damage)


def _installed() -> Path:
    spec = importlib.util.find_spec("roadworthy_runtime")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise EnvironmentFailed(
            "roadworthy_runtime is not installed beside roadworthy",
            cure="install Roadworthy again; both packages come together",
        )
    return Path(places[0])


def _content(package: Path) -> dict[str, bytes]:
    """What the bundle holds: path in it → bytes, in a fixed order."""
    files = dict(_read(package, "roadworthy_runtime/"))
    files["roadworthy/__init__.py"] = _FACADE.encode()
    return dict(sorted(files.items()))


def _read(directory: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    for path in directory.rglob("*"):
        inside = path.relative_to(directory)
        if "__pycache__" in inside.parts or not path.is_file():
            continue
        yield prefix + inside.as_posix(), path.read_bytes()


def _digest(files: dict[str, bytes]) -> str:
    """BLAKE3 over each path and its content's digest, so that no two layouts look alike."""
    whole = blake3()
    for path, content in files.items():
        whole.update(f"{path}\0{blake3(content).hexdigest()}\n".encode())
    return whole.hexdigest()
