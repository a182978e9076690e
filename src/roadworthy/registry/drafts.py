"""What is to become a release, and the manifest whose digest is the release's identity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.core.release import FlowFile, Lock
from roadworthy.core.signature import Signature
from roadworthy.core.values import Value
from roadworthy.errors import UsageError

NOT_ANSWERING = frozenset({"README.md"})
_DEVICES = {"", ".", ".."}


class ReleaseDraft(Value, frozen=True):
    """A verified flow that is to become a release of a model.

    ``files`` are the flow directory's, by path relative to it: bytes, a local file, or the
    FlowFile of a content that is among the blobs already. ``run`` is the recorded run's id.
    """

    model: str
    files: Mapping[str, bytes | Path | FlowFile]
    signature: Signature
    lock: Lock
    run: str
    caller: str = ""
    notes: str = ""


def manifest_of(files: list[FlowFile], signature: Signature, lock: Lock) -> bytes:
    """What determines a release's answers, in one canonical form; its digest is the identity.

    The flow's files by content (state and sample among them, the README not), the signature
    and the environment's lock. Empty fields are left out, so that a field added to a value
    later does not change the identity of what does not use it.
    """
    answering = sorted((file.path, file.digest) for file in files if _answers(file.path))
    manifest = {
        "format": 1,
        "files": answering,
        "signature": _without_none(msgspec.to_builtins(signature)),
        "lock": {"python": lock.python, "digest": lock.digest},
    }
    return msgspec.json.encode(manifest, order="sorted")


def flow_directory(directory: Path) -> dict[str, bytes | Path | FlowFile]:
    """All files of a flow directory for a draft. Raises UsageError where one is no file."""
    found: dict[str, bytes | Path | FlowFile] = {}
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        if "__pycache__" in relative.parts or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink() or not path.is_file():
            raise UsageError(
                f"{path} can't be part of a release: it is not an ordinary file",
                cure="replace it by the file that is meant",
            )
        found[relative.as_posix()] = path
    return found


def check_path(path: str) -> str:
    """The path itself, if it stays inside the directory that it is relative to.

    >>> check_path("state/index.json")
    'state/index.json'

    Raises UsageError for ``..``, absolute paths, backslashes and control characters.
    """
    parts = path.split("/")
    fine = all(part not in _DEVICES and len(part.encode()) <= 255 for part in parts)
    if fine and path.isprintable() and "\\" not in path and len(path) <= 1000:
        return path
    raise UsageError(
        f"{path!r} can't be the path of a file of a release",
        cure="use relative paths with forward slashes, without '..'",
    )


def _answers(path: str) -> bool:
    return path not in NOT_ANSWERING


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_none(each) for each in value]
    return value
