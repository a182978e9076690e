"""The base of all values: frozen, compared by content, unknown fields refused."""

from __future__ import annotations

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen value; changed by copy (``msgspec.structs.replace``)."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value that is written to disk or sent between processes.

    Fields that a newer version added are ignored when an older one reads it.
    """
