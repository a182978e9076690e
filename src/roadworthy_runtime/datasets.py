"""Versioned data in a program: ``rw.dataset("flights@main")``, read through Roadworthy's process.

The program's own environment need not have Roadworthy: what it reads comes over a pipe, as Arrow
batches or bytes, checked by digest on the other side. It needs pyarrow for tables.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Sequence

from .facade import OWN_PYTHON, READS


class Dataset:
    """One commit of a dataset, to be read: tables as rows, files as bytes."""

    def __init__(self, name: str, live: bool = False) -> None:
        self.asked = name
        found = json.loads(_ask(["show", name, "--json", "--limit", "1000000"]))
        self._entries = {each["path"]: each for each in found["entries"]}
        self._tables: Dict[str, List[Dict[str, Any]]] = found["tables"]
        self.commit: str = found["commit"]["digest"]
        self.name = "%s@%s" % (found["commit"]["commit"]["dataset"], self.commit)
        READS.append({"name": self.name, "asked": name, "live": bool(live)})

    def __repr__(self) -> str:
        return "rw.dataset(%r)  # %s" % (self.asked, self.name[:40])

    @property
    def paths(self) -> List[str]:
        """The paths of the commit's files and tables."""
        return list(self._entries)

    def columns(self, path: Optional[str] = None) -> List[str]:
        """The columns of a table; without a path, of the only one."""
        return [each["name"] for each in self._tables[self._table(path)]]

    def batches(
        self, path: Optional[str] = None, columns: Optional[Sequence[str]] = None
    ) -> Iterator[Any]:
        """A table's rows as Arrow record batches, one after the other.

        Memory for a few of them is all that is needed, however large the table.
        """
        with _Pipe(self._words(path, columns)) as pipe, _arrow().ipc.open_stream(pipe) as reader:
            for batch in reader:
                yield batch

    def reader(self, path: Optional[str] = None, columns: Optional[Sequence[str]] = None) -> Any:
        """A table's rows as an Arrow ``RecordBatchReader``, which DuckDB and polars take."""
        arrow = _arrow()
        batches = self.batches(path, columns)
        first = next(batches, None)
        if first is None:
            return self.to_arrow(path, columns).to_reader()

        def every() -> Iterator[Any]:
            yield first
            for batch in batches:
                yield batch

        return arrow.RecordBatchReader.from_batches(first.schema, every())

    def to_arrow(self, path: Optional[str] = None, columns: Optional[Sequence[str]] = None) -> Any:
        """A whole table as an Arrow table."""
        with _Pipe(self._words(path, columns)) as pipe, _arrow().ipc.open_stream(pipe) as reader:
            return reader.read_all()

    def to_pandas(self, path: Optional[str] = None, columns: Optional[Sequence[str]] = None) -> Any:
        """A whole table as a pandas DataFrame."""
        return self.to_arrow(path, columns).to_pandas()

    def to_polars(self, path: Optional[str] = None, columns: Optional[Sequence[str]] = None) -> Any:
        """A whole table as a polars DataFrame."""
        import polars

        return polars.from_arrow(self.to_arrow(path, columns))

    def open(self, path: str) -> BinaryIO:
        """A file's bytes, to read and to seek in. They are on disk meanwhile, not in memory."""
        if path not in self._entries:
            raise RuntimeError(_unknown(self.asked, path, self.paths))
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is the caller's to close
        with _Pipe(["cat", self.name, path]) as pipe:
            shutil.copyfileobj(pipe, file, 1 << 20)
        file.seek(0)
        return file

    def _words(self, path: Optional[str], columns: Optional[Sequence[str]]) -> List[str]:
        table = self._table(path)
        words = ["cat", self.name, table, "--format", "arrow"]
        if columns is not None:
            known = self.columns(table)
            for column in columns:
                if column not in known:
                    raise RuntimeError("%s has no column %r: it has %s" % (table, column, known))
            words += ["--columns", ",".join(columns)]
        return words

    def _table(self, path: Optional[str]) -> str:
        if path is not None:
            if path not in self._tables:
                raise RuntimeError(_unknown(self.asked, path, list(self._tables)))
            return path
        if len(self._tables) != 1:
            known = ", ".join(list(self._tables)[:5]) or "no table"
            raise RuntimeError("%s has %s: say which path to read" % (self.asked, known))
        return next(iter(self._tables))


class _Pipe:
    """What a command of Roadworthy's writes, as a file; its failure raises RuntimeError."""

    def __init__(self, words: List[str]) -> None:
        self._process = subprocess.Popen(
            [*_command(), "data", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        )

    def __enter__(self) -> BinaryIO:
        out = self._process.stdout
        assert out is not None
        return out  # type: ignore[return-value]

    def __exit__(self, kind: Any, error: Any, _traceback: Any) -> None:
        process = self._process
        assert process.stdout is not None
        assert process.stderr is not None
        if kind is GeneratorExit or (kind is None and process.poll() is None):
            process.stdout.close()  # whoever reads has had enough
        said = process.stderr.read().decode("utf-8", "replace").strip()
        process.stderr.close()
        process.stdout.close()
        code = process.wait()
        if code and kind is not GeneratorExit and "Broken pipe" not in said:
            raise RuntimeError(said or "roadworthy data ended with exit code %d" % code) from error


def _ask(words: List[str]) -> bytes:
    done = subprocess.run(
        [*_command(), "data", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
        check=False,
    )
    if done.returncode:
        try:
            problem = json.loads(done.stdout)["error"]
            said = problem["message"] + ("\n  → " + problem["cure"] if problem["cure"] else "")
        except (ValueError, KeyError):
            said = done.stderr.decode("utf-8", "replace").strip()
        raise RuntimeError(said)
    return done.stdout


def _command() -> List[str]:
    """How Roadworthy's own process is started: isolated, so that it finds its own packages."""
    own = os.environ.get(OWN_PYTHON)
    if own:
        return [own, "-I", "-m", "roadworthy"]
    here = sys.modules.get("roadworthy")
    if here is not None and hasattr(here, "__version__"):
        return [sys.executable, "-I", "-m", "roadworthy"]
    found = shutil.which("roadworthy")
    if found is None:
        raise RuntimeError(
            "rw.dataset needs Roadworthy, which is not installed here\n"
            "  → run the program with: roadworthy deploy PROGRAM, or put roadworthy on the PATH"
        )
    return [found]


def _environment() -> Dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc

        return pyarrow
    except ImportError:
        raise RuntimeError(
            "reading a dataset's tables needs pyarrow in the program's environment\n"
            "  → pip install pyarrow"
        ) from None


def _unknown(name: str, path: str, known: List[str]) -> str:
    return "%s has no %r: it has %s" % (name, path, ", ".join(known[:10]) or "nothing")
