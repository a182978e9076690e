"""The dashboard and the page on metrics speak of the numbers that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from roadworthy.serving.metrics import STAGES, Metrics

PAGES = Path(__file__).parents[3] / "docs" / "how-to"


def exported() -> set[str]:
    """The names of all samples, each counter and histogram with one value."""
    metrics = Metrics()
    for counted in vars(metrics).values():
        names = getattr(counted, "_labelnames", None) or getattr(counted, "_labels", ())
        child = counted.labels(*("x" for _ in names)) if names else counted
        if hasattr(child, "observe"):
            child.observe(1.0)
        elif hasattr(child, "inc") and names:
            child.inc(0)
    families = text_string_to_metric_families(metrics.text().decode())
    return {sample.name for family in families for sample in family.samples}


def test_every_query_of_the_dashboard_names_a_number_that_is_exported():
    board = json.loads((PAGES / "gateway-dashboard.json").read_text("utf-8"))
    queries = [each["expr"] for panel in board["panels"] for each in panel["targets"]]
    assert len(queries) > 12
    named = {name for query in queries for name in re.findall(r"roadworthy_\w+", query)}
    assert named <= exported()
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_page_names_every_number_and_every_stage():
    page = (PAGES / "watch-the-gateway.md").read_text("utf-8")
    named = set(re.findall(r"`(roadworthy_\w+)`", page))
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported()}
    assert named == plain
    assert all(f"`{stage}`" in page for stage in STAGES)
