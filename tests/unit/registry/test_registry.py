"""The registry on SQLite and a directory: what is recorded is found again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from roadworthy.core.capture import CaptureReport
from roadworthy.core.certificate import Certificate, Check
from roadworthy.core.release import FlowFile, Lock
from roadworthy.core.signature import Column
from roadworthy.errors import (
    Conflict,
    Damaged,
    InvalidName,
    NotFound,
    SignatureConflict,
    StorageError,
    UsageError,
)
from roadworthy.registry import Registry, flow_directory, manifest_of
from roadworthy.registry.materialise import damaged_files
from roadworthy.storage.digests import digest_of
from roadworthy.storage.directory import DirectoryBlobs
from roadworthy.storage.disk import Disk
from roadworthy.storage.metadata import Database
from roadworthy.storage.opening import open_database
from roadworthy.testing.values import A_LOCK, A_SIGNATURE, a_draft, a_run, ticking_clock


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'roadworthy.db'}")
    yield database
    database.close()


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path / "blobs", Disk(sync=lambda _descriptor: None))


@pytest.fixture
def registry(database: Database, blobs: DirectoryBlobs) -> Registry:
    registry = Registry(database, blobs, ticking_clock())
    registry.record_run(a_run("run-1"), None, {"train.py": b"print(1)"})
    return registry


def test_ids_sort_by_time(registry: Registry) -> None:
    ids = [registry.new_id() for _ in range(50)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 50


def test_a_run_comes_back_with_its_report_and_files(registry: Registry) -> None:
    report = CaptureReport(files=[], decisions=[], state=[], statements=31, kept=9)
    files = {"train.py": b"import pandas\n", "lib/clean.py": b""}
    recorded = registry.record_run(a_run("run-2"), report, files)
    assert registry.run("run-2") == recorded
    assert [(each.path, each.bytes) for each in recorded.files] == [
        ("lib/clean.py", 0),
        ("train.py", 14),
    ]
    assert registry.run_report("run-2") == report
    assert registry.run_files("run-2") == files
    assert registry.run_report("run-1") is None


def test_recording_a_run_again_does_nothing_another_is_refused(registry: Registry) -> None:
    registry.record_run(a_run("run-1"), None, {"train.py": b"print(1)"})
    with pytest.raises(Conflict, match="run-1"):
        registry.record_run(a_run("run-1", seconds=9.0), None, {"train.py": b"print(1)"})


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "a\\b", "a\nb", "", "."])
def test_paths_stay_inside(registry: Registry, path: str) -> None:
    with pytest.raises(UsageError, match="can't be the path"):
        registry.record_run(a_run("run-3"), None, {path: b""})
    with pytest.raises(UsageError, match="can't be the path"):
        registry.record_release(a_draft("run-1", files={path: b""}))


def test_runs_page_by_page(registry: Registry) -> None:
    for number in range(2, 8):
        registry.record_run(a_run(f"run-{number}"), None, {})
    assert [run.id for run in registry.runs(limit=3)] == ["run-7", "run-6", "run-5"]
    assert [run.id for run in registry.runs(limit=3, before="run-5")] == [
        "run-4",
        "run-3",
        "run-2",
    ]
    registry.record_release(a_draft("run-4"))
    assert [run.id for run in registry.runs(model="flight-delay")] == ["run-4"]


def test_what_is_not_there_is_not_found(registry: Registry) -> None:
    for ask in (registry.run, registry.run_report, registry.run_files):
        with pytest.raises(NotFound, match="no run other"):
            ask("other")
    with pytest.raises(NotFound, match="no model flight-delay") as raised:
        registry.release("flight-delay")
    assert "deploy makes the first" in raised.value.cure
    registry.record_release(a_draft("run-1"))
    with pytest.raises(NotFound, match="no model fligth-delay") as raised:
        registry.releases("fligth-delay")
    assert raised.value.cure == "did you mean flight-delay?"
    with pytest.raises(NotFound, match="no model zzz") as raised:
        registry.release("zzz@4")
    assert raised.value.cure == "there are: flight-delay"
    with pytest.raises(NotFound, match="flight-delay@2: the newest is flight-delay@1"):
        registry.release("flight-delay@2")
    with pytest.raises(InvalidName):
        registry.releases("Flight Delay")
    with pytest.raises(NotFound, match="no release has the content"):
        registry.materialise("0" * 64, Path("/nowhere"))


def test_the_same_content_is_the_same_release(registry: Registry) -> None:
    first = registry.record_release(a_draft("run-1", b"1", caller="ada"))
    second = registry.record_release(a_draft("run-1", b"2"))
    again = registry.record_release(a_draft("run-1", b"1", caller="bob", notes="other"))
    assert (first.name, second.name, again) == ("flight-delay@1", "flight-delay@2", first)
    readme = {**a_draft("run-1", b"1").files, "README.md": b"Other words."}
    assert registry.record_release(a_draft("run-1", files=readme)) == first
    elsewhere = registry.record_release(a_draft("run-1", b"1", model="other"))
    assert (elsewhere.name, elsewhere.digest) == ("other@1", first.digest)
    assert registry.releases_of_digest(first.digest) == [first, elsewhere]
    assert registry.release("flight-delay") == second
    assert registry.releases_of_run("run-1") == [first, second, elsewhere]


@pytest.mark.parametrize(
    "changes",
    [
        {"lock": Lock(python="3.12.0", text=A_LOCK.text, digest=A_LOCK.digest)},
        {"lock": Lock(python=A_LOCK.python, text="numpy==2.3.0\n", digest="6" * 64)},
        {"signature": msgspec.structs.replace(A_SIGNATURE, unknown="reject")},
        {"files": {**a_draft("").files, "state/table.bin": b"other"}},
        {"files": {**a_draft("").files, "sample.parquet": b"other"}},
    ],
)
def test_what_determines_answers_makes_another_release(
    registry: Registry, changes: dict[str, object]
) -> None:
    registry.record_release(a_draft("run-1"))
    assert registry.record_release(a_draft("run-1", **changes)).number == 2


def test_a_manifest_does_not_depend_on_the_order_of_files() -> None:
    files = [FlowFile(path=name, digest=name * 64, bytes=1) for name in "abc"]
    assert manifest_of(files, A_SIGNATURE, A_LOCK) == manifest_of(files[::-1], A_SIGNATURE, A_LOCK)


def test_identities_stay_what_they_are() -> None:
    """A change here makes every release a new one: it needs a decision, and a new format."""
    files = [FlowFile(path="flow.py", digest="a" * 64, bytes=1)]
    assert digest_of(manifest_of(files, A_SIGNATURE, A_LOCK)) == (
        "0ca2892766fec71d7a43cd8406c6d3b15ccb671b937841037f7b0e5bb256aa04"
    )


def test_a_release_that_breaks_callers_is_refused(
    registry: Registry, blobs: DirectoryBlobs
) -> None:
    registry.record_release(a_draft("run-1"))
    column = Column(name="origin", type="text", dtype="object")
    signature = msgspec.structs.replace(
        A_SIGNATURE, columns=[*A_SIGNATURE.columns, column], outputs=[]
    )
    before = list(blobs.digests())
    with pytest.raises(SignatureConflict, match="callers of flight-delay@1 would") as raised:
        registry.record_release(a_draft("run-1", b"new", signature=signature))
    assert raised.value.details["breaks"] == [
        {"field": "origin", "change": "is required, and was not"},
        {"field": "scores", "change": "is no longer answered"},
    ]
    assert list(blobs.digests()) == before
    allowed = registry.record_release(
        a_draft("run-1", b"new", signature=signature), allow_breaking=True
    )
    assert allowed.number == 2


def test_a_release_needs_a_run_and_files(registry: Registry) -> None:
    with pytest.raises(NotFound, match="no run other"):
        registry.record_release(a_draft("other"))
    with pytest.raises(UsageError, match="needs files"):
        registry.record_release(a_draft("run-1", files={}))
    with pytest.raises(InvalidName):
        registry.record_release(a_draft("run-1", model="Flight Delay"))
    assert registry.models() == []


def test_files_from_disk_and_from_blobs(
    registry: Registry, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    flow = tmp_path / "flow"
    (flow / "state").mkdir(parents=True)
    (flow / "__pycache__").mkdir()
    (flow / "__pycache__" / "flow.pyc").write_bytes(b"compiled")
    (flow / "flow.py").write_bytes(b"flow")
    (flow / "state" / "a.bin").write_bytes(b"state")
    files = flow_directory(flow)
    assert sorted(files) == ["flow.py", "state/a.bin"]
    first = registry.record_release(a_draft("run-1", files=files))
    uploaded = {
        path: FlowFile(path=path, digest=blobs.put((flow / path).read_bytes()), bytes=0)
        for path in files
    }
    assert registry.record_release(a_draft("run-1", files=uploaded)) == first
    assert registry.file(first, "state/a.bin") == b"state"
    with pytest.raises(NotFound, match="state/b") as raised:
        registry.file(first, "state/b.bin")
    assert "state/a.bin" in raised.value.cure
    absent = {"flow.py": FlowFile(path="flow.py", digest="0" * 64, bytes=1)}
    with pytest.raises(StorageError, match=r"flow\.py was not uploaded"):
        registry.record_release(a_draft("run-1", files=absent))


def test_a_link_is_no_part_of_a_flow(tmp_path: Path) -> None:
    (tmp_path / "flow.py").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="not an ordinary file"):
        flow_directory(tmp_path)


def test_numbers_have_no_gaps_with_many_writers(registry: Registry) -> None:
    def record(writer: int) -> None:
        for number in range(8):
            registry.record_release(a_draft("run-1", f"{writer} {number}".encode()))

    writers = [threading.Thread(target=record, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    numbers = [each.number for each in registry.releases("flight-delay", limit=100)]
    assert numbers == list(range(32, 0, -1))


def test_releases_page_by_page_and_models_in_sum(registry: Registry) -> None:
    for number in range(5):
        registry.record_release(a_draft("run-1", str(number).encode()))
    registry.record_release(a_draft("run-1", model="a-model"))
    assert [each.number for each in registry.releases("flight-delay", limit=2)] == [5, 4]
    page = registry.releases("flight-delay", limit=9, before=3)
    assert [each.number for each in page] == [2, 1]
    summary = [(each.name, each.releases, each.newest.number) for each in registry.models()]
    assert summary == [("a-model", 1, 1), ("flight-delay", 5, 5)]


def test_notes_and_quarantine(registry: Registry) -> None:
    release = registry.record_release(a_draft("run-1", notes="first"))
    assert registry.set_notes("flight-delay@1", "better").notes == "better"
    assert registry.quarantine("flight-delay@1", " leaks ").quarantined == "leaks"
    found = registry.release("flight-delay@1")
    assert (found.notes, found.quarantined, found.digest) == ("better", "leaks", release.digest)
    assert registry.lift("flight-delay@1").quarantined == ""
    for change in (
        lambda: registry.set_notes("flight-delay@2", "x"),
        lambda: registry.lift("other@1"),
    ):
        with pytest.raises(NotFound):
            change()
    with pytest.raises(UsageError, match="needs a reason"):
        registry.quarantine("flight-delay@1", " ")
    with pytest.raises(UsageError, match="a release is needed"):
        registry.lift("flight-delay")


def a_certificate(made: str, outcome: str = "passed") -> Certificate:
    check = Check(
        id="replay",
        group="capture",
        title="Replay",
        outcome=outcome,  # type: ignore[arg-type]
        required="equal",
        measured="200 of 200",
    )
    return Certificate(
        release="flight-delay@1", depth="quick", made=made, seconds=2.0, checks=[check]
    )


def test_certificates_newest_first(registry: Registry) -> None:
    release = registry.record_release(a_draft("run-1"))
    assert registry.latest_certificate(release.digest) is None
    old = a_certificate("2026-03-01T12:00:00+00:00", "failed")
    new = a_certificate("2026-03-02T12:00:00+00:00")
    for certificate in (new, old, old):
        registry.record_certificate(release.digest, certificate)
    assert registry.certificates(release.digest) == [new, old]
    assert registry.latest_certificate(release.digest) == new
    with pytest.raises(NotFound, match="no release has the content"):
        registry.record_certificate("0" * 64, new)


def test_a_flow_directory_is_written_checked_and_mended(registry: Registry, tmp_path: Path) -> None:
    release = registry.record_release(a_draft("run-1"))
    into = tmp_path / "releases"
    directory = registry.materialise(release.digest, into)
    assert directory == into / release.digest
    assert (directory / "flow.py").read_bytes() == b"flow"
    assert damaged_files(release.files, directory) == []
    whole = (directory / "flow.py").stat().st_ino
    (directory / "state" / "table.bin").write_bytes(b"0123456789" * 99 + b"012345678x")
    (directory / "README.md").unlink()
    (directory / "state" / "stray").mkdir()
    (directory / "__pycache__").mkdir()
    (directory / "__pycache__" / "flow.cpython-311.pyc").write_bytes(b"other code")
    (directory / "link").symlink_to("/etc/passwd")
    assert damaged_files(release.files, directory) == ["README.md", "state/table.bin"]
    registry.materialise(release.digest, into)
    assert damaged_files(release.files, directory) == []
    found = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))
    assert found == ["README.md", "flow.py", "state", "state/table.bin"]
    assert (directory / "flow.py").stat().st_ino == whole  # what is whole is left alone
    assert [each.name for each in into.iterdir()] == [release.digest]


def test_a_file_replaced_by_a_link_is_written_anew(registry: Registry, tmp_path: Path) -> None:
    release = registry.record_release(a_draft("run-1"))
    directory = registry.materialise(release.digest, tmp_path / "releases")
    outside = tmp_path / "outside.py"
    outside.write_bytes(b"flow")
    (directory / "flow.py").unlink()
    (directory / "flow.py").symlink_to(outside)
    registry.materialise(release.digest, tmp_path / "releases")
    assert not (directory / "flow.py").is_symlink()
    assert outside.read_bytes() == b"flow"


def test_a_damaged_blob_gives_no_directory(
    registry: Registry, blobs: DirectoryBlobs, tmp_path: Path
) -> None:
    release = registry.record_release(a_draft("run-1"))
    blobs.path(digest_of(b"flow")).write_bytes(b"flaw")
    with pytest.raises(Damaged, match=digest_of(b"flow")[:7]):
        registry.materialise(release.digest, tmp_path / "releases")
    assert list((tmp_path / "releases").iterdir()) == []
    with pytest.raises(Damaged):
        registry.check(release)
    registry.record_release(a_draft("run-1"))  # deploying the program again mends it
    registry.check(release)
    registry.materialise(release.digest, tmp_path / "releases")


def test_many_materialise_the_same_at_once(registry: Registry, tmp_path: Path) -> None:
    release = registry.record_release(a_draft("run-1"))
    into = tmp_path / "releases"
    found: list[Path] = []
    writers = [
        threading.Thread(target=lambda: found.append(registry.materialise(release.digest, into)))
        for _ in range(6)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert found == [into / release.digest] * 6
    assert [each.name for each in into.iterdir()] == [release.digest]


def test_a_record_that_was_altered_is_found(registry: Registry) -> None:
    release = registry.record_release(a_draft("run-1"))
    altered = msgspec.structs.replace(
        release, signature=msgspec.structs.replace(A_SIGNATURE, unknown="reject")
    )
    with pytest.raises(StorageError, match="is not what b3:"):
        registry.check(altered)
