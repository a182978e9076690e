"""Gathers what a page is made from: the calls to ``PageData``, in one place per page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from roadworthy.core.capture import CaptureReport
from roadworthy.core.deployment import Deployment
from roadworthy.core.names import STAGES, Stage, check_model_name
from roadworthy.core.run import Run
from roadworthy.errors import NotFound, StorageError
from roadworthy.ui.data import PageData
from roadworthy.ui.health import healths_of, release_name
from roadworthy.ui.security import FormTokens
from roadworthy.ui.traffic import SHORTEST, Flow, Traffic
from roadworthy.ui.views.datasets import SHORT, commit_link
from roadworthy.ui.views.home import RUNS_SHOWN, HomeFacts
from roadworthy.ui.views.model import ModelFacts
from roadworthy.ui.views.models import PAGE, Asked, Listed, ModelsFacts, by_model, ordered
from roadworthy.ui.views.parts import View
from roadworthy.ui.views.release import ReleaseFacts
from roadworthy.ui.views.run import RunFacts
from roadworthy.ui.views.traffic import TrafficFacts

HOME_MODELS = 25
RECENT_OPERATIONS = 50


def roll_back_purpose(model: str, stage: str) -> str:
    """What a roll-back form's token is bound to."""
    return f"rollback {model} {stage}"


