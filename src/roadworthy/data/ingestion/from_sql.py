"""Rows that a query gives, of a database by URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import sqlalchemy as sa
from blake3 import blake3

from roadworthy.data.ingestion.arriving import Arrived, Found, Visit
from roadworthy.errors import SchemaBroken, Unavailable, UsageError

_ROWS = 20_000


class SqlReader:
    """One statement's rows are a delivery, read in a transaction that can't write.

    With a cursor only the rows beyond the last value taken are asked for: those at it too where
    there is a key, and those ``overlap`` before it. Values become texts, exactly.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        source = visit.source
        try:
            url = sa.engine.make_url(source.url)
            if url.drivername in ("postgres", "postgresql"):
                url = url.set(drivername="postgresql+psycopg")
            self._engine = sa.create_engine(
                url, poolclass=sa.pool.NullPool, connect_args=_careful(url)
            )
        except (sa.exc.ArgumentError, ImportError) as error:
            cure = "write postgresql://host/database, and pip install 'roadworthy[postgres]'"
            raise UsageError(f"{visit.place}: {error}", cure=cure) from error

    def look(self) -> Found:
        """What the query gives now, unless it is what it gave before."""
        source, before = self._visit.source, self._visit.state.watermark
        target = self._visit.scratch / "rows.arrow"
        last: Any = None
        hasher = blake3()
        rows = 0
        try:
            with self._engine.connect().execution_options(stream_results=True) as connection:
                result = connection.execute(*self._statement(before))
                names = list(result.keys())
                if source.cursor and source.cursor not in names:
                    raise UsageError(
                        f"{self._visit.place}: the query gives no {source.cursor!r}",
                        cure=f"it gives {', '.join(names)}; correct `cursor`",
                    )
                at = names.index(source.cursor) if source.cursor else None
                schema = pa.schema([(name, pa.string()) for name in names])
                with pa.OSFile(str(target), "wb") as file, pa.ipc.new_file(file, schema) as out:
                    for some in result.partitions(_ROWS):
                        rows += len(some)
                        last = self._last([row[at] for row in some]) if at is not None else None
                        batch = _batch(some, schema)
                        hasher.update(repr(batch.to_pylist()).encode())
                        out.write_batch(batch)
        except sa.exc.SQLAlchemyError as error:
            raise self._failed(error) from error
        content = hasher.hexdigest()
        if source.cursor and not rows:
            return Found([], before)
        watermark = {"content": content, **_kept(last, before)}
        if content == before.get("content"):
            return Found([], {**before, **watermark})
        name = (
            f"{source.cursor} {before.get('after', '')} to {_text(last)}"
            if source.cursor
            else "query"
        )
        one = Arrived(
            identity=name, version=self._visit.at, content=content, file=target, kind="arrow"
        )
        return Found([one], watermark)

    def _statement(self, before: dict[str, Any]) -> tuple[Any, ...]:
        source = self._visit.source
        query = source.query.strip().rstrip(";")
        if not source.cursor:
            return (sa.text(query),)
        column = self._engine.dialect.identifier_preparer.quote(source.cursor)
        wrapped = f"SELECT * FROM ({query}) AS delivered"
        order = f" ORDER BY {column}"
        if "after" not in before:
            return (sa.text(wrapped + order),)
        sign = ">=" if source.key else ">"
        beyond = f"{column} {sign} :after OR {column} IS NULL"
        after = _value(before["after"], before["kind"])
        if source.overlap:
            after = self._earlier(after)
        return sa.text(f"{wrapped} WHERE {beyond}{order}"), {"after": after}

    def _last(self, values: list[Any]) -> Any:
        """The greatest of a cursor's values in order. Raises SchemaBroken for a null."""
        if None in values:
            raise SchemaBroken(
                f"the cursor {self._visit.source.cursor!r} is null in a row, which no later poll "
                "could find",
                cure="choose a cursor that is never null, or leave such rows out in the query",
            )
        return values[-1]

    def _earlier(self, after: Any) -> Any:
        overlap = self._visit.source.overlap
        if isinstance(after, datetime):
            return after - timedelta(seconds=overlap)
        if isinstance(after, Decimal):
            return after - Decimal(str(overlap))
        if isinstance(after, (int, float)):
            return after - overlap
        raise UsageError(
            f"{self._visit.place}: nothing can be subtracted from the cursor {after!r}",
            cure="leave `overlap` out, or choose a cursor that is a time or a number",
        )

    def _failed(self, error: sa.exc.SQLAlchemyError) -> Exception:
        orig = getattr(error, "orig", None)
        said = (str(orig or error).strip().splitlines() or [""])[0]
        wrong = (sa.exc.ProgrammingError, sa.exc.CompileError, sa.exc.StatementError)
        if isinstance(error, wrong) and not isinstance(error, sa.exc.OperationalError):
            return UsageError(f"{self._visit.place}: {said}", cure="correct the query")
        return Unavailable(
            f"{self._visit.place}: {said}", cure="it is asked again at the next poll"
        )

    def fetch(self, one: Arrived) -> Arrived:
        """It is here already."""
        return one

    def done(self) -> None:
        """The database needs to know nothing."""

    def close(self) -> None:
        """Gives up the connection."""
        self._engine.dispose()


def _careful(url: sa.engine.URL) -> dict[str, Any]:
    """How to connect so that nothing is written and nobody waits for ever."""
    if url.drivername.startswith("postgresql"):
        read_only = "-c default_transaction_read_only=on -c timezone=UTC"
        return {"connect_timeout": 10, "options": read_only, "application_name": "roadworthy"}
    return {"timeout": 10} if url.drivername.startswith("sqlite") else {}


def _batch(rows: Any, schema: pa.Schema) -> pa.RecordBatch:
    columns: Iterator[Any] = zip(*rows, strict=True)
    arrays = [pa.array([_text(each) for each in column], pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _text(value: Any) -> str | None:
    """A value as text that is read back as the same."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (dict, list)):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _kept(last: Any, before: dict[str, Any]) -> dict[str, Any]:
    """The cursor's value, as it is kept."""
    if last is None:
        return {key: before[key] for key in ("after", "kind") if key in before}
    return {"after": _text(last), "kind": type(last).__name__}


def _value(text: str, kind: str) -> Any:
    known: dict[str, Callable[[str], Any]] = {
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "int": int,
        "float": float,
        "Decimal": Decimal,
    }
    return known.get(kind, str)(text)
