"""Words of messages."""

from __future__ import annotations


def noun(number: int, one: str, many: str = "") -> str:
    """The noun that a count takes.

    >>> noun(1, "row"), noun(2, "row"), noun(0, "delivery", "deliveries")
    ('row', 'rows', 'deliveries')
    """
    return one if number == 1 else many or one + "s"


def counted(number: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> counted(1, "row"), counted(1204, "row"), counted(0, "delivery", "deliveries")
    ('1 row', '1,204 rows', '0 deliveries')
    """
    return f"{number:,} {noun(number, one, many)}"
