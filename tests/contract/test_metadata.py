"""The metadata contract on SQLite and on a real PostgreSQL."""

from roadworthy.testing.metadata import MetadataContract


class TestMetadata(MetadataContract):
    """On the two databases that the fixture ``database`` gives."""
