"""The app of a model: a form that somebody fills in who knows the matter, not the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from roadworthy.core.card import ModelCard
from roadworthy.core.deployment import AgentStatus, Deployment
from roadworthy.core.names import Stage
from roadworthy.core.release import Release
from roadworthy.ui.data import Prediction
from roadworthy.ui.formats import count, plural, shortened
from roadworthy.ui.forms import fields_view
from roadworthy.ui.health import runs_now
from roadworthy.ui.tables import MOST_PROBLEMS, MOST_ROWS, CellProblem
from roadworthy.ui.views.parts import (
    View,
    app_path,
    crumbs_to,
    model_path,
    page,
    plate,
    what_it_does,
)
from roadworthy.ui.views.trial import shown


@dataclass(frozen=True)
class Upload:
    """A table that was sent and not answered: why, or what is wrong in its cells."""

    name: str
    failure: str
    problems: Sequence[CellProblem] = ()
    wrong: int = 0


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """What the app is made from: the release that is asked, and where it is live.

    ``stage`` is None where nothing is live; ``typed`` what stands in the fields.
    """

    release: Release
    stage: Stage | None
    card: ModelCard
    deployments: Sequence[Deployment]
    status: AgentStatus | None
    typed: Mapping[str, str]
    now: datetime
    errors: Mapping[str, str] = field(default_factory=dict)
    prediction: Prediction | None = None
    upload: Upload | None = None
    signed_in: bool = False


def app_page(facts: AppFacts) -> View:
    """The app's view."""
    release, card = facts.release, facts.card
    wrong, loose = _problems(facts)
    path = app_path(release.model)
    return {
        "page": page(
            card.title or release.model,
            facts.now,
            nav="models",
            command=f"roadworthy predict {release.model} rows.csv",
            signed_in=facts.signed_in,
        ),
        "crumbs": crumbs_to(release.model),
        "title": card.title or release.model,
        "lead": card.purpose or what_it_does(release),
        "limits": card.limits,
        "card_href": f"{model_path(release.model)}/card",
        "form": {
            "action": f"{path}#answer",
            "fields": [
                _labelled(each, card) for each in fields_view(release.signature, facts.typed, wrong)
            ],
            "runs": not _why_not(facts),
            "why_not": _why_not(facts),
            "cure": "roadworthy status",
            "reset": path,
        },
        "plate": plate(release.model, release.number, facts.deployments),
        "wrong": f"{plural(len(wrong), 'field')} can't be read" if wrong else "",
        "failure": _failure(facts, loose),
        "answer": _answer(facts) if _answered(facts) else None,
        "upload": _upload(facts.upload, card),
        "table_action": f"{path}/table#many",
        "example_href": f"{path}/example.csv",
        "most_rows": count(MOST_ROWS),
    }


def _why_not(facts: AppFacts) -> str:
    if facts.stage is None:
        return f"Nothing of {facts.release.model} is live, so nothing can be asked."
    if runs_now(facts.status, facts.release.name, facts.now) is False:
        return f"{facts.release.name} has no ready worker now, so it can't be asked."
    return ""


def _problems(facts: AppFacts) -> tuple[dict[str, str], list[str]]:
    """What is wrong by field, and what belongs to none."""
    wrong, loose = dict(facts.errors), []
    names = {column.name for column in facts.release.signature.columns}
    for problem in facts.prediction.problems if facts.prediction else ():
        if problem.field in names:
            wrong.setdefault(problem.field, problem.message)
        else:
            loose.append(problem.message)
    return wrong, loose


def _labelled(each: View, card: ModelCard) -> View:
    """A field under the name and with the unit that the author gave it."""
    unit = card.units.get(each["label"], "")
    told = ", ".join(filter(None, (unit, each["unit"])))
    return {**each, "label": card.label(each["label"]), "unit": told}


def _failure(facts: AppFacts, loose: Sequence[str]) -> View | None:
    prediction = facts.prediction
    if prediction is None or not (prediction.failure or loose):
        return None
    return {
        "title": prediction.failure or "The values were refused.",
        "text": " ".join(loose),
        "cure": prediction.cure,
    }


def _answered(facts: AppFacts) -> bool:
    prediction = facts.prediction
    return prediction is not None and not (prediction.problems or prediction.failure)


def _answer(facts: AppFacts) -> View:
    prediction, card = facts.prediction, facts.card
    assert prediction is not None
    return {
        "rejected": prediction.rejected,
        "outputs": []
        if prediction.rejected
        else [_output(name, value, card) for name, value in prediction.values.items()],
        "warnings": [
            {
                "field": card.label(each.field) if each.field else "",
                "message": each.message.removeprefix(f"{each.field}: "),
            }
            for each in prediction.warnings
        ],
        "request": prediction.request,
    }


def _output(name: str, value: Any, card: ModelCard) -> View:
    if isinstance(value, Mapping):
        rows = [
            {"name": card.label(key), "value": _with(shown(each), card.units.get(key, ""))}
            for key, each in value.items()
        ]
        return {"name": card.label(name), "rows": rows, "value": "", "exact": ""}
    return {
        "name": card.label(name),
        "rows": [],
        "value": _with(shown(value), card.units.get(name, "")),
        "exact": str(value),
    }


def _with(value: str, unit: str) -> str:
    return f"{value}\u00a0{unit}" if unit else value


def _upload(upload: Upload | None, card: ModelCard) -> View | None:
    if upload is None:
        return None
    more = upload.wrong - len(upload.problems)
    return {
        "title": f"{shortened(upload.name, 80)} was not answered"
        if not upload.wrong
        else f"{plural(upload.wrong, 'value')} of {shortened(upload.name, 80)} can't be read",
        "text": upload.failure or "Nothing was asked. Mend these, then send the file again.",
        "problems": [
            {"line": count(each.line), "column": card.label(each.column), "message": each.message}
            for each in upload.problems
        ],
        "more": f"The first {MOST_PROBLEMS} are shown; {count(more)} more follow." if more else "",
    }
