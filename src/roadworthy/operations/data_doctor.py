"""What is wrong with versioned data and its sources, and the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from roadworthy.errors import RoadworthyError
from roadworthy.operations.doctor import Finding

if TYPE_CHECKING:
    from roadworthy.data.browser import Browser

READ_BYTES = 1_000_000_000
"""How much of what branches hold is read for a thorough look, newest first."""
_SHOWN = 20


def examine_data(browser: Callable[[], Browser], *, contents: bool = True) -> list[Finding]:
    """Sources that stopped, fail or are late; datasets of which something is lost or damaged.

    With ``contents`` what branches hold now is read and compared with its digests, up to
    ``READ_BYTES``; without, only that every pack is there, whole by its size.
    """
    try:
        found = browser()
        return [*_sources(found), *_datasets(found, contents)]
    except RoadworthyError as error:
        return [Finding(part="data", state="wrong", said=error.message, cure=error.cure)]


def _sources(browser: Browser) -> Iterator[Finding]:
    lines = browser.source_lines()
    ill = [each for each in lines if each.health.ill]
    for each in ill[:_SHOWN]:
        yield Finding(
            part=f"source {each.source.name}",
            state="wrong",
            said=f"{each.health.kind}: {each.health.said}",
            cure=each.health.cure,
        )
    if len(ill) > _SHOWN:
        said = f"{len(ill) - _SHOWN} more are not well"
        yield Finding(part="sources", state="wrong", said=said, cure="roadworthy data source list")
    if lines and not ill:
        yield Finding(part="sources", state="fine", said=f"{len(lines)}, none unwell")


def _datasets(browser: Browser, contents: bool) -> Iterator[Finding]:
    names = browser.names()
    if not names:
        return
    found = browser.damage(READ_BYTES if contents else 0)
    for each in found.problems[:_SHOWN]:
        where = f" in {', '.join(each.commits[:3])}" if each.commits else ""
        at = f" at {each.path}" if each.path else ""
        yield Finding(
            part="data",
            state="wrong",
            said=f"{each.what}{at}{where}: {each.reason}",
            cure="roadworthy data fsck says all that it touches; commit the file again, which "
            "mends it, or restore the blobs from a backup",
        )
    if len(found.problems) > _SHOWN:
        said = f"{len(found.problems) - _SHOWN} more contents are damaged"
        yield Finding(part="data", state="wrong", said=said, cure="roadworthy data fsck")
    if not found.problems:
        said = f"{len(names)} datasets, all packs are there"
        if contents:
            said += (
                "; what branches hold is as recorded"
                if found.all_read
                else f"; {READ_BYTES / 1e9:.0f} GB of what branches hold are as recorded, "
                "roadworthy data fsck reads all"
            )
        yield Finding(part="data", state="fine", said=said)
