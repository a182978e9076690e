"""The controller's decisions, by tables and by any interleaving of what can happen."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from roadworthy.core.deployment import Deployment, RoutingTable, WorkerSpec
from roadworthy.core.operation import Operation
from roadworthy.errors import Conflict, NotFound
from roadworthy.operations import transitions
from roadworthy.operations.decisions import (
    CERTIFY_SECONDS,
    ROUTE_SECONDS,
    START_SECONDS,
    Certify,
    Fail,
    Finish,
    GoLive,
    Note,
    Observed,
    Proceed,
    Record,
    Want,
    next_steps,
)
from roadworthy.operations.table import build_table

AT = "2026-03-01T12:00:00Z"


def deployment(**fields: object) -> Deployment:
    base = Deployment(
        model="m",
        stage="production",
        generation=4,
        release=2,
        live=2,
        previous=1,
        caller="ann",
        asked=3,
    )
    return replace(base, **fields)


def operation(**fields: object) -> Operation:
    base = Operation(
        id="op",
        kind="deploy",
        model="m",
        stage="production",
        generation=4,
        caller="bob",
        started=AT,
        since=0.0,
        release="m@3",
        step="start",
        wanted=5,
    )
    return replace(base, **fields)


def seen(**fields: object) -> Observed:
    return replace(Observed(applied=7, silent=0.0, ready={"m@1": 1, "m@2": 1}), **fields)


READY = seen(ready={"m@1": 1, "m@2": 1, "m@3": 1})


@pytest.mark.parametrize(
    ("op", "dep", "observed", "now", "expected"),
    [
        (operation(step="record", release=""), deployment(), seen(), 0, Record),
        (operation(), deployment(), seen(), 1, Note),
        (operation(), deployment(), seen(silent=99.0), 30, Note),
        (operation(), deployment(), READY, 1, Proceed),
        (operation(), deployment(), seen(broken={"m@3": "no module"}), 1, Fail),
        (operation(), deployment(), seen(environments={"m@3": "no wheel"}), 1, Fail),
        (operation(), deployment(), seen(), START_SECONDS + 1, Fail),
        (operation(step="certify"), deployment(), READY, 1, Certify),
        (operation(step="certify"), deployment(), seen(), 1, Note),
        (operation(step="switch"), deployment(), READY, 1, Want),
        (operation(step="switch", kind="verify"), deployment(), READY, 1, Finish),
        (operation(step="route"), deployment(asked=5, release=3, live=3), READY, 1, Finish),
        (operation(step="route"), deployment(asked=6, release=1, live=1), READY, 1, Fail),
        (operation(step="start"), deployment(asked=5), READY, 1, Fail),
        (operation(step="start", kind="verify"), deployment(asked=5), READY, 1, Proceed),
        (
            operation(step="route"),
            deployment(asked=5, release=3, live=3),
            seen(applied=6),
            ROUTE_SECONDS + 1,
            Fail,
        ),
    ],
)
def test_an_operation_takes_the_step_that_its_state_asks_for(
    op: Operation, dep: Deployment, observed: Observed, now: float, expected: type
) -> None:
    (step,) = next_steps([dep], [op], observed, 7, [], now)
    assert isinstance(step, expected)


def test_a_route_that_is_not_applied_yet_is_waited_for() -> None:
    dep = deployment(asked=5, release=3, live=3)
    assert next_steps([dep], [operation(step="route")], seen(applied=6), 7, [], 1) == []


def test_checks_that_run_are_let_run_until_they_take_too_long() -> None:
    op = operation(step="certify")
    assert next_steps([deployment()], [op], READY, 7, ["op"], 1) == []
    (step,) = next_steps([deployment()], [op], READY, 7, ["op"], CERTIFY_SECONDS + 1)
    assert isinstance(step, Fail)


def test_an_operation_that_was_overtaken_says_by_whom() -> None:
    foreign = deployment(asked=5, release=1, live=1, caller="ann", reason="bad")
    (step,) = next_steps([foreign], [operation(step="switch")], seen(), 7, [], 1)
    assert isinstance(step, Fail)
    assert "ann set it to m@1" in step.problem["message"]


def test_the_controllers_own_change_overtakes_nobody() -> None:
    routed = deployment(generation=9, asked=4)
    assert isinstance(next_steps([routed], [operation()], READY, 7, [], 1)[0], Proceed)


def test_a_release_goes_live_only_when_all_its_workers_are_ready() -> None:
    dep = deployment(release=3, workers=2)
    assert next_steps([dep], [], READY, 7, [], 0) == []
    observed = seen(ready={"m@3": 2})
    assert next_steps([dep], [], observed, 7, [], 0) == [
        GoLive(model="m", stage="production", release=3)
    ]


def test_going_live_keeps_what_answered_as_the_way_back() -> None:
    after = transitions.routed(deployment(release=3))
    assert (after.live, after.previous, after.generation, after.asked) == (3, 2, 5, 3)


def test_roll_back_routes_to_a_warm_release_at_once() -> None:
    after, change = transitions.rolled_back(deployment(), None, True, AT, "cleo", "bad")
    assert (after.release, after.live, after.previous, after.generation) == (1, 1, 2, 5)
    assert change is not None
    assert (change.action, change.release, change.replaced) == ("rollback", 1, 2)


def test_roll_back_in_an_unfinished_rollout_stays_on_what_answers() -> None:
    after, _ = transitions.rolled_back(deployment(release=3), None, True, AT, "cleo", "bad")
    assert (after.release, after.live, after.previous) == (2, 2, 1)


def test_roll_back_to_a_cold_release_waits_for_its_worker() -> None:
    after, _ = transitions.rolled_back(deployment(), 1, False, AT, "cleo", "bad")
    assert (after.release, after.live, after.previous) == (1, 2, 1)


def test_roll_back_without_a_way_back_says_so() -> None:
    with pytest.raises(NotFound, match="no earlier release"):
        transitions.rolled_back(deployment(previous=None), None, True, AT, "cleo", "")
    with pytest.raises(Conflict, match="already answers"):
        transitions.rolled_back(deployment(), 2, True, AT, "cleo", "")


SPECS = {f"m@{n}": WorkerSpec(release=f"m@{n}", flow="f" * 64, python="python") for n in (1, 2, 3)}
EMPTY = RoutingTable(version=0, workers=[], routes=[])


def test_the_table_keeps_the_way_back_and_candidates_warm() -> None:
    table = build_table([deployment(workers=2)], [operation()], SPECS, EMPTY)
    assert {spec.release: spec.replicas for spec in table.workers} == {
        "m@1": 1,
        "m@2": 2,
        "m@3": 1,
    }
    assert [(route.model, route.release) for route in table.routes] == [("m", "m@2")]
    assert build_table([deployment(workers=2)], [operation()], SPECS, table) is table


class Interleavings(RuleBasedStateMachine):
    """A control plane that may die anywhere, an agent that lags, people who act in between."""

    def __init__(self) -> None:
        super().__init__()
        self.deployment = transitions.empty_deployment("m", "production")
        self.operations: list[Operation] = []
        self.busy: set[str] = set()
        self.table = EMPTY
        self.applied = EMPTY
        self.ready: set[str] = set()
        self.broken: set[str] = set()
        self.now = 0.0
        self.count = 0

    # What people do

    @rule(bad=st.booleans())
    def deploy(self, bad: bool) -> None:
        if len(self.operations) >= 6:
            return
        self.count += 1
        name = f"m@{self.count}"
        if bad:
            self.broken.add(name)
        self.operations.append(
            operation(
                id=name,
                release=name,
                generation=self.deployment.generation,
                caller=f"caller {self.count}",
                since=self.now,
            )
        )

    @precondition(lambda self: self.deployment.previous is not None)
    @rule()
    def roll_back(self) -> None:
        target = self.deployment.previous
        if self.deployment.release != self.deployment.live:
            target = self.deployment.live
        warm = f"m@{target}" in self.ready
        self.deployment, _ = transitions.rolled_back(
            self.deployment, None, warm, AT, "operator", "by hand"
        )

    # What the world does

    @rule()
    def agent_applies(self) -> None:
        self.applied = self.table
        wanted = {spec.release for spec in self.applied.workers}
        self.ready = wanted - self.broken

    @precondition(lambda self: self.ready)
    @rule(data=st.data())
    def worker_dies(self, data: st.DataObject) -> None:
        self.ready.discard(data.draw(st.sampled_from(sorted(self.ready))))

    @rule()
    def control_plane_dies(self) -> None:
        self.busy.clear()
        self.operations = [
            transitions.resumed(each, AT, self.now) if each.state == "running" else each
            for each in self.operations
        ]

    @precondition(lambda self: self.busy)
    @rule()
    def checks_end(self) -> None:
        name = self.busy.pop()
        self._replace(name, lambda op: transitions.moved(op, "switch", "passed", AT, self.now))

    @rule(seconds=st.floats(0.1, 5.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    # What the controller does: one step, as if it died right after it

    @rule(data=st.data())
    def one_step(self, data: st.DataObject) -> None:
        steps = self._steps()
        if steps:
            self._act(data.draw(st.sampled_from(steps)))
        self._publish()

    def _steps(self) -> list[object]:
        observed = Observed(
            applied=self.applied.version,
            silent=0.0,
            ready=dict.fromkeys(self.ready, 1),
            broken={
                name: "does not import"
                for name in self.broken
                if any(spec.release == name for spec in self.applied.workers)
            },
        )
        return list(
            next_steps(
                [self.deployment],
                self.operations,
                observed,
                self.table.version,
                self.busy,
                self.now,
            )
        )

    def _act(self, step: object) -> None:
        match step:
            case Proceed(operation=name):
                self._replace(
                    name, lambda op: transitions.moved(op, "certify", "answers", AT, self.now)
                )
            case Certify(operation=name):
                self.busy.add(name)
            case Want(operation=name):
                (op,) = [each for each in self.operations if each.id == name]
                self.deployment, _ = transitions.wanted(
                    self.deployment, int(name[2:]), "deploy", AT, op.caller, op.reason
                )
                made = self.deployment.asked
                self._replace(
                    name,
                    lambda op: transitions.moved(op, "route", "wanted", AT, self.now, wanted=made),
                )
            case GoLive(release=number):
                assert f"m@{number}" in self.ready
                assert self.deployment.release == number
                self.deployment = transitions.routed(self.deployment)
            case Finish(operation=name):
                self._replace(name, lambda op: transitions.done(op, "live", AT, self.now, 1.0))
            case Fail(operation=name, problem=problem):
                (op,) = [each for each in self.operations if each.id == name]
                if transitions.holds(self.deployment, op):
                    self.deployment, _ = transitions.given_up(self.deployment, AT, "failed")
                self._replace(name, lambda op: transitions.failed(op, problem, AT, self.now, 1.0))
            case _:
                assert isinstance(step, Note)

    def _publish(self) -> None:
        specs = {
            f"m@{n}": WorkerSpec(release=f"m@{n}", flow="f" * 64, python="python")
            for n in range(1, self.count + 1)
        }
        self.table = build_table([self.deployment], self.operations, specs, self.table)

    def _replace(self, name: str, change: object) -> None:
        self.operations = [
            change(each) if each.id == name else each  # type: ignore[operator]
            for each in self.operations
        ]

    # What always holds

    @invariant()
    def a_broken_release_never_answers(self) -> None:
        assert f"m@{self.deployment.live}" not in self.broken

    @invariant()
    def what_answers_keeps_its_workers(self) -> None:
        for route in self.table.routes:
            assert route.release in {spec.release for spec in self.table.workers}

    def teardown(self) -> None:
        """Left alone, everything ends: what is wanted answers, and every operation has ended."""
        for _ in range(60):
            self.agent_applies()
            while self.busy:
                self.checks_end()
            for step in self._steps():
                if step in self._steps():
                    self._act(step)
            self._publish()
        assert self.deployment.release == self.deployment.live
        assert all(each.state != "running" for each in self.operations), self.operations
        routed = {route.release for route in self.applied.routes}
        live = self.deployment.live
        assert routed == ({f"m@{live}"} if live is not None else set())


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=150, stateful_step_count=40)
