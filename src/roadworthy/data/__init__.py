"""Versioned data: datasets, commits, branches, provenance; tables as values, files as bytes.

In come files, tables and streams of rows; out come commits, and the same rows and bytes again,
checked by digest. Packs and commits are written to the blobs first; last, a branch moves in one
transaction of the metadata. Nothing here knows models or releases, or speaks HTTP.
"""

from roadworthy.data.changes import Append, Change, PutFile, PutTable, Remove, Update
from roadworthy.data.datasets import Datasets
from roadworthy.data.snapshot import Snapshot

__all__ = ["Append", "Change", "Datasets", "PutFile", "PutTable", "Remove", "Snapshot", "Update"]
