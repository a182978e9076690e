"""Errors as pages, and the page that asks for the token."""

from __future__ import annotations

from datetime import datetime

from roadworthy.errors import RoadworthyError
from roadworthy.ui.views.parts import View, page, sentence

_HEADINGS = {
    400: "This can't be done as it was asked.",
    401: "You are not signed in.",
    403: "This is not allowed.",
    404: "There is nothing here.",
    405: "This can't be done here.",
    409: "The state has moved on.",
    421: "These pages have another name.",
    503: "A part of Roadworthy does not answer.",
}


def problem_page(error: RoadworthyError, status: int, now: datetime, signed_in: bool) -> View:
    """The thing, the reason, the cure, in that order."""
    heading = _HEADINGS.get(status, "This page could not be made.")
    return {
        "page": page(heading.rstrip("."), now, command="roadworthy doctor", signed_in=signed_in),
        "heading": heading,
        "message": sentence(error),
        "cure": error.cure,
    }


def sign_in_page(now: datetime, next_: str, error: str = "") -> View:
    """The form that asks for the token."""
    return {"page": page("Sign in", now, nav=None), "next": next_, "error": error}
