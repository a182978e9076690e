"""Sources of data: where it comes from, when to look, how rows become those of the dataset."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from roadworthy.core.dataset_names import check_tree_path, parse_commit
from roadworthy.core.names import parse_release
from roadworthy.core.schedule import Schedule, parse_schedule
from roadworthy.core.values import Document
from roadworthy.errors import UsageError

SCHEMES = {
    "file": "files",
    "s3": "objects",
    "s3a": "objects",
    "gs": "objects",
    "az": "objects",
    "abfs": "objects",
    "abfss": "objects",
    "http": "http",
    "https": "http",
    "postgresql": "sql",
    "postgres": "sql",
    "sqlite": "sql",
    "nats": "nats",
    "tls+nats": "nats",
    "amqp": "rabbitmq",
    "amqps": "rabbitmq",
}
"""Kinds of sources by the scheme of their URL."""

Mode = Literal["append", "upsert", "replace", "files"]
Format = Literal["", "csv", "tsv", "jsonl", "json", "parquet", "arrow"]
Status = Literal["active", "paused", "stopped"]
RULES = ("trim@1", "squeeze@1", "lower@1", "upper@1", "title@1", "digits@1", "abs@1", "ascii@1")
"""Cleansing rules by name and version: what a version does never changes."""

_TYPE = re.compile(r"(string|int64|float64|bool|date|timestamp|decimal\((\d{1,2}),(\d{1,2})\))")
_SECRET = re.compile(r"\$\{[^}]+\}")


class Column(Document, frozen=True, forbid_unknown_fields=True):
    """How one column of the dataset is made from a delivery's.

    ``source`` (written ``from``) is its name there, the column's own if left out; ``value`` is a
    constant instead. ``type`` is string, int64, float64, bool, date, timestamp (kept in UTC) or
    decimal(P,S). ``format`` is that of dates (``%d.%m.%Y``; ISO 8601 without), ``zone`` the time
    zone of times that tell none, ``decimal`` and ``thousands`` the signs in numbers, ``yes`` and
    ``no`` the words of a bool. ``rules`` cleanse, in order; ``default`` stands for nulls. The
    rest are checks: a row that breaks one goes to quarantine.
    """

    source: str = msgspec.field(name="from", default="")
    value: str | int | float | bool | None = None
    type: str = "string"
    format: str = ""
    zone: str = "UTC"
    decimal: str = "."
    thousands: str = ""
    yes: tuple[str, ...] = ("true", "t", "yes", "y", "1")
    no: tuple[str, ...] = ("false", "f", "no", "n", "0")
    rules: list[str] = []
    default: str | int | float | bool | None = None
    required: bool = False
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    one_of: list[str | int | float | bool] = []
    matches: str = ""


class Source(Document, frozen=True, forbid_unknown_fields=True):
    """A source as it is configured.

    ``url`` may hold secrets as references: ``${NAME}`` is an environment variable,
    ``${file:/path}`` a file; they are looked up when the source is polled and kept nowhere.
    ``stream`` is the queue of RabbitMQ, or the stream of JetStream where its subject is in
    several. ``dataset`` names the branch that commits go to, ``table`` the path there. With
    ``append`` each delivery's rows come after those there; with ``upsert`` a row replaces the
    one of its ``key`` (the greater of ``newest`` wins, however late it comes); with ``replace``
    the newest delivery is the table; with ``files`` each delivered file is a table of its own below
    ``table``. ``through`` names a release (``clean@3``): each row runs through its flow before it
    is mapped, its answers are columns then, and a row that it rejects goes to quarantine.
    ``nulls`` are texts that mean null. ``most_bad`` is the share of bad rows (more
    than ten) at which a delivery is not taken and the source stops.
    """

    name: str
    url: str
    dataset: str
    table: str = ""
    format: Format = ""
    delimiter: str = ""
    encoding: str = "utf8"
    records: str = ""
    query: str = ""
    cursor: str = ""
    overlap: int | float = 0
    stream: str = ""
    options: dict[str, str] = {}
    headers: dict[str, str] = {}
    schedule: str = ""
    zone: str = "UTC"
    trigger: str = ""
    mode: Mode | None = None
    key: list[str] = []
    newest: str = ""
    through: str = ""
    columns: dict[str, Column] = {}
    nulls: tuple[str, ...] = ("",)
    surplus: Literal["ignore", "stop"] = "ignore"
    twice: Literal["skip", "take"] = "skip"
    most_bad: float = 0.5
    settle_seconds: float = 2.0
    most_deliveries: int = 1000
    most_bytes: int = 10_000_000_000

    @property
    def kind(self) -> str:
        """files, objects, http, sql, nats or rabbitmq."""
        return SCHEMES[scheme_of(self.url)]

    @property
    def manner(self) -> Mode:
        """How rows come in: as configured, else what suits the source."""
        if self.mode is not None:
            return self.mode
        if self.key:
            return "upsert"
        whole = self.kind == "http" or (self.kind == "sql" and not self.cursor)
        return "replace" if whole else "append"

    @property
    def path(self) -> str:
        """The table's path in the dataset."""
        return self.table or self.name

    @property
    def quarantine(self) -> str:
        """The branch that keeps rows which broke a check."""
        return f"quarantine/{self.name}"

    def when(self) -> Schedule | None:
        """The schedule, None where there is none."""
        return parse_schedule(self.schedule, self.zone) if self.schedule else None


