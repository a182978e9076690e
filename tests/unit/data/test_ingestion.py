"""Sources of local files: what is taken, once; what is set aside; what stops a source."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from roadworthy.core.source import Column, Source
from roadworthy.data import Datasets
from roadworthy.data.ingestion import Sources, polling
from roadworthy.errors import Conflict, NotFound, SettingsError, UsageError
from roadworthy.storage.blobs import open_blobs
from roadworthy.storage.opening import open_database
from roadworthy.testing.values import ticking_clock

COLUMNS = {
    "id": Column(source="No", type="int64"),
    "customer": Column(value="acme"),
    "amount": Column(source="Amt", type="float64", decimal=",", minimum=0),
}


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Sources]:
    """No source yet."""
    database = open_database(f"sqlite:///{tmp_path / 'home' / 'roadworthy.db'}")
    datasets = Datasets(database, open_blobs(str(tmp_path / "data")), ticking_clock())
    yield Sources(datasets, tmp_path / "scratch")
    database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where files are delivered."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def a_source(folder: Path, **changes: Any) -> Source:
    """Files of a folder into one table, without waiting for them to settle."""
    given: dict[str, Any] = {
        "name": "acme",
        "url": f"{folder}/*",
        "dataset": "orders",
        "columns": COLUMNS,
        "settle_seconds": 0,
    }
    return Source(**{**given, **changes})


def deliver(folder: Path, name: str, text: str, at: int = 0) -> None:
    """A file that is there whole, with a time of its own."""
    path = folder / name
    path.write_text(text)
    moment = 1_700_000_000 + at
    os.utime(path, (moment, moment))


def rows_of(sources: Sources, path: str = "acme") -> list[dict[str, Any]]:
    """What the dataset holds."""
    return list(sources.datasets.read("orders").to_arrow(path).to_pylist())


def test_rows_are_mapped_and_taken_once(sources: Sources, folder: Path) -> None:
    sources.add(a_source(folder))
    deliver(folder, "1.csv", 'No,Amt\n1,"1,5"\n2,"2,5"\n')
    first = sources.poll("acme")
    assert (first.outcome, first.rows, first.bad, first.deliveries) == ("committed", 2, 0, 1)
    assert rows_of(sources) == [
        {"id": 1, "customer": "acme", "amount": 1.5},
        {"id": 2, "customer": "acme", "amount": 2.5},
    ]
    assert sources.poll("acme").outcome == "nothing"
    deliver(folder, "2.csv", "No,Amt\n3,7\n", at=1)
    assert sources.poll("acme").rows == 1
    assert [each["id"] for each in rows_of(sources)] == [1, 2, 3]
    made = sources.datasets.log("orders")[0].commit
    assert [(each.kind, each.name) for each in made.provenance] == [("source", "acme")]
    assert made.append_only


def test_two_sources_that_bring_one_key_at_once_keep_it_once(
    sources: Sources, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["acme", "other"]
    for name in names:
        place = folder / name
        place.mkdir()
        sources.add(a_source(place, name=name, key=["id"], table="rows"))
        deliver(place, "1.csv", "No,Amt\n1,1\n")
    plain = Datasets.commit
    met: list[str] = []

    def commit(datasets: Datasets, *given: Any, **named: Any) -> Any:
        if not met:  # the other one's commit comes in between
            met.append("once")
            assert sources.poll("other").outcome == "committed"
            deliver(folder / "other", "2.csv", "No,Amt\n1,3\n2,4\n", at=1)
        return plain(datasets, *given, **named)

    monkeypatch.setattr(Datasets, "commit", commit)
    assert sources.poll("acme").outcome == "committed"
    assert [each["id"] for each in rows_of(sources, "rows")] == [1]
    met.clear()
    deliver(folder / "acme", "2.csv", "No,Amt\n2,9\n", at=2)
    assert sources.poll("acme").outcome == "committed"
    assert [(each["id"], each["amount"]) for each in rows_of(sources, "rows")] == [(1, 3), (2, 9)]


def test_a_file_delivered_twice_counts_once(sources: Sources, folder: Path) -> None:
    sources.add(a_source(folder))
    deliver(folder, "1.csv", "No,Amt\n1,1\n")
    deliver(folder, "1 (copy).csv", "No,Amt\n1,1\n", at=5)
    first = sources.poll("acme")
    assert (first.rows, first.twice) == (1, 1)
    deliver(folder, "again.csv", "No,Amt\n1,1\n", at=9)
    again = sources.poll("acme")
    assert (again.outcome, again.rows, again.twice) == ("nothing", 0, 1)
    assert len(rows_of(sources)) == 1
    assert sources.poll("acme").twice == 0
    deliver(folder, "1.csv", "No,Amt\n1,1\n", at=20)  # touched, not changed
    assert sources.poll("acme").twice == 1


def test_bad_rows_are_set_aside_and_released_after_a_correction(
    sources: Sources, folder: Path
) -> None:
    sources.add(a_source(folder))
    text = 'No,Amt\n1,1\n2,lots\n3,-4\n,5\nx,y\n6,"6 EUR"\n7,1,2\n'
    deliver(folder, "1.csv", text)
    done = sources.poll("acme")
    assert (done.outcome, done.rows, done.bad) == ("committed", 2, 5)
    name = str(folder / "1.csv")
    assert [(e["delivery"], e["row"], e["reason"]) for e in sources.quarantine("acme")] == [
        (name, 2, "amount: 'lots' is no float64"),
        (name, 3, "amount: -4.0 is below 0"),
        (name, 5, "id: 'x' is no int64; amount: 'y' is no float64"),
        (name, 6, "amount: '6 EUR' is no float64"),
        (name, 7, "it has 3 values where there are 2 columns"),
    ]
    corrected = Column(source="Amt", type="float64", minimum=-10, rules=["digits@1"])
    sources.add(a_source(folder, columns={**COLUMNS, "amount": corrected}))
    freed = sources.release("acme")
    assert (freed.outcome, freed.rows, freed.bad) == ("released", 3, 2)
    assert [(each["id"], each["amount"]) for each in rows_of(sources)] == [
        (1, 1.0),
        (None, 5.0),
        (2, None),
        (3, 4.0),
        (6, 6.0),
    ]
    assert [each["row"] for each in sources.quarantine("acme")] == [7, 5]
    assert sources.release("acme").outcome == "nothing"
    assert sources.show("acme").quarantined == 2
    assert sources.poll("acme").outcome == "nothing"


def test_a_source_that_breaks_its_schema_stops_itself_and_goes_on_when_corrected(
    sources: Sources, folder: Path
) -> None:
    sources.add(a_source(folder))
    deliver(folder, "1.csv", "No,Amt\n1,1\n")
    deliver(folder, "2.csv", "Noo,Amt\n2,2\n", at=1)
    deliver(folder, "3.csv", "No,Amt\n3,3\n", at=2)
    done = sources.poll("acme")
    assert (done.outcome, done.rows) == ("stopped", 1)
    assert "2.csv: the column 'No' is missing; there is 'Noo'" in done.said
    state = sources.show("acme").state
    assert state.status == "stopped"
    assert "2.csv" in state.said
    with pytest.raises(Conflict, match="is stopped"):
        sources.poll("acme")
    assert [each["id"] for each in rows_of(sources)] == [1]
    deliver(folder, "2.csv", "No,Amt\n2,2\n", at=1)
    sources.resume("acme")
    assert sources.poll("acme").rows == 2
    assert [each["id"] for each in rows_of(sources)] == [1, 2, 3]


def test_more_bad_rows_than_allowed_stop_a_source_and_take_nothing(
    sources: Sources, folder: Path
) -> None:
    sources.add(a_source(folder, most_bad=0.1))
    deliver(folder, "1.csv", "No,Amt\n" + "1,1\n" * 30 + "1,?\n" * 11)
    done = sources.poll("acme")
    assert (done.outcome, done.rows) == ("stopped", 0)
    assert "11 of 41 rows break a check" in done.said
    assert sources.quarantine("acme") == []
    sources.add(a_source(folder, most_bad=0.5))
    assert sources.poll("acme").bad == 11


def test_a_changed_file_without_a_key_stops_and_with_one_replaces(
    sources: Sources, folder: Path
) -> None:
    sources.add(a_source(folder))
    deliver(folder, "1.csv", "No,Amt\n1,1\n")
    sources.poll("acme")
    deliver(folder, "1.csv", "No,Amt\n1,2\n2,2\n", at=1)
    assert "was taken before, and now has other content" in sources.poll("acme").said
    sources.add(a_source(folder, key=["id"]))
    done = sources.poll("acme")
    assert (done.outcome, done.rows, done.replaced) == ("committed", 2, 1)
    assert [(each["id"], each["amount"]) for each in rows_of(sources)] == [(1, 2.0), (2, 2.0)]
    deliver(folder, "1.csv", "No,Amt\n1,1\n", at=2)  # corrected back
    sources.poll("acme")
    assert [each["amount"] for each in rows_of(sources)] == [1.0, 2.0]


def test_late_rows_do_not_replace_newer_ones(sources: Sources, folder: Path) -> None:
    columns = {"id": Column(type="int64"), "v": Column(), "at": Column(type="timestamp")}
    source = a_source(folder, columns=columns, key=["id"], newest="at")
    sources.add(source)
    deliver(folder, "new.csv", "id,v,at\n1,new,2026-02-01\n2,b,2026-01-01\n")
    sources.poll("acme")
    deliver(folder, "late.csv", "id,v,at\n1,old,2026-01-01\n2,c,2026-01-02\n3,d,\n3,e,2020-01-01\n")
    sources.poll("acme")
    assert [(each["id"], each["v"]) for each in rows_of(sources)] == [
        (1, "new"),
        (2, "c"),
        (3, "e"),
    ]


def test_files_can_be_tables_of_their_own(sources: Sources, folder: Path) -> None:
    sources.add(a_source(folder, mode="files", table="in"))
    deliver(folder, "a.csv", "No,Amt\n1,1\n")
    deliver(folder, "b.csv", "No,Amt\n1,1\nx,1\n")
    sources.poll("acme")
    deliver(folder, "a.csv", "No,Amt\n9,9\n", at=1)
    sources.poll("acme")
    assert [each["id"] for each in rows_of(sources, "in/a.csv")] == [9]
    assert [each["id"] for each in rows_of(sources, "in/b.csv")] == [1]
    deliver(folder, "b.csv", "No,Amt\n1,1\n2,2\n", at=1)
    sources.poll("acme")
    assert sources.quarantine("acme") == []  # the file that had the bad row is corrected


def test_the_newest_delivery_can_replace_the_table(sources: Sources, folder: Path) -> None:
    sources.add(a_source(folder, mode="replace"))
    deliver(folder, "a.csv", "No,Amt\n1,1\n")
    deliver(folder, "b.csv", "No,Amt\n2,2\n", at=1)
    sources.poll("acme")
    assert [each["id"] for each in rows_of(sources)] == [2]


def test_columns_are_learned_and_then_held(sources: Sources, folder: Path) -> None:
    sources.add(a_source(folder, columns={}))
    deliver(folder, "1.csv", "id,zip,day,ok,x\n1,010,2026-01-02,true,1.5\n2,011,,false,\n")
    sources.poll("acme")
    schema = sources.datasets.read("orders").schema("acme")
    assert [str(each.type) for each in schema] == [
        "int64",
        "string",
        "date32[day]",
        "bool",
        "double",
    ]
    deliver(folder, "2.csv", "id,zip,day,ok,x,new\n1,010,2026-01-02,true,1.5,?\n", at=1)
    assert "the column 'new' is new" in sources.poll("acme").said


def test_every_format_gives_the_same_rows(sources: Sources, folder: Path) -> None:
    table = pa.table({"No": [1, 2], "Amt": [1.5, None]})
    parquet.write_table(table, folder / "1.parquet")
    (folder / "2.jsonl").write_text('{"No": 1, "Amt": 1.5}\n\n{"No": 2}\nnonsense\n[1]\n')
    (folder / "3.json").write_text('[{"No": "1", "Amt": "1,5"}, {"No": 2, "Amt": null}]')
    (folder / "4.tsv").write_text("No\tAmt\n1\t1,5\n2\t\n")
    (folder / "5.csv.gz").write_bytes(gzip.compress(b'Amt,No\n"1,5",1\n,2\n'))
    with pa.ipc.new_file(str(folder / "6.arrow"), table.schema) as writer:
        writer.write(table)
    sources.add(a_source(folder, mode="files", table="t"))
    done = sources.poll("acme")
    assert (done.outcome, done.rows, done.bad) == ("committed", 12, 2), done.said
    names = [each.path for each in sources.datasets.read("orders").entries()]
    expected = [(1, 1.5), (2, None)]
    for name in names:
        assert [(each["id"], each["amount"]) for each in rows_of(sources, name)] == expected, name
    assert len(names) == 6


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"No,Amt\n\xff,1\n", "can't be read as csv"),
        ("a.csv", b"No,No\n1,1\n", "two columns are called 'No'"),
        ("a.parquet", b"PAR1 torn", "can't be read as parquet"),
        ("a.json", b'{"No": ', "it is no JSON"),
        ("a.txt", b"1", "its name tells no format"),
        ("a.csv.gz", gzip.compress(b"No,Amt\n1,1\n")[:20], "can't be read as csv"),
        ("a.csv.gz", gzip.compress(b"No,Amt\n" + b"1,1\n" * 10_000), "more than `most_bytes`"),
    ],
)
def test_what_cannot_be_read_stops_the_source_by_name(
    sources: Sources, folder: Path, name: str, data: bytes, said: str
) -> None:
    sources.add(a_source(folder, most_bytes=20_000))
    (folder / name).write_bytes(data)
    done = sources.poll("acme")
    assert done.outcome == "stopped"
    assert f"{name}: " in done.said
    assert said in done.said


def test_anew_takes_everything_again_in_place_of_what_is_there(
    sources: Sources, folder: Path
) -> None:
    sources.add(a_source(folder))
    deliver(folder, "1.csv", "No,Amt\n1,1\n2,x\n")
    deliver(folder, "2.csv", "No,Amt\n3,1\n", at=1)
    sources.poll("acme")
    columns = {"id": Column(source="No", type="string"), "amount": Column(source="Amt")}
    sources.add(a_source(folder, columns=columns))
    deliver(folder, "3.csv", "No,Amt\n4,4\n", at=2)
    assert "--anew" in sources.poll("acme").said
    sources.add(a_source(folder, columns=columns, most_deliveries=2), anew=True)
    assert sources.poll("acme").left
    sources.poll("acme")
    assert [each["id"] for each in rows_of(sources)] == ["1", "2", "3", "4"]
    assert sources.quarantine("acme") == []


def test_a_poll_of_the_same_id_happens_once(sources: Sources, folder: Path) -> None:
    sources.add(a_source(folder))
    deliver(folder, "1.csv", "No,Amt\n1,1\n")
    first = sources.poll("acme", id="tick-1")
    deliver(folder, "2.csv", "No,Amt\n2,1\n", at=1)
    assert sources.poll("acme", id="tick-1") == first
    assert len(rows_of(sources)) == 1


def test_a_trial_commits_nothing(sources: Sources, folder: Path) -> None:
    sources.add(a_source(folder))
    deliver(folder, "1.csv", "No,Amt\n1,1\n2,x\n")
    would, bad = sources.try_out("acme")
    assert (would.rows, would.bad, [each.row for each in bad]) == (1, 1, [2])
    assert sources.datasets.log("orders") == []
    assert sources.polls("acme") == []


def test_paused_unknown_and_removed_sources(sources: Sources, folder: Path) -> None:
    sources.add(a_source(folder))
    sources.pause("acme")
    with pytest.raises(Conflict, match="is paused"):
        sources.poll("acme")
    with pytest.raises(NotFound, match="there is no source acmi"):
        sources.show("acmi")
    with pytest.raises(UsageError, match="delivers to"):
        sources.add(a_source(folder, table="elsewhere"))
    sources.remove("acme")
    assert sources.all() == []


def test_a_missing_folder_is_a_failed_poll_and_the_next_tries_again(
    sources: Sources, tmp_path: Path
) -> None:
    sources.add(a_source(tmp_path / "later"))
    assert sources.poll("acme").outcome == "failed"
    assert sources.show("acme").state.status == "active"
    (tmp_path / "later").mkdir()
    deliver(tmp_path / "later", "1.csv", "No,Amt\n1,1\n")
    assert sources.poll("acme").rows == 1


def test_secrets_are_looked_up_and_kept_nowhere(
    sources: Sources, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources.add(a_source(folder, url="${WHERE_FILES_ARE}/*"))
    assert "there is no such environment variable" in sources.poll("acme").said
    monkeypatch.setenv("WHERE_FILES_ARE", str(folder))
    deliver(folder, "1.csv", "No,Amt\n1,1\n")
    done = sources.poll("acme")
    assert done.outcome == "committed"
    shown = msgspec.json.encode(sources.show("acme").source).decode()
    assert "${WHERE_FILES_ARE}" in shown
    assert str(folder) not in shown


def test_a_source_with_its_password_written_out_is_refused(sources: Sources) -> None:
    for url in ("postgresql://u:secret@host/db", "amqp://u:secret@host"):
        with pytest.raises(UsageError, match="a password is written out") as caught:
            sources.add(Source(name="acme", url=url, dataset="d", query="SELECT 1", stream="q"))
        assert "secret" not in str(caught.value)
    assert not isinstance(caught.value, SettingsError)


def test_bounds_hold_in_the_columns_own_type(sources: Sources, folder: Path) -> None:
    columns = {
        "id": Column(type="int64", minimum=2.0, maximum=4),
        "amount": Column(type="decimal(12,2)", minimum=0, maximum=9.5, default=1),
        "day": Column(type="date", minimum="2026-03-01"),
        "at": Column(type="timestamp", zone="Europe/Vienna", maximum="2026-03-01T01:00:00"),
        "size": Column(one_of=["S", "M"]),
    }
    sources.add(a_source(folder, columns=columns))
    good = "2,,2026-03-01,2026-03-01T00:00:00Z,S\n4,9.50,2026-03-02,2026-02-01T00:00:00Z,M\n"
    bad = (
        "1,1,2026-03-01,2026-02-01T00:00:00Z,S\n5,1,2026-03-01,2026-02-01T00:00:00Z,S\n"
        "2,-0.01,2026-03-01,2026-02-01T00:00:00Z,S\n2,9.51,2026-03-01,2026-02-01T00:00:00Z,S\n"
        "2,1,2026-02-28,2026-02-01T00:00:00Z,S\n2,1,2026-03-01,2026-03-01T00:00:01Z,S\n"
        "2,1,2026-03-01,2026-02-01T00:00:00Z,L\n"
    )
    deliver(folder, "1.csv", "id,amount,day,at,size\n" + good + bad)
    assert sources.poll("acme").outcome == "committed"
    assert [(row["id"], str(row["amount"])) for row in rows_of(sources)] == [
        (2, "1.00"),
        (4, "9.50"),
    ]
    reasons = [each["reason"].partition(":")[0] for each in sources.quarantine("acme")]
    assert reasons == ["id", "id", "amount", "amount", "day", "at", "size"]


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("minimum", Column(type="int64", minimum=0.5)),
        ("maximum", Column(type="decimal(4,2)", maximum=0.001)),
        ("minimum", Column(type="date", minimum="soon")),
        ("default", Column(type="bool", default="perhaps")),
        ("one_of", Column(type="int64", one_of=[1, "two"])),
        ("matches", Column(matches="(?=look)ahead")),
    ],
)
def test_what_is_configured_and_can_not_be_is_refused(
    sources: Sources, folder: Path, key: str, column: Column
) -> None:
    with pytest.raises(UsageError, match=rf"source acme: `columns\.id\.{key}`"):
        sources.add(a_source(folder, columns={"id": column}))
    with pytest.raises(NotFound):
        sources.show("acme")


def test_a_fault_that_nobody_foresaw_is_a_failed_poll(
    sources: Sources, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the source would stand still and its page would say nothing."""
    sources.add(a_source(folder))
    deliver(folder, "1.csv", "No,Amt\n1,1\n")
    with monkeypatch.context() as broken:
        broken.setattr(polling, "rows_of_file", None)
        done = sources.poll("acme")
    assert (done.outcome, done.rows) == ("failed", 0)
    assert "TypeError: 'NoneType' object is not callable" in done.said
    assert sources.poll("acme").rows == 1
