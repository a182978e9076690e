"""Stored pieces: no flipped bit of one is taken for what was written."""

from __future__ import annotations

import random

import pytest

from roadworthy.data.stored import check_of, check_of_piece, digest_bytes, is_whole, store_bytes

NOISE = random.Random(0).randbytes(300)
TEXT = b"words, words, " * 30


@pytest.mark.parametrize("content", [NOISE, TEXT, b"x", b""])
def test_each_flipped_bit_is_noticed(content: bytes) -> None:
    digest, stored = digest_bytes(content), store_bytes(content)
    for check in (check_of_piece(stored), check_of(stored)):  # of packs now, and of the first form
        assert is_whole(stored, digest, check)
        assert is_whole(memoryview(stored), digest, check)
        for bit in range(8 * len(stored)):
            flipped = bytearray(stored)
            flipped[bit // 8] ^= 1 << bit % 8
            assert not is_whole(bytes(flipped), digest, check)
        assert not is_whole(stored[:-1], digest, check)
        assert not is_whole(b"", digest, check)