class SourceState(Document, frozen=True):
    """Where a source has come to; changed in the transaction that makes its commit.

    ``watermark`` is what the source's technology needs to go on (a cursor's value, a sequence,
    an ETag). ``columns`` were learned from the first delivery where none are configured.
    ``said`` is why it is as it is. ``anew``: what is taken next takes the place of what is there.
    """

    status: Status = "active"
    said: str = ""
    watermark: dict[str, Any] = {}
    columns: dict[str, Column] = {}
    anew: bool = False


class Poll(Document, frozen=True):
    """One look at a source, and what came of it.

    ``outcome``: committed; nothing (new); stopped (the source stopped itself, and says why);
    failed (it, or something on the way, did not answer; the next poll tries again). ``rows``
    were taken, ``bad`` put in quarantine, ``replaced`` were there with the same key; ``twice``
    counts deliveries that had come before, ``left`` says that there is more to fetch.
    """

    id: str
    source: str
    at: str
    outcome: Literal["committed", "nothing", "stopped", "failed", "released"]
    commit: str = ""
    deliveries: int = 0
    rows: int = 0
    bad: int = 0
    replaced: int = 0
    twice: int = 0
    left: bool = False
    said: str = ""
    seconds: float = 0.0


class Delivery(Document, frozen=True):
    """Something a source delivered: a file, a query's result, a message.

    ``identity`` tells it from others of the source, ``version`` one state of it from another;
    ``content`` is the BLAKE3 of its bytes. ``outcome`` is taken, or twice where the same had
    been taken before.
    """

    source: str
    identity: str
    version: str
    content: str
    at: str
    poll: str
    outcome: Literal["taken", "twice"]
    rows: int = 0
    bad: int = 0


def scheme_of(url: str) -> str:
    """The kind of a URL; a path or pattern of this machine is ``file``.

    >>> scheme_of("/in/*.csv"), scheme_of("postgresql+psycopg://host/db"), scheme_of("s3://b/p")
    ('file', 'postgresql', 's3')
    """
    scheme, found, _ = url.partition("://")
    return (
        scheme.partition("+")[0] if found and scheme not in SCHEMES else scheme if found else "file"
    )


def check_source(source: Source) -> Source:
    """The source itself, if it can be polled so. Raises UsageError, InvalidName."""
    parse_commit(source.dataset)
    check_tree_path(source.path)
    scheme = scheme_of(source.url)
    if scheme not in SCHEMES:
        raise misconfigured(
            source, "url", f"{scheme}:// is not a kind of source", ", ".join(SCHEMES)
        )
    for problem in (_where(source), _how(source)):
        if problem is not None:
            raise misconfigured(source, *problem)
    if source.trigger:
        parse_commit(source.trigger)
    source.when()
    for name, column in source.columns.items():
        found = _column_problem(column)
        if found is not None:
            raise misconfigured(source, f"columns.{name}.{found[0]}", *found[1:])
    return source


