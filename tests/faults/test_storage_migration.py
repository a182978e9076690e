"""Rows 1 and 24 for storage: migrations go forward after a backup, wholly or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from roadworthy.errors import NewerFormat
from roadworthy.storage.metadata import connect
from roadworthy.storage.migrating import MIGRATIONS, migrate, revisions
from roadworthy.storage.opening import open_database
from roadworthy.testing.killing import opened
from roadworthy.testing.servers import postgres_database
from roadworthy.testing.values import a_draft, a_run

pytestmark = pytest.mark.fault("24")

NEXT = '''"""A later form: a column more, filled from what is there."""
import os, signal
from alembic import op
import sqlalchemy as sa

revision = "9001"
down_revision = "{before}"


def upgrade():
    op.add_column("models", sa.Column("shown", sa.Text()))
    op.execute("UPDATE models SET shown = upper(name)")
    {then}
'''


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that this version wrote."""
    with opened(tmp_path / "home") as registry:
        run = registry.record_run(a_run("run-1"), None, {"train.py": b"print(1)"})
        registry.record_release(a_draft(run.id))
    return tmp_path / "home"


def later(tmp_path: Path, then: str = "pass") -> Path:
    """The migrations of a later version."""
    folder = tmp_path / "later"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = NEXT.format(before=revisions()[-1], then=then)
    (folder / "versions" / "9001_next.py").write_text(text)
    return folder


def upgrade(home: Path, folder: Path) -> None:
    database = connect(f"sqlite:///{home / 'roadworthy.db'}")
    try:
        migrate(database, folder)
    finally:
        database.close()


def asked(file: Path, question: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def test_an_older_home_is_migrated_after_a_backup(home: Path, tmp_path: Path) -> None:
    upgrade(home, later(tmp_path))
    database = home / "roadworthy.db"
    assert asked(database, "SELECT name, shown FROM models") == [("flight-delay", "FLIGHT-DELAY")]
    assert asked(database, "SELECT version_num FROM alembic_version") == [("9001",)]
    (backup,) = (home / "backups").iterdir()
    assert backup.name.startswith(f"roadworthy-{revisions()[-1]}-")
    assert asked(backup, "SELECT version_num FROM alembic_version") == [(revisions()[-1],)]
    assert asked(backup, "SELECT name FROM models") == [("flight-delay",)]


def test_this_version_refuses_it_then_and_the_backup_brings_it_back(
    home: Path, tmp_path: Path
) -> None:
    upgrade(home, later(tmp_path))
    with pytest.raises(NewerFormat, match="9001") as raised, opened(home):
        pass
    assert "restore the backup in backups/" in raised.value.cure
    (backup,) = (home / "backups").iterdir()
    shutil.copy(backup, home / "roadworthy.db")
    with opened(home) as registry:
        registry.check(registry.release("flight-delay@1"))


def test_a_migration_that_fails_changes_nothing(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        upgrade(home, later(tmp_path, then="1 / 0"))
    assert list((home / "backups").iterdir()) == []
    with opened(home) as registry:
        assert registry.release("flight-delay").number == 1


def test_a_migration_that_is_killed_changes_nothing_and_is_done_next_time(
    home: Path, tmp_path: Path
) -> None:
    folder = later(tmp_path, then="os.kill(os.getpid(), signal.SIGKILL)")
    program = (
        "import sys; from pathlib import Path\n"
        "from roadworthy.storage.metadata import connect\n"
        "from roadworthy.storage.migrating import migrate\n"
        "migrate(connect(f'sqlite:///{sys.argv[1]}'), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", program, str(home / "roadworthy.db"), str(folder)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with opened(home) as registry:
        assert registry.release("flight-delay").number == 1
    shutil.rmtree(folder)
    upgrade(home, later(tmp_path))
    assert asked(home / "roadworthy.db", "SELECT shown FROM models") == [("FLIGHT-DELAY",)]


def test_many_processes_start_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from roadworthy.storage.opening import open_database\n"
        "open_database(sys.argv[1]).close()\n"
    )
    with postgres_database() as url:
        for where in (f"sqlite:///{tmp_path / 'home' / 'roadworthy.db'}", url):
            command = [sys.executable, "-W", "error", "-c", program, where]
            processes = [subprocess.Popen(command) for _ in range(4)]
            assert [process.wait() for process in processes] == [0] * 4


def test_many_threads_open_at_once(tmp_path: Path) -> None:
    opened_all: list[int] = []

    def open_one(number: int) -> None:
        open_database(f"sqlite:///{tmp_path / str(number % 2)}.db").close()
        opened_all.append(os.getpid())

    threads = [threading.Thread(target=open_one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened_all) == 6
