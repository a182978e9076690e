"""The blob contract on a local directory and on a real S3-compatible server."""

from __future__ import annotations

from pathlib import Path

import obstore
import pytest

from roadworthy.errors import Damaged, StorageError, Unavailable
from roadworthy.storage.blobs import Blobs, open_blobs
from roadworthy.storage.objects import ObjectBlobs, open_object_store
from roadworthy.testing.blobs import BlobContract


class TestDirectory(BlobContract):
    """In a local directory."""

    @pytest.fixture
    def blobs(self, tmp_path_factory: pytest.TempPathFactory) -> Blobs:
        """A directory that is not there yet."""
        return open_blobs(f"file://{tmp_path_factory.mktemp('store') / 'blobs'}")


class TestAzure(BlobContract):
    """On Azurite."""

    @pytest.fixture
    def blobs(self, azure_blobs: Blobs) -> Blobs:
        """A folder that is not there yet."""
        return azure_blobs


class TestS3(BlobContract):
    """On SeaweedFS."""

    @pytest.fixture
    def blobs(self, s3_blobs: Blobs) -> Blobs:
        """A folder that is not there yet."""
        return s3_blobs

    def test_damage_is_found(self, s3: dict[str, str], tmp_path: Path) -> None:
        store = open_object_store("s3://ready-check/damaged", s3)
        blobs = ObjectBlobs(store, "s3://damaged")
        digest = blobs.put(b"right")
        obstore.put(store, f"{digest[:2]}/{digest[2:]}", b"wrong")
        with pytest.raises(Damaged, match=digest[:7]):
            blobs.get(digest)
        with pytest.raises(Damaged, match=digest[:7]):
            blobs.copy_to(digest, tmp_path / "copy")
        assert list(tmp_path.iterdir()) == []
        blobs.put(b"right")
        assert blobs.get(digest) == b"right"

    def test_wrong_credentials_are_said(self, s3: dict[str, str]) -> None:
        blobs = open_blobs("s3://secret", {**s3, "secret_access_key": "wrong"})
        with pytest.raises(StorageError, match="not allowed") as raised:
            blobs.put(b"data")
        assert "credentials" in raised.value.cure

    def test_a_server_that_is_gone(self, s3: dict[str, str]) -> None:
        gone = {**s3, "endpoint": "http://127.0.0.1:9"}
        blobs = ObjectBlobs(open_object_store("s3://gone", gone, most_retries=1), "s3://gone")
        with pytest.raises(Unavailable, match="writing blob b3:"):
            blobs.put(b"data")
