"""What a source has that is new: the contract of all technologies, and which one a URL means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from roadworthy.core.source import Source, SourceState
from roadworthy.errors import SettingsError

_SECRET = re.compile(r"\$\{([^}]+)\}")

Known = Callable[[Sequence[str]], set[tuple[str, str]]]
"""Which states (identity, version) of deliveries were taken before."""


@dataclass(frozen=True)
class Arrived:
    """Something a source delivers, in the order in which it is to be taken.

    ``file`` or ``body`` hold its bytes once it is fetched, ``content`` their BLAKE3; ``kind`` is
    the format where the technology, not the source's name, tells it. ``again`` says that the
    broker has sent it before, so that its content may be known.
    """

    identity: str
    version: str = ""
    content: str = ""
    file: Path | None = None
    body: bytes | None = None
    kind: str = ""
    again: bool = False


@dataclass(frozen=True)
class Found:
    """What is new, how far the source has come when it is taken, and whether there is more.

    ``said`` is what people should know of it.
    """

    arrived: list[Arrived] = field(default_factory=list)
    watermark: dict[str, Any] = field(default_factory=dict)
    left: bool = False
    said: str = ""


class Reader(Protocol):
    """One look at a source.

    The contract, which ``testing.sources.ReaderContract`` checks:

    - ``look`` gives what is new beyond the state's watermark and what is known, oldest first;
      nothing is taken by looking: a reader that is closed, or dies, leaves all as it was;
    - ``fetch`` brings a delivery's bytes here, whole and with their digest, or gives None where
      it is being changed just now;
    - ``done`` is called when everything was committed; what it tells the source (an
      acknowledgement) may be lost, and looking again must then give what is known, as such;
    - foreign errors come out as Unavailable (trying later can help) or UsageError, naming the
      source's place without its secrets.
    """

    def look(self) -> Found:
        """What is new."""

    def fetch(self, one: Arrived) -> Arrived | None:
        """A delivery with its bytes; None where it is being changed just now."""

    def done(self) -> None:
        """Tells the source that everything was taken."""

    def close(self) -> None:
        """Gives up connections."""


@dataclass(frozen=True)
class Visit:
    """What a reader needs: the source with its secrets, its state, what is known, a folder."""

    source: Source
    state: SourceState
    known: Known
    scratch: Path
    at: str
    """When, to tell this visit from others."""

    @property
    def place(self) -> str:
        """The source and where it is, to be named in errors: nothing of user or password."""
        scheme, found, rest = self.source.url.partition("://")
        return f"source {self.source.name} ({scheme}{found}{rest.rpartition('@')[2]})"


def open_reader(visit: Visit) -> Reader:
    """The reader of a source's technology. Raises Unavailable, UsageError, SettingsError."""
    kind = visit.source.kind
    if kind == "files":
        from roadworthy.data.ingestion.from_files import FileReader

        return FileReader(visit)
    if kind == "objects":
        from roadworthy.data.ingestion.from_objects import ObjectReader

        return ObjectReader(visit)
    if kind == "http":
        from roadworthy.data.ingestion.from_http import HttpReader

        return HttpReader(visit)
    if kind == "sql":
        from roadworthy.data.ingestion.from_sql import SqlReader

        return SqlReader(visit)
    if kind == "nats":
        from roadworthy.data.ingestion.from_nats import NatsReader

        return NatsReader(visit)
    from roadworthy.data.ingestion.from_rabbitmq import RabbitReader

    return RabbitReader(visit)


def with_secrets(source: Source, environ: Mapping[str, str] | None = None) -> Source:
    """The source with what its references (``${NAME}``, ``${file:/path}``) mean here and now.

    Raises SettingsError, naming the reference.
    """
    given = os.environ if environ is None else environ

    def meant(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("file:"):
            try:
                return Path(name[5:]).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise _no_secret(source, name, str(error)) from None
        if name not in given:
            raise _no_secret(source, name, "there is no such environment variable")
        return given[name]

    def resolved(text: str) -> str:
        return _SECRET.sub(meant, text)

    return msgspec.structs.replace(
        source,
        url=resolved(source.url),
        options={key: resolved(value) for key, value in source.options.items()},
        headers={key: resolved(value) for key, value in source.headers.items()},
    )


def _no_secret(source: Source, name: str, reason: str) -> SettingsError:
    return SettingsError(
        f"source {source.name}: ${{{name}}} can't be looked up: {reason}",
        cure="set it where Roadworthy is started, or refer to a file: ${file:/run/secrets/name}",
    )
