"""What is done with a release at the pages: promoted, its notes and the card written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from httpx import Client, Response
from tests.integration.ui.day import EVIL
from tests.integration.ui.servers import text_of

from roadworthy.errors import Unavailable

MODEL = "/models/flight-delay"
OWN = {"sec-fetch-site": "same-origin"}
FOREIGN = [
    {},
    {"origin": "http://evil.example"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"},
    {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1"},
    {"origin": "null"},
]


@pytest.fixture
def client(world: Any, client_of: Callable[..., Client]) -> Client:
    return client_of(world)


def hidden(page: Response) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    main = dict(found)
    main.setdefault("reason", "")
    return {name: unescape(value) for name, value in main.items()}


def running(world: Any) -> list[Any]:
    return [each for each in world.data.operations(50) if each.state == "running"]


def test_a_promotion_is_asked_for_and_begun(world: Any, client: Client) -> None:
    page = client.get(f"{MODEL}/releases/4/promote?to=production")
    said = text_of(page)
    assert "It takes over from @3 once a worker is ready and checked." in said
    assert "Answers there now P flight-delay@3" in said
    assert "@3 and @4 side by side" in said
    answer = client.post(
        f"{MODEL}/releases/4/promote",
        data={**hidden(page), "reason": "it sees the wind"},
        headers=OWN,
    )
    assert answer.status_code == 303
    (begun,) = running(world)
    assert (begun.kind, begun.release, begun.stage) == ("promote", "flight-delay@4", "production")
    assert (begun.caller, begun.reason) == ("somebody at the pages", "it sees the wind")
    said = text_of(client.get(answer.headers["location"]))
    assert "flight-delay@4 is on its way to production" in said


def test_a_second_press_does_nothing_and_is_told(world: Any, client: Client) -> None:
    form = hidden(client.get(f"{MODEL}/releases/4/promote"))
    path = f"{MODEL}/releases/4/promote"
    assert client.post(path, data=form, headers=OWN).status_code == 303
    again = client.post(path, data={**form, "reason": "twice"}, headers=OWN)
    assert again.status_code == 409
    said = text_of(again)
    assert "Nothing was changed by your press." in said
    assert "flight-delay@4 is on its way to production already" in said
    assert 'value="twice"' in again.text
    assert "disabled" in again.text
    assert len(running(world)) == 1


def test_a_stale_promotion_does_nothing_and_tells_who_acted(world: Any, client: Client) -> None:
    form = hidden(client.get(f"{MODEL}/releases/4/promote"))
    world.want("flight-delay", "production", 2, timedelta(minutes=1), "night-shift", "more wind")
    answer = client.post(f"{MODEL}/releases/4/promote", data=form, headers=OWN)
    assert answer.status_code == 409
    said = text_of(answer)
    assert "Somebody acted before you: nothing was changed by your press." in said
    assert "night-shift deployed @2 to production in place of @3" in said
    assert running(world) == []
    again = client.post(f"{MODEL}/releases/4/promote", data=hidden(answer), headers=OWN)
    assert again.status_code == 303


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_press_from_another_site_changes_nothing(
    world: Any, client: Client, headers: dict[str, str]
) -> None:
    form = hidden(client.get(f"{MODEL}/releases/4/promote"))
    assert client.post(f"{MODEL}/releases/4/promote", data=form, headers=headers).status_code == 403
    note = {**hidden(client.get(f"{MODEL}/releases/3/notes")), "notes": "x"}
    assert client.post(f"{MODEL}/releases/3/notes", data=note, headers=headers).status_code == 403
    assert running(world) == []
    assert world.registry.release("flight-delay@3").notes == "age of the plane"


def test_a_token_of_another_form_is_refused(world: Any, client: Client) -> None:
    staging = hidden(client.get(f"{MODEL}/releases/4/promote?to=staging"))
    form = {**hidden(client.get(f"{MODEL}/releases/4/promote")), "token": staging["token"]}
    answer = client.post(f"{MODEL}/releases/4/promote", data=form, headers=OWN)
    assert answer.status_code == 403
    assert "from before a restart" in text_of(answer)
    assert running(world) == []


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (1, "flight-delay@1 is quarantined: wind in m/s instead of knots"),
        (2, "flight-delay@2 did not pass its checks."),
        (3, "flight-delay@3 answers in production already."),
    ],
)
def test_what_can_not_go_is_said_beside_the_button(
    world: Any, client: Client, number: int, reason: str
) -> None:
    page = client.get(f"{MODEL}/releases/{number}/promote")
    assert reason in text_of(page)
    assert "disabled" in page.text
    if number < 3:
        answer = client.post(f"{MODEL}/releases/{number}/promote", data=hidden(page), headers=OWN)
        assert answer.status_code == 409
        assert "Nothing was changed by your press." in text_of(answer)
    assert running(world) == []


def test_a_reason_that_is_too_long_is_kept_and_nothing_is_begun(world: Any, client: Client) -> None:
    form = hidden(client.get(f"{MODEL}/releases/4/promote"))
    answer = client.post(
        f"{MODEL}/releases/4/promote", data={**form, "reason": "x" * 501}, headers=OWN
    )
    assert answer.status_code == 422
    assert "These are 501 characters; 500 fit." in text_of(answer)
    assert "x" * 501 in answer.text
    assert running(world) == []


@pytest.mark.parametrize("form", [{}, {"stage": "moon"}, {"stage": "staging", "generation": "-1"}])
def test_a_form_that_is_none_of_ours_is_refused(
    world: Any, client: Client, form: dict[str, str]
) -> None:
    assert client.post(f"{MODEL}/releases/4/promote", data=form, headers=OWN).status_code == 400
    assert running(world) == []


def test_a_database_that_is_away_is_told_and_nothing_is_begun(
    world: Any, client: Client, client_of: Callable[..., Client]
) -> None:
    def away(*_: Any) -> Any:
        raise Unavailable("the metadata database does not answer", cure="start it")

    form = hidden(client.get(f"{MODEL}/releases/4/promote"))
    other = client_of(world, deployments=away)
    answer = other.post(f"{MODEL}/releases/4/promote", data=form, headers=OWN)
    assert answer.status_code == 503
    assert "A part of Roadworthy does not answer." in text_of(answer)
    assert other.get(MODEL).status_code == 503
    assert running(world) == []


def test_the_release_page_leads_on_and_back(client: Client) -> None:
    live = client.get(f"{MODEL}/releases/3").text
    assert "Roll back to @2" in live
    assert "promote?to=production" not in live
    assert "promote?to=staging" in live
    assert "promote?to=production" in client.get(f"{MODEL}/releases/4").text
    assert "promote?to" not in client.get(f"{MODEL}/releases/1").text
    model = client.get(MODEL).text
    assert "Promote @4 to production" in model
    assert f"{MODEL}/releases/2/promote?to=production" in model


def test_notes_are_written_once_and_shown_as_text(world: Any, client: Client) -> None:
    page = client.get(f"{MODEL}/releases/3/notes")
    assert "age of the plane</textarea>" in page.text
    form = {**hidden(page), "notes": f"first\r\nsecond {EVIL}"}
    for _ in range(2):  # pressed twice
        assert client.post(f"{MODEL}/releases/3/notes", data=form, headers=OWN).status_code == 303
    assert world.registry.release("flight-delay@3").notes == f"first\nsecond {EVIL}"
    assert EVIL not in client.get(f"{MODEL}/releases/3").text


def test_notes_that_somebody_else_wrote_meanwhile_are_not_overwritten(
    world: Any, client: Client
) -> None:
    form = {**hidden(client.get(f"{MODEL}/releases/3/notes")), "notes": "mine"}
    world.registry.set_notes("flight-delay@3", "theirs")
    answer = client.post(f"{MODEL}/releases/3/notes", data=form, headers=OWN)
    assert answer.status_code == 409
    assert "were changed meanwhile" in text_of(answer)
    assert "It says now: theirs" in text_of(answer)
    assert "mine</textarea>" in answer.text
    assert world.registry.release("flight-delay@3").notes == "theirs"
    again = {**hidden(answer), "notes": "both"}
    assert client.post(f"{MODEL}/releases/3/notes", data=again, headers=OWN).status_code == 303
    assert world.registry.release("flight-delay@3").notes == "both"


def test_notes_that_are_too_long_are_kept_in_the_field(world: Any, client: Client) -> None:
    form = {**hidden(client.get(f"{MODEL}/releases/3/notes")), "notes": "y" * 10_001}
    answer = client.post(f"{MODEL}/releases/3/notes", data=form, headers=OWN)
    assert answer.status_code == 422
    assert "These are 10,001 characters; 10,000 fit." in text_of(answer)
    assert "y" * 10_001 in answer.text
    assert world.registry.release("flight-delay@3").notes == "age of the plane"


def test_a_card_that_is_too_long_is_kept_in_its_fields(world: Any, client: Client) -> None:
    page = client.get(f"{MODEL}/card")
    form = {**hidden(page), "title": "t" * 121, "label.scores": "l" * 81, "purpose": "fine"}
    answer = client.post(f"{MODEL}/card", data=form, headers=OWN)
    assert answer.status_code == 422
    said = text_of(answer)
    assert "These are 121 characters; 120 fit." in said
    assert "These are 81 characters; 80 fit." in said
    assert "t" * 121 in answer.text
    assert "fine</textarea>" in answer.text
    assert not world.registry.card("flight-delay").written