class Reader:
    """Reads the facts of each page."""

    def __init__(self, data: PageData, traffic: Traffic, tokens: FormTokens) -> None:
        self._data = data
        self._traffic = traffic
        self._tokens = tokens

    def home(self, signed_in: bool) -> HomeFacts:
        """What the overview needs."""
        data, now = self._data, self._data.now()
        self._traffic.look(now)
        index = self._index()
        deployments = data.deployments()
        operations = data.operations(RECENT_OPERATIONS)
        status = data.status()
        healths = healths_of(deployments, operations, status, now)
        own = by_model(deployments)
        shown = ordered(index, Asked(), own, healths, {})[:HOME_MODELS]
        live = _live_names(deployments)
        drawn = _live_names(each for each in deployments if each.model in shown)
        runs = data.registry.runs(limit=RUNS_SHOWN)
        return HomeFacts(
            models=[each.name for each in index],
            shown=shown,
            newest=data.registry.newest(shown),
            deployments=deployments,
            operations=operations,
            healths=healths,
            status=status,
            flows=self._flows(live),
            runs=runs,
            made={
                run.id: data.registry.releases_of_run(run.id)
                for run in runs
                if run.status == "captured"
            },
            now=now,
            signed_in=signed_in,
            sources=data.browser().source_lines(),
            day=self._traffic.over("24h", drawn, now),
        )

    def models(self, asked: Asked, signed_in: bool) -> ModelsFacts:
        """What the list of models needs: all of them sorted, one page of them read."""
        data, now = self._data, self._data.now()
        self._traffic.look(now)
        index = self._index()
        deployments = data.deployments()
        healths = healths_of(deployments, data.operations(RECENT_OPERATIONS), data.status(), now)
        flows = self._flows(_live_names(deployments))
        names = ordered(index, asked, by_model(deployments), healths, flows)
        shown = names[(asked.page - 1) * PAGE : asked.page * PAGE]
        return ModelsFacts(
            asked=asked,
            names=shown,
            found=len(names),
            total=len(index),
            newest=data.registry.newest(shown),
            deployments=deployments,
            healths=healths,
            flows=flows,
            now=now,
            signed_in=signed_in,
        )

    def _index(self) -> list[Listed]:
        found = self._data.registry.model_index()
        return [Listed(name=name, newest=number, made=made) for name, number, made in found]

    def model(
        self,
        model: str,
        signed_in: bool,
        *,
        stale: tuple[Stage, int] | None = None,
        done: int | None = None,
        begun: str = "",
        over: str = SHORTEST,
        refused: str = "",
    ) -> ModelFacts:
        """What a model's page needs. Raises NotFound where there is no such model."""
        data, now = self._data, self._data.now()
        releases = data.registry.releases(model)
        self._traffic.look(now)
        names = {release.name for release in releases}
        certificates = {
            release.number: certificate
            for release in releases
            if (certificate := data.registry.latest_certificate(release.digest)) is not None
        }
        return ModelFacts(
            model=model,
            releases=releases,
            certificates=certificates,
            deployments=[each for each in data.deployments() if each.model == model],
            history=data.history(model),
            operations=data.operations(RECENT_OPERATIONS),
            status=data.status(),
            flows=self._flows(names),
            answered=self._answered(names),
            track=self._traffic.over(over, names, now),
            over=over,
            token=self._form_tokens(model),
            card=data.registry.card(model),
            now=now,
            stale=stale,
            done=done,
            begun=begun,
            refused=refused,
            signed_in=signed_in,
        )

    def release(self, model: str, number: int, signed_in: bool) -> ReleaseFacts:
        """What a release's page and its form need. Raises NotFound."""
        data = self._data
        release = data.registry.release(release_name(check_model_name(model), number))
        deployments = [each for each in data.deployments() if each.model == model]
        certificate, status = data.registry.latest_certificate(release.digest), data.status()
        self._traffic.look(data.now())
        return ReleaseFacts(
            release=release,
            certificate=certificate,
            report=self._report_or_none(release.run),
            run=self._run_or_none(release.run),
            deployments=deployments,
            status=status,
            now=data.now(),
            token=self._form_tokens(model),
            traffic=TrafficFacts(
                model=model,
                releases=[release],
                certificates={number: certificate} if certificate else {},
                deployments=deployments,
                status=status,
                flows=self._flows({release.name}),
                answered=self._answered({release.name}),
                now=data.now(),
            ),
            signed_in=signed_in,
            commits=self._commits(self._run_or_none(release.run)),
        )

    def run(self, run_id: str, signed_in: bool) -> RunFacts:
        """What a run's page needs. Raises NotFound."""
        data = self._data
        run = data.registry.run(run_id)
        return RunFacts(
            run=run,
            releases=data.registry.releases_of_run(run.id),
            deployments=data.deployments(),
            source=self._source(run),
            now=data.now(),
            signed_in=signed_in,
            report=self._report_or_none(run.id),
            commits=self._commits(run),
        )

    def _commits(self, run: Run | None) -> list[View]:
        """The commits that a run read; those that are no longer kept have no link."""
        if run is None or not run.datasets:
            return []
        kept = {each.digest: each for each in self._data.browser().used_by("run", run.id)}
        return [
            {**commit_link(kept[each.commit]), "said": f"asked for as {each.asked}"}
            if each.commit in kept
            else {
                "name": each.name[: each.name.find("@") + 1 + SHORT],
                "href": "",
                "said": "no longer kept here",
            }
            for each in run.datasets
        ]

    def _run_or_none(self, run_id: str) -> Run | None:
        try:
            return self._data.registry.run(run_id)
        except NotFound:
            return None

    def _report_or_none(self, run_id: str) -> CaptureReport | None:
        try:
            return self._data.registry.run_report(run_id)
        except NotFound:
            return None

    def _source(self, run: Run) -> str | None:
        """The text of the file that failed (else the program); None where it was not kept."""
        problem = run.problem or {}
        details = problem.get("details") or {}
        named = details.get("file") if isinstance(details, Mapping) else None
        if run.status != "failed":
            return None
        try:
            files = self._data.registry.run_files(run.id)
        except (NotFound, StorageError):
            return None
        content = files.get(str(named)) or files.get(run.program)
        return None if content is None else content.decode("utf-8", "replace")

    def _flows(self, names: set[str]) -> Mapping[str, Flow]:
        return {name: flow for name in names if (flow := self._traffic.of(name)) is not None}

    def _answered(self, names: set[str]) -> Mapping[str, float]:
        found = {name: self._traffic.answered(name) for name in names}
        return {name: total for name, total in found.items() if total is not None}

    def _form_tokens(self, model: str) -> Mapping[Stage, str]:
        return {stage: self._tokens.make(roll_back_purpose(model, stage)) for stage in STAGES}


def _live_names(deployments: Iterable[Deployment]) -> set[str]:
    return {release_name(each.model, each.live) for each in deployments if each.live is not None}
