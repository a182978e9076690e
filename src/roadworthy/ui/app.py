"""The pages over HTTP: routes, forms, errors. What is shown is decided in ``views``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from roadworthy.certification.documents import encode_certificate
from roadworthy.certification.junit import to_junit
from roadworthy.core.certificate import Certificate
from roadworthy.core.names import ReleaseName, Stage
from roadworthy.core.release import Release
from roadworthy.errors import Conflict, NotFound, RoadworthyError, UsageError
from roadworthy.ui.data import PageData
from roadworthy.ui.forms import PREFIX, parse_row
from roadworthy.ui.guard import Guard, signed_in
from roadworthy.ui.handlers import apps, comparing, models, releasing, runs, system
from roadworthy.ui.handlers import data as versioned_data
from roadworthy.ui.handlers import log as prediction_log
from roadworthy.ui.reading import roll_back_purpose
from roadworthy.ui.render import STATIC
from roadworthy.ui.requests import (
    download,
    generation_in,
    local,
    own_form,
    release_of,
    stage_in,
    whole_number,
)
from roadworthy.ui.security import (
    SESSION_COOKIE,
    SESSION_SECONDS,
    make_session,
    same_token,
)
from roadworthy.ui.site import CALLER, Site
from roadworthy.ui.traffic import OVER, SHORTEST, Traffic
from roadworthy.ui.views.home import home
from roadworthy.ui.views.model import model_page
from roadworthy.ui.views.parts import sentence
from roadworthy.ui.views.problem import problem_page, sign_in_page
from roadworthy.ui.views.release import ReleaseFacts, release_page
from roadworthy.ui.views.trial import try_page

log = logging.getLogger(__name__)


def mount_pages(app: Starlette, data: PageData, traffic: Traffic | None = None) -> Traffic:
    """Add the pages to a FastAPI or Starlette app, under ``/``: call it after every other route.

    ``data`` is what the pages ask: ``page_data(desired, registry, GatewayClient(…), …)``. Returns
    the ``Traffic`` in use: whoever owns a loop calls its ``look(now)`` about every 15 s, so that
    rates are known when a page is opened; pages look by themselves too.
    """
    used = traffic or Traffic(data.metrics, data.tracks)
    app.mount("/", _application(data, used), name="pages")
    return used


def _application(data: PageData, traffic: Traffic) -> ASGIApp:
    site = Site(data, traffic)
    pages = _Pages(site)
    application = Starlette(
        routes=[
            Route("/", pages.home),
            *models.routes(site),
            *comparing.routes(site),
            *releasing.routes(site),
            *apps.routes(site),
            *system.routes(site),
            *versioned_data.routes(site),
            *prediction_log.routes(site),
            *runs.routes(site),
            Route("/models/{model}", pages.model),
            Route("/models/{model}/rollback", pages.roll_back, methods=["POST"]),
            Route("/models/{model}/releases/{number:int}", pages.release),
            Route("/models/{model}/releases/{number:int}/try", pages.try_form, methods=["GET"]),
            Route("/models/{model}/releases/{number:int}/try", pages.try_it, methods=["POST"]),
            Route("/models/{model}/releases/{number:int}/certificate.json", pages.certificate),
            Route("/models/{model}/releases/{number:int}/certificate.xml", pages.junit),
            Route("/models/{model}/releases/{number:int}/flow/{path:path}", pages.flow_file),
            Route("/sign-in", pages.sign_in_form, methods=["GET"]),
            Route("/sign-in", pages.sign_in, methods=["POST"]),
            Route("/sign-out", pages.sign_out, methods=["POST"]),
            Mount("/static", _Static(directory=STATIC)),
        ],
        exception_handlers={
            RoadworthyError: pages.problem,
            HTTPException: pages.http_problem,
            Exception: pages.failure,
        },
    )
    return Guard(application, data, pages.show_problem)


class _Static(StaticFiles):
    """The stylesheet, script and font: addresses of the first two change with their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


