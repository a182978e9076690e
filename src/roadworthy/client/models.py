"""Asking models for answers from a program: rows in, answers out, errors as ours."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx
import msgspec

from roadworthy.client.problems import error_from_response, error_from_transport
from roadworthy.core.names import parse_release
from roadworthy.errors import InvalidRows, WorkerFailed

CHUNK_ROWS = 1000
"""How many rows are sent in one request; the gateway takes 10,000 at most."""


@dataclass(frozen=True)
class Rejected:
    """A row that the flow itself turned away, as creation would have: why, and at which line."""

    row: int
    reason: str
    line: int | None = None


@dataclass(frozen=True)
class Answers:
    """The answers to some rows, in their order.

    ``values`` has one object a row (output → value), None where the row was rejected;
    ``warnings`` are (row, column, message). ``release`` is the one that answered.
    """

    release: str
    values: list[dict[str, Any] | None]
    rejected: list[Rejected]
    warnings: list[tuple[int | None, str, str]]

    def __len__(self) -> int:
        return len(self.values)

    def column(self, output: str) -> list[Any]:
        """One output's values, None where rejected. KeyError names outputs there are."""
        for value in self.values:
            if value is not None and output not in value:
                raise KeyError(f"{output!r} is no output; there are: {', '.join(value)}")
        return [None if value is None else value[output] for value in self.values]

    def frame(self) -> Any:
        """The answers as a pandas DataFrame: one row a row, one column an output."""
        import pandas as pd

        return pd.DataFrame([value or {} for value in self.values])


class Client:
    """A connection to a gateway at ``address`` (``http://127.0.0.1:8401``).

    >>> client = Client("http://127.0.0.1:8401")
    >>> str(client.model("flight-delay"))
    'flight-delay at http://127.0.0.1:8401'
    >>> client.close()
    """

    def __init__(
        self,
        address: str,
        token: str = "",
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.address,
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=5.0),
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def model(self, name: str) -> Model:
        """A model (``flight-delay``: what is live) or one of its releases (``flight-delay@12``).

        Asks nobody yet. Raises InvalidName.
        """
        wanted = parse_release(name)
        path = f"/models/{wanted.model}"
        if wanted.number is not None:
            path += f"/versions/{wanted.number}"
        return Model(self, str(wanted), path)

    def send(self, path: str, body: bytes) -> Any:
        """What a POST is answered with. Raises what the gateway says, or Unavailable."""
        try:
            response = self._http.post(
                path, content=body, headers={"Content-Type": "application/json"}
            )
        except httpx.TransportError as error:
            raise error_from_transport(error, self.address) from error
        if not response.is_success and not _all_failed(response):
            raise error_from_response(response)
        return msgspec.json.decode(response.content)


@dataclass(frozen=True)
class Model:
    """A model behind a gateway."""

    client: Client
    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.name} at {self.client.address}"

    def predict(self, rows: Any, chunk: int = CHUNK_ROWS) -> Answers:
        """The answers to rows: a DataFrame, a Series, a mapping, or a sequence of records.

        Raises InvalidRows, whose ``details["findings"]`` list each row, field and reason,
        WorkerFailed where the flow failed on a row, NotFound, Unavailable.
        """
        records = to_records(rows)
        values: list[dict[str, Any] | None] = []
        rejected: list[Rejected] = []
        warnings: list[tuple[int | None, str, str]] = []
        release = ""
        for begin in range(0, len(records), chunk) or (0,):
            part = records[begin : begin + chunk]
            try:
                body = self.client.send(f"{self.path}/predict", _encode(part))
            except InvalidRows as error:
                raise _moved(error, begin) from None
            release = str(body.get("release", ""))
            _take(body["answers"], begin, values, rejected)
            warnings += [
                (
                    None if each["row"] is None else each["row"] + begin,
                    each["column"],
                    each["message"],
                )
                for each in body.get("warnings", [])
            ]
        return Answers(release=release, values=values, rejected=rejected, warnings=warnings)


def to_records(rows: Any) -> list[Any]:
    """Rows of any of the forms that are taken, as a list of records (or bare values).

    >>> to_records({"a": 1})
    [{'a': 1}]
    """
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        return list(rows.to_dict(orient="records"))
    if hasattr(rows, "tolist"):
        return list(rows.tolist())
    if isinstance(rows, Mapping):
        return [dict(rows)]
    if isinstance(rows, (str, bytes)) or not isinstance(rows, (Sequence, Iterable)):
        return [rows]
    return [dict(each) if isinstance(each, Mapping) else each for each in rows]


def _encode(records: Sequence[Any]) -> bytes:
    return msgspec.json.encode([_jsonable(each) for each in records], enc_hook=_foreign)


def _jsonable(value: Any) -> Any:
    """The value with what JSON has no form for made null: NaN, NaT, pandas' NA."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return _jsonable(value.item()) if hasattr(value, "item") else value


def _foreign(value: Any) -> Any:
    return str(value)


def _take(
    answers: Sequence[Mapping[str, Any]],
    begin: int,
    values: list[dict[str, Any] | None],
    rejected: list[Rejected],
) -> None:
    for row, answer in enumerate(answers, begin):
        turned_away = _reason(answer, "rejected")
        failed = _reason(answer, "error")
        if failed is not None:
            raise WorkerFailed(
                f"row {row}: {failed.get('reason', 'the flow failed')}",
                cure="roadworthy logs --release with the release's name",
                row=row,
            )
        if turned_away is not None:
            values.append(None)
            rejected.append(
                Rejected(row=row, reason=turned_away["reason"], line=turned_away.get("line"))
            )
        else:
            values.append(dict(answer))


def _reason(answer: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    found = answer.get(kind)
    return found if isinstance(found, Mapping) and "reason" in found else None


def _all_failed(response: httpx.Response) -> bool:
    """Whether it answers each row, and the flow failed on all of them."""
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return False
    return isinstance(body, dict) and isinstance(body.get("answers"), list)


def _moved(error: InvalidRows, begin: int) -> InvalidRows:
    """The error with its rows counted from the first row that was given, not that was sent."""
    findings = [
        {**each, "row": each["row"] + begin} if isinstance(each.get("row"), int) else each
        for each in error.details.get("findings", [])
    ]
    return InvalidRows(error.message, cure=error.cure, findings=findings)
