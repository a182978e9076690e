"""How two releases differ: source, signature, environment, state."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from roadworthy.core.release import Release
from roadworthy.core.signature import Break, breaking_changes
from roadworthy.core.values import Document
from roadworthy.registry import Registry
from roadworthy.runtime.pins import pins


class FileDiff(Document):
    """One text file's unified diff; ``kind`` is whose file it is."""

    kind: str
    path: str
    diff: str


class PackageChange(Document):
    """One package whose version differs; empty where it is not there."""

    package: str
    before: str
    after: str


class Comparison(Document):
    """How ``after`` differs from ``before``, by part. ``same`` where both answer alike by digest.

    ``state`` names the frozen values that differ; ``required`` and ``answered`` are the
    signature's columns that were added (+) and removed (-).
    """

    before: str
    after: str
    same: bool
    files: list[FileDiff]
    breaks: list[Break]
    required: list[str]
    answered: list[str]
    packages: list[PackageChange]
    python: tuple[str, str]
    state: list[str]
    metrics: dict[str, tuple[float | None, float | None]]


def compare(registry: Registry, before: Release, after: Release) -> Comparison:
    """The comparison of two releases, of one model or of two."""
    runs = registry.run(before.run), registry.run(after.run)
    programs = registry.run_files(before.run), registry.run_files(after.run)
    flows = _texts(registry, before), _texts(registry, after)
    metrics = sorted(runs[0].metrics.keys() | runs[1].metrics.keys())
    return Comparison(
        before=before.name,
        after=after.name,
        same=before.digest == after.digest,
        files=[
            *_file_diffs("program", programs[0], programs[1]),
            *_file_diffs("flow", flows[0], flows[1]),
        ],
        breaks=breaking_changes(before.signature, after.signature),
        required=_names(
            [column.name for column in before.signature.columns],
            [column.name for column in after.signature.columns],
        ),
        answered=_names(
            [output.name for output in before.signature.outputs],
            [output.name for output in after.signature.outputs],
        ),
        packages=_packages(before.lock.text, after.lock.text),
        python=(before.lock.python, after.lock.python),
        state=_state(before, after),
        metrics={
            name: (runs[0].metrics.get(name), runs[1].metrics.get(name))
            for name in metrics
            if runs[0].metrics.get(name) != runs[1].metrics.get(name)
        },
    )


def _texts(registry: Registry, release: Release) -> dict[str, bytes]:
    return {
        file.path: registry.file(release, file.path)
        for file in release.files
        if file.path.endswith(".py") and not file.path.startswith(("flow_support", "flow_fast"))
    }


def _file_diffs(
    kind: str, before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> list[FileDiff]:
    found = []
    for path in sorted(before.keys() | after.keys()):
        old, new = (
            files.get(path, b"").decode("utf-8", "replace").splitlines(keepends=True)
            for files in (before, after)
        )
        lines = difflib.unified_diff(old, new, fromfile=f"a/{path}", tofile=f"b/{path}")
        diff = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
        if diff:
            found.append(FileDiff(kind=kind, path=path, diff=diff))
    return found


def _names(before: list[str], after: list[str]) -> list[str]:
    return [f"-{name}" for name in before if name not in after] + [
        f"+{name}" for name in after if name not in before
    ]


def _packages(before: str, after: str) -> list[PackageChange]:
    old, new = pins(before), pins(after)
    return [
        PackageChange(package=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _state(before: Release, after: Release) -> list[str]:
    old, new = (
        {file.path: file.digest for file in release.files if file.path.startswith("state/")}
        for release in (before, after)
    )
    differing = (path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    return sorted(path.removeprefix("state/") for path in differing if path != "state/index.json")
