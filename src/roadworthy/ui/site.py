"""What every group of pages is given: the data, the reader of facts, form tokens, templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, Response

from roadworthy.ui.data import PageData
from roadworthy.ui.reading import Reader
from roadworthy.ui.render import Renderer
from roadworthy.ui.security import FormTokens
from roadworthy.ui.traffic import Traffic

CALLER = "somebody at the pages"
"""Who acts where nobody has signed in by name."""


class Site:
    """One for each app."""

    def __init__(self, data: PageData, traffic: Traffic) -> None:
        self.data = data
        self.tokens = FormTokens()
        self.reader = Reader(data, traffic, self.tokens)
        self._render = Renderer()

    def page(self, template: str, view: Mapping[str, Any], status: int = 200) -> Response:
        """A page from its template and view."""
        return HTMLResponse(self._render(template, view), status_code=status)
