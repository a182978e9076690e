"""DVC with git, and Oxen: working files, added and committed as they are."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from pyarrow import parquet

NAME = "table.parquet"


class Files:
    """A folder with working files beside the kept ones."""

    kept = ""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def stage(self, source: str, name: str = NAME) -> None:
        """Puts a file or folder where the side takes it from; not timed."""
        target = self.folder / name
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        if Path(source).is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)

    def first(self, _file: str) -> None:
        """The first version of what was staged."""
        self.save(NAME)

    def change(self, _kind: str, _whole: str, _part: str) -> None:
        """The next version of what was staged."""
        self.save(NAME)

    def column(self, name: str) -> int:
        """One column of the version before the newest."""
        self.back()
        return int(parquet.read_table(self.folder / NAME, columns=[name]).num_rows)

    def tiny(self) -> None:
        """A commit of a file of a hundred bytes."""
        (self.folder / "tiny").write_text(secrets.token_hex(50))
        self.save("tiny")

    def take(self, _folder: str) -> None:
        """A folder of many files that was staged."""
        self.save("many")

    def lose(self) -> None:
        """The working files are gone; not timed."""
        shutil.rmtree(self.folder / "many")

    def size(self) -> int:
        """The bytes that are kept."""
        kept = self.folder / self.kept
        return sum(each.stat().st_size for each in kept.rglob("*") if each.is_file())

    def close(self) -> None:
        """Nothing is held."""

    def save(self, name: str) -> None:
        """Adds and commits one path."""
        raise NotImplementedError

    def back(self) -> None:
        """The working files of the version before the newest."""
        raise NotImplementedError


def git(folder: Path, *words: str) -> str:
    """What git says."""
    names = {"GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@b"}
    names |= {"GIT_COMMITTER_NAME": "b", "GIT_COMMITTER_EMAIL": "b@b"}
    done = subprocess.run(
        ["git", *words], cwd=folder, env={**os.environ, **names}, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    return done.stdout
