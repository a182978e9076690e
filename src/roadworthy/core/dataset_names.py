"""How people name datasets, their commits and the paths in them."""

from __future__ import annotations

import re
from datetime import datetime

from roadworthy.core.dataset import MAIN
from roadworthy.core.moments import parse_moment
from roadworthy.core.values import Value
from roadworthy.errors import InvalidName, UsageError

_DATASET = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_REF = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")
_BACK = re.compile(r"(.*?)~(\d{1,9})?")
_PLAIN_PATH = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII)
_PREFIX = re.compile(r"[0-9a-f]{4,64}")
MOST_PATH = 1024
_MOST_SHOWN = 80


class CommitName(Value, frozen=True):
    """What names a commit: a branch, tag or digest's beginning; a moment; how many before it.

    ``moment`` (UTC) asks for the branch as it was then.

    >>> parse_commit("flights@main~2")
    CommitName(dataset='flights', ref='main', back=2, moment=None)
    """

    dataset: str
    ref: str = MAIN
    back: int = 0
    moment: datetime | None = None

    def __str__(self) -> str:
        at = f"@{self.moment.isoformat()}" if self.moment else ""
        return f"{self.dataset}@{self.ref}{at}" + (f"~{self.back}" if self.back else "")


def check_dataset_name(name: str) -> str:
    """The name itself, if a dataset may be called so. Raises InvalidName.

    >>> check_dataset_name("flights")
    'flights'
    """
    if _DATASET.fullmatch(name):
        return name
    back = _BACK.fullmatch(name)
    if back and _DATASET.fullmatch(back[1]):
        raise InvalidName(
            f"{_shown(name)} names no commit: what comes before a branch's newest is asked of it",
            cure=f"write {back[1]}@{MAIN}~{back[2] or 1}",
        )
    cured = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:63].strip("-._")
    raise InvalidName(
        f"{_shown(name)} can't be the name of a dataset: lower-case letters, digits, '.', '_' and "
        "'-' only, 63 at most, a letter or digit at both ends",
        cure=f"call it {cured!r}" if cured else "choose another name",
    )


def check_ref_name(name: str, what: str = "branch") -> str:
    """The name itself, if a branch or tag may be called so. Raises InvalidName.

    What looks like a date, or has an empty part, is refused.
    """
    if _REF.fullmatch(name) and "//" not in name and ".." not in name:
        if not _MOMENT.fullmatch(name):
            return name
        raise InvalidName(f"{name!r} can't name a {what}: it is read as a date", cure=f"v{name}")
    raise InvalidName(
        f"{_shown(name)} can't name a {what}: letters, digits, '.', '_', '/' and '-' only, 100 at "
        "most, a letter or digit at both ends",
        cure="choose another name",
    )


def check_tree_path(path: str) -> str:
    """The path itself, if a tree may hold it: relative, with plain parts. Raises InvalidName.

    >>> check_tree_path("2026/january.parquet")
    '2026/january.parquet'
    """
    if _PLAIN_PATH.fullmatch(path) and len(path) <= MOST_PATH:
        return path  # most are of this kind, and there may be millions
    around = f"/{path}/"
    plain = "//" not in around and "/./" not in around and "/../" not in around
    if plain and len(path.encode("utf-8", "replace")) <= MOST_PATH and path.isprintable():
        if "\\" not in path and ":" not in path:
            return path
    raise InvalidName(
        f"{_shown(path)} can't be a path in a dataset: parts joined by '/', none of them empty, "
        f"'.' or '..', no backslash, colon or control character, {MOST_PATH} bytes at most",
        cure="rename the file, or give another path",
    )


def parse_commit(text: str) -> CommitName:
    """What ``flights``, ``flights@main~2``, ``flights@3f2a`` or ``flights@2026-03-01`` names.

    ``flights@prices@2026-03-01`` is the branch ``prices`` as of a date; a date alone means its
    end. Raises InvalidName.
    """
    dataset, at, rest = text.partition("@")
    check_dataset_name(dataset)
    if not at:
        return CommitName(dataset=dataset)
    back = 0
    match = _BACK.fullmatch(rest)
    if match:
        rest, back = match[1], int(match[2] or 1)
    ref, second, moment = rest.partition("@")
    if not second and _MOMENT.fullmatch(ref):
        ref, second, moment = MAIN, "@", ref
    if second:
        check_ref_name(ref)
        try:
            as_of = parse_moment(moment, whole_day=True)
        except UsageError as problem:
            raise InvalidName(f"{text!r}: {problem}", cure=problem.cure) from None
        return CommitName(dataset=dataset, ref=ref, back=back, moment=as_of)
    if not ref:
        raise InvalidName(f"{text!r} names no commit", cure=f"write {dataset}@{MAIN}")
    return CommitName(dataset=dataset, ref=check_ref_name(ref), back=back)


def is_digest_prefix(ref: str) -> bool:
    """Whether it could be the beginning of a digest.

    >>> is_digest_prefix("3f2a"), is_digest_prefix("main")
    (True, False)
    """
    return _PREFIX.fullmatch(ref) is not None


def _shown(name: str) -> str:
    """A name for a message: a long one only with its beginning."""
    return repr(name) if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]!r}…"
