"""DVC: files in its cache, the versions in git."""

from __future__ import annotations

from dvc.repo import Repo
from files import Files, git


class Side(Files):
    """A git repository with DVC in it."""

    kept = ".dvc/cache"

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        if not (self.folder / ".git").exists():
            git(self.folder, "init", "-q", "-b", "master")
            with Repo.init(str(self.folder)):
                pass
            git(self.folder, "commit", "-qm", "begin")
        self._repo = Repo(str(self.folder))

    def save(self, name: str) -> None:
        """Adds a path and commits what stands for it."""
        self._repo.add(str(self.folder / name))
        git(self.folder, "add", f"{name}.dvc", ".gitignore")
        git(self.folder, "commit", "-qm", "bench")

    def back(self) -> None:
        """Checks the version before out."""
        git(self.folder, "checkout", "-q", "master~1")
        self._repo.checkout(force=True)

    def log(self) -> int:
        """The newest thousand versions."""
        return len(git(self.folder, "log", "-n", "1000", "--format=%H %an %aI %s").splitlines())

    def give(self, _folder: str) -> None:
        """All files out."""
        self._repo.checkout(force=True)

    def close(self) -> None:
        """Ends DVC's own resources."""
        self._repo.close()
