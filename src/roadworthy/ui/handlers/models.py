"""The list of models."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from roadworthy.ui.guard import signed_in
from roadworthy.ui.requests import whole_number
from roadworthy.ui.site import Site
from roadworthy.ui.views.models import Asked, models_page


def routes(site: Site) -> list[BaseRoute]:
    """Where the list of models is."""

    def models(request: Request) -> Response:
        query = request.query_params
        asked = Asked(
            search=query.get("q", "")[:200],
            sort=query.get("sort", ""),
            page=whole_number(query.get("page", ""), least=1) or 1,
        )
        return site.page("models.html", models_page(site.reader.models(asked, signed_in(request))))

    return [Route("/models", models)]
