"""Two releases of a model side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from roadworthy.core.names import check_model_name
from roadworthy.core.release import Release
from roadworthy.errors import Damaged, NotFound, UsageError
from roadworthy.operations.sampling import AnswerChanges, ChangedAnswer, changes_of
from roadworthy.ui.data import PageData, Prediction
from roadworthy.ui.guard import signed_in
from roadworthy.ui.health import release_name
from roadworthy.ui.requests import whole_number
from roadworthy.ui.site import Site
from roadworthy.ui.views.compare import CompareFacts, compare_page

ASKED_ROWS = 50
CHOICES = 50


def routes(site: Site) -> list[BaseRoute]:
    """Where two releases are compared."""

    def compare(request: Request) -> Response:
        facts = _facts(site.data, request)
        return site.page("compare.html", compare_page(facts))

    return [Route("/models/{model}/compare", compare)]


def _facts(data: PageData, request: Request) -> CompareFacts:
    model, query = check_model_name(request.path_params["model"]), request.query_params
    newest = data.registry.releases(model, limit=CHOICES)
    deployments = [each for each in data.deployments() if each.model == model]
    live = next((each.live for each in deployments if each.stage == "production"), None)
    after = _chosen(data, model, query.get("after", ""), newest[0])
    usual = live if live and live != after.number else _one_before(newest, after)
    before = _chosen(data, model, query.get("before", ""), None, usual)
    different = before is not None and before.number != after.number
    changes, problem = None, ""
    if before is not None and different:
        changes, problem = _changes(data, before, after, asked=query.get("ask") == "1")
    return CompareFacts(
        model=model,
        before=before,
        after=after,
        comparison=data.compare(before, after) if before is not None and different else None,
        changes=changes,
        problem=problem,
        runs=None
        if before is None
        else (data.registry.run(before.run), data.registry.run(after.run)),
        certificates=(
            data.registry.latest_certificate(before.digest) if before is not None else None,
            data.registry.latest_certificate(after.digest),
        ),
        choices=[each.number for each in newest],
        deployments=deployments,
        status=data.status(),
        now=data.now(),
        signed_in=signed_in(request),
    )


def _one_before(newest: Sequence[Release], after: Release) -> int | None:
    return next((each.number for each in newest if each.number < after.number), None)


def _chosen(
    data: PageData, model: str, text: str, usual: Release | None, number: int | None = None
) -> Any:
    """The release whose number was chosen, else the usual one. Raises NotFound, UsageError."""
    if text:
        number = whole_number(text.removeprefix(f"{model}@").removeprefix("@"), least=1)
        if number is None:
            raise UsageError(
                f"{text[:80]!r} is not the number of a release",
                cure=f"open /models/{model}/compare",
            )
    if number is None:
        return usual
    return data.registry.release(release_name(model, number))


def _changes(
    data: PageData, before: Release, after: Release, *, asked: bool
) -> tuple[AnswerChanges | None, str]:
    """The answers that change, or why that is not known."""
    try:
        if not asked:
            return data.answer_changes(before, after), ""
        rows = list(data.sample_rows(after))[:ASKED_ROWS]
    except (Damaged, NotFound) as error:
        return None, error.message
    if not rows:
        return None, f"{after.name} came without rows of creation"
    found: list[Sequence[Prediction]] = []
    for release in (before, after):
        names = {column.name for column in release.signature.columns}
        own = [{name: value for name, value in row.items() if name in names} for row in rows]
        answers = data.predict_rows(release.name, own)
        if not answers.rows:
            said = answers.failure or next((each.said.message for each in answers.problems), "")
            return None, f"{release.name}: {said or 'no answer'}"
        found.append(answers.rows)
    pairs = [
        ChangedAnswer(row=dict(row), before=_answer(old), after=_answer(new))
        for row, old, new in zip(rows, *found, strict=True)
    ]
    return changes_of(pairs, "asked"), ""


def _answer(prediction: Prediction) -> dict[str, Any] | str:
    reason = prediction.rejected or prediction.failure
    values: Mapping[str, Any] = prediction.values
    return reason or _flat(values)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs of several columns as ``output:column``, as samples have them."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}:{column}": each for column, each in value.items()}
        else:
            flat[name] = value
    return flat
