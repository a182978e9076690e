"""How long a release takes for so many rows, learned from the batches that were answered.

From it follows what to refuse, and how many rows of a large batch to ask at once.
"""

from __future__ import annotations

KEEP = 0.95
"""What an observation weighs after the next one: about the last 20 count."""
KNOWN_AFTER = 20

QUICK_SECONDS = 0.1
"""Portions grow while they are answered within this time, and shrink beyond four times that."""
FEWEST_ROWS = 64


class Pace:
    """A line through (rows, seconds) of the last batches, the older the less they count.

    While all batches had about the same size, more rows are taken to cost nothing: too little is
    refused then rather than too much.
    """

    __slots__ = ("_count", "_weight", "_x", "_xx", "_xy", "_y")

    def __init__(self) -> None:
        self._count = 0
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    @property
    def known(self) -> bool:
        """Whether enough was seen to go by it."""
        return self._count >= KNOWN_AFTER

    def observe(self, rows: int, seconds: float) -> None:
        """A batch of so many rows took so long."""
        self._count += 1
        self._weight = self._weight * KEEP + 1.0
        self._x = self._x * KEEP + rows
        self._y = self._y * KEEP + seconds
        self._xx = self._xx * KEEP + rows * rows
        self._xy = self._xy * KEEP + rows * seconds

    def seconds(self, rows: int) -> float:
        """How long so many rows take; 0.0 where nothing is known.

        >>> pace = Pace()
        >>> for n in range(1, 40):
        ...     pace.observe(n, 0.010 + 0.001 * n)
        >>> round(pace.seconds(100), 3)
        0.11
        """
        if not self.known:
            return 0.0
        mean_x, mean_y = self._x / self._weight, self._y / self._weight
        variance = self._xx / self._weight - mean_x * mean_x
        covariance = self._xy / self._weight - mean_x * mean_y
        # Where sizes hardly differ, noise in the times would make any slope.
        slope = max(0.0, covariance / variance) if variance > 0.01 * mean_x * mean_x else 0.0
        return max(0.0, mean_y + slope * (rows - mean_x))


class Portion:
    """How many rows of a large batch are asked at once: ``rows``.

    Each asking has a fixed cost, often that of a thousand rows or more; and while it lasts,
    others wait for the worker.
    """

    __slots__ = ("_most", "rows")

    def __init__(self, first: int, most: int) -> None:
        self.rows = first
        self._most = max(first, most)

    def observe(self, rows: int, seconds: float) -> None:
        """So many rows took so long; less than a portion says nothing of whether more would do.

        >>> portion = Portion(4096, 65_536)
        >>> portion.observe(4096, 0.03)
        >>> portion.rows
        8192
        """
        if seconds > 4 * QUICK_SECONDS:
            self.rows = max(self.rows // 2, FEWEST_ROWS)
        elif rows >= self.rows and seconds < QUICK_SECONDS:
            self.rows = min(2 * self.rows, self._most)