class _Pages:
    """One method per address. Those that only read run on a thread of their own."""

    def __init__(self, site: Site) -> None:
        self._data = site.data
        self._tokens = site.tokens
        self._reader = site.reader
        self._page = site.page

    # ---------- what is there ----------

    def home(self, request: Request) -> Response:
        return self._page("home.html", home(self._reader.home(signed_in(request))))

    def model(self, request: Request) -> Response:
        done = whole_number(request.query_params.get("done", ""))
        over = request.query_params.get("over", "")
        facts = self._reader.model(
            request.path_params["model"],
            signed_in(request),
            done=done,
            begun=request.query_params.get("begun", ""),
            over=over if over in OVER else SHORTEST,
        )
        return self._page("model.html", model_page(facts))

    def release(self, request: Request) -> Response:
        model, number = release_of(request)
        facts = self._reader.release(model, number, signed_in(request))
        return self._page("release.html", release_page(facts))

    # ---------- downloads ----------

    def certificate(self, request: Request) -> Response:
        release, certificate = self._certified(request)
        return download(
            encode_certificate(certificate), f"{release.name}-certificate.json", "application/json"
        )

    def junit(self, request: Request) -> Response:
        release, certificate = self._certified(request)
        return download(to_junit(certificate), f"{release.name}-certificate.xml", "application/xml")

    def _certified(self, request: Request) -> tuple[Release, Certificate]:
        release = self._release(request)
        certificate = self._data.registry.latest_certificate(release.digest)
        if certificate is None:
            raise NotFound(
                f"{release.name} has no certificate", cure=f"roadworthy verify {release.name}"
            )
        return release, certificate

    def flow_file(self, request: Request) -> Response:
        path = request.path_params["path"]
        content = self._data.registry.file(self._release(request), path)
        return download(content, path.rpartition("/")[2], "application/octet-stream")

    def _release(self, request: Request) -> Release:
        model, number = release_of(request)
        return self._data.registry.release(str(ReleaseName(model=model, number=number)))

    # ---------- what is done ----------

    async def roll_back(self, request: Request) -> Response:
        form = await own_form(request)
        model = request.path_params["model"]
        stage, generation = stage_in(form), generation_in(form)
        if not self._tokens.holds(roll_back_purpose(model, stage), form.get("token", "")):
            why = "Your page was from before a restart of Roadworthy. Look again, and press again."
            return await run_in_threadpool(self._refused, request, model, why, 403)
        return await run_in_threadpool(self._roll_back, request, model, stage, generation)

    def _roll_back(self, request: Request, model: str, stage: Stage, generation: int) -> Response:
        try:
            after = self._data.roll_back(model, stage, generation, CALLER)
        except Conflict as conflict:
            if self._moved_on(model, stage, generation):
                facts = self._reader.model(model, signed_in(request), stale=(stage, generation))
                return self._page("model.html", model_page(facts), 409)
            return self._refused(request, model, sentence(conflict), 409)
        except NotFound as missing:
            if not self._known(model):
                raise
            return self._refused(request, model, sentence(missing), 409)
        address = f"/models/{quote(model, safe='')}?done={after.generation}"
        return RedirectResponse(address, status_code=303)

    def _moved_on(self, model: str, stage: Stage, generation: int) -> bool:
        return any(
            (each.model, each.stage) == (model, stage) and each.asked > generation
            for each in self._data.deployments()
        )

    def _known(self, model: str) -> bool:
        return any(each.model == model for each in self._data.deployments())

    def _refused(self, request: Request, model: str, why: str, status: int) -> Response:
        facts = self._reader.model(model, signed_in(request), refused=why)
        return self._page("model.html", model_page(facts), status)

    def try_form(self, request: Request) -> Response:
        model, number = release_of(request)
        facts = self._reader.release(model, number, signed_in(request))
        return self._page("try.html", self._trial(facts))

    def _trial(self, facts: ReleaseFacts, *typed: Any, **answered: Any) -> dict[str, Any]:
        with_token = self._data.token is not None
        return try_page(facts, self._data.gateway, *typed, **answered, with_token=with_token)

    async def try_it(self, request: Request) -> Response:
        form = await own_form(request)
        typed = {
            name.removeprefix(PREFIX): value.replace("\r\n", "\n")
            for name, value in form.items()
            if name.startswith(PREFIX)
        }
        return await run_in_threadpool(self._try, request, typed)

    def _try(self, request: Request, typed: Mapping[str, str]) -> Response:
        model, number = release_of(request)
        facts = self._reader.release(model, number, signed_in(request))
        parsed = parse_row(facts.release.signature, typed)
        if parsed.errors:
            return self._page("try.html", self._trial(facts, typed, parsed.errors), 422)
        prediction = self._data.predict(facts.release.name, parsed.row)
        status = 422 if prediction.problems else 502 if prediction.failure else 200
        view = self._trial(facts, typed, prediction=prediction)
        return self._page("try.html", view, status)

    # ---------- signing in, where a token is set ----------

    def sign_in_form(self, request: Request) -> Response:
        view = sign_in_page(self._data.now(), local(request.query_params.get("next", "/")))
        return self._page("sign_in.html", view)

    async def sign_in(self, request: Request) -> Response:
        form = await own_form(request)
        token, address = self._data.token, local(form.get("next", "/"))
        if token is None:
            return RedirectResponse(address, status_code=303)
        if not same_token(form.get("token", ""), token):
            view = sign_in_page(self._data.now(), address, "This is not the token.")
            return self._page("sign_in.html", view, 403)
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            SESSION_COOKIE,
            make_session(token),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        await own_form(request)
        response = RedirectResponse("/sign-in", status_code=303)
        response.delete_cookie(SESSION_COOKIE)
        return response

    # ---------- what went wrong ----------

    def problem(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RoadworthyError)
        return self.show_problem(request, error)

    def show_problem(
        self, request: Request, error: RoadworthyError, status: int | None = None
    ) -> Response:
        """An error as a page, or as a problem document under the API's addresses."""
        known = self._data.statuses.get(error.code, _STATUSES.get(error.code, 500))
        code = status or (404 if error.code == "invalid-name" else known)
        if request.url.path.startswith("/api/"):
            return JSONResponse(
                {"status": code, "detail": error.message, **error.problem()},
                code,
                media_type="application/problem+json",
            )
        view = problem_page(error, code, self._data.now(), signed_in(request))
        return self._page("problem.html", view, code)

    def http_problem(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            problem: RoadworthyError = UsageError(
                f"{request.method} can't be used on {request.url.path}", cure="open it with GET"
            )
        else:
            problem = NotFound(
                f"there is no page at {request.url.path}", cure="start from the overview"
            )
        return self.show_problem(request, problem, error.status_code)

    def failure(self, request: Request, error: Exception) -> Response:
        log.error("the page %s could not be made", request.url.path, exc_info=error)
        problem = RoadworthyError(
            f"this page could not be made: {type(error).__name__}", cure="roadworthy logs control"
        )
        return self.show_problem(request, problem, 500)


_STATUSES = {"not-found": 404, "conflict": 409, "not-allowed": 403, "usage": 400}
