"""Templates: HTML from a view. Everything is escaped; a name that a view forgot is an error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

STATIC = Path(__file__).parent / "static"
_TEMPLATES = Path(__file__).parent / "templates"


def _stamp() -> str:
    """Changes with what the browser may keep, so that an upgrade is seen at once."""
    digest = hashlib.sha256()
    for name in ("style.css", "ui.js"):
        digest.update((STATIC / name).read_bytes())
    return digest.hexdigest()[:8]


class Renderer:
    """Renders the templates of this folder."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["stamp"] = _stamp()

    def __call__(self, template: str, view: Mapping[str, Any]) -> str:
        """The page as text. Raises jinja2.UndefinedError where the view lacks a name."""
        return self._environment.get_template(template).render(view)
