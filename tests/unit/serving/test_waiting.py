"""The order in which requests are taken, and who leaves when the queue is full."""

from __future__ import annotations

import asyncio
import random

import pytest

from roadworthy.serving.waiting import HIGH, LOW, NORMAL, Job, Waiting


def run(check):
    """Run a check inside an event loop, which jobs need."""

    async def inside():
        return check()

    return asyncio.run(inside())


def job(priority=NORMAL, n=1, name=""):
    made = Job({}, n, 10 * n, 1e9, priority)
    made.columns = {name: ("int", [])}
    return made


def name_of(made: Job) -> str:
    return next(iter(made.columns))


def test_priorities_go_first_and_within_one_who_came_first():
    def check():
        queue = Waiting()
        for at, priority in enumerate([LOW, NORMAL, HIGH, NORMAL, HIGH, LOW]):
            queue.push(job(priority, name=str(at)))
        assert len(queue) == 6
        assert name_of(queue.first()) == "2"
        assert [name_of(queue.pop()) for _ in range(6)] == ["2", "4", "1", "3", "0", "5"]
        with pytest.raises(IndexError):
            queue.pop()

    run(check)


def test_who_waited_already_goes_before_its_peers():
    def check():
        queue = Waiting()
        queue.push(job(name="new"))
        queue.push_first(job(name="again"))
        assert [name_of(each) for each in queue] == ["again", "new"]

    run(check)


def test_only_lower_priorities_are_displaced_the_last_first():
    def check():
        queue = Waiting()
        for name, priority in (("n", NORMAL), ("l1", LOW), ("l2", LOW), ("h", HIGH)):
            queue.push(job(priority, name=name))
        found = [queue.displaced_by(HIGH) for _ in range(4)]
        assert [name_of(each) for each in found if each] == ["l2", "l1", "n"]
        assert found[3] is None
        queue.push(job(NORMAL))
        assert queue.displaced_by(NORMAL) is None

    run(check)


def test_rows_and_bytes_are_those_of_what_waits():
    def check():
        source = random.Random(1)
        queue, kept = Waiting(), []
        for _ in range(500):
            if kept and source.random() < 0.4:
                kept.remove(queue.pop())
            else:
                kept.append(job(source.choice([HIGH, NORMAL, LOW]), source.randint(0, 9)))
                queue.push(kept[-1])
            assert (len(queue), queue.rows, queue.bytes) == (
                len(kept),
                sum(each.n for each in kept),
                sum(each.bytes for each in kept),
            )
        assert len(queue.clear()) == len(kept)
        assert (len(queue), queue.rows, queue.bytes, bool(queue)) == (0, 0, 0, False)

    run(check)
