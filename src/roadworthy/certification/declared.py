"""Checks of what a release declares: its signature, its lock, the formats of its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from roadworthy.core.certificate import Check
from roadworthy.core.policy import Limits
from roadworthy.core.release import Lock
from roadworthy.core.signature import Signature, breaking_changes
from roadworthy.core.values import Value
from roadworthy.runtime.pins import pins

PICKLES = ("pickle", "cloudpickle", "joblib", "dill")


class StateFile(Value, frozen=True):
    """A state value of the flow: its name, its file, and the format it is stored in."""

    name: str
    file: str
    format: str

    @property
    def pickled(self) -> bool:
        """Whether loading it can run code."""
        return any(word in self.format.lower() for word in PICKLES)


class Loaded(Value, frozen=True):
    """What a running worker says of its own environment."""

    python: str
    packages: dict[str, str]


def compatibility_check(
    signature: Signature, newest: Signature | None, newest_name: str, limits: Limits
) -> Check:
    """Whether the callers of the model's newest release can go on as they are."""
    changes = [] if newest is None else breaking_changes(newest, signature)
    texts = [f"{change.field} {change.change}" for change in changes]
    if newest is None:
        measured = "the first release: there are no callers yet"
    elif not changes:
        measured = f"nothing breaks callers of {newest_name}"
    else:
        measured = f"breaks callers of {newest_name}: " + "; ".join(texts)
    failed = bool(changes) and not limits.breaking
    return Check(
        id="compatibility",
        group="compatibility",
        title="Callers can go on as they are",
        outcome="not applicable" if newest is None else "failed" if failed else "passed",
        required="breaking changes are allowed" if limits.breaking else "no breaking change",
        measured=measured,
        evidence={"compared_with": newest_name, "changes": texts},
    )


def environment_check(lock: Lock | None, loaded: Loaded | None) -> Check:
    """Whether the worker loaded the versions that the release locks."""
    problems: list[str] = []
    notes: list[str] = []
    locked = pins(lock.text) if lock is not None else {}
    if lock is None:
        problems.append("the release has no lock")
    elif loaded is None:
        problems.append("the worker did not say what it loaded")
    else:
        problems, notes = _differences(lock, locked, loaded)
    bare = len(locked) - _with_hash(lock.text) if lock is not None else 0
    measured = "; ".join([*problems, *notes]) or f"{len(locked)} packages as locked"
    return Check(
        id="environment",
        group="environment",
        title="Runs with the versions of its lock",
        outcome="failed" if problems else "passed",
        required="a lock, and exactly its versions in the worker",
        measured=measured,
        evidence={
            "lock": lock.digest if lock is not None else None,
            "python": lock.python if lock is not None else None,
            "packages": locked,
            "without_hashes": bare,
        },
    )


def state_check(state: Sequence[StateFile], limits: Limits) -> Check:
    """Which state is in open formats, and which needs pickle."""
    pickled = [entry for entry in state if entry.pickled]
    opened = sorted({entry.format for entry in state if not entry.pickled})
    parts = []
    if len(state) > len(pickled):
        parts.append(f"{len(state) - len(pickled)} in open formats ({', '.join(opened)})")
    if pickled:
        named = ", ".join(f"{entry.name} ({entry.format})" for entry in pickled)
        parts.append(f"{len(pickled)} in pickle: {named}")
    return Check(
        id="state-formats",
        group="environment",
        title="State is in open formats",
        outcome="failed" if pickled and not limits.pickle else "passed",
        required="pickle is allowed, and named" if limits.pickle else "no pickle",
        measured="; ".join(parts) or "the flow has no state",
        evidence={
            "formats": {entry.name: entry.format for entry in state},
            "pickled": [entry.name for entry in pickled],
        },
    )


def read_state(index: Mapping[str, Any]) -> list[StateFile]:
    """The state that a flow directory's ``state/index.json`` lists."""
    return [
        StateFile(name=entry["name"], file=entry["file"], format=entry["format"])
        for entry in index.get("values", ())
    ]


def _differences(
    lock: Lock, locked: Mapping[str, str], loaded: Loaded
) -> tuple[list[str], list[str]]:
    """What keeps the worker's environment from being the locked one, and what is only noted."""
    problems, notes = [], []
    if loaded.python.split(".")[:2] != lock.python.split(".")[:2]:
        problems.append(f"Python is {loaded.python}, locked is {lock.python}")
    elif loaded.python != lock.python:
        notes.append(f"Python is {loaded.python}, a patch of the locked {lock.python}")
    found = {str(canonicalize_name(name)): version for name, version in loaded.packages.items()}
    for name, version in locked.items():
        if name not in found:
            problems.append(f"{name} is not there, locked is {version}")
        elif found[name] != version:
            problems.append(f"{name} is {found[name]}, locked is {version}")
    return problems, notes


def _with_hash(text: str) -> int:
    """How many packages of a lock have a hash."""
    return sum(line.endswith("\\") and "==" in line for line in text.splitlines())
