"""What bounds a process: its memory, its parent's life, the lock of whoever looks after it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, who has this pid, dies. Only Linux can.

    A parent that is dead by now ends it too.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def limit_memory(most: int) -> None:
    """Have allocations fail once this process's resident memory would exceed ``most`` bytes.

    The kernel's limit counts private writable memory, of which a part was never touched; the
    limit is therefore what is reserved now plus what may still become resident.
    """
    used = _status_bytes("VmData:")
    resident = _status_bytes("VmRSS:")
    if used is None or resident is None:
        return
    limit = used + max(most - resident, 0)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def nobody_holds(path: Path) -> bool:
    """Whether no process holds the exclusive lock on ``path``."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def _status_bytes(field: str) -> int | None:
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None
