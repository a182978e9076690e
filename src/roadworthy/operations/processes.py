"""Processes of this machine, told apart by pid and start time: a reused pid harms nobody."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

from roadworthy.core.values import Document


class Process(Document):
    """A process: ``born`` is what the system says of its start; with the pid it is unique."""

    pid: int
    born: str
    name: str = ""


def born(pid: int) -> str | None:
    """When the process started, in the system's own form; None where it does not live.

    A zombie does not live: nobody collected it, but it does nothing any more.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return _born_by_ps(pid) if not Path("/proc/self/stat").exists() else None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def describe(pid: int, name: str) -> Process:
    """The process as it is to be remembered."""
    return Process(pid=pid, born=born(pid) or "", name=name)


def lives(process: Process | None) -> bool:
    """Whether this very process lives, and not another one under its pid."""
    return process is not None and bool(process.born) and born(process.pid) == process.born


def wait_for_end(process: Process, seconds: float) -> bool:
    """Wait until the process has ended; whether it has."""
    deadline = time.monotonic() + seconds
    try:
        descriptor = os.pidfd_open(process.pid)
    except (OSError, AttributeError):
        while lives(process) and time.monotonic() < deadline:
            time.sleep(0.02)
        return not lives(process)
    try:
        while lives(process):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([descriptor], [], [], min(left, 0.5))
        return True
    finally:
        os.close(descriptor)


def stop(process: Process, grace: float = 10.0) -> bool:
    """Ask the process to end, force it after ``grace`` seconds; whether it ended by itself."""
    if not _signal(process, signal.SIGTERM):
        return True
    if wait_for_end(process, grace):
        return True
    _signal(process, signal.SIGKILL)
    wait_for_end(process, 5.0)
    return False


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def listener(port: int) -> tuple[int, str] | None:
    """The pid and command of the process that listens on a port, where the system tells."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            for link in (folder / "fd").iterdir():
                if str(link.readlink()) in inodes:
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    return int(folder.name), words.decode("utf-8", "replace").strip()[:80]
        except OSError:
            continue
    return None


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _signal(process: Process, number: int) -> bool:
    if not lives(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def _born_by_ps(pid: int) -> str | None:
    result = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or None
