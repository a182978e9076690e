"""What a model was asked and answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from roadworthy.core.moments import parse_moment
from roadworthy.core.names import check_model_name
from roadworthy.errors import UsageError
from roadworthy.serving.log_query import EPOCH, MICROSECOND, Asked, Place
from roadworthy.ui.guard import signed_in
from roadworthy.ui.requests import whole_number
from roadworthy.ui.site import Site
from roadworthy.ui.views.log import FIELDS, PAGE, LogFacts, log_page
from roadworthy.ui.views.parts import model_path

SEARCH_SECONDS = 0.12
"""How long a page looks for rows before it shows what it has, and how far it came.

The first segment is not counted: a process that has just begun loads its libraries there."""


def routes(site: Site) -> list[BaseRoute]:
    """Where the prediction log of a model is."""

    def show(request: Request) -> Response:
        model = check_model_name(request.path_params["model"])
        site.data.registry.release(model)  # raises NotFound, with the nearest names
        typed = {name: request.query_params.get(name, "")[:300] for name in FIELDS}
        asked, errors = read_asked(model, typed, site.data.now())
        found = None if errors else site.data.search_log(asked, _for(SEARCH_SECONDS))
        facts = LogFacts(
            model=model,
            typed=typed,
            errors=errors,
            found=found,
            after=_after(model, typed, found.rows[-1]) if found and len(found.rows) == PAGE else "",
            deployments=[each for each in site.data.deployments() if each.model == model],
            now=site.data.now(),
            signed_in=signed_in(request),
        )
        return site.page("log.html", log_page(facts), 422 if errors else 200)

    return [Route("/models/{model}/log", show)]


def _for(seconds: float) -> Callable[[], bool]:
    """Holds for so long from when it is asked first."""
    until: float | None = None

    def go_on() -> bool:
        nonlocal until
        until = until or time.monotonic() + seconds
        return time.monotonic() < until

    return go_on


def read_asked(model: str, typed: Mapping[str, str], now: datetime) -> tuple[Asked, dict[str, str]]:
    """What is asked for, and a reason per field that can't be read."""
    errors: dict[str, str] = {}
    moments: dict[str, datetime | None] = {"since": None, "until": None}
    for name in moments:
        if not typed[name].strip():
            continue
        try:
            moments[name] = parse_moment(typed[name], now, whole_day=name == "until")
        except UsageError:
            errors[name] = (
                f"“{typed[name][:60]}” is no moment. Write 90m, 2h or 3d, or 2026-03-01T12:00."
            )
    since, until = moments["since"], moments["until"]
    if since is not None and until is not None and since >= until:
        errors["until"] = "This is not after the moment from which on rows are wanted."
    release = typed["release"].strip().removeprefix(f"{model}@").removeprefix("@")
    if release and whole_number(release, least=1) is None:
        errors["release"] = f"“{release[:60]}” is no release. Write its number, such as 12."
    asked = Asked(
        model=model,
        release="" if "release" in errors else release,
        since=since,
        until=until,
        request_id=typed["request"].strip(),
        caller=typed["caller"].strip(),
        key=typed["key"].strip(),
        unanswered=typed["only"] == "unanswered",
        checks=typed["checks"] == "too",
        beyond=_place(typed["beyond"]),
        most=PAGE,
    )
    return asked, errors


def _place(text: str) -> Place | None:
    """The row after which a page begins; None where the text names none."""
    micros, _, rest = text.partition(".")
    row, _, request = rest.partition(".")
    at, number = _instant(micros), whole_number(row)
    if at is None or number is None or not request:
        return None
    return (EPOCH + MICROSECOND * at, request, number)


def _instant(text: str) -> int | None:
    latest = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
    fine = text.isascii() and text.isdigit() and len(text) < 20 and int(text) < latest
    return int(text) if fine else None


def _after(model: str, typed: Mapping[str, str], last: Mapping[str, object]) -> str:
    """The address of the rows after the last one that is shown."""
    at = last["time"]
    assert isinstance(at, datetime)
    beyond = f"{(at - EPOCH) // MICROSECOND}.{last['row']}.{last['request_id']}"
    given = {name: value for name, value in typed.items() if value and name != "beyond"}
    return f"{model_path(model)}/log?{urlencode({**given, 'beyond': beyond})}"
