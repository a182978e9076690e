"""The settings that hold, as lines to show: nothing secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from roadworthy.core.values import Value
from roadworthy.settings import Settings
from roadworthy.ui.views.system import SettingLine

_ADDRESSES = ("metadata", "blobs", "gateway.traces")


def setting_lines(settings: Settings) -> list[SettingLine]:
    """Each setting by its dotted name, in the order of the reference; the file they were read
    from is none.
    """
    usual = dict(_flat("", Settings(home=settings.home)))
    return [
        SettingLine(name, _shown(name, value), value == usual[name])
        for name, value in _flat("", settings)
        if name != "file"
    ]


def _flat(prefix: str, values: Value) -> Iterator[tuple[str, Any]]:
    for name in msgspec.structs.fields(values):
        value = getattr(values, name.name)
        if isinstance(value, Value):
            yield from _flat(f"{prefix}{name.name}.", value)
        else:
            yield prefix + name.name, value


def _shown(name: str, value: Any) -> str:
    if name == "token":
        return "set, not shown" if value else ""
    if name == "blob_options":
        return ", ".join(f"{key} (not shown)" for key in value)
    if value is None or value == "" or value == [] or value == {}:
        return ""
    if name in _ADDRESSES:
        return without_password(str(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {each}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def without_password(address: str) -> str:
    """A URL whose password and query, where keys may stand, are left out.

    >>> without_password("postgresql://rw:secret@db:5432/rw?sslkey=x")
    'postgresql://rw:…@db:5432/rw?…'
    >>> without_password("/srv/blobs")
    '/srv/blobs'
    """
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = f"{name}{colon}{'…' if colon else ''}{at}{host}"
    return urlunsplit(parts._replace(netloc=shown, query="…" if parts.query else ""))
