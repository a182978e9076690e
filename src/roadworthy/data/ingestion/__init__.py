"""Data that arrives by itself: sources are configured, looked at, and their rows committed.

In comes what customers deliver: files, objects, answers over HTTP, rows of a database, messages.
Out come commits of one canonical table each, with what was taken, how far the source has come and
which rows were set aside, all in one transaction. When to look is not decided here.
"""

from roadworthy.data.ingestion.sources import Sources

__all__ = ["Sources"]
