"""What comes in with a request and goes out as a download: forms, numbers, addresses of our own."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import Response

from roadworthy.core.names import STAGES, Stage
from roadworthy.errors import NotAllowed, NotFound, UsageError
from roadworthy.ui.security import from_own_page

MOST_FORM_BYTES = 1024 * 1024
MOST_FIELDS = 5000
HIGHEST_NUMBER = 999_999_999


def release_of(request: Request) -> tuple[str, int]:
    """The model and number in a release's address. Raises NotFound."""
    model, number = request.path_params["model"], request.path_params["number"]
    if not 0 < number <= HIGHEST_NUMBER:
        raise NotFound(
            f"{model} has no release with such a number", cure=f"roadworthy releases {model}"
        )
    return model, number


def whole_number(text: str, least: int = 0) -> int | None:
    """The number that a text is; None where it is none that an address of ours would hold.

    >>> whole_number("12"), whole_number("-1"), whole_number("١"), whole_number("")
    (12, None, None, None)
    """
    fine = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if fine and int(text) >= least else None


def check_own_page(request: Request) -> None:
    """Raises NotAllowed where a form was sent from elsewhere than a page of ours."""
    if not from_own_page(request.headers, request.headers.get("host", "")):
        raise NotAllowed(
            "this was not sent by a page of Roadworthy, so nothing was done",
            cure="open the page itself and press there",
        )


async def read_body(request: Request, most: int, cure: str) -> bytes:
    """The whole body. Raises UsageError where it is longer than ``most`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise UsageError(f"the form is larger than {most // 1024**2} MiB", cure=cure)
    return bytes(body)


async def own_form(request: Request) -> dict[str, str]:
    """What a form of our own page sent. Raises NotAllowed where it comes from elsewhere."""
    check_own_page(request)
    body = await read_body(request, MOST_FORM_BYTES, "use the gateway or the client")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise UsageError("the form can't be read", cure="send it from the page") from None
    return dict(pairs)


def stage_in(form: Mapping[str, str]) -> Stage:
    """The stage that a form names. Raises UsageError."""
    for stage in STAGES:
        if form.get("stage") == stage:
            return stage
    raise UsageError("no such stage", cure=f"one of {', '.join(STAGES)}")


def generation_in(form: Mapping[str, str]) -> int:
    """The generation that a form was made from. Raises UsageError."""
    found = whole_number(form.get("generation", ""))
    if found is None:
        raise UsageError("the form does not say what it was made from", cure="load the page again")
    return found


def local(address: str) -> str:
    """The address if it is one of ours; a redirect leads nowhere else.

    >>> local("/models/a"), local("//evil.example"), local("https://evil.example")
    ('/models/a', '/', '/')
    """
    fine = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if fine and address.isprintable() else "/"


def download(body: bytes, name: str, media_type: str) -> Response:
    """A file to be kept, never shown in place."""
    return Response(
        body,
        media_type=media_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"},
    )
