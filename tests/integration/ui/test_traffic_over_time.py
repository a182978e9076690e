"""Traffic on the pages of a model and a release; runs a page at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from httpx import Client
from tests.integration.ui.day import run_of
from tests.integration.ui.servers import text_of

from roadworthy.serving.metrics import Metrics

MODEL = "/models/flight-delay"


def test_what_releases_were_asked_is_drawn_over_time(
    world: Any, client_of: Callable[..., Client]
) -> None:
    metrics = Metrics()
    client = client_of(world, metrics=lambda: metrics.text().decode())
    began = world.now
    page = client.get(MODEL)
    assert "Nothing was asked in the last hour. A point is made every 30 s." in text_of(page)
    for place in range(1, 4):
        for release, times in (("flight-delay@3", 60), ("flight-delay@4", 6)):
            metrics.requests.labels(release, "plain", "200").inc(times)
            metrics.seconds.labels(release).observe(0.004)
            for stage in ("decode", "worker"):
                metrics.stages.labels(release, stage).observe(0.0005)
        metrics.requests.labels("flight-delay@3", "plain", "503").inc(3)
        world.now = began + timedelta(seconds=30 * place)
        page = client.get(MODEL)
    for said in (
        "Requests per second, from 10:40 to 10:41: @3 between 2.1 and 2.1, at last 2.1; "
        "@4 between 0.2 and 0.2, at last 0.2",
        "Errors, % of requests, from 10:40 to 10:41: @3 between 4.76 and 4.76, at last 4.76",
    ):
        assert f'aria-label="{said}' in page.text
    assert page.text.count('<path class="candidate') == 3
    assert "2.1 and 0.2 now" in text_of(page)
    text = text_of(page)
    assert "p95 of @3 when certified" in text
    assert "Where a request's time goes mean by stage Stage P @3 S @4" in text
    assert "decode bytes to values 0.5 ms 0.5 ms" in text
    assert "queue until a worker is free not known not known" in text
    for window, words in (("6h", "6 hours"), ("24h", "24 hours"), ("7d", "7 days")):
        longer = client.get(f"{MODEL}?over={window}")
        assert f"Live traffic, last {words}" in text_of(longer)
        assert 'aria-label="Requests per second, from 10:40 to 10:41: @3' in longer.text
    over = "Traffic of the last 24 hours: at most 2.1 requests per second"
    assert f'aria-label="{over}"' in client.get("/").text
    own = text_of(client.get(f"{MODEL}/releases/4"))
    assert "Answered by @4, last 1 min 30 s" in own
    assert "worker socket, flow and back 0.5 ms" in own
    assert "Live traffic" not in text_of(client.get(f"{MODEL}/releases/1"))


def test_runs_are_a_page_away_and_none_is_lost(
    world: Any, client_of: Callable[..., Client]
) -> None:
    for _ in range(110):
        world.registry.record_run(run_of(world.registry, world.at(minutes=1)), None, {})
    client = client_of(world)
    path, seen, pages = "/runs", [], 0
    while path:
        page = client.get(path).text
        seen += re.findall(r'<a href="/runs/([^"?]+)"', page)
        following = re.search(r'href="(/runs\?before=[^"]+)"[^>]*rel="next"', page)
        path, pages = following.group(1) if following else "", pages + 1
    assert pages == 3
    assert len(seen) == len(set(seen)) == 115
    assert "The newest 50 runs" in text_of(client.get("/runs"))
    assert "4 runs, none of them failed." in text_of(client.get("/runs?model=flight-delay"))
    assert client.get("/runs?model=No!Such").status_code == 404
    assert "No run here." in text_of(client.get("/runs?before=0"))


def test_a_home_without_runs_says_what_brings_one(
    empty_world: Any, client_of: Callable[..., Client]
) -> None:
    said = text_of(client_of(empty_world).get("/runs"))
    assert "No run yet." in said
    assert "roadworthy deploy train.py" in said
