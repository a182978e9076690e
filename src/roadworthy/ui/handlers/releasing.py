"""What is done with a release: promoted to a stage, and its notes written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from roadworthy.core.names import Stage
from roadworthy.errors import Conflict, PolicyViolation
from roadworthy.ui.guard import signed_in
from roadworthy.ui.health import release_name
from roadworthy.ui.requests import generation_in, own_form, release_of, stage_in
from roadworthy.ui.site import CALLER, Site
from roadworthy.ui.views.notes import MOST, NotesFacts, notes_page
from roadworthy.ui.views.parts import model_path, release_path, sentence
from roadworthy.ui.views.promote import MOST_REASON, PromoteFacts, promote_page

RESTARTED = "Your page was from before a restart of Roadworthy. Look again, and press again."
_OPERATIONS = 50


def routes(site: Site) -> list[BaseRoute]:
    """Where releases are promoted and their notes written."""
    promoting, notes = _Promoting(site), _Notes(site)
    own = "/models/{model}/releases/{number:int}"
    return [
        Route(f"{own}/promote", promoting.form, methods=["GET"]),
        Route(f"{own}/promote", promoting.press, methods=["POST"]),
        Route(f"{own}/notes", notes.form, methods=["GET"]),
        Route(f"{own}/notes", notes.write, methods=["POST"]),
    ]


class _Promoting:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = site.data

    def _facts(self, request: Request, stage: Stage) -> PromoteFacts:
        """What the page is made from. Raises NotFound."""
        data = self._data
        release = data.registry.release(release_name(*release_of(request)))
        own = [each for each in data.deployments() if each.model == release.model]
        return PromoteFacts(
            release=release,
            stage=stage,
            certificate=data.registry.latest_certificate(release.digest),
            deployment=next((each for each in own if each.stage == stage), None),
            deployments=own,
            history=data.history(release.model),
            going=next(
                (
                    each
                    for each in data.operations(_OPERATIONS)
                    if each.state == "running"
                    and each.kind != "verify"
                    and (each.model, each.stage) == (release.model, stage)
                ),
                None,
            ),
            status=data.status(),
            token=self._site.tokens.make(_purpose("promote", release.name, stage)),
            now=data.now(),
            signed_in=signed_in(request),
        )

    def _page(self, facts: PromoteFacts, status: int = 200) -> Response:
        return self._site.page("promote.html", promote_page(facts), status)

    def form(self, request: Request) -> Response:
        stage: Stage = "staging" if request.query_params.get("to") == "staging" else "production"
        return self._page(self._facts(request, stage))

    async def press(self, request: Request) -> Response:
        form = await own_form(request)
        return await run_in_threadpool(self._press, request, form)

    def _press(self, request: Request, form: Mapping[str, str]) -> Response:
        stage, generation = stage_in(form), generation_in(form)
        reason = form.get("reason", "").strip()
        facts = replace(self._facts(request, stage), typed=reason)
        name = facts.release.name
        if not self._site.tokens.holds(_purpose("promote", name, stage), form.get("token", "")):
            return self._page(replace(facts, refused=RESTARTED), 403)
        if len(reason) > MOST_REASON:
            error = f"These are {len(reason):,} characters; {MOST_REASON} fit."
            return self._page(replace(facts, error=error), 422)
        try:
            begun = self._data.promote(name, stage, generation, CALLER, reason)
        except Conflict as conflict:
            now = replace(self._facts(request, stage), typed=reason)
            asked = now.deployment.asked if now.deployment else 0
            if asked > generation:
                return self._page(replace(now, seen=generation), 409)
            return self._page(replace(now, refused=sentence(conflict)), 409)
        except PolicyViolation as refusal:
            return self._page(replace(facts, refused=sentence(refusal)), 409)
        query = urlencode({"begun": begun.id})
        return RedirectResponse(f"{model_path(facts.release.model)}?{query}", status_code=303)


class _Notes:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = site.data

    def _facts(self, request: Request) -> NotesFacts:
        """What the page is made from. Raises NotFound."""
        data = self._data
        release = data.registry.release(release_name(*release_of(request)))
        return NotesFacts(
            release=release,
            deployments=[each for each in data.deployments() if each.model == release.model],
            seen=_digest(release.notes),
            token=self._site.tokens.make(_purpose("notes", release.name)),
            now=data.now(),
            signed_in=signed_in(request),
        )

    def _page(self, facts: NotesFacts, status: int = 200) -> Response:
        return self._site.page("notes.html", notes_page(facts), status)

    def form(self, request: Request) -> Response:
        return self._page(self._facts(request))

    async def write(self, request: Request) -> Response:
        form = await own_form(request)
        return await run_in_threadpool(self._write, request, form)

    def _write(self, request: Request, form: Mapping[str, str]) -> Response:
        typed = form.get("notes", "").replace("\r\n", "\n").strip()
        facts = replace(self._facts(request), typed=typed)
        release = facts.release
        if not self._site.tokens.holds(_purpose("notes", release.name), form.get("token", "")):
            return self._page(replace(facts, refused=RESTARTED), 403)
        if len(typed) > MOST:
            error = f"These are {len(typed):,} characters; {MOST:,} fit."
            return self._page(replace(facts, error=error), 422)
        try:
            if release.notes != typed:  # pressed twice: the second press finds it written
                if form.get("seen") != facts.seen:
                    raise Conflict(f"the notes of {release.name} were changed meanwhile")
                self._data.registry.set_notes(release.name, typed, replacing=release.notes)
        except Conflict as conflict:
            now = replace(self._facts(request), typed=typed, refused=sentence(conflict))
            return self._page(now, 409)
        return RedirectResponse(release_path(release.model, release.number), status_code=303)


def _purpose(*words: str) -> str:
    return " ".join(words)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
