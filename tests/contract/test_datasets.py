"""Datasets on a local directory, a real S3-compatible server, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roadworthy.data import Datasets
from roadworthy.storage.blobs import Blobs, open_blobs
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database
from roadworthy.testing.dataset_care import CareContract
from roadworthy.testing.datasets import DatasetContract
from roadworthy.testing.values import ticking_clock


@pytest.fixture
def again(datasets: Datasets, tmp_path: Path) -> Iterator[Callable[[], Datasets]]:
    """Opens the same blobs with metadata that knows nothing."""
    database = open_database(f"sqlite:///{tmp_path / 'again.db'}")
    yield lambda: Datasets(database, datasets.blobs, ticking_clock())
    database.close()


class TestDirectory(DatasetContract, CareContract):
    """In a local directory, on both databases."""

    @pytest.fixture
    def datasets(self, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Datasets:
        """Nothing in it yet."""
        blobs = open_blobs(str(tmp_path_factory.mktemp("store") / "data"))
        return Datasets(database, blobs, ticking_clock())


class TestS3(DatasetContract, CareContract):
    """On SeaweedFS."""

    @pytest.fixture
    def datasets(self, database: Database, s3_blobs: Blobs) -> Datasets:
        """Nothing in it yet."""
        return Datasets(database, s3_blobs, ticking_clock())


class TestAzure(DatasetContract, CareContract):
    """On Azurite, with SQLite."""

    @pytest.fixture
    def datasets(self, azure_blobs: Blobs, tmp_path: Path) -> Iterator[Datasets]:
        """Nothing in it yet."""
        database = open_database(f"sqlite:///{tmp_path / 'azure.db'}")
        yield Datasets(database, azure_blobs, ticking_clock())
        database.close()
