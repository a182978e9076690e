"""Sources in TOML: a table ``[source.NAME]`` each; what is not known is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.core.dataset_names import check_dataset_name
from roadworthy.core.names import nearest
from roadworthy.core.source import Column, Source, check_source, scheme_of
from roadworthy.errors import SettingsError, StorageError, UsageError

_KEYS = [name for name in Source.__struct_encode_fields__ if name != "name"]
_COLUMN_KEYS = list(Column.__struct_encode_fields__)


def read_sources(file: Path) -> list[Source]:
    """The sources that a file configures; relative paths begin at its folder.

    Raises UsageError, naming the key and the nearest one that is known, StorageError.
    """
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise StorageError(
            f"{file} can't be read: {error.strerror}", cure="check the path"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not TOML: {error}", cure="correct that place") from None
    _refuse_unknown(found, ["source"], str(file))
    tables = found.get("source")
    if not isinstance(tables, dict) or not tables:
        raise UsageError(f"{file} configures no source", cure='write [source.acme] with url = "…"')
    return [_source(name, table, file) for name, table in tables.items()]


def _source(name: str, table: Any, file: Path) -> Source:
    where = f"[source.{name}] in {file}"
    check_dataset_name(name)
    if not isinstance(table, dict):
        raise UsageError(f"{where} is not a table", cure=f"write [source.{name}]")
    _refuse_unknown(table, _KEYS, where)
    for column, told in (table.get("columns") or {}).items():
        if isinstance(told, dict):
            _refuse_unknown(told, _COLUMN_KEYS, f"`columns.{column}` of {where}")
    try:
        source = msgspec.convert({**table, "name": name}, Source)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}", cure="correct it") from None
    if scheme_of(source.url) == "file":
        path = (file.parent / Path(source.url.removeprefix("file://")).expanduser()).absolute()
        source = msgspec.structs.replace(source, url=str(path))
    return check_source(source)


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            close = nearest(key, known, most=1)
            cure = f"did you mean {close[0]!r}?" if close else "known are: " + ", ".join(known)
            raise SettingsError(f"{key!r} in {where} is not known", cure=cure, nearest=close)
