"""Messages of a subject that a NATS JetStream keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from blake3 import blake3

from roadworthy.data.ingestion.arriving import Arrived, Found, Visit
from roadworthy.errors import SettingsError, Unavailable, UsageError

T = TypeVar("T")
_SECONDS = 10.0
_BATCH = 500
_FORGET_SECONDS = 60.0
_MOST_MEMORY = 64 << 20


class NatsReader:
    """Each message is a delivery, told by its ``Nats-Msg-Id``, else by its sequence.

    The sequence that was taken last is kept with the commit, and the stream is read on from
    there: nothing is acknowledged, so nothing depends on an acknowledgement. A stream that gives
    messages away (a work queue) can't be read again and is refused.
    """

    def __init__(self, visit: Visit) -> None:
        try:
            import nats
        except ImportError:
            raise SettingsError(
                "NATS needs the package nats-py, which is not installed",
                cure="pip install 'roadworthy[brokers]'",
            ) from None
        self._visit = visit
        parts = urlsplit(visit.source.url)
        self._subject = parts.path.strip("/")
        self._loop = asyncio.new_event_loop()
        self._client: Any = None

        async def ignore(_error: Exception) -> None:
            """What breaks the connection is raised where it is used."""

        async def connect() -> Any:
            return await nats.connect(
                parts._replace(path="").geturl(),
                connect_timeout=5,
                max_reconnect_attempts=1,
                allow_reconnect=False,
                error_cb=ignore,
            )

        try:
            self._client = self._run(connect())
        except BaseException:
            self._loop.close()
            raise

    def look(self) -> Found:
        """The messages after the sequence that was taken last."""
        return self._run(self._look())

    async def _look(self) -> Found:
        from nats.js.api import RetentionPolicy

        source, before = self._visit.source, self._visit.state.watermark
        stream = self._client.jetstream(timeout=_SECONDS)
        name = source.stream or await stream.find_stream_name_by_subject(self._subject)
        info = await stream.stream_info(name)
        if info.config.retention == RetentionPolicy.WORK_QUEUE:
            raise UsageError(
                f"{self._visit.place}: the stream {name} is a work queue, which is read once",
                cure="have the subject kept by a stream with retention `limits`",
            )
        born = _moment(info.created)
        same = before.get("stream") == name and before.get("created") == born
        start = int(before["sequence"]) + 1 if same else 1
        said = ""
        if same and info.state.first_seq > start:
            said = f"the stream dropped messages {start} to {info.state.first_seq - 1} unread"
        arrived, last, left = await self._read(stream, name, born, start, info.state.last_seq)
        watermark = {"stream": name, "created": born, "sequence": last}
        return Found(arrived, watermark, left, said)

    async def _read(
        self, stream: Any, name: str, born: str, start: int, end: int
    ) -> tuple[list[Arrived], int, bool]:
        """Messages from a sequence on, the last sequence that was passed, and whether more is."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        if start > end:
            return [], start - 1, False
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_FORGET_SECONDS,
        )
        pulled = await stream.pull_subscribe(self._subject, stream=name, config=config)
        most = self._visit.source.most_deliveries
        arrived: list[Arrived] = []
        size, last = 0, start - 1
        pending = (await pulled.consumer_info()).num_pending
        while pending and len(arrived) < most and size < _MOST_MEMORY:
            wanted = min(_BATCH, most - len(arrived), pending)
            for message in await pulled.fetch(wanted, timeout=_SECONDS):
                place = message.metadata.sequence.stream
                told = (message.headers or {}).get("Nats-Msg-Id")
                arrived.append(
                    Arrived(
                        identity=f"id {told}" if told else f"{name} {place}",
                        version="" if told else born,
                        content=blake3(message.data).hexdigest(),
                        body=message.data,
                    )
                )
                size += len(message.data)
                last, pending = place, message.metadata.num_pending
        await pulled.unsubscribe()
        return arrived, last if pending else max(last, end), bool(pending)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        from nats import errors as foreign
        from nats.js import errors as streams

        try:
            return self._loop.run_until_complete(work)
        except streams.NotFoundError as error:
            raise UsageError(
                f"{self._visit.place}: no stream keeps {self._subject!r}",
                cure="make one: nats stream add; or correct the subject, or `stream`",
            ) from error
        except (foreign.Error, OSError, TimeoutError) as error:
            raise Unavailable(
                f"{self._visit.place}: {type(error).__name__} {error}".rstrip(),
                cure="it is asked again at the next poll",
            ) from error

    def fetch(self, one: Arrived) -> Arrived:
        """It is here already."""
        return one

    def done(self) -> None:
        """The sequence is kept with the commit."""

    def close(self) -> None:
        """Gives up the connection."""
        try:
            self._run(self._client.close())
        finally:
            self._loop.close()


def _moment(created: datetime | str | None) -> str:
    return created.isoformat() if isinstance(created, datetime) else str(created)
