"""The capture report as a page of its own: one file, without scripts, that opens anywhere."""

from __future__ import annotations

import re

from markupsafe import Markup

from roadworthy.core.capture import CaptureReport
from roadworthy.ui.render import STATIC, Renderer
from roadworthy.ui.views.capture import capture_view


def report_page(title: str, report: CaptureReport) -> str:
    """The HTML of a capture report; the stylesheet is inside, and nothing is loaded from elsewhere.

    ``title`` names the flow.
    """
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    style = re.sub(r"@font-face\s*{[^}]*}", "", style)
    answered = f"Captured {report.kept + report.frozen} of {report.statements} statements."
    view = {
        "title": title,
        "lead": answered,
        "style": Markup(style),
        "capture": capture_view(report),
    }
    return Renderer()("report.html", view)
