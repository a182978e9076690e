"""Places that rows are delivered to by brokers, object stores and over HTTP, for campaigns.

Each delivers numbers, some of them twice as senders do, and tells the source that reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore

from roadworthy.core.source import Column, Source
from roadworthy.storage.objects import open_object_store
from roadworthy.testing.servers import check_broker

NATS = "nats://127.0.0.1:4222"
RABBIT = "amqp://guest:${RABBIT_PASSWORD}@127.0.0.1:5672/%2F"
RABBIT_PASSWORD = "guest"
"""That of the broker's own first user, who may come from this machine only."""


@dataclass(frozen=True)
class NumberPlace:
    """Somewhere that numbers are delivered to; ``again`` delivers the last delivery once more."""

    source: Source
    deliver: Callable[[Sequence[int]], None]
    again: Callable[[Sequence[int]], None]


def _source(name: str, url: str, **more: Any) -> Source:
    columns = {"id": Column(type="int64", required=True), "place": Column(value=name)}
    return Source(
        name=name, url=url, dataset="numbers", columns=columns, settle_seconds=0,
        most_deliveries=3, **more,
    )  # fmt: skip


def _csv(numbers: Sequence[int]) -> bytes:
    return "\n".join(["id", *map(str, numbers), ""]).encode()


def _json(numbers: Sequence[int]) -> bytes:
    return json.dumps([{"id": number} for number in numbers]).encode()


def object_place(name: str, root: str, options: Mapping[str, str]) -> NumberPlace:
    """A prefix in a bucket, an object a delivery; again is a copy under another name."""
    prefix = f"in-{secrets.token_hex(4)}"
    store = open_object_store(root, options)
    count = iter(range(1_000_000))

    def deliver(numbers: Sequence[int]) -> None:
        obstore.put(store, f"{prefix}/{next(count):06}.csv", _csv(numbers))

    url = f"{root}/{prefix}/*.csv"
    return NumberPlace(_source(name, url, options=dict(options)), deliver, deliver)


def file_place(name: str, folder: Path) -> NumberPlace:
    """A folder, a file a delivery; again is a copy under another name."""
    folder.mkdir(parents=True)
    count = iter(range(1_000_000))

    def deliver(numbers: Sequence[int]) -> None:
        hidden = folder.parent / f"{name}.part"
        hidden.write_bytes(_csv(numbers))
        hidden.replace(folder / f"{next(count):06}.csv")

    return NumberPlace(_source(name, f"{folder}/*.csv"), deliver, deliver)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def http_place(folder: Path) -> Iterator[NumberPlace]:
    """An address that gives all numbers so far; again is a newer answer with the same bytes."""
    folder.mkdir(parents=True)
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    delivered: list[int] = []
    stamps = iter(range(1_700_000_000, 1_800_000_000))

    def write() -> None:
        hidden = folder / ".part"
        hidden.write_bytes(_csv(delivered))
        stamp = next(stamps)  # servers tell times to the second, deliveries take less
        os.utime(hidden, (stamp, stamp))
        hidden.replace(folder / "numbers.csv")

    def deliver(numbers: Sequence[int]) -> None:
        delivered.extend(numbers)
        write()

    url = f"http://127.0.0.1:{server.server_address[1]}/numbers.csv"
    try:
        yield NumberPlace(_source("http", url, key=["id"]), deliver, lambda _: write())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def nats_place() -> Iterator[NumberPlace]:
    """A JetStream of its own; again is the same message with the same id."""
    import nats

    check_broker(4222)
    name = f"rw{secrets.token_hex(4)}"

    async def with_stream(work: Callable[[Any], Any]) -> None:
        client = await nats.connect(NATS)
        try:
            await work(client.jetstream())
        finally:
            await client.close()

    def deliver(numbers: Sequence[int]) -> None:
        headers = {"Nats-Msg-Id": f"m{numbers[0]}"}
        asyncio.run(
            with_stream(lambda js: js.publish(f"{name}.all", _json(numbers), headers=headers))
        )

    asyncio.run(with_stream(lambda js: js.add_stream(name=name, subjects=[f"{name}.*"])))
    try:
        yield NumberPlace(_source("nats", f"{NATS}/{name}.all"), deliver, deliver)
    finally:
        asyncio.run(with_stream(lambda js: js.delete_stream(name)))


@contextlib.contextmanager
def rabbit_place() -> Iterator[NumberPlace]:
    """A queue of its own; again is the same message with the same id."""
    import pika

    check_broker(5672)
    queue = f"rw-{secrets.token_hex(4)}"
    parameters = pika.URLParameters(RABBIT.replace("${RABBIT_PASSWORD}", RABBIT_PASSWORD))

    @contextlib.contextmanager
    def channel() -> Iterator[Any]:
        connection = pika.BlockingConnection(parameters)
        try:
            found = connection.channel()
            found.confirm_delivery()
            yield found
        finally:
            connection.close()

    def deliver(numbers: Sequence[int]) -> None:
        with channel() as open_channel:
            told = pika.BasicProperties(message_id=f"m{numbers[0]}", delivery_mode=2)
            open_channel.basic_publish("", queue, _json(numbers), told)

    with channel() as open_channel:
        open_channel.queue_declare(queue, durable=True)
    try:
        yield NumberPlace(_source("rabbitmq", RABBIT, stream=queue), deliver, deliver)
    finally:
        with channel() as open_channel:
            open_channel.queue_delete(queue)
