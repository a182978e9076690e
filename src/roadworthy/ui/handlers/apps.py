"""The app of a model: a form that a person fills in, a table for many rows, the model's card."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from roadworthy.core.names import check_model_name
from roadworthy.errors import Conflict, Damaged, UsageError
from roadworthy.ui.data import Prediction
from roadworthy.ui.forms import PREFIX, example_values, parse_row
from roadworthy.ui.guard import signed_in
from roadworthy.ui.requests import (
    check_own_page,
    download,
    generation_in,
    own_form,
    read_body,
)
from roadworthy.ui.site import CALLER, Site
from roadworthy.ui.tables import (
    MOST_BYTES,
    UnreadableTable,
    UploadedTable,
    example_table,
    read_table,
    write_answers,
)
from roadworthy.ui.views.apps import AppFacts, Upload, app_page
from roadworthy.ui.views.card import LABEL, TEXTS, UNIT, CardFacts, card_page, too_long
from roadworthy.ui.views.parts import app_path, model_path

ROWS_AT_ONCE = 1000
EXAMPLE_ROWS = 5


def routes(site: Site) -> list[BaseRoute]:
    """Where apps and cards are."""
    apps = _Apps(site)
    return [
        Route("/apps/{model}", apps.form, methods=["GET"]),
        Route("/apps/{model}", apps.ask, methods=["POST"]),
        Route("/apps/{model}/table", apps.table, methods=["POST"]),
        Route("/apps/{model}/example.csv", apps.example),
        Route("/models/{model}/card", apps.card, methods=["GET"]),
        Route("/models/{model}/card", apps.write_card, methods=["POST"]),
    ]


class _Apps:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = site.data

    def _facts(self, request: Request) -> AppFacts:
        """What the app of a model is made from. Raises NotFound."""
        data, model = self._data, check_model_name(request.path_params["model"])
        own = {each.stage: each for each in data.deployments() if each.model == model}
        live = next(
            (
                each
                for each in (own.get("production"), own.get("staging"))
                if each is not None and each.live is not None
            ),
            None,
        )
        name = f"{model}@{live.live}" if live is not None else model
        release = data.registry.release(name)
        return AppFacts(
            release=release,
            stage=live.stage if live is not None else None,
            card=data.registry.card(model),
            deployments=list(own.values()),
            status=data.status(),
            typed=example_values(release.signature),
            now=data.now(),
            signed_in=signed_in(request),
        )

    # ---------- one row ----------

    def form(self, request: Request) -> Response:
        return self._page(self._facts(request))

    def _page(self, facts: AppFacts, status: int = 200) -> Response:
        return self._site.page("app.html", app_page(facts), status)

    async def ask(self, request: Request) -> Response:
        form = await own_form(request)
        typed = {
            name.removeprefix(PREFIX): value.replace("\r\n", "\n")
            for name, value in form.items()
            if name.startswith(PREFIX)
        }
        return await run_in_threadpool(self._ask, request, typed)

    def _ask(self, request: Request, typed: Mapping[str, str]) -> Response:
        facts = replace(self._facts(request), typed=typed)
        parsed = parse_row(facts.release.signature, typed)
        if parsed.errors or facts.stage is None:
            return self._page(replace(facts, errors=parsed.errors), 422)
        prediction = self._data.predict(self._target(facts), parsed.row)
        status = 422 if prediction.problems else 502 if prediction.failure else 200
        return self._page(replace(facts, prediction=prediction), status)

    def _target(self, facts: AppFacts) -> str:
        """The model, so that its traffic is routed as any caller's; in staging the release."""
        release = facts.release
        return release.model if facts.stage == "production" else release.name

    # ---------- many rows ----------

    def example(self, request: Request) -> Response:
        release = self._facts(request).release
        try:
            rows = list(self._data.sample_rows(release))[:EXAMPLE_ROWS]
        except Damaged:
            rows = []
        content = example_table(release.signature, rows)
        return download(content, f"{release.model}-example.csv", "text/csv; charset=utf-8")

    async def table(self, request: Request) -> Response:
        name, content = await _uploaded(request)
        return await run_in_threadpool(self._table, request, name, content)

    def _table(self, request: Request, name: str, content: bytes) -> Response:
        facts = self._facts(request)
        try:
            table = read_table(content, facts.release.signature)
        except UnreadableTable as error:
            return self._page(replace(facts, upload=Upload(name, str(error))), 422)
        if table.wrong:
            upload = Upload(name, "", table.problems, table.wrong)
            return self._page(replace(facts, upload=upload), 422)
        found = self._answers(facts, table)
        if isinstance(found, Upload):
            return self._page(replace(facts, upload=replace(found, name=name)), 502)
        content = write_answers(table, found)
        return download(content, f"{facts.release.model}-answers.csv", "text/csv; charset=utf-8")

    def _answers(
        self, facts: AppFacts, table: UploadedTable
    ) -> list[Mapping[str, Any] | str] | Upload:
        """An answer a row, asked some at a time; or why there are none."""
        if facts.stage is None:
            return Upload("", f"Nothing of {facts.release.model} is live, so nothing was asked.")
        found: list[Mapping[str, Any] | str] = []
        for first in range(0, len(table.rows), ROWS_AT_ONCE):
            rows = table.rows[first : first + ROWS_AT_ONCE]
            answers = self._data.predict_rows(self._target(facts), rows)
            if answers.problems:
                one = answers.problems[0]
                line = table.lines[first + one.row]
                return Upload("", f"Line {line}, {one.said.field}: {one.said.message}")
            if not answers.rows:
                return Upload("", answers.failure or "The gateway gave no answer.")
            found += [_flat(each) for each in answers.rows]
        return found

    # ---------- the card ----------

    def card(self, request: Request) -> Response:
        return self._card(request)

    def _card(
        self,
        request: Request,
        typed: Mapping[str, str] | None = None,
        refused: str = "",
        status: int = 200,
        errors: Mapping[str, str] | None = None,
    ) -> Response:
        data, model = self._data, check_model_name(request.path_params["model"])
        facts = CardFacts(
            card=data.registry.card(model),
            signature=self._facts(request).release.signature,
            typed=typed,
            refused=refused,
            token=self._site.tokens.make(f"card {model}"),
            now=data.now(),
            errors=errors or {},
            signed_in=signed_in(request),
        )
        return self._site.page("card.html", card_page(facts), status)

    async def write_card(self, request: Request) -> Response:
        form = await own_form(request)
        return await run_in_threadpool(self._write_card, request, form)

    def _write_card(self, request: Request, form: Mapping[str, str]) -> Response:
        model = check_model_name(request.path_params["model"])
        card = self._data.registry.card(model)
        if not self._site.tokens.holds(f"card {model}", form.get("token", "")):
            why = "Your page was from before a restart of Roadworthy. Nothing was written yet."
            return self._card(request, form, why, 403)
        errors = too_long(form)
        if errors:
            return self._card(request, form, status=422, errors=errors)
        written = msgspec.structs.replace(
            card,
            generation=generation_in(form),
            caller=CALLER,
            labels=_named(form, LABEL),
            units=_named(form, UNIT),
            **{name: form.get(name, "").replace("\r\n", "\n").strip() for name, _, _, _ in TEXTS},
        )
        same = msgspec.structs.replace(
            written, generation=card.generation, caller=card.caller, changed=card.changed
        )
        if same != card:  # pressed twice: the second press finds it written
            try:
                self._data.registry.write_card(written)
            except Conflict as conflict:
                why = conflict.message[:1].upper() + conflict.message[1:]
                why += ". Nothing was written; what you typed stands below."
                return self._card(request, form, why, 409)
        return RedirectResponse(f"{model_path(model)}#card", status_code=303)


def _named(form: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value.strip()
        for name, value in form.items()
        if name.startswith(prefix) and value.strip()
    }


def _flat(prediction: Prediction) -> Mapping[str, Any] | str:
    """Output → value, or output:column → value; the reason where there is no answer."""
    if prediction.rejected or prediction.failure:
        return prediction.rejected or prediction.failure
    flat: dict[str, Any] = {}
    for name, value in prediction.values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}:{column}": each for column, each in value.items()}
        else:
            flat[name] = value
    return flat


async def _uploaded(request: Request) -> tuple[str, bytes]:
    """The name and content of the file in a form of our own page."""
    check_own_page(request)
    body = await read_body(
        request, MOST_BYTES + 64 * 1024, "send a table up to 10 MiB; larger ones: roadworthy batch"
    )

    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, once(), max_files=1, max_fields=10).parse()
    except (MultiPartException, KeyError, ValueError):
        raise UsageError("the form can't be read", cure="send it from the page") from None
    file = form.get("table")
    if not isinstance(file, UploadFile):
        address = app_path(request.path_params["model"])
        raise UsageError("no file was chosen", cure=f"choose one at {address}")
    content = await file.read()
    await form.close()
    return file.filename or "the table", content
