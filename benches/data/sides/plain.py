"""What all sides are measured by: copies, pyarrow, bare syncs, SQLite, tar and cp."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import subprocess
from pathlib import Path

from pyarrow import parquet


class Side:
    """The same work without versions."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(self.folder / "plain.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS commits "
            "(at INTEGER PRIMARY KEY, digest TEXT, document TEXT)"
        )

    def copy(self, file: str) -> None:
        """A copy with sync."""
        target = self.folder / "copy"
        shutil.copyfile(file, target)
        descriptor = os.open(target, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def rewrite(self, file: str) -> None:
        """The same Parquet read and written again, synced."""
        target = self.folder / "again.parquet"
        with (
            parquet.ParquetFile(file) as source,
            parquet.ParquetWriter(target, source.schema_arrow, compression="zstd") as writer,
        ):
            for batch in source.iter_batches(1 << 17):
                writer.write_batch(batch)
        descriptor = os.open(target, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def column(self, file: str, name: str) -> int:
        """The rows of one column."""
        return int(parquet.read_table(file, columns=[name]).num_rows)

    def tiny(self) -> None:
        """The syncs of one commit: two files, each with its directory, and a transaction."""
        for _ in range(2):
            partial = self.folder / ".partial"
            with partial.open("wb") as file:
                file.write(secrets.token_bytes(1000))
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self.folder / secrets.token_hex(8))
            descriptor = os.open(self.folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        document = json.dumps({f"field {n}": secrets.token_hex(16) for n in range(16)})
        self._database.execute(
            "INSERT INTO commits (digest, document) VALUES (?, ?)",
            (secrets.token_hex(32), document),
        )

    def log(self) -> int:
        """A thousand versions from a bare table."""
        query = "SELECT digest, document FROM commits ORDER BY at DESC LIMIT 1000"
        return len(self._database.execute(query).fetchall())

    def take(self, folder: str) -> None:
        """A folder into one file, synced: a commit's packs are."""
        target = self.folder / "all.tar"
        self._run("tar", "-cf", str(target), "-C", folder, ".")
        descriptor = os.open(target, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def give(self, folder: str) -> None:
        """A folder out, file by file, not synced: what is checked out is not either."""
        self._run("cp", "-r", folder, str(self.folder / secrets.token_hex(8)))

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True)
