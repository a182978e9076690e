"""The list of models over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from httpx import Client
from tests.integration.ui.servers import text_of
from tests.integration.ui.world import release_of


def test_models_are_listed_a_page_at_a_time(
    empty_world: Any, client_of: Callable[..., Client]
) -> None:
    for number in range(52):
        release_of(empty_world, f"model-{number:02}", b"flow", timedelta(hours=number + 1))
    client = client_of(empty_world)
    first, second = client.get("/models?sort=name"), client.get("/models?sort=name&page=2")
    assert "52 models" in text_of(first)
    assert "model-49" in first.text
    assert "model-50" not in first.text
    assert "model-51" in second.text
    assert "model-49" not in second.text
    assert "Page 2 of 2" in text_of(second)
    newest = client.get("/models?sort=newest&q=-0")
    assert "10 of 52 models fit." in text_of(newest)
    assert newest.text.index("model-00") < newest.text.index("model-09")
    home = client.get("/")
    assert "All 52 models" in text_of(home)
    assert home.text.count('data-label="Last release"') == 25


def test_a_search_without_a_find_and_a_page_beyond_the_last_say_so(
    world: Any, client_of: Callable[..., Client]
) -> None:
    client = client_of(world)
    nothing = client.get("/models", params={"q": '"><b>no'})
    assert 'No model has “"><b>no” in its name' in text_of(nothing)
    assert "<b>no" not in nothing.text
    beyond = client.get("/models?page=7")
    assert "There is no such page" in text_of(beyond)
    for odd in ("?page=0", "?page=-1", "?page=٣", "?page=x", "?sort=<script>"):
        assert "flight-delay" in client.get(f"/models{odd}").text, odd


def test_without_a_model_the_list_says_how_one_comes(
    empty_world: Any, client_of: Callable[..., Client]
) -> None:
    page = client_of(empty_world).get("/models")
    assert "No model yet" in text_of(page)
    assert "once a program was captured and deployed" in text_of(page)
