"""Sources on real servers: files, S3, Azure, HTTP, SQLite, PostgreSQL, NATS, RabbitMQ."""

from __future__ import annotations

import asyncio
import csv
import functools
import http.server
import io
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import obstore
import pytest
import sqlalchemy as sa

from roadworthy.core.source import Column, Source
from roadworthy.storage.objects import open_object_store
from roadworthy.testing.servers import check_broker, postgres_database
from roadworthy.testing.sources import COLUMNS, ReaderContract, Rows

NATS = "nats://127.0.0.1:4222"
RABBIT = "amqp://guest:${RABBIT_PASSWORD}@127.0.0.1:5672/%2F"


@dataclass
class Told:
    """A place whose way of delivering is a function."""

    source: Source
    deliver: Callable[[Rows], None]


def a_source(url: str, **more: Any) -> Source:
    """A source of numbers and names."""
    given: dict[str, Any] = {"name": "acme", "dataset": "people", "columns": COLUMNS}
    return Source(url=url, settle_seconds=0, **{**given, **more})


def as_csv(rows: Rows) -> bytes:
    """Rows as a CSV file."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([("id", "name"), *rows])
    return file.getvalue().encode()


class TestFiles(ReaderContract):
    """A folder."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Told:
        """A file for each delivery."""
        folder = tmp_path / "in"
        folder.mkdir()

        def deliver(rows: Rows) -> None:
            count = len(list(folder.iterdir()))
            (folder / f"{count}.csv").write_bytes(as_csv(rows))

        return Told(a_source(f"{folder}/*.csv"), deliver)

    @pytest.fixture
    def absent(self, tmp_path: Path) -> Source:
        """A folder that is not mounted."""
        return a_source(f"{tmp_path}/away/*.csv", name="away")


class _Objects(ReaderContract):
    def to_place(self, root: str, options: Mapping[str, str]) -> Told:
        """An object for each delivery."""
        prefix = f"in-{secrets.token_hex(4)}"
        store = open_object_store(root, options)
        count = iter(range(100))

        def deliver(rows: Rows) -> None:
            obstore.put(store, f"{prefix}/day {next(count)}.csv", as_csv(rows))
            obstore.put(store, f"{prefix}/other.txt", b"no table")

        return Told(a_source(f"{root}/{prefix}/*.csv", options=dict(options)), deliver)


class TestS3(_Objects):
    """SeaweedFS."""

    @pytest.fixture
    def place(self, s3: Mapping[str, str]) -> Told:
        """A prefix of its own."""
        return self.to_place("s3://ready-check", s3)

    @pytest.fixture
    def absent(self, s3: Mapping[str, str]) -> Source:
        """A bucket that is not there."""
        return a_source("s3://nowhere/*", name="away", options=dict(s3))


class TestAzure(_Objects):
    """Azurite."""

    @pytest.fixture
    def place(self, azure: Mapping[str, str]) -> Told:
        """A prefix of its own."""
        return self.to_place("az://tests", azure)

    @pytest.fixture
    def absent(self, azure: Mapping[str, str]) -> Source:
        """A container that is not there."""
        return a_source("az://nowhere/*", name="away", options=dict(azure))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class TestHttp(ReaderContract):
    """A server that gives the whole table, and knows what was asked for before."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[Told]:
        """One address."""
        folder = tmp_path / "site"
        folder.mkdir()
        handler = functools.partial(_Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        delivered: Rows = []

        def deliver(rows: Rows) -> None:
            delivered.extend(rows)
            (folder / "people.csv").write_bytes(as_csv(delivered))
            # The server tells times to the second, and a test takes less.
            stamp = 1_700_000_000 + len(delivered)
            import os

            os.utime(folder / "people.csv", (stamp, stamp))

        url = f"http://127.0.0.1:{server.server_address[1]}/people.csv"
        yield Told(a_source(url, key=["id"]), deliver)
        server.shutdown()
        thread.join()
        server.server_close()

    @pytest.fixture
    def absent(self) -> Source:
        """Nobody listens; the port is one that nobody may."""
        return a_source("http://127.0.0.1:1/people.csv", name="away")

    def test_what_is_delivered_is_taken_once(
        self, place: Any, datasets: Any, tmp_path: Any
    ) -> None:
        """As the contract says."""
        super().test_what_is_delivered_is_taken_once(place, datasets, tmp_path)


class _Sql(ReaderContract):
    def to_place(self, url: str) -> Told:
        """A table that rows are inserted into."""
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE people (id INTEGER, name TEXT)")

        def deliver(rows: Rows) -> None:
            with engine.begin() as connection:
                values = [{"id": number, "name": name} for number, name in rows]
                connection.execute(sa.text("INSERT INTO people VALUES (:id, :name)"), values)

        query = "SELECT id, name FROM people"
        return Told(a_source(url, query=query, cursor="id"), deliver)

    def test_bounds_are_kept_and_the_rest_comes_later(
        self, place: Any, datasets: Any, tmp_path: Any
    ) -> None:
        """A query's rows are one delivery."""


