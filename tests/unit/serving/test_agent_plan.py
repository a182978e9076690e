"""What an agent does next, decided without a process."""

from __future__ import annotations

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
