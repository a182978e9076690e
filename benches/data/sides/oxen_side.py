"""Oxen: its own repository of files."""

from __future__ import annotations

from files import Files
from oxen import Repo
from oxen.user import config_user


class Side(Files):
    """An Oxen repository."""

    kept = ".oxen"

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        config_user("bench", "bench@localhost")
        self._repo = Repo(str(self.folder))
        if not (self.folder / ".oxen").exists():
            self._repo.init()

    def save(self, name: str) -> None:
        """Adds a path and commits it."""
        self._repo.add(str(self.folder / name))
        self._repo.commit("bench")

    def first(self, file: str) -> None:
        """The first version, and a branch that stays there: only branches can be checked out."""
        super().first(file)
        self._repo.checkout("before", create=True)
        self._repo.checkout("main")

    def back(self) -> None:
        """Checks the version before out."""
        self._repo.checkout("before")

    def log(self) -> int:
        """All versions."""
        return len(self._repo.log())

    def give(self, _folder: str) -> None:
        """All files out."""
        self._repo.restore("many")
