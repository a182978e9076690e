"""What a measured release needs for so many users: pure arithmetic, with its formula stated."""

from __future__ import annotations

import math

from roadworthy.core.certificate import ResourceProfile
from roadworthy.core.values import Value

USERS = (10, 1_000, 100_000)
MEBIBYTE = 1024 * 1024


class Advice(Value, frozen=True):
    """What so many users need: workers, bytes of memory, and CPU cores."""

    users: int
    requests_per_second: float
    workers: int
    memory_bytes: int
    cores: float
    formula: str


def memory_limit(profile: ResourceProfile) -> int:
    """The advised limit of a worker's memory, in bytes: what it had under load and half as much
    again, at least 128 MiB more, in steps of 64 MiB.
    """
    wanted = max(profile.load_bytes * 1.5, profile.load_bytes + 128 * MEBIBYTE)
    return math.ceil(wanted / (64 * MEBIBYTE)) * 64 * MEBIBYTE


def advise(
    profile: ResourceProfile,
    users: int,
    *,
    seconds_between: float = 10.0,
    peak: float = 3.0,
    utilisation: float = 0.6,
) -> Advice:
    """What this many users need, if each asks once in ``seconds_between`` seconds on average.

    ``peak`` is how much busier the busiest minute is than the average, ``utilisation`` the share
    of what was measured that is planned with: queues grow without bound as it nears 1. One
    worker is added as a spare beyond the first.
    """
    rate = users / seconds_between * peak
    needed = rate / (profile.requests_per_second * utilisation)
    workers = 1 if needed <= 1 else math.ceil(needed) + 1
    cores = max(0.1, rate * profile.cpu_ms_per_request / 1000 / utilisation)
    return Advice(
        users=users,
        requests_per_second=rate,
        workers=workers,
        memory_bytes=workers * memory_limit(profile),
        cores=round(cores, 1),
        formula=(
            f"requests/s = users / {seconds_between:g} s x {peak:g} at the peak; workers = "
            f"requests/s / ({profile.requests_per_second:.0f} measured x {utilisation:g}), and one "
            "spare where more than one is needed; memory = workers x the advised limit; cores = "
            f"requests/s x CPU per request / {utilisation:g}"
        ),
    )


def advise_all(profile: ResourceProfile) -> list[Advice]:
    """The advice for 10, 1,000 and 100,000 users."""
    return [advise(profile, users) for users in USERS]
