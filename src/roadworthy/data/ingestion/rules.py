"""Cleansing rules: each is a name and a version; what a version does to a text never changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_ASCII = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}


def _ascii(values: pa.Array) -> pa.Array:
    """German letters written out, other accents dropped, what is left replaced by ``?``."""
    import unicodedata

    def plain(text: str) -> str:
        written = "".join(_ASCII.get(letter, letter) for letter in text)
        bare = unicodedata.normalize("NFKD", written)
        kept = "".join(letter for letter in bare if not unicodedata.combining(letter))
        return kept.encode("ascii", "replace").decode()

    found = values.dictionary_encode()
    words = [None if word is None else plain(word) for word in found.dictionary.to_pylist()]
    return pc.take(pa.array(words, pa.string()), found.indices)


_RULES: dict[str, Callable[[Any], Any]] = {
    "trim@1": pc.utf8_trim_whitespace,
    "squeeze@1": lambda values: pc.utf8_trim_whitespace(
        pc.replace_substring_regex(values, r"\s+", " ")
    ),
    "lower@1": pc.utf8_lower,
    "upper@1": pc.utf8_upper,
    "title@1": pc.utf8_title,
    "digits@1": lambda values: pc.replace_substring_regex(values, r"[^0-9]", ""),
    "abs@1": lambda values: pc.replace_substring_regex(values, r"^\s*-", ""),
    "ascii@1": _ascii,
}


def cleanse(values: pa.Array, rules: Sequence[str]) -> pa.Array:
    """Texts after these rules, in order; nulls stay null.

    >>> cleanse(pa.array(["  Graz  Ost ", None]), ["squeeze@1", "upper@1"]).to_pylist()
    ['GRAZ OST', None]
    """
    for rule in rules:
        values = _RULES[rule](values)
    return values
