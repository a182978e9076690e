"""Identifiers that sort by the time they were made."""

from __future__ import annotations

import uuid


def sortable_id(milliseconds: int, randomness: bytes) -> str:
    """A UUID of version 7 (RFC 9562) as text: the time first, then 10 bytes of randomness.

    >>> sortable_id(1_700_000_000_000, bytes(10))
    '018bcfe5-6800-7000-8000-000000000000'
    """
    if len(randomness) != 10 or not 0 <= milliseconds < 1 << 48:
        raise ValueError("48 bits of milliseconds and 10 bytes of randomness are needed")
    number = milliseconds << 80 | int.from_bytes(randomness)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))
