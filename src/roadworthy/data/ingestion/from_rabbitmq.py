"""Messages of a queue of RabbitMQ."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

from blake3 import blake3

from roadworthy.data.ingestion.arriving import Arrived, Found, Visit
from roadworthy.errors import SettingsError, Unavailable, UsageError

_HEARTBEAT_SECONDS = 600
_MOST_MEMORY = 64 << 20


class RabbitReader:
    """Each message is a delivery, told by its ``message_id``.

    Messages are acknowledged once they are committed. If that is lost, the broker sends them
    again, and they are known by their id; without one, by their content, where the broker says
    that it has sent them before.
    """

    def __init__(self, visit: Visit) -> None:
        try:
            import pika
        except ImportError:
            raise SettingsError(
                "RabbitMQ needs the package pika, which is not installed",
                cure="pip install 'roadworthy[brokers]'",
            ) from None
        self._visit = visit
        self._last = 0
        with self._calling():
            wanted = pika.URLParameters(visit.source.url)
            wanted.heartbeat = _HEARTBEAT_SECONDS
            wanted.socket_timeout = 10
            wanted.connection_attempts = 1
            self._connection = pika.BlockingConnection(wanted)
            self._channel: Any = self._connection.channel()

    def look(self) -> Found:
        """The messages that wait, up to the source's bounds."""
        queue = self._visit.source.stream
        arrived: list[Arrived] = []
        size = 0
        with self._calling():
            waiting = self._channel.queue_declare(queue, passive=True).method.message_count
            while len(arrived) < self._visit.source.most_deliveries and size < _MOST_MEMORY:
                method, properties, body = self._channel.basic_get(queue, auto_ack=False)
                if method is None:
                    return Found(arrived, {})
                self._last = method.delivery_tag
                size += len(body)
                arrived.append(_arrived(method, properties, body))
        return Found(arrived, {}, left=waiting > len(arrived))

    def fetch(self, one: Arrived) -> Arrived:
        """It is here already."""
        return one

    def done(self) -> None:
        """Acknowledges what was given. If that is lost, it is sent again, and known."""
        import pika

        with contextlib.suppress(pika.exceptions.AMQPError):
            if self._last:
                self._channel.basic_ack(self._last, multiple=True)

    def close(self) -> None:
        """Gives up the connection; what was not acknowledged goes back to the queue."""
        import pika

        with contextlib.suppress(pika.exceptions.AMQPError):
            self._connection.close()

    @contextlib.contextmanager
    def _calling(self) -> Iterator[None]:
        from pika import exceptions as foreign

        place = self._visit.place
        try:
            yield
        except foreign.ChannelClosedByBroker as error:
            raise UsageError(
                f"{place}: {error.reply_text}", cure="make the queue, or correct `stream`"
            ) from error
        except foreign.AMQPError as error:
            raise Unavailable(
                f"{place}: {type(error).__name__} {error}".rstrip(),
                cure="it is asked again at the next poll",
            ) from error
        except (ValueError, OSError) as error:
            raise Unavailable(
                f"{place}: {error}", cure="check the URL and that the broker answers"
            ) from error


def _arrived(method: Any, properties: Any, body: bytes) -> Arrived:
    content = blake3(body).hexdigest()
    told = properties.message_id
    return Arrived(
        identity=f"id {told}" if told else f"{content[:16]} {secrets.token_hex(8)}",
        content=content,
        body=body,
        again=bool(method.redelivered) and not told,
    )
