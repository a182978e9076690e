"""What a batch has done so far: one file for each finished chunk, beside the output.

A chunk's file is named after its number and appears whole or not at all, so that whoever goes
on after a kill sees exactly which rows are done. The output is put together of these files at
the end, and takes its place at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from roadworthy.core.values import Document
from roadworthy.errors import Conflict, Damaged, UsageError
from roadworthy.pipelines.files import Files
from roadworthy.pipelines.reading import form_of

FORMAT = 1
_JOB = "job.json"
_READ_BYTES = 1 << 20


class Job(Document):
    """What makes a batch the same batch: its input as it is, its release, its chunks."""

    release: str
    digest: str
    input: str
    fingerprint: str
    columns: list[str]
    chunk_rows: int
    format: int = FORMAT


class Journal:
    """The finished chunks of one output."""

    def __init__(self, files: Files, output: str) -> None:
        self.form = form_of(output)
        self._files = files
        self._output = output
        self._folder = f"{output}.batch/"

    def begin(self, job: Job, overwrite: bool = False) -> Job:
        """The job as it is to be done: this one, or the same one begun before.

        Raises Conflict where the output is there already, or another batch was begun for it.
        """
        before = self._job()
        if before is not None and not overwrite:
            same = msgspec.structs.replace(job, chunk_rows=before.chunk_rows)
            if before == same:
                return before
            raise Conflict(
                f"another batch was begun for {self._output}: {_difference(before, same)}",
                cure="say --overwrite to begin anew, or name another output",
            )
        if before is None:
            self._clear()  # of a batch that was killed while it tidied up
        if not overwrite and self._files.fingerprint(self._output):
            raise Conflict(
                f"{self._output} is there already",
                cure="say --overwrite to replace it, or name another output",
            )
        self._clear()
        with self._files.writing(self._folder + _JOB) as file:
            file.write(msgspec.json.encode(job))
        return job

    def done(self) -> set[int]:
        """The numbers of the chunks that are finished."""
        found = set()
        for path in self._files.names(self._folder):
            name = path.rpartition("/")[2]
            if name.startswith("chunk-") and name.endswith(".parquet"):
                found.add(int(name[6:-8]))
        return found

    def keep(self, number: int, batch: pa.RecordBatch) -> None:
        """Keeps a chunk's answers; doing it again replaces them by the same."""
        with self._files.writing(self._path(number)) as file:
            parquet.write_table(pa.Table.from_batches([batch]), file, compression="zstd")

    def finish(self, chunks: int, schema: pa.Schema) -> None:
        """Puts the output together and removes the chunks. Raises Damaged."""
        with self._files.writing(self._output, self._folder) as file:
            if self.form == "csv":
                with arrow_csv.CSVWriter(file, schema) as writer:
                    for batch in self._all(chunks):
                        writer.write_batch(batch)
            else:
                with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
                    for batch in self._all(chunks):
                        writer.write_batch(batch)
        self._clear()

    def read(self, number: int) -> Iterator[pa.RecordBatch]:
        """A finished chunk's rows. Raises Damaged."""
        path = self._path(number)
        with self._files.open(path) as file:
            try:
                reader = parquet.ParquetFile(file, buffer_size=_READ_BYTES, pre_buffer=False)
                yield from reader.iter_batches(use_threads=False)
            except pa.ArrowException as error:
                raise Damaged(
                    f"{path} can't be read: {error}", cure="remove it, then run the batch again"
                ) from error

    def _all(self, chunks: int) -> Iterator[pa.RecordBatch]:
        for number in range(chunks):
            yield from self.read(number)

    def _job(self) -> Job | None:
        path = self._folder + _JOB
        if not self._files.fingerprint(path):
            return None
        with self._files.open(path) as file:
            try:
                job = msgspec.json.decode(file.read(), type=Job)
            except msgspec.DecodeError as error:
                raise Damaged(
                    f"{path} can't be read: {error}", cure="say --overwrite to begin anew"
                ) from None
        if job.format > FORMAT:
            raise UsageError(f"{path} is of a newer Roadworthy", cure="upgrade Roadworthy here")
        return job

    def _clear(self) -> None:
        """The job first: chunks without one are nobody's."""
        self._files.delete(self._folder + _JOB)
        for path in self._files.names(self._folder):
            self._files.delete(path)

    def _path(self, number: int) -> str:
        return f"{self._folder}chunk-{number:08d}.parquet"


def _difference(before: Job, now: Job) -> str:
    for field, word in (
        ("release", "release"),
        ("input", "input"),
        ("columns", "columns to keep"),
        ("fingerprint", "input, by size and time,"),
    ):
        was, is_ = getattr(before, field), getattr(now, field)
        if was != is_:
            return f"its {word} was {was}, now it is {is_}"
    return "its release's content differs"