class TestSqlite(_Sql):
    """A file."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Told:
        """An empty table."""
        return self.to_place(f"sqlite:///{tmp_path / 'theirs.db'}")

    @pytest.fixture
    def absent(self, tmp_path: Path) -> Source:
        """A file that is not there."""
        url = f"sqlite:///{tmp_path / 'away' / 'x.db'}"
        return a_source(url, name="away", query="SELECT 1 AS id, '' AS name")


class TestPostgres(_Sql):
    """A server."""

    @pytest.fixture
    def place(self) -> Iterator[Told]:
        """An empty table."""
        with postgres_database() as url:
            yield self.to_place(url)

    @pytest.fixture
    def absent(self) -> Source:
        """Nobody listens there."""
        url = "postgresql://127.0.0.1:1/x"
        return a_source(url, name="away", query="SELECT 1 AS id, '' AS name")


class TestNats(ReaderContract):
    """JetStream."""

    @pytest.fixture
    def place(self) -> Iterator[Told]:
        """A stream of its own; a message is a list of rows."""
        import nats

        check_broker(4222)
        name = f"rw{secrets.token_hex(4)}"

        async def with_stream(work: Callable[[Any], Any]) -> None:
            client = await nats.connect(NATS)
            try:
                await work(client.jetstream())
            finally:
                await client.close()

        def deliver(rows: Rows) -> None:
            body = msgspec.json.encode([{"id": number, "name": word} for number, word in rows])
            asyncio.run(with_stream(lambda js: js.publish(f"{name}.people", body)))

        asyncio.run(with_stream(lambda js: js.add_stream(name=name, subjects=[f"{name}.*"])))
        yield Told(a_source(f"{NATS}/{name}.people"), deliver)
        asyncio.run(with_stream(lambda js: js.delete_stream(name)))

    @pytest.fixture
    def absent(self) -> Source:
        """Nobody listens there."""
        return a_source("nats://127.0.0.1:1/people", name="away")


class TestRabbitMQ(ReaderContract):
    """A queue."""

    @pytest.fixture
    def channel(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        """A connection to the server."""
        import pika

        check_broker(5672)
        monkeypatch.setenv("RABBIT_PASSWORD", "guest")
        parameters = pika.URLParameters("amqp://guest:guest@127.0.0.1:5672/%2F")
        connection = pika.BlockingConnection(parameters)
        yield connection.channel()
        connection.close()

    @pytest.fixture
    def place(self, channel: Any) -> Iterator[Told]:
        """A queue of its own; messages have no id, as most senders' have none."""
        queue = f"rw-{secrets.token_hex(4)}"
        channel.queue_declare(queue)
        channel.confirm_delivery()

        def deliver(rows: Rows) -> None:
            body = msgspec.json.encode([{"id": number, "name": word} for number, word in rows])
            channel.basic_publish("", queue, body)

        yield Told(a_source(RABBIT, stream=queue), deliver)
        channel.queue_delete(queue)

    @pytest.fixture
    def absent(self) -> Source:
        """Nobody listens there."""
        return a_source("amqp://127.0.0.1:1/", name="away", stream="people")

    def test_messages_of_the_same_id_count_once(
        self, place: Told, channel: Any, datasets: Any, tmp_path: Path
    ) -> None:
        """However often the sender sends them; poison is set aside with its reason."""
        import pika

        from roadworthy.data.ingestion import Sources

        sources = Sources(datasets, tmp_path / "scratch")
        sources.add(place.source)
        for id, body in (("m1", b'{"id": 1}'), ("m1", b'{"id": 1}'), ("m2", b"{poison")):
            properties = pika.BasicProperties(message_id=id)
            channel.basic_publish("", place.source.stream, body, properties)
        first = sources.poll("acme")
        assert (first.rows, first.bad, first.twice) == (1, 1, 1)
        assert "poison" in sources.quarantine("acme")[0]["reason"]
        again = pika.BasicProperties(message_id="m1")
        channel.basic_publish("", place.source.stream, b'{"id": 1}', again)
        assert sources.poll("acme").twice == 1
        assert self.taken(sources, place.source) == [(1, None)]
        assert channel.queue_declare(place.source.stream, passive=True).method.message_count == 0


def test_a_table_that_goes_back_to_what_it_was_is_followed(tmp_path: Path) -> None:
    """With `replace`, what was there before may come again."""
    from roadworthy.data import Datasets
    from roadworthy.data.ingestion import Sources
    from roadworthy.storage.blobs import open_blobs
    from roadworthy.storage.opening import open_database
    from roadworthy.testing.values import ticking_clock

    theirs = sa.create_engine(f"sqlite:///{tmp_path / 'theirs.db'}", poolclass=sa.pool.NullPool)
    database = open_database(f"sqlite:///{tmp_path / 'rw.db'}")
    datasets = Datasets(database, open_blobs(str(tmp_path / "data")), ticking_clock())
    sources = Sources(datasets, tmp_path / "scratch")
    query = "SELECT v FROM t"
    columns = {"v": Column(type="int64")}
    sources.add(a_source(str(theirs.url), query=query, columns=columns))
    held = []
    for value in (1, 2, 1):
        with theirs.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS t")
            connection.exec_driver_sql("CREATE TABLE t AS SELECT " + str(value) + " AS v")
        sources.poll("acme")
        held += datasets.read("people").to_arrow("acme")["v"].to_pylist()
    assert held == [1, 2, 1]
    database.close()
