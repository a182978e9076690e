"""The prediction log over HTTP, from segments that a real log wrote."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from httpx import Client
from tests.integration.ui.day import EVIL
from tests.integration.ui.servers import text_of

from roadworthy.serving.log_query import Asked, Found
from roadworthy.ui.handlers.log import SEARCH_SECONDS

LOG = "/models/flight-delay/log"
REFUSED: dict[str, Any] = {
    "status": 422,
    "refused": "invalid-rows",
    "n": 0,
    "columns": None,
    "answered": None,
}


def test_rows_are_found_by_time_release_request_caller_and_outcome(
    world: Any, client_of: Callable[..., Client]
) -> None:
    world.asked(
        {"minutes": 1},
        {"minutes": 30, "caller": "night-batch", "request_id": "abc-7"},
        {"minutes": 60 * 30, **REFUSED},
    )
    world.asked({"minutes": 2, "request_id": "of-two"}, release="flight-delay@2")
    client = client_of(world)
    text = text_of(client.get(LOG))
    assert "4 rows, 1 of them without an answer." in text
    assert "scores 0.341" in text
    assert "refused: invalid-rows" in text
    for query, shown in (
        ("since=10m", {"01JQ8-0000", "of-two"}),
        ("until=1d", {"01JQ8-0002"}),
        ("release=flight-delay@2", {"of-two"}),
        ("request=abc-7", {"abc-7"}),
        ("caller=night-batch", {"abc-7"}),
        ("only=unanswered", {"01JQ8-0002"}),
    ):
        page = client.get(f"{LOG}?{query}")
        found = set(re.findall(r"<code>(01JQ8-\d+|abc-7|of-two)</code>", page.text))
        assert found == shown, query
    nothing = client.get(f"{LOG}?caller=nobody")
    assert "Nothing fits." in text_of(nothing)
    assert 'value="nobody"' in nothing.text


def test_what_certification_asked_is_shown_only_when_asked_for(
    world: Any, client_of: Callable[..., Client]
) -> None:
    client = client_of(world)
    world.asked({"minutes": 3, "request_id": "of-check", "role": "check"})
    assert "Nothing of flight-delay is logged yet." in text_of(client.get(LOG))
    world.asked({"minutes": 2, "request_id": "of-caller"})
    for query, shown in (
        ("", {"of-caller"}),
        ("checks=too", {"of-caller", "of-check"}),
        ("request=of-check", {"of-check"}),
    ):
        found = set(re.findall(r"<code>(of-\w+)</code>", client.get(f"{LOG}?{query}").text))
        assert found == shown, query
    assert "by certification" in client.get(f"{LOG}?checks=too").text


def test_older_rows_are_a_page_away_and_none_is_lost(
    world: Any, client_of: Callable[..., Client]
) -> None:
    world.asked(*({"minutes": 5} for _ in range(120)))
    client = client_of(world)
    address, seen = LOG, []
    while address:
        page = client.get(address)
        seen += re.findall(r"<code>(01JQ8-\d+)</code>", page.text)
        older = re.search(r'<a class="btn" href="([^"]+)" rel="next">Older', page.text)
        address = unescape(older[1]) if older else ""
    assert seen == [f"01JQ8-{n:04}" for n in range(120)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=yesterday", "“yesterday” is no moment."),
        ("until=99999999999d", "is no moment."),
        ("since=1h&until=2h", "This is not after the moment"),
        ("release=<b>two", "“<b>two” is no release. Write its number"),
    ],
)
def test_a_field_that_can_not_be_read_says_why_and_keeps_what_was_typed(
    world: Any, client_of: Callable[..., Client], query: str, said: str
) -> None:
    page = client_of(world).get(f"{LOG}?{query}&caller=crew")
    assert page.status_code == 422
    assert said in text_of(page)
    assert 'value="crew"' in page.text
    assert "<b>two" not in page.text


def test_what_was_asked_stays_text(world: Any, client_of: Callable[..., Client]) -> None:
    world.asked(
        {"caller": EVIL, "request_id": EVIL, "row": {"carrier": EVIL, "tailnum": "x" * 10**6}},
        {"caller": "\u202egnp.exe"},
    )
    page = client_of(world).get(LOG)
    assert EVIL not in page.text
    assert len(page.content) < 40_000
    assert "\u202egnp.exe" in page.text
    assert "unicode-bidi: isolate" in client_of(world).get("/static/style.css").text


def test_nothing_logged_and_no_such_model_are_told_apart(
    world: Any, client_of: Callable[..., Client]
) -> None:
    client = client_of(world)
    assert "Nothing of flight-delay is logged yet." in text_of(client.get(LOG))
    assert client.get("/models/nobody/log").status_code == 404
    world.asked({"minutes": 1})
    assert client.get(f"{LOG}?beyond=99.x.y&only=nonsense").status_code == 200


def test_the_first_segment_does_not_use_up_the_time_to_look(
    world: Any, client_of: Callable[..., Client]
) -> None:
    """A process that has just begun loads its libraries while it reads that one."""
    said = []

    def search(asked: Asked, go_on: Callable[[], bool]) -> Found:
        time.sleep(2 * SEARCH_SECONDS)
        said.append(go_on())
        time.sleep(2 * SEARCH_SECONDS)
        said.append(go_on())
        return Found(rows=[])

    client_of(world, search_log=search).get(LOG)
    assert said == [True, False]


def test_a_search_that_takes_long_shows_how_far_it_came(
    world: Any, client_of: Callable[..., Client]
) -> None:
    looked = datetime(2026, 3, 17, 8, tzinfo=UTC)
    client = client_of(world, search_log=lambda asked, go_on: Found(rows=[], looked_to=looked))
    page = client.get(f"{LOG}?request=abc")
    assert "The search ended early" in text_of(page)
    assert "Nothing found so far." in text_of(page)
    assert "request=abc&amp;until=2026-03-17T08%3A00%3A00.000000%2B00%3A00" in page.text
