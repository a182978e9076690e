"""Gathers what a page is made from: the calls to ``PageData``, in one place per page."""

from __future__ import annotations

from collections.abc import Mapping

from roadworthy.core.capture import CaptureReport
from roadworthy.core.names import STAGES, Stage, check_model_name
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
        models = data.registry.models()
        deployments = data.deployments()
        live = {
            release_name(each.model, each.live) for each in deployments if each.live is not None
        }
        runs = data.registry.runs(limit=RECENT_RUNS)
        return HomeFacts(
            models=[each.name for each in models],
            newest={each.name: each.newest for each in models},
            deployments=deployments,
            operations=data.operations(RECENT_OPERATIONS),
            status=data.status(),
            flows=self._flows(live),
            runs=runs,
            made={
                run.id: data.registry.releases_of_run(run.id)
                for run in runs
                if run.status == "captured"
            },
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
        release = data.registry.release(release_name(check_model_name(model), number))
        return ReleaseFacts(
            release=release,
            certificate=data.registry.latest_certificate(release.digest),
            report=self._report_or_none(release.run),
            run=self._run_or_none(release.run),
            deployments=[each for each in data.deployments() if each.model == model],
            status=data.status(),
            now=data.now(),
            signed_in=signed_in,
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
        )

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
