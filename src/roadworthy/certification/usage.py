"""What processes of this machine use now: resident memory and CPU time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from roadworthy.certification.service import Usage
from roadworthy.errors import Unavailable


def process_usage(pids: Sequence[int]) -> Usage:
    """Resident bytes and CPU seconds of these processes together.

    CPU time has the system's clock ticks as its unit, usually 0.01 s. Raises Unavailable if one
    of them does not live.
    """
    each = [_by_proc(pid) if Path("/proc/self/stat").exists() else _by_ps(pid) for pid in pids]
    return Usage(
        rss_bytes=sum(usage.rss_bytes for usage in each),
        cpu_seconds=sum(usage.cpu_seconds for usage in each),
    )


def _by_proc(pid: int) -> Usage:
    """From ``/proc/<pid>/stat``: fields 14 and 15 are ticks, 24 is pages; see proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise _gone(pid) from error
    fields = text.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Usage(
        rss_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
    )


def _by_ps(pid: int) -> Usage:
    """From ps, where there is no /proc: kibibytes, and ``[[dd-]hh:]mm:ss[.ff]``."""
    said = subprocess.run(
        ["ps", "-o", "rss=,time=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    if len(said) != 2:
        raise _gone(pid)
    days, _, clock = said[1].rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return Usage(rss_bytes=int(said[0]) * 1024, cpu_seconds=seconds + 86400 * int(days or 0))


def _gone(pid: int) -> Unavailable:
    return Unavailable(
        f"the worker's process {pid} does not live", cure="roadworthy status, then roadworthy logs"
    )
