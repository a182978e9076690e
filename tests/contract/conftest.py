"""The two databases and the two blob stores that the contracts are run on, all real."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from roadworthy.storage.blobs import Blobs, open_blobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database
from roadworthy.testing.servers import azure_server, postgres_database, s3_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty metadata database, on each of the two."""
    if request.param == "sqlite":
        database = open_database(f"sqlite:///{tmp_path / 'home' / 'roadworthy.db'}")
        yield database
        database.close()
        return
    with postgres_database() as url:
        database = open_database(url)
        yield database
        database.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[Mapping[str, str]]:
    """One S3-compatible server for the whole session."""
    with s3_server() as options:
        yield options


@pytest.fixture(scope="session")
def azure() -> Iterator[Mapping[str, str]]:
    """One Azure emulator for the whole session."""
    with azure_server() as options:
        yield options


@pytest.fixture
def azure_blobs(azure: Mapping[str, str]) -> Blobs:
    """An empty folder of a container of that emulator."""
    return open_blobs(f"az://tests/{secrets.token_hex(6)}", azure)


@pytest.fixture
def s3_blobs(s3: Mapping[str, str]) -> Blobs:
    """An empty folder of a bucket of that server."""
    return open_blobs(f"s3://ready-check/{secrets.token_hex(6)}", s3)
