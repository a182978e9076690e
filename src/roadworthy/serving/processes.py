"""Processes on this host: started in groups of their own, told apart by pid and start time."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from roadworthy.core.values import Document

KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "USER")
THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ARROW_NUM_THREADS",
)
IDLE_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""Threads of numeric libraries sleep while they wait: a spinning one takes another's core."""
ONE_HEAP = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""With few threads, one heap for all of them and for Arrow holds on to less that is free."""
MOST_LOG_BYTES = 5 * 1024 * 1024
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Identity(Document):
    """A process for as long as it lives: its pid alone may come to mean another one."""

    pid: int
    started: str


class Usage(NamedTuple):
    """Resident memory in bytes, and user and system time in seconds."""

    rss_bytes: int
    cpu_seconds: float


class Process:
    """A process that was started here, or by a predecessor of this process."""

    def __init__(self, identity: Identity, child: subprocess.Popen[bytes] | None) -> None:
        self.identity = identity
        self._child = child
        self.code: int | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.identity.pid

    def alive(self) -> bool:
        """Whether it still runs; afterwards ``code`` is its exit code, where that is known."""
        if self._child is not None:
            self.code = self._child.poll()
            return self.code is None
        return identify(self.pid) == self.identity

    def signal(self, number: int) -> None:
        """Send a signal to the process, and SIGKILL to its whole group."""
        if not self.alive():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGKILL:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def open_files(self) -> int:
        """How many files, sockets and pipes it has open; 0 where the system doesn't tell."""
        try:
            return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())
        except OSError:
            return 0

    def usage(self) -> Usage:
        """What it uses now; zeros where the system doesn't tell."""
        try:
            statm = Path(f"/proc/{self.pid}/statm").read_text("ascii").split()
            fields = _stat(self.pid)
        except (OSError, IndexError):
            return Usage(0, 0.0)
        return Usage(int(statm[1]) * _PAGE, (int(fields[11]) + int(fields[12])) / _TICKS)


def spawn(
    command: list[str],
    log: Path,
    cwd: Path,
    environment: dict[str, str],
    pass_fds: tuple[int, ...] = (),
) -> Process:
    """Start a process in its own group, its output appended to a log. Raises OSError."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    identity = identify(child.pid) or Identity(pid=child.pid, started="")
    return Process(identity, child)


def trim(log: Path) -> None:
    """Start a log afresh once it is long; its content is kept beside it until the next time."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > MOST_LOG_BYTES:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            os.truncate(log, 0)


def adopt(identity: Identity) -> Process | None:
    """The process that a predecessor started, if it still runs."""
    return Process(identity, None) if identify(identity.pid) == identity else None


def identify(pid: int) -> Identity | None:
    """The identity of a running process; None if there is none, or only its remains."""
    if sys.platform.startswith("linux"):
        try:
            fields = _stat(pid)
        except (OSError, IndexError):
            return None
        return None if fields[0] in "ZX" else Identity(pid=pid, started=fields[19])
    found = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    started = found.stdout.strip()
    return Identity(pid=pid, started=started) if started else None


def mentioning(*wanted: str) -> list[Process]:
    """Processes, other than this one, with one of these arguments; none where no /proc tells."""
    sought = {argument.encode() for argument in wanted}
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().split(b"\0")
        except OSError:
            continue
        pid = int(path.parent.name)
        if sought.intersection(arguments) and pid != os.getpid():
            identity = identify(pid)
            if identity is not None:
                found.append(Process(identity, None))
    return found


def base_environment(threads: int = 1) -> dict[str, str]:
    """The little that started processes get of this one's environment, and limits on threads.

    >>> base_environment(2)["OMP_NUM_THREADS"], base_environment()["OMP_WAIT_POLICY"]
    ('2', 'PASSIVE')
    """
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    limits = dict.fromkeys(THREAD_LIMITS, str(threads))
    python = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return {**kept, **limits, **IDLE_THREADS, **ONE_HEAP, **python}


def last_lines(log: Path, since: int, lines: int = 8) -> str:
    """The last lines that were appended to a log from byte ``since`` on."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= size else 0, size - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    kept = [line for line in text.splitlines() if line.strip()]
    return "\n".join(kept[-lines:])


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    return text.rpartition(")")[2].split()
