"""Bringing what capture made to a control plane: contents first, then what names them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from roadworthy.client.control import ControlPlane
from roadworthy.core.capture import CaptureReport
from roadworthy.core.certificate import Check
from roadworthy.core.names import Stage
from roadworthy.core.operation import DeployRequest
from roadworthy.core.release import WHEELS, FlowFile
from roadworthy.core.run import ProgramFile, Run
from roadworthy.core.signature import Signature
from roadworthy.errors import Damaged, StorageError
from roadworthy.runtime.locks import lock_from_installed

_AT_ONCE = 8


def upload_run(
    control: ControlPlane,
    run: Run,
    files: Sequence[tuple[str, Path]],
    report: CaptureReport | None = None,
) -> Run:
    """Have a run kept with its program's files (path in the program → local file)."""
    kept = [
        ProgramFile(path=path, digest=digest, bytes=size)
        for path, digest, size in _uploaded(control, files)
    ]
    run = replace(run, files=sorted(kept, key=lambda each: each.path))
    control.record_run(run, report)
    return run


def upload_flow(
    control: ControlPlane,
    directory: Path,
    *,
    model: str,
    stage: Stage,
    run: str,
    signature: Signature,
    checks: Sequence[Check],
    interpreter: Path,
    notes: str = "",
    allow_breaking: bool = False,
    workers: int = 0,
) -> DeployRequest:
    """Have a flow directory's contents there; what to ask for to deploy it.

    The environment's lock is made from what is installed in ``interpreter``, in the versions
    that the flow was captured with. Packages that no index has (editable or local ones) become
    wheels among the flow's files. Raises EnvironmentFailed that names a package.
    """
    lock = lock_from_installed(read_requirements(directory), interpreter, directory / WHEELS)
    named = [(path, directory / path) for path in flow_files(directory)]
    files = [
        FlowFile(path=path, digest=digest, bytes=size)
        for path, digest, size in _uploaded(control, named)
    ]
    return DeployRequest(
        model=model,
        stage=stage,
        run=run,
        files=files,
        signature=signature,
        lock=lock,
        checks=list(checks),
        interpreter=str(interpreter),
        notes=notes,
        allow_breaking=allow_breaking,
        workers=workers,
    )


def _uploaded(
    control: ControlPlane, files: Sequence[tuple[str, Path]]
) -> list[tuple[str, str, int]]:
    """Path, digest and size of each file, all of whose contents are there; a few at a time."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        sent = pool.map(control.upload_file, [local for _, local in files])
        return [(path, *each) for (path, _), each in zip(files, sent, strict=True)]


def flow_files(directory: Path) -> list[str]:
    """The paths of a flow directory's files, sorted; compiled leftovers are none of it."""
    return sorted(
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def read_requirements(directory: Path) -> list[str]:
    """The lines of the flow's ``requirements.txt``. Raises Damaged where it is missing."""
    path = directory / "requirements.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise Damaged(f"{path} is missing", cure="capture the program again") from None
    except OSError as error:
        raise StorageError(f"{path} can't be read: {error.strerror}") from error
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