def _where(source: Source) -> tuple[str, str, str] | None:
    """What is wrong with the place: key, reason, cure."""
    password = None
    if "://" in source.url:
        try:
            password = urlsplit(_SECRET.sub("", source.url)).password
        except ValueError as error:
            return "url", str(error), "write it as scheme://host/path"
    if password:
        return "url", "a password is written out in it", "write ${NAME} for it, or ${file:/path}"
    if source.kind == "sql" and not source.query:
        return "query", "a database needs one", 'query = "SELECT … FROM …"'
    if source.kind != "sql" and (source.query or source.cursor or source.overlap):
        return "query", "only a database has query, cursor and overlap", "leave them out"
    if source.kind == "rabbitmq" and not source.stream:
        return "stream", "a broker of this kind has queues", 'stream = "the queue\'s name"'
    if source.kind == "nats" and not urlsplit(_SECRET.sub("", source.url)).path.strip("/"):
        return "url", "it tells no subject", "write nats://host:4222/orders.acme"
    if source.overlap and not (source.cursor and source.key):
        return "overlap", "rows that are read again need a key", "name cursor and key"
    if source.schedule and source.trigger:
        return "trigger", "there is a schedule already", "leave one of them out"
    return None


def _how(source: Source) -> tuple[str, str, str] | None:
    """What is wrong with the way rows come in: key, reason, cure."""
    if source.manner == "upsert" and not source.key:
        return "mode", "upsert needs the columns that tell rows apart", 'key = ["id"]'
    if source.newest and source.manner != "upsert":
        return "newest", "only rows of a key are compared", 'mode = "upsert" with key'
    if source.manner == "files" and source.kind not in ("files", "objects"):
        return "mode", "only files and objects can be tables of their own", 'mode = "append"'
    if source.manner == "replace" and source.kind in ("nats", "rabbitmq"):
        return "mode", "a message does not replace those before it", 'mode = "append"'
    for name in [*source.key, *([source.newest] if source.newest else [])]:
        if source.columns and name not in source.columns:
            return "key", f"{name!r} is none of the columns", ", ".join(source.columns)
    if source.through and parse_release(source.through).number is None:
        return "through", "a release is named with its number", f'through = "{source.through}@1"'
    if source.through and not source.columns:
        return "through", "the columns can't be learned from what a flow answers", "set `columns`"
    if not 0 <= source.most_bad <= 1:
        return "most_bad", "a share is between 0 and 1", "most_bad = 0.5"
    if source.most_deliveries < 1 or source.most_bytes < 1 or source.settle_seconds < 0:
        return "most_deliveries", "bounds are more than 0", "leave them out"
    return None


def _column_problem(column: Column) -> tuple[str, str, str] | None:
    if not _TYPE.fullmatch(column.type):
        known = "string, int64, float64, bool, date, timestamp, decimal(10,2)"
        return "type", f"{column.type!r} is not known", known
    for rule in column.rules:
        if rule not in RULES:
            return "rules", f"{rule!r} is not known", ", ".join(RULES)
    if column.value is not None and column.source:
        return "value", "a constant is not taken from a column", "leave one of them out"
    try:
        re.compile(column.matches)
    except re.error as error:
        return "matches", f"it is not a pattern: {error}", "correct it"
    if len(column.decimal) != 1 or len(column.thousands) > 1:
        return "decimal", "signs are one character", 'decimal = ","'
    parse_schedule("every day", column.zone)
    return None


def misconfigured(source: Source, key: str, reason: str, cure: str) -> UsageError:
    """The error of a key of a source that can't be as it is."""
    return UsageError(f"source {source.name}: `{key}`: {reason}", cure=cure, key=key)
