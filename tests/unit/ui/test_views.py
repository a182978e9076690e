"""What each page says, as pure functions of core values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from roadworthy.core.capture import CaptureReport, Mark, SourceFile, SourceLine
from roadworthy.core.card import ModelCard
from roadworthy.core.certificate import Certificate, Check
from roadworthy.core.deployment import AgentStatus, Deployment, StageChange, WorkerStatus
from roadworthy.core.operation import Operation
from roadworthy.core.release import Lock, Release
from roadworthy.core.run import Run
from roadworthy.core.signature import Column, Output, Signature
from roadworthy.ui.data import Prediction, Problem
from roadworthy.ui.health import health_of, healths_of
from roadworthy.ui.traffic import Flow
from roadworthy.ui.views.capture import capture_view, source_line
from roadworthy.ui.views.home import HomeFacts, home
from roadworthy.ui.views.model import ModelFacts, model_page
from roadworthy.ui.views.models import Asked, Listed, ModelsFacts, by_model, models_page, ordered
from roadworthy.ui.views.parts import roll_back_form, way_back
from roadworthy.ui.views.release import (
    ReleaseFacts,
    certificate_groups,
    release_page,
    seal,
    seen,
)
from roadworthy.ui.views.run import RunFacts, excerpt, run_page
from roadworthy.ui.views.trial import try_page

NOW = datetime(2026, 3, 18, 10, 40, 12, tzinfo=UTC)
DISTANCE = Column(
    name="distance", type="float", dtype="float64", minimum=17.0, maximum=4983.0, example=719.0
)
SIGNATURE = Signature(
    input="flights",
    kind="dataframe",
    columns=[DISTANCE],
    outputs=[
        Output(
            name="scores",
            kind="array",
            columns=[Column(name="scores", type="float", dtype="float64")],
        )
    ],
)


def ago(**past: float) -> str:
    return (NOW - timedelta(**past)).isoformat()


def a_release(number: int = 3, **fields: Any) -> Release:
    values: dict[str, Any] = {
        "model": "delay",
        "number": number,
        "digest": "ab" * 32,
        "files": [],
        "signature": SIGNATURE,
        "lock": Lock(python="3.12.9", text="", digest="cd" * 32),
        "run": "run-1",
        "made": ago(hours=2),
    }
    return Release(**{**values, **fields})


def a_run(**fields: Any) -> Run:
    values: dict[str, Any] = {
        "id": "run-1",
        "program": "train.py",
        "files": [],
        "arguments": [],
        "parameters": {},
        "metrics": {},
        "python": "3.12.9",
        "packages": [],
        "started": ago(minutes=5),
        "seconds": 4.2,
        "status": "captured",
    }
    return Run(**{**values, **fields})


def deployed(live: int | None = 3, **fields: Any) -> Deployment:
    values: dict[str, Any] = {
        "model": "delay",
        "stage": "production",
        "generation": 4,
        "release": live,
        "live": live,
    }
    return Deployment(**{**values, **fields})


def worker(release: str = "delay@3", **fields: Any) -> WorkerStatus:
    return WorkerStatus(**{"id": "w1", "release": release, "flow": "f", "state": "ready", **fields})


def status(*workers: WorkerStatus, **fields: Any) -> AgentStatus:
    values: dict[str, Any] = {
        "agent": "local",
        "pid": 1,
        "at": ago(seconds=1),
        "applied": 1,
        "workers": list(workers),
        "gateway_pid": 2,
    }
    return AgentStatus(**{**values, **fields})


def an_operation(state: str = "running", **fields: Any) -> Operation:
    values: dict[str, Any] = {
        "id": "op",
        "kind": "deploy",
        "model": "delay",
        "stage": "production",
        "generation": 4,
        "caller": "x",
        "started": ago(seconds=9),
        "since": 0.0,
        "state": state,
    }
    return Operation(**{**values, **fields})


def home_of(**facts: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "models": ["delay"],
        "newest": {"delay": a_release()},
        "deployments": [deployed()],
        "operations": [],
        "status": status(worker()),
        "flows": {},
        "runs": [],
        "made": {},
        "now": NOW,
    }
    values.update(facts)
    values.setdefault("shown", values["models"])
    values["healths"] = healths_of(
        values["deployments"], values["operations"], values["status"], NOW
    )
    return home(HomeFacts(**values))


def model_of(**facts: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "model": "delay",
        "releases": [a_release()],
        "certificates": {},
        "deployments": [deployed()],
        "history": [],
        "operations": [],
        "status": status(worker()),
        "flows": {},
        "answered": {},
        "token": {"production": "t", "staging": "t"},
        "card": ModelCard(model="delay"),
        "now": NOW,
    }
    return model_page(ModelFacts(**{**values, **facts}))


class TestHealth:
    @pytest.mark.parametrize(
        ("deployment", "operations", "report", "sign", "word"),
        [
            (deployed(), [], status(worker()), "ok", "healthy"),
            (deployed(None), [], status(), "na", "not live"),
            (deployed(), [], None, "warn", "not known"),
            (deployed(), [], status(worker(), at=ago(minutes=2)), "warn", "not known"),
            (deployed(), [], status(worker(), gateway_pid=None), "bad", "does not answer"),
            (deployed(), [], status(), "bad", "does not answer"),
            (
                deployed(),
                [],
                status(worker(state="failed", error="no memory")),
                "bad",
                "does not answer",
            ),
            (deployed(workers=2), [], status(worker()), "warn", "1 of 2\u00a0workers"),
            (deployed(release=4), [], status(worker()), "run", "@4 takes over"),
            (
                deployed(),
                [an_operation(step="certify", release="delay@4")],
                status(worker()),
                "run",
                "@4 is certified",
            ),
            (deployed(None), [an_operation()], status(), "run", "new release is recorded"),
            (deployed(), [an_operation(stage="staging")], status(worker()), "ok", "healthy"),
            (deployed(), [an_operation("failed")], status(worker()), "ok", "healthy"),
        ],
    )
    def test_each_state_has_its_sign_and_word(
        self,
        deployment: Deployment,
        operations: Sequence[Operation],
        report: AgentStatus | None,
        sign: str,
        word: str,
    ) -> None:
        found = health_of(deployment, operations, report, NOW)
        assert (found.sign, found.word) == (sign, word)

    def test_a_dead_worker_tells_its_error_and_where_to_look(self) -> None:
        report = status(worker(state="failed", error="no memory"))
        found = health_of(deployed(), [], report, NOW)
        assert found.sentence == "delay@3: no memory"
        assert found.cure == "roadworthy logs --release delay@3"


class TestHome:
    def test_nothing(self) -> None:
        view = home_of(models=[], newest={}, deployments=[])
        assert view["heading"] == "Nothing runs here yet."
        assert view["first_command"].startswith("roadworthy deploy ")

    @pytest.mark.parametrize(
        ("facts", "heading"),
        [
            ({}, "Everything answers."),
            ({"status": status()}, "delay does not answer."),
            (
                {"status": None},
                "It is not known whether everything answers: the agent has not reported yet.",
            ),
            ({"deployments": [deployed(None)]}, "No model is live."),
            ({"deployments": [deployed(release=4)]}, "Everything answers. delay @4 takes over."),
            (
                {"deployments": [deployed(None)], "operations": [an_operation(step="start")]},
                "No model is live yet: delay new release starts.",
            ),
            (
                {"deployments": [deployed(workers=2)]},
                "Everything answers, delay with fewer workers than wanted.",
            ),
        ],
    )
    def test_the_heading_is_the_answer(self, facts: dict[str, Any], heading: str) -> None:
        assert home_of(**facts)["heading"] == heading

    def test_what_does_not_answer_is_the_heading(self) -> None:
        view = home_of(
            models=["alpha", "delay"],
            deployments=[deployed(model="alpha"), deployed()],
            status=status(worker("alpha@3")),
        )
        assert view["heading"] == "delay does not answer."

    def test_of_many_models_the_rest_is_a_link(self) -> None:
        many = [f"m{n}" for n in range(40)]
        deployments = [deployed(model=model) for model in many]
        view = home_of(models=many, shown=many[:5], deployments=deployments, status=status())
        assert [row["name"] for row in view["models"]] == many[:5]
        assert view["all_models"] == "All 40 models"
        assert len(view["needs"]) == 12
        assert view["more_needs"] == "28\u00a0more such lines"

    def test_a_failed_deployment_and_a_failed_run_need_a_person(self) -> None:
        failed = a_run(status="failed", problem={"message": "KeyError: 'x'", "line": 12})
        operation = an_operation(
            "failed", release="delay@4", problem={"message": "p95 is too high", "cure": "look"}
        )
        needs = home_of(runs=[failed], operations=[operation])["needs"]
        assert [each["title"] for each in needs] == [
            "delay@4 did not go to production",
            "The newest run of train.py failed",
        ]
        assert needs[1]["text"] == "line 12: KeyError: 'x'"

    def test_a_failure_that_was_followed_by_a_success_does_not(self) -> None:
        later = an_operation("done")
        assert home_of(operations=[later, an_operation("failed")])["needs"] == []

    def test_traffic_is_numbers_or_words(self) -> None:
        flow = Flow(seconds=60, requests=504, errors=1, p50=0.008, p95=0.0312, p99=0.044)
        row = home_of(flows={"delay@3": flow})["models"][0]["traffic"]
        assert (row["rate"], row["p95"], row["errors"]) == ("8.4", "31.2\u00a0ms", "0.198\u00a0%")
        quiet = Flow(seconds=60, requests=0, errors=0, p50=None, p95=None, p99=None)
        assert home_of(flows={"delay@3": quiet})["models"][0]["traffic"]["words"] == (
            "no requests in 1\u00a0min"
        )
        assert home_of()["models"][0]["traffic"]["words"] == "not measured yet"


class TestModels:
    LISTED = (
        Listed(name="alpha", newest=1, made=ago(hours=5)),
        Listed(name="delay", newest=4, made=ago(hours=1)),
        Listed(name="zebra", newest=2, made=ago(hours=3)),
    )

    @pytest.mark.parametrize(
        ("asked", "names"),
        [
            (Asked(), ["delay", "zebra", "alpha"]),
            (Asked(sort="nonsense"), ["delay", "zebra", "alpha"]),
            (Asked(sort="name"), ["alpha", "delay", "zebra"]),
            (Asked(sort="newest"), ["delay", "zebra", "alpha"]),
            (Asked(sort="requests"), ["zebra", "alpha", "delay"]),
            (Asked(search=" EL "), ["delay"]),
            (Asked(search="<b>"), []),
        ],
    )
    def test_found_and_ordered(self, asked: Asked, names: list[str]) -> None:
        own = by_model([deployed(), deployed(model="zebra")])
        healths = healths_of(
            [deployed(), deployed(model="zebra")], [], status(worker("zebra@3")), NOW
        )
        flows = {"zebra@3": Flow(seconds=9, requests=9, errors=0, p50=None, p95=None, p99=None)}
        assert ordered(self.LISTED, asked, own, healths, flows) == names

    def view(self, **facts: Any) -> dict[str, Any]:
        values: dict[str, Any] = {
            "asked": Asked(),
            "names": ["delay"],
            "found": 120,
            "total": 120,
            "newest": {},
            "deployments": [],
            "healths": {},
            "flows": {},
            "now": NOW,
        }
        return models_page(ModelsFacts(**{**values, **facts}))

    @pytest.mark.parametrize(
        ("asked", "place", "before", "after"),
        [
            (Asked(), "Page 1 of 3", "", "/models?page=2"),
            (
                Asked(search="a&b", sort="name", page=2),
                "Page 2 of 3",
                "/models?q=a%26b&sort=name",
                "/models?q=a%26b&sort=name&page=3",
            ),
            (Asked(page=3), "Page 3 of 3", "/models?page=2", ""),
            (Asked(page=9), "Page 9 of 3", "", ""),
        ],
    )
    def test_pages_keep_what_was_asked(
        self, asked: Asked, place: str, before: str, after: str
    ) -> None:
        view = self.view(asked=asked)
        assert (view["place"], view["before"], view["after"]) == (place, before, after)

    def test_the_heading_counts_what_is_not_well(self) -> None:
        healths = healths_of([deployed()], [], status(), NOW)
        assert self.view(healths=healths)["heading"] == "120\u00a0models, 1 of them not well."
        assert self.view()["heading"] == "120\u00a0models, none unwell."
        assert self.view(asked=Asked(search="x"), found=2)["heading"] == "2 of 120\u00a0models fit."


class TestByRelease:
    def test_what_runs_or_was_asked_has_a_row(self) -> None:
        flow = Flow(
            seconds=10, requests=20, errors=1, p50=0.002, p95=0.004, p99=0.008,
            stages={"worker": 0.0015},
        )  # fmt: skip
        (row,) = model_of(flows={"delay@3": flow})["by_release"]
        assert row["rate"] == "2"
        assert [each["value"] for each in row["latency"]] == [
            "2\u00a0ms", "4\u00a0ms", "8\u00a0ms",
        ]  # fmt: skip
        assert row["errors"] == "5\u00a0%"

    def test_what_runs_and_was_not_asked_says_so(self) -> None:
        (row,) = model_of(status=status(worker(pid=4)))["by_release"]
        assert row["words"] == "not measured yet"
        quiet = Flow(seconds=60, requests=0, errors=0, p50=None, p95=None, p99=None)
        (row,) = model_of(status=status(worker(pid=4)), flows={"delay@3": quiet})["by_release"]
        assert row["words"] == "no requests in 1\u00a0min"

    def test_what_neither_runs_nor_was_asked_has_no_row(self) -> None:
        assert model_of(status=status())["by_release"] == []


class TestModel:
    def test_a_stage_without_a_release_says_what_brings_one(self) -> None:
        staging = model_of()["cards"][1]
        assert staging["plate"] is None
        assert staging["promote"] == "roadworthy promote delay@3 --to staging"

    @pytest.mark.parametrize(
        ("deployment", "target"),
        [
            (deployed(3, previous=2), 2),
            (deployed(3), None),
            (deployed(3, release=4, previous=2), 3),
            (deployed(None), None),
        ],
    )
    def test_the_way_back(self, deployment: Deployment, target: int | None) -> None:
        assert way_back(deployment) == target

    def test_the_form_carries_the_generation_it_was_made_from(self) -> None:
        form = roll_back_form(deployed(3, previous=2, generation=9), "token")
        assert form is not None
        assert (form["generation"], form["label"]) == (9, "Roll back to @2")

    def test_who_brought_what_is_live_and_why(self) -> None:
        change = StageChange(
            model="delay",
            stage="production",
            generation=3,
            release=3,
            replaced=2,
            action="promote",
            at=ago(days=2),
            caller="network-ops",
            reason="evening gain",
        )
        rows = {
            row["term"]: row
            for row in model_of(
                history=[change],
                deployments=[deployed(3, previous=2)],
                status=status(worker(), worker("delay@2")),
            )["cards"][0]["rows"]
        }
        assert rows["Promoted by"]["text"] == "network-ops"
        assert rows["Because"]["text"] == "“evening gain”"
        assert rows["Live since"]["text"] == ", 2\u00a0days"
        assert rows["Took over from"]["text"] == ", still warm: going back takes effect at once"

    def test_a_stale_press_lists_only_what_happened_since(self) -> None:
        old = StageChange(
            model="delay",
            stage="production",
            generation=3,
            release=3,
            replaced=2,
            action="deploy",
            at=ago(days=2),
            caller="early",
            reason="",
        )
        new = StageChange(
            model="delay",
            stage="production",
            generation=5,
            release=4,
            replaced=3,
            action="deploy",
            at=ago(minutes=2),
            caller="night-shift",
            reason="",
        )
        notice = model_of(history=[new, old], stale=("production", 4))["notice"]
        assert [line["text"] for line in notice["lines"]] == [
            ": night-shift deployed @4 to production in place of @3"
        ]

    def test_one_s_own_roll_back_is_confirmed_only_while_it_is_the_newest(self) -> None:
        back = StageChange(
            model="delay",
            stage="production",
            generation=5,
            release=3,
            replaced=4,
            action="rollback",
            at=ago(seconds=1),
            caller="x",
            reason="",
        )
        assert model_of(history=[back], done=5)["toast"] == (
            "Rolled back: @3 answers in production."
        )
        assert model_of(history=[back], done=4)["toast"] == ""
        assert (
            "as soon as its worker is warm"
            in model_of(history=[back], done=5, deployments=[deployed(4, release=3)])["toast"]
        )

    def test_a_quarantined_release_is_marked(self) -> None:
        row = model_of(releases=[a_release(quarantined="knots")])["releases"][0]
        assert (row["certificate"]["word"], row["changed"]) == ("quarantined", "knots")


def check(outcome: Any, group: Any = "capture", title: str = "t") -> Check:
    return Check(id="i", group=group, title=title, outcome=outcome, required="r", measured="m")


class TestRelease:
    def facts(self, **fields: Any) -> ReleaseFacts:
        values: dict[str, Any] = {
            "release": a_release(),
            "certificate": None,
            "report": None,
            "run": None,
            "deployments": [deployed()],
            "status": status(worker()),
            "now": NOW,
        }
        return ReleaseFacts(**{**values, **fields})

    def test_failed_groups_and_checks_come_first(self) -> None:
        groups = certificate_groups(
            [
                check("passed", "capture"),
                check("not applicable", "service", "a"),
                check("passed", "service", "b"),
                check("failed", "service", "c"),
            ]
        )
        assert groups[0]["title"].startswith("Service")
        assert [each["title"] for each in groups[0]["checks"]] == ["c", "b", "a"]

    def test_the_seal_counts_what_was_checked(self) -> None:
        certificate = Certificate(
            release="delay@3",
            depth="quick",
            made=ago(hours=1),
            seconds=3,
            checks=[check("passed"), check("failed"), check("not applicable")],
        )
        found = seal(certificate)
        assert (found["big"], found["small"]) == ("1/2", "failed")
        assert found["label"] == "Certificate: 1 of 2 checks passed, 1 not applicable"
        assert len(found["dash"].split()) % 2 == 0
        assert len(found["bad_dash"].split()) % 2 == 0
        assert seal(None)["small"] == "not certified"

    def test_everything_may_be_missing(self) -> None:
        view = release_page(self.facts(status=None))
        assert view["certificate"] is None
        assert view["capture"] is None
        assert view["profile"] == []
        assert view["form"]["runs"]

    def test_marks_cut_a_line_into_parts(self) -> None:
        line = SourceLine(
            number=1,
            text="x = fill(a.median())",
            role="kept",
            marks=[
                Mark(start=9, end=19, note="10.3"),
                Mark(start=11, end=19, note="10.3"),
                Mark(start=90, end=95, note=""),
            ],
        )
        found = source_line(line)
        assert [(part["text"], part["marked"]) for part in found["parts"]] == [
            ("x = fill(", False),
            ("a.median()", True),
            (")", False),
        ]
        assert found["note"] == "10.3"

    @pytest.mark.parametrize(
        ("line", "why", "note"),
        [
            (
                SourceLine(number=1, text="a", role="frozen", why="table of 9 rows"),
                "",
                "table of 9 rows",
            ),
            (
                SourceLine(
                    number=1,
                    text="abc",
                    role="kept",
                    why="the marked part is frozen: 10",
                    marks=[Mark(start=0, end=2, note="10")],
                ),
                "",
                "10",
            ),
            (SourceLine(number=1, text="a", role="dropped", why="prints"), "prints", ""),
        ],
    )
    def test_what_is_frozen_is_said_once(self, line: SourceLine, why: str, note: str) -> None:
        found = source_line(line)
        assert (found["why"], found["note"]) == (why, note)

    def test_a_mark_without_a_note_tells_what_was_learned_there(self) -> None:
        line = SourceLine(
            number=24,
            text="a - a.mean()",
            role="kept",
            why="the marked part is frozen",
            marks=[Mark(start=4, end=12)],
        )
        found = source_line(line, ["26.3758"])
        assert (found["why"], found["note_word"] + found["note"]) == (
            "",
            "the marked part is frozen: 26.3758",
        )

    def test_a_line_of_several_files_names_its_file(self) -> None:
        line = SourceLine(number=1, text="x", role="kept")
        files = [SourceFile(path="a.py", lines=[line]), SourceFile(path="b.py", lines=[line])]
        view = capture_view(CaptureReport(files=files, decisions=[], state=[]))
        assert view is not None
        assert view["several"]
        assert view["kept"] == "2"

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"minimum": 106, "maximum": 2359}, "106 to 2359"),
            ({"levels": ["a", "b"]}, "a, b"),
            ({"levels": list("abcdefgh"), "level_count": 105}, "105 levels: a, b, c, d, e, f, …"),
            ({"level_count": 4043}, "4,043\u00a0levels"),
            ({}, "not recorded"),
        ],
    )
    def test_what_creation_saw(self, fields: dict[str, Any], text: str) -> None:
        assert seen(Column(name="c", type="text", dtype="str", **fields)) == text


class TestTrial:
    facts = TestRelease.facts

    def test_the_example_is_filled_in(self) -> None:
        view = try_page(self.facts(), "http://g")
        assert view["form"]["fields"][0]["value"] == "719.0"
        assert "rw.Client('http://g')" in view["snippet"]

    def test_an_answer_with_several_columns_becomes_rows(self) -> None:
        prediction = Prediction(
            release="delay@3", seconds=0.0019, values={"scores": {"late": 0.25, "kind": "x"}}
        )
        answer = try_page(self.facts(), "http://g", {"distance": "1"}, prediction=prediction)[
            "answer"
        ]
        assert answer["outputs"][0]["rows"] == [
            {"name": "late", "value": "0.25"},
            {"name": "kind", "value": "x"},
        ]
        assert answer["took"] == "1.9\u00a0ms"

    def test_a_finding_on_no_field_of_the_form_is_told_above_it(self) -> None:
        prediction = Prediction(
            release="delay@3",
            seconds=0,
            problems=[
                Problem(field="distance", message="Expected a number."),
                Problem(field="other", message="Expected nothing."),
            ],
        )
        view = try_page(self.facts(), "http://g", {"distance": "1"}, prediction=prediction)
        assert view["form"]["fields"][0]["error"] == "Expected a number."
        assert view["failure"]["text"] == "Expected nothing."
        assert view["answer"] is None


class TestRun:
    def facts(self, **fields: Any) -> RunFacts:
        values: dict[str, Any] = {
            "run": a_run(),
            "releases": [],
            "deployments": [],
            "source": None,
            "now": NOW,
        }
        return RunFacts(**{**values, **fields})

    @pytest.mark.parametrize(
        ("problem", "heading"),
        [
            ({"code": "program-failed", "line": 12}, "train.py failed at line 12."),
            ({"code": "law-broken", "line": 7}, "train.py breaks the law of a flow at line 7."),
            ({"code": "verification"}, "train.py was captured, but the flow answers differently."),
            (None, "train.py failed."),
        ],
    )
    def test_the_heading_tells_how_it_ended(self, problem: Any, heading: str) -> None:
        view = run_page(self.facts(run=a_run(status="failed", problem=problem)))
        assert view["heading"] == heading

    def test_the_excerpt_is_the_line_and_its_neighbours(self) -> None:
        source = "\n".join(f"line{n}" for n in range(1, 11))
        found = excerpt(source, 2)
        assert [each["number"] for each in found] == [1, 2, 3, 4, 5, 6]
        assert [each["role"] for each in found[:2]] == ["plain", "failed"]
        assert excerpt(source, 99) == []
        assert excerpt(None, 1) == []
