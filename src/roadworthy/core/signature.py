"""The signature of a flow: which columns it requires and what it answers."""

from __future__ import annotations

from typing import Any, Literal

from roadworthy.core.values import Document

ColumnType = Literal["bool", "int", "float", "text", "datetime", "date", "timedelta", "object"]
InputKind = Literal["dataframe", "series", "array", "records", "texts"]
OutputKind = Literal["array", "series", "dataframe", "list"]


class Column(Document):
    """One column of the input or output, with what creation saw of it.

    ``dtype`` is the creation library's own name of its type (``int64``, ``category``);
    ``levels`` are all distinct texts where there were few enough; ``minimum`` and
    ``maximum`` the range of numbers and times (times as ISO 8601 text).
    """

    name: str
    type: ColumnType
    dtype: str
    nullable: bool = False
    levels: list[Any] | None = None
    level_count: int | None = None
    minimum: Any = None
    maximum: Any = None
    example: Any = None


class Signature(Document):
    """Inputs required, in order, and outputs given."""

    input: str
    kind: InputKind
    columns: list[Column]
    outputs: list[Output]
    unknown: Literal["pass", "reject"] = "pass"


class Output(Document):
    """One output: a value, or several columns of values, per input row."""

    name: str
    kind: OutputKind
    columns: list[Column]


class Break(Document):
    """One way in which a new signature would break the callers of an old one."""

    field: str
    change: str


def breaking_changes(old: Signature, new: Signature) -> list[Break]:
    """What callers of ``old`` would notice if ``new`` answered them.

    A new required column, a changed type and a column that no longer takes null break
    requests; an output that is gone or of another type breaks readers of answers. A column
    that is no longer required and a new output break nobody.
    """
    found: list[Break] = []
    before = {column.name: column for column in old.columns}
    for column in new.columns:
        was = before.get(column.name)
        if was is None:
            found.append(Break(field=column.name, change="is required, and was not"))
        elif was.type != column.type and not (was.type == "int" and column.type == "float"):
            found.append(Break(field=column.name, change=f"is {column.type}, was {was.type}"))
        elif was.nullable and not column.nullable:
            found.append(Break(field=column.name, change="no longer takes null"))
    after = {output.name: output for output in new.outputs}
    for output in old.outputs:
        now = after.get(output.name)
        if now is None:
            found.append(Break(field=output.name, change="is no longer answered"))
            continue
        types = {column.name: column.type for column in now.columns}
        for column in output.columns:
            if column.name not in types:
                found.append(Break(field=column.name, change="is no longer answered"))
            elif types[column.name] != column.type:
                found.append(
                    Break(
                        field=column.name,
                        change=f"is answered as {types[column.name]}, was {column.type}",
                    )
                )
    return found
