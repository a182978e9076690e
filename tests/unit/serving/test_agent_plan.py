"""What an agent does next, decided without a process."""

from __future__ import annotations

import msgspec

from roadworthy.core.deployment import Route, RoutingTable, WorkerSpec
from roadworthy.serving.agent_plan import Seen, Trouble, next_plan, place_of


def spec(number: int, **more) -> WorkerSpec:
    return WorkerSpec(release=f"m@{number}", flow=f"f{number}", python="python", **more)


def route(number: int, stage: str = "production") -> Route:
    return Route(model="m", release=f"m@{number}", stage=stage)


def table(*specs: WorkerSpec, live: int | None = None) -> RoutingTable:
    routes = [] if live is None else [route(live)]
    return RoutingTable(version=1, workers=list(specs), routes=routes)


def seen(number: int, state: str = "ready", in_use: bool = False, slot: int = 0) -> Seen:
    place = place_of(spec(number), slot)
    return Seen(id=f"m@{number}-{slot}", place=place, state=state, in_use=in_use)


def test_it_starts_what_is_missing():
    plan = next_plan(table(spec(1, replicas=2), live=1), [seen(1)], [], {}, 0.0)
    assert plan.start == [place_of(spec(1), 1)]
    assert plan.use == ["m@1-0"]
    assert plan.stop == []


def test_a_route_waits_for_its_release_and_keeps_the_old_one_running():
    workers = [seen(1, in_use=True), seen(2, "starting")]
    plan = next_plan(table(spec(2), live=2), workers, [route(1)], {}, 0.0)
    assert plan.routes == [route(1)]
    assert plan.use == ["m@1-0"]
    assert plan.stop == []


def test_an_old_worker_is_let_go_first_and_stopped_then():
    wanted = table(spec(2), live=2)
    plan = next_plan(wanted, [seen(1, in_use=True), seen(2)], [route(1)], {}, 0.0)
    assert (plan.routes, plan.use, plan.stop) == ([route(2)], ["m@2-0"], [])
    plan = next_plan(wanted, [seen(1, in_use=False), seen(2)], [route(2)], {}, 0.0)
    assert plan.stop == ["m@1-0"]


def test_a_stopping_worker_is_neither_used_nor_stopped_again():
    plan = next_plan(table(), [seen(1, "stopping")], [], {}, 0.0)
    assert (plan.start, plan.stop, plan.use) == ([], [], [])


def test_a_place_that_failed_waits_longer_each_time_and_is_given_up():
    place = place_of(spec(1), 0)

    def start_at(now: float, failures: int, hopeless: bool = False):
        trouble = Trouble(failures=failures, at=100.0, error="no", hopeless=hopeless)
        return next_plan(table(spec(1)), [seen(1, "failed")], [], {place: trouble}, now)

    assert start_at(100.0, 1).start == [place]
    assert start_at(100.1, 2).start == []
    assert start_at(100.3, 2).start == [place]
    assert start_at(120.0, 3).start == []
    assert start_at(120.0, 3).failed == {"m@1": "no"}
    assert start_at(100.1, 1, hopeless=True).failed == {"m@1": "no"}
    assert start_at(161.0, 3).start == [place]


def test_what_was_ready_before_is_started_again_ever_more_slowly_but_not_given_up():
    place = place_of(spec(1), 0)

    def plan_at(now: float):
        trouble = Trouble(failures=9, at=100.0, error="no", served=True)
        return next_plan(table(spec(1)), [seen(1, "failed")], [], {place: trouble}, now)

    assert plan_at(109.0).start == []
    assert plan_at(111.0).start == [place]
    assert plan_at(109.0).failed == {}


def test_a_release_with_one_good_worker_has_not_failed():
    trouble = Trouble(failures=9, at=0.0, error="no")
    plan = next_plan(
        table(spec(1, replicas=2)), [seen(1)], [], {place_of(spec(1), 1): trouble}, 1.0
    )
    assert plan.failed == {}


def test_stages_are_routed_apart():
    wanted = RoutingTable(
        version=1, workers=[spec(1), spec(2)], routes=[route(1), route(2, "staging")]
    )
    plan = next_plan(wanted, [seen(1), seen(2)], [], {}, 0.0)
    assert plan.routes == wanted.routes


def test_a_release_that_moves_to_another_environment_answers_on_until_it_is_there():
    old = [seen(1, in_use=True), seen(1, in_use=True, slot=1)]
    moved = msgspec.structs.replace(spec(1, replicas=2), python="own/python")

    def plan_with(*new: Seen):
        return next_plan(table(moved, live=1), [*old, *new], [route(1)], {}, 0.0)

    def new(slot: int, state: str) -> Seen:
        return Seen(id=f"new-{slot}", place=place_of(moved, slot), state=state)

    first = plan_with()
    assert first.start == [place_of(moved, 0), place_of(moved, 1)]
    assert (first.use, first.stop) == (["m@1-0", "m@1-1"], [])
    half = plan_with(new(0, "ready"), new(1, "starting"))
    assert (half.use, half.stop) == (["m@1-0", "m@1-1", "new-0"], [])
    assert plan_with(new(0, "ready"), new(1, "ready")).use == ["new-0", "new-1"]
    let_go = [msgspec.structs.replace(each, in_use=False) for each in old]
    there = [*let_go, new(0, "ready"), new(1, "ready")]
    last = next_plan(table(moved, live=1), there, [route(1)], {}, 0.0)
    assert last.stop == ["m@1-0", "m@1-1"]


def test_a_release_that_can_not_move_goes_on_where_it_is_and_has_not_failed():
    moved = msgspec.structs.replace(spec(1), python="own/python")
    trouble = Trouble(failures=9, at=0.0, error="no", hopeless=True)
    plan = next_plan(table(moved, live=1), [seen(1)], [], {place_of(moved, 0): trouble}, 1.0)
    assert (plan.use, plan.stop, plan.failed) == (["m@1-0"], [], {})


def test_a_tired_worker_answers_until_another_is_ready_in_its_place():
    tired = msgspec.structs.replace(seen(1, in_use=True), tired="it grows")
    plan = next_plan(table(spec(1), live=1), [tired], [route(1)], {}, 0.0)
    assert (plan.start, plan.use, plan.stop) == ([place_of(spec(1), 0)], ["m@1-0"], [])
    fresh = Seen(id="fresh", place=place_of(spec(1), 0), state="ready")
    plan = next_plan(table(spec(1), live=1), [tired, fresh], [route(1)], {}, 0.0)
    assert (plan.start, plan.use) == ([], ["fresh"])


def test_workers_beyond_the_wanted_number_leave():
    plan = next_plan(table(spec(1)), [seen(1), seen(1, slot=1)], [], {}, 0.0)
    assert (plan.use, plan.stop) == (["m@1-0"], ["m@1-1"])
