"""A release asked by hand: the form, and what it answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from roadworthy.ui.data import Prediction
from roadworthy.ui.formats import count, duration, number, plural
from roadworthy.ui.forms import example_values, parse_row
from roadworthy.ui.views.parts import (
    View,
    crumbs_to,
    page,
    plate,
    what_it_does,
)
from roadworthy.ui.views.release import ReleaseFacts, try_form


def try_page(
    facts: ReleaseFacts,
    gateway: str,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    prediction: Prediction | None = None,
    *,
    with_token: bool = False,
) -> View:
    """The view of the try page; without ``typed`` it shows the signature's example."""
    release = facts.release
    shown = example_values(release.signature) if typed is None else typed
    wrong = dict(errors or {})
    loose: list[str] = []
    for problem in prediction.problems if prediction else ():
        if problem.field in {column.name for column in release.signature.columns}:
            wrong.setdefault(problem.field, problem.message)
        else:
            loose.append(problem.message)
    failure = _failure(prediction, loose)
    answered = prediction is not None and not (prediction.problems or prediction.failure)
    return {
        "page": page(
            f"Try {release.name}",
            facts.now,
            nav="models",
            command=f"roadworthy predict {release.name} rows.csv",
            signed_in=facts.signed_in,
        ),
        "crumbs": crumbs_to(release.model, release.number),
        "plate": plate(release.model, release.number, facts.deployments),
        "lead": what_it_does(release),
        "form": try_form(facts, shown, wrong),
        "wrong": f"{plural(len(wrong), 'field')} can't be read" if wrong else "",
        "failure": failure,
        "answer": _answer(prediction, facts) if answered and prediction else None,
        "snippet": snippet(facts, gateway, shown, with_token),
    }


def _failure(prediction: Prediction | None, loose: list[str]) -> View | None:
    if prediction is None or not (prediction.failure or loose):
        return None
    return {
        "title": prediction.failure or "The row was refused.",
        "text": " ".join(loose),
        "cure": prediction.cure,
    }


def _answer(prediction: Prediction, facts: ReleaseFacts) -> View:
    model, _, numbered = prediction.release.partition("@")
    known = model == facts.release.model and numbered.isdigit()
    return {
        "rejected": prediction.rejected,
        "outputs": []
        if prediction.rejected
        else [_value(name, value) for name, value in prediction.values.items()],
        "warnings": [
            {"field": each.field, "message": each.message.removeprefix(f"{each.field}: ")}
            for each in prediction.warnings
        ],
        "plate": plate(
            facts.release.model,
            int(numbered) if known else facts.release.number,
            facts.deployments,
        ),
        "took": duration(prediction.seconds),
        "request": prediction.request,
    }


def _value(name: str, value: Any) -> View:
    if isinstance(value, Mapping):
        rows = [{"name": key, "value": shown(each)} for key, each in value.items()]
        return {"name": name, "rows": rows, "value": "", "exact": ""}
    return {"name": name, "rows": [], "value": shown(value), "exact": str(value)}


def shown(value: Any) -> str:
    """An answer's value: numbers with three significant digits, whole ones exactly.

    >>> shown(0.34123), shown(12345), shown(None), shown("late"), shown(True)
    ('0.341', '12,345', 'null', 'late', 'true')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def snippet(
    facts: ReleaseFacts, gateway: str, typed: Mapping[str, str], with_token: bool = False
) -> str:
    """Python that asks the same with this row, or with the example where it can't be read."""
    signature = facts.release.signature
    parsed = parse_row(signature, typed)
    row = parsed.row
    if parsed.errors:
        row = {column.name: column.example for column in signature.columns}
    body = ",\n    ".join(f"{name!r}: {value!r}" for name, value in row.items())
    token = ', token=os.environ["ROADWORTHY_TOKEN"]' if with_token else ""
    imports = "import os\n\nimport roadworthy as rw" if with_token else "import roadworthy as rw"
    return (
        f"{imports}\n\n"
        f"row = {{\n    {body},\n}}\n"
        f"client = rw.Client({gateway!r}{token})\n"
        f"client.model({facts.release.name!r}).predict([row])"
    )
