"""Gathers what a page is made from: the calls to ``PageData``, in one place per page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from roadworthy.core.names import STAGES, Stage
from roadworthy.core.run import Run
from roadworthy.errors import NotFound, StorageError
from roadworthy.ui.data import PageData
from roadworthy.ui.health import release_name
from roadworthy.ui.security import FormTokens
from roadworthy.ui.traffic import Flow, Traffic
from roadworthy.ui.views.home import HomeFacts
from roadworthy.ui.views.model import ModelFacts
from roadworthy.ui.views.release import ReleaseFacts
from roadworthy.ui.views.run import RunFacts

RECENT_RUNS = 10
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
        models = data.models()
        deployments = data.deployments()
        newest = {model: found[0] for model in models if (found := data.releases(model))}
        live = {
            release_name(each.model, each.live) for each in deployments if each.live is not None
        }
        runs = data.runs(RECENT_RUNS)
        return HomeFacts(
            models=models,
            newest=newest,
            deployments=deployments,
            operations=data.operations(RECENT_OPERATIONS),
            status=data.status(),
            flows=self._flows(live),
            runs=runs,
            made={run.id: data.made_from(run.id) for run in runs if run.status == "captured"},
            now=now,
            signed_in=signed_in,
        )

    def model(
        self,
        model: str,
        signed_in: bool,
        *,
        stale: tuple[Stage, int] | None = None,
        done: int | None = None,
        refused: str = "",
    ) -> ModelFacts:
        """What a model's page needs. Raises NotFound where there is no such model."""
        data, now = self._data, self._data.now()
        releases = data.releases(model)
        self._traffic.look(now)
        names = {release.name for release in releases}
        certificates = {
            release.number: certificate
            for release in releases
            if (certificate := data.certificate(release)) is not None
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
            token=self._form_tokens(model),
            now=now,
            stale=stale,
            done=done,
            refused=refused,
            signed_in=signed_in,
        )

    def release(self, model: str, number: int, signed_in: bool) -> ReleaseFacts:
        """What a release's page and its form need. Raises NotFound."""
        data = self._data
        release = data.release(model, number)
        return ReleaseFacts(
            release=release,
            certificate=data.certificate(release),
            report=data.report(release),
            run=self._run_or_none(release.run),
            deployments=[each for each in data.deployments() if each.model == model],
            status=data.status(),
            now=data.now(),
            signed_in=signed_in,
        )

    def run(self, run_id: str, signed_in: bool) -> RunFacts:
        """What a run's page needs. Raises NotFound."""
        data = self._data
        run = data.run(run_id)
        return RunFacts(
            run=run,
            releases=data.made_from(run.id),
            deployments=data.deployments(),
            source=self._source(run),
            now=data.now(),
            signed_in=signed_in,
        )

    def _run_or_none(self, run_id: str) -> Run | None:
        try:
            return self._data.run(run_id)
        except NotFound:
            return None

    def _source(self, run: Run) -> str | None:
        """The text of the file that failed (else the program); None where it was not kept."""
        problem = run.problem or {}
        details = problem.get("details") or {}
        named = details.get("file") if isinstance(details, Mapping) else None
        for path in (named, run.program):
            for each in run.files:
                if each.path == path:
                    try:
                        return self._data.blob(each.digest).decode("utf-8", "replace")
                    except (NotFound, StorageError):
                        return None
        return None

    def _flows(self, names: set[str]) -> Mapping[str, Flow]:
        return {name: flow for name in names if (flow := self._traffic.of(name)) is not None}

    def _answered(self, names: set[str]) -> Mapping[str, float]:
        found = {name: self._traffic.answered(name) for name in names}
        return {name: total for name, total in found.items() if total is not None}

    def _form_tokens(self, model: str) -> Mapping[Stage, str]:
        return {stage: self._tokens.make(roll_back_purpose(model, stage)) for stage in STAGES}

    def now(self) -> datetime:
        """The instant now."""
        return self._data.now()
