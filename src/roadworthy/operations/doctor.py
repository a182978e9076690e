"""What is wrong here, and the cure: looks at each part and says what it found."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from roadworthy.core.values import Document
from roadworthy.errors import RoadworthyError
from roadworthy.operations.desired import Desired, name_of
from roadworthy.registry import Registry
from roadworthy.settings import Settings
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.metadata import connect

LITTLE_SPACE = 512 * 1024 * 1024


class Finding(Document):
    """One thing that was looked at: ``fine``, worth ``knowing``, or ``wrong`` with its cure."""

    part: str
    state: Literal["fine", "knowing", "wrong"]
    said: str
    cure: str = ""


def _looked(part: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part=part, state="fine", said=look())
    except RoadworthyError as error:
        return Finding(part=part, state="wrong", said=error.message, cure=error.cure)
    except OSError as error:
        return Finding(part=part, state="wrong", said=str(error), cure="see the file's rights")


def examine_machine(settings: Settings) -> list[Finding]:
    """What can be seen without a control plane: Python, disk, metadata, blobs."""
    return [
        Finding(part="python", state="fine", said=f"{sys.version.split()[0]}, {sys.executable}"),
        Finding(
            part="settings",
            state="fine",
            said=str(settings.file or "defaults; no roadworthy.toml") + f", home {settings.home}",
        ),
        _space(settings),
        _looked("metadata", lambda: _metadata(settings)),
        _looked("blobs", lambda: _blobs(settings)),
    ]


def examine_system(desired: Desired, registry: Registry, *, contents: bool = True) -> list[Finding]:
    """What the control plane sees: agent, gateway, workers, what is live and its way back.

    With ``contents`` everything that live releases are made of is read and compared.
    """
    return [*_agent(desired), *_deployments(desired, registry, contents)]


def _space(settings: Settings) -> Finding:
    place = settings.home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    said = f"{free / 1e9:.1f} GB free for {settings.home}"
    if free < LITTLE_SPACE:
        return Finding(part="disk", state="wrong", said=said, cure="free some space")
    return Finding(part="disk", state="fine", said=said)


def _metadata(settings: Settings) -> str:
    if not settings.metadata and not (settings.home / "roadworthy.db").exists():
        return "none yet; made by the first roadworthy up"
    database = connect(settings.metadata_url)
    try:
        with database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
    finally:
        database.close()
    return "answers"


def _blobs(settings: Settings) -> str:
    if not settings.blobs and not (settings.home / "blobs").exists():
        return "none yet; made by the first roadworthy up"
    next(iter(open_blobs(settings.blobs_url, settings.blob_options).digests()), None)
    return "can be read"


def _agent(desired: Desired) -> Iterator[Finding]:
    status, observed = desired.status, desired.observed()
    if status is None or not observed.present:
        yield Finding(
            part="agent",
            state="wrong",
            said="the agent does not report"
            + ("" if status is None else f"; it did {observed.silent:.0f} s ago"),
            cure="roadworthy logs agent; roadworthy down, then roadworthy up",
        )
        return
    yield Finding(part="agent", state="fine", said=f"reports, process {status.pid}")
    if status.gateway_pid is None:
        yield Finding(
            part="gateway",
            state="wrong",
            said="the gateway does not answer",
            cure="roadworthy logs gateway",
        )
    else:
        said = f"answers at {status.gateway_address}, {status.gateway_restarts} restarts"
        yield Finding(part="gateway", state="fine", said=said)
    for worker in status.workers:
        if worker.error and worker.state != "ready":
            yield Finding(
                part="worker",
                state="wrong",
                said=f"{worker.id} of {worker.release} is {worker.state}: {worker.error}",
                cure=f"roadworthy logs --release {worker.release}",
            )
        if worker.form_off:
            yield Finding(
                part="worker",
                state="knowing",
                said=f"{worker.release} answers as written, without its fast form: "
                f"{worker.form_off}",
                cure=f"roadworthy verify {worker.release}",
            )
    for problem in status.problems:
        yield Finding(part="agent", state="knowing", said=problem, cure="roadworthy logs agent")


def _deployments(desired: Desired, registry: Registry, contents: bool) -> Iterator[Finding]:
    ready = desired.observed().ready
    for name, problem in desired.placement.problems.items():
        yield Finding(
            part="environment",
            state="wrong",
            said=f"the environment of {name} can't be made: {problem}",
            cure="see the package index settings (pip config list)",
        )
    for note in desired.placement.notes.values():
        yield Finding(part="environment", state="knowing", said=note, cure="roadworthy logs agent")
    for each in desired.snapshot().deployments:
        what = f"{each.model} in {each.stage}"
        if each.live is None:
            continue
        live = name_of(each.model, each.live)
        look = partial(_whole, registry, live) if contents else str
        finding = _looked(what, look)
        if finding.state == "wrong":
            yield finding
        elif not ready.get(live):
            yield Finding(
                part=what,
                state="wrong",
                said=f"{live} is live and has no ready worker",
                cure=f"roadworthy logs --release {live}; roadworthy rollback {each.model}",
            )
        else:
            back = name_of(each.model, each.previous) if each.previous else "none yet"
            yield Finding(part=what, state="fine", said=f"{live} answers; way back: {back}")


def _whole(registry: Registry, release: str) -> str:
    registry.check(registry.release(release))
    return "all contents are as recorded"
