"""Two releases side by side, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from httpx import Client
from tests.integration.ui.day import EVIL, ready
from tests.integration.ui.servers import text_of
from tests.integration.ui.world import release_of

COMPARE = "/models/flight-delay/compare"


def test_what_changes_is_shown_in_the_order_of_its_weight(
    world: Any, client_of: Callable[..., Client]
) -> None:
    page = client_of(world).get(COMPARE)
    text = text_of(page)
    assert page.status_code == 200
    assert "10 of 20 rows (50 %) change" in text
    assert text.index("Answers that change") < text.index("Metrics and resources")
    assert "0.842 0.853 +0.0109" in text
    assert "brier not logged 0.144 not known" in text
    assert "max_depth= <b>6</b>".replace(" ", "") in page.text
    assert "b3:c8c8c8c → b3:3f3f3f3" in text
    assert "model.pickle" in text
    assert EVIL not in page.text
    assert "Same as roadworthy diff flight-delay@3 flight-delay@4" in text


def test_both_can_be_asked_now_where_both_run(
    world: Any, client_of: Callable[..., Client], gateway: Any
) -> None:
    client = client_of(world)
    assert "ask=1" in client.get(COMPARE).text
    page = client.get(f"{COMPARE}?before=3&after=4&ask=1")
    assert "all 20 rows answered alike" in text_of(page)
    assert len(gateway.rows) == 40
    world.report(ready("flight-delay@3"))
    assert "ask=1" not in client.get(COMPARE).text


def test_without_recorded_rows_or_an_answer_the_reason_is_said(
    world: Any, client_of: Callable[..., Client]
) -> None:
    client = client_of(world)
    assert "came without rows of creation" in text_of(client.get(f"{COMPARE}?before=1&after=2"))
    page = client.get(f"{COMPARE}?before=1&after=2&ask=1")
    assert "flight-delay@2 came without rows of creation" in text_of(page)


def test_one_release_and_the_same_twice_are_nothing_to_compare(
    empty_world: Any, client_of: Callable[..., Client]
) -> None:
    release_of(empty_world, "alone", b"flow", timedelta(hours=1))
    client = client_of(empty_world)
    assert "alone@1 is the only release" in text_of(client.get("/models/alone/compare"))
    same = client.get("/models/alone/compare?before=1&after=1")
    assert "Both are the same release" in text_of(same)


def test_releases_that_are_not_there_are_told_by_name(
    world: Any, client_of: Callable[..., Client]
) -> None:
    client = client_of(world)
    assert client.get(f"{COMPARE}?before=99").status_code == 404
    assert client.get("/models/nobody/compare").status_code == 404
    wrong = client.get(COMPARE, params={"after": "<b>"})
    assert wrong.status_code == 400
    assert "is not the number of a release" in text_of(wrong)
    assert client.get(f"{COMPARE}?before=@2&after=flight-delay@3").status_code == 200
