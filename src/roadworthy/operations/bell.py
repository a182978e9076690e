"""A bell that threads ring and both threads and event loops wait for."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Bell:
    """Counts its rings. A waiter that knows the count it saw misses none.

    Safe to ring from any thread; ``heard`` waits in an event loop, ``wait`` in a thread.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def count(self) -> int:
        """How often it was rung."""
        with self._condition:
            return self._count

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._condition:
            self._count += 1
            waiting, self._waiting = self._waiting, set()
            self._condition.notify_all()
        for loop, event in waiting:
            with contextlib.suppress(RuntimeError):  # that loop has ended meanwhile
                loop.call_soon_threadsafe(event.set)

    def wait(self, seen: int, seconds: float) -> int:
        """The count, once it differs from ``seen`` or after so many seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._count != seen, timeout=seconds)
            return self._count

    async def heard(self, seen: int, seconds: float) -> int:
        """The same in an event loop."""
        event = asyncio.Event()
        entry = (asyncio.get_running_loop(), event)
        with self._condition:
            if self._count != seen:
                return self._count
            self._waiting.add(entry)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            with self._condition:
                self._waiting.discard(entry)
        return self.count
