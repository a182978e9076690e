"""Runs: all of them, a page at a time, and one."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from roadworthy.core.names import check_model_name
from roadworthy.ui.guard import signed_in
from roadworthy.ui.site import Site
from roadworthy.ui.views.run import run_page
from roadworthy.ui.views.runs import PAGE, RunsFacts, runs_page

_LONGEST_ID = 80


def routes(site: Site) -> list[BaseRoute]:
    """Where runs are."""
    data = site.data

    def listed(request: Request) -> Response:
        model = request.query_params.get("model", "")
        if model:
            check_model_name(model)
        before = request.query_params.get("before", "")[:_LONGEST_ID]
        found = data.registry.runs(model or None, PAGE + 1, before or None)
        runs = found[:PAGE]
        after = {"model": model, "before": runs[-1].id} if len(found) > PAGE else {}
        facts = RunsFacts(
            model=model,
            models=[name for name, _, _ in data.registry.model_index()],
            runs=runs,
            made={
                run.id: data.registry.releases_of_run(run.id)
                for run in runs
                if run.status == "captured"
            },
            deployments=data.deployments(),
            first=before != "",
            after=f"/runs?{urlencode({k: v for k, v in after.items() if v})}" if after else "",
            now=data.now(),
            signed_in=signed_in(request),
        )
        return site.page("runs.html", runs_page(facts))

    def one(request: Request) -> Response:
        facts = site.reader.run(request.path_params["run"], signed_in(request))
        return site.page("run.html", run_page(facts))

    return [Route("/runs", listed), Route("/runs/{run}", one)]
