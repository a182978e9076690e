"""Long lists as pages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.data import paged
from roadworthy.data.stored import digest_bytes

KEYS = st.integers(0, 3000).map(lambda number: f"k{number:05d}".encode())


class Pages(dict[bytes, bytes]):
    """Pages in memory, counting those written."""

    def put(self, data: bytes) -> bytes:
        """Keeps a page."""
        digest = digest_bytes(data)
        self[digest] = data
        return digest


def list_of(content: dict[bytes, bytes]) -> list[paged.Record]:
    """Records sorted by key."""
    return [paged.Record(key, 1, value) for key, value in sorted(content.items())]


@given(
    st.dictionaries(KEYS, st.binary(max_size=3), max_size=1500),
    st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=60),
)
def test_updating_gives_the_same_list_as_building(
    before: dict[bytes, bytes], changes: dict[bytes, bytes | None]
) -> None:
    pages = Pages()
    root = paged.build(pages.put, list_of(before), by_key=True)
    after = {**before, **{k: v for k, v in changes.items() if v is not None}}
    after = {k: v for k, v in after.items() if changes.get(k, b"") is not None}
    ordered = [
        (key, None if value is None else paged.Record(key, 1, value))
        for key, value in sorted(changes.items())
    ]
    updated = paged.update(pages.__getitem__, pages.put, root, ordered)
    assert updated == paged.build(pages.put, list_of(after), by_key=True)
    assert list(paged.records(pages.__getitem__, updated)) == list_of(after)
    assert paged.weight(pages.__getitem__, updated) == len(after)
    found = {
        key: (was, now) for key, was, now in paged.differences(pages.__getitem__, root, updated)
    }
    expected = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert set(found) == expected
    for key in list(after)[:5]:
        record = paged.find(pages.__getitem__, updated, key)
        assert record is not None
        assert record.payload == after[key]
    assert paged.find(pages.__getitem__, updated, b"absent") is None


def test_one_change_among_many_writes_few_pages() -> None:
    pages = Pages()
    content = {f"{number:07d}".encode(): b"x" for number in range(200_000)}
    root = paged.build(pages.put, list_of(content), by_key=True)
    before = set(pages)
    key = b"0123456"
    changed = paged.update(pages.__getitem__, pages.put, root, [(key, paged.Record(key, 1, b"y"))])
    assert len(set(pages) - before) <= 3
    assert sum(len(pages[digest]) for digest in set(pages) - before) < 100_000
    read: list[bytes] = []

    def get(digest: bytes) -> bytes:
        read.append(digest)
        return pages[digest]

    assert len(list(paged.differences(get, root, changed))) == 1
    assert len(read) < 20


@given(st.lists(st.tuples(st.integers(1, 9), st.binary(max_size=4)), max_size=300), st.data())
def test_records_are_found_by_weight(rows: list[tuple[int, bytes]], data: st.DataObject) -> None:
    pages = Pages()
    records = [paged.Record(b"", weight, payload) for weight, payload in rows]
    root = paged.build(pages.put, records, by_key=False, average=2)
    skip = data.draw(st.integers(0, sum(weight for weight, _ in rows)))
    expected, before = [], 0
    for record in records:
        if before + record.weight > skip:
            expected.append((before, record))
        before += record.weight
    assert list(paged.records_by_weight(pages.__getitem__, root, skip)) == expected


def test_a_list_without_keys_is_whole_over_many_pages() -> None:
    pages = Pages()
    rows = [paged.Record(b"", number, str(number).encode()) for number in range(300)]
    root = paged.build(pages.put, rows, by_key=False, average=4)
    assert paged.load_page(pages.__getitem__, root)[0] > 0
    assert list(paged.records(pages.__getitem__, root)) == rows
