"""The command ``logs``: what a model was asked and answered, and what the processes wrote."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from roadworthy.cli.options import Json
from roadworthy.cli.output import emit_json, plain, say, say_page, table
from roadworthy.cli.session import settings_of
from roadworthy.core.moments import parse_moment
from roadworthy.core.names import nearest
from roadworthy.errors import NotFound, UsageError
from roadworthy.operations.logs import log_files, read_log, tail
from roadworthy.settings import Settings

_ABOUT = ("time", "request_id", "row", "release", "status", "total_us")


def logs(
    name: Annotated[
        str,
        typer.Argument(
            help="A model or a release: its prediction log. Or control, agent, gateway, "
            "supervisor, a worker's: what that process wrote."
        ),
    ] = "",
    since: Annotated[str, typer.Option(help="From then on: 2h, 3d, 2026-03-01T12:00.")] = "",
    until: Annotated[str, typer.Option(help="Until then; a day includes all of it.")] = "",
    release: Annotated[
        str, typer.Option(help="Only this release; without a name: its workers' own logs.")
    ] = "",
    request: Annotated[str, typer.Option(help="Only this request id.")] = "",
    caller: Annotated[str, typer.Option(help="Only this caller.")] = "",
    key: Annotated[str, typer.Option(help="Only this key (x-request-key).")] = "",
    rejected: Annotated[
        bool, typer.Option(help="Only what got no answer: rejected, failed, refused.")
    ] = False,
    checks: Annotated[
        bool, typer.Option(help="Also what certification asked, which is left out otherwise.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many.")] = 50,
    as_json: Json = False,
) -> None:
    """What a model was asked and answered, or what Roadworthy's processes wrote."""
    settings = settings_of()
    model, _, number = name.partition("@")
    narrowed = {
        "--since": since, "--until": until, "--request": request, "--caller": caller, "--key": key,
        "--rejected": rejected, "--checks": checks,
    }  # fmt: skip
    given = [option for option, value in narrowed.items() if value]
    files = log_files(settings)
    if (
        name
        and not (name in files and not given)
        and _is_model(settings, model, name, files, given)
    ):
        from roadworthy.serving.log_query import Asked, find_rows

        asked = Asked(
            model=model,
            release=number or release.rpartition("@")[2],
            since=parse_moment(since) if since else None,
            until=parse_moment(until, whole_day=True) if until else None,
            request_id=request,
            caller=caller,
            key=key,
            unanswered=rejected,
            checks=checks,
            most=lines,
        )
        _print_rows(find_rows(settings.predictions, asked), as_json)
        if not as_json:
            say_page(settings.control_address, f"/models/{model}/log")
        return
    if given:
        raise UsageError(f"{given[0]} needs a model", cure=f"roadworthy logs MODEL {given[0]} …")
    _print_logs(settings, name, release, lines, as_json)


def _is_model(
    settings: Settings, model: str, name: str, files: dict[str, Any], given: list[str]
) -> bool:
    """Whether the prediction log is meant. Raises NotFound where the name is nothing known."""
    from roadworthy.serving.log_query import logged_models

    models = logged_models(settings.predictions)
    if model in models or given or "@" in name:
        return True
    if name in files:
        return False
    close = nearest(name, [*models, *files])
    raise NotFound(
        f"there is no log of {name!r}",
        cure=f"did you mean {' or '.join(close)}?"
        if close
        else f"there are: {', '.join([*models, *files]) or 'none; roadworthy up'}",
    )


def _print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        emit_json({"rows": rows})
        return
    if not rows:
        say("nothing in the prediction log fits")
        return
    shown = []
    for row in rows:
        time, request_id, place, release, status, micros = (row[name] for name in _ABOUT)
        at = time.strftime("%Y-%m-%d %H:%M:%S")
        ms = f"{micros / 1000:.2f}"
        shown.append([at, request_id, place, release, status, ms, _outcome(row)])
    table(["time (UTC)", "request", "row", "release", "status", "ms", "answer"], shown)


def _outcome(row: dict[str, Any]) -> str:
    """What became of a row, in a line."""
    for name in ("refused", "rejected", "error"):
        if row[name] is not None:
            return f"{name}: {row[name]}"
    outputs = [f"{k.partition(':')[2]}={v}" for k, v in row.items() if k.startswith("output:")]
    text = "  ".join(outputs)
    return text if len(text) <= 80 else text[:79] + "…"


def _print_logs(settings: Settings, name: str, release: str, lines: int, as_json: bool) -> None:
    files = log_files(settings)
    if release:
        chosen = {key: path for key, path in files.items() if key.startswith(release)}
        if not chosen:
            raise NotFound(f"no worker of {release} has a log here", cure="roadworthy logs")
        found = {key: tail(path, lines) for key, path in chosen.items()}
    elif name:
        found = {name: read_log(settings, name, lines)}
    elif not files:
        raise NotFound(f"there are no logs in {settings.home}", cure="roadworthy up")
    else:
        found = {key: tail(path, min(lines, 5)) for key, path in files.items()}
    if as_json:
        emit_json(found)
        return
    for key, texts in found.items():
        if len(found) > 1:
            say(f"── {key}")
        for text in texts:
            say(plain(text))
