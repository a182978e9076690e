"""The app of a model and its card, over HTTP."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from httpx import Client, Response
from tests.integration.ui.day import EVIL, ready
from tests.integration.ui.servers import text_of
from tests.integration.ui.world import release_of

APP, CARD = "/apps/flight-delay", "/models/flight-delay/card"
OWN = {"sec-fetch-site": "same-origin"}
FILLED = {
    "in.carrier": "UA",
    "in.origin": "EWR",
    "in.sched_dep_time": "1745",
    "in.distance": "719",
    "in.tailnum": "",
    "in.wind_speed": "13.8",
    "in.holiday": "false",
    "in.time_hour": "2013-03-01T17:00:00",
}


@pytest.fixture
def client(world: Any, client_of: Callable[..., Client]) -> Client:
    return client_of(world)


def send(client: Client, content: bytes, headers: dict[str, str] = OWN) -> Response:
    files = {"table": ("flights <b>.csv", content, "text/csv")}
    return client.post(f"{APP}/table", files=files, headers=headers)


def fields_of(page: Response) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))


def test_the_form_is_made_from_the_signature_and_asks_what_is_live(
    client: Client, gateway: Any
) -> None:
    page = client.get(APP)
    assert "seen so far: 17 to 4983" in text_of(page)
    assert '<option value="EWR"' in page.text
    answer = client.post(APP, data=FILLED, headers=OWN)
    assert answer.status_code == 200
    assert "scores 0.341" in text_of(answer)
    assert gateway.asked == ["flight-delay"]


def test_labels_and_units_of_the_author_are_used(world: Any, client: Client) -> None:
    card = fields_of(client.get(CARD))
    written = client.post(
        CARD,
        data={
            **card,
            "title": "Will it be late?",
            "purpose": "For the evening shift. " + EVIL,
            "label.distance": "Way",
            "unit.distance": "miles",
            "label.scores": "Chance of a delay",
            "unit.scores": "of 1",
        },
        headers=OWN,
    )
    assert written.status_code == 303
    page = client.get(APP)
    text = text_of(page)
    assert "Will it be late?" in text
    assert "Way miles" in text
    assert EVIL not in page.text
    answer = client.post(APP, data=FILLED, headers=OWN)
    assert "Chance of a delay 0.341 of 1" in text_of(answer)
    assert "Will it be late?" in text_of(client.get("/models/flight-delay"))


def test_wrong_values_keep_what_was_typed(client: Client, gateway: Any) -> None:
    typed = {**FILLED, "in.distance": "1,200", "in.carrier": '"><b>x'}
    page = client.post(APP, data=typed, headers=OWN)
    assert page.status_code == 422
    assert "“1,200” is not a whole number. Write 1200." in text_of(page)
    assert 'value="1,200"' in page.text
    assert 'value="&#34;&gt;&lt;b&gt;x"' in page.text
    assert gateway.rows == []


def test_a_table_comes_back_with_its_answers(client: Client, gateway: Any) -> None:
    example = client.get(f"{APP}/example.csv")
    assert example.headers["content-disposition"].startswith("attachment")
    assert len(example.text.splitlines()) == 6
    answered = send(client, example.content)
    assert answered.status_code == 200, text_of(answered)
    rows = list(csv.DictReader(io.StringIO(answered.text)))
    assert [row["scores"] for row in rows] == ["0.341234"] * 5
    assert [row["distance"] for row in rows] == ["100", "101", "102", "103", "104"]
    assert len(gateway.rows) == 5


def test_a_table_of_thousands_is_asked_in_parts(client: Client, gateway: Any) -> None:
    header, row = client.get(f"{APP}/example.csv").text.splitlines()[:2]
    answered = send(client, "\n".join([header, *[row] * 2500]).encode())
    assert len(answered.text.splitlines()) == 2501
    assert gateway.asked == ["flight-delay"] * 3


def test_what_is_wrong_in_a_table_is_told_by_line(client: Client, gateway: Any) -> None:
    header, row = client.get(f"{APP}/example.csv").text.splitlines()[:2]
    bad = row.replace(",100,", ",far,")
    page = send(client, f"{header}\n{row}\n{bad}".encode())
    assert page.status_code == 422
    assert "1 value of flights <b>.csv can't be read" in text_of(page)
    assert "3 distance “far” is not a whole number." in text_of(page)
    assert "<b>.csv" not in page.text
    assert gateway.rows == []
    assert "lacks carrier" in text_of(send(client, b"a,b\n1,2\n"))
    assert "empty, or none was chosen" in text_of(send(client, b""))


def test_tables_and_forms_from_elsewhere_and_too_large_ones_are_refused(
    client: Client, gateway: Any
) -> None:
    elsewhere = {"sec-fetch-site": "cross-site", "origin": "http://evil.example"}
    for response in (
        send(client, b"x", elsewhere),
        client.post(APP, data=FILLED, headers=elsewhere),
        client.post(CARD, data={"title": "x"}, headers=elsewhere),
    ):
        assert response.status_code == 403
    large = send(client, b"x" * (11 * 1024 * 1024))
    assert large.status_code == 400
    assert "larger than 10 MiB" in text_of(large)
    broken = client.post(f"{APP}/table", content=b"no", headers={**OWN, "content-type": "text/x"})
    assert broken.status_code == 400
    assert gateway.rows == []


def test_without_a_live_release_the_app_says_so(
    empty_world: Any, client_of: Callable[..., Client]
) -> None:
    release_of(empty_world, "quiet", b"flow", timedelta(hours=1))
    client = client_of(empty_world)
    page = client.get("/apps/quiet")
    assert "Nothing of quiet is live" in text_of(page)
    assert client.post("/apps/quiet", data=FILLED, headers=OWN).status_code == 422
    assert client.get("/apps/nobody").status_code == 404


def test_a_live_release_without_a_worker_can_not_be_asked(
    world: Any, client: Client, gateway: Any
) -> None:
    world.report(ready("flight-delay@4"))
    assert "has no ready worker now" in text_of(client.get(APP))


def test_a_card_that_somebody_else_wrote_meanwhile_is_not_overwritten(
    world: Any, client: Client
) -> None:
    mine = fields_of(client.get(CARD))
    theirs = world.registry.card("flight-delay")
    world.registry.write_card(type(theirs)(model="flight-delay", title="Theirs", caller="ada"))
    refused = client.post(CARD, data={**mine, "title": "Mine"}, headers=OWN)
    assert refused.status_code == 409
    assert "was changed meanwhile by ada" in text_of(refused)
    assert 'value="Mine"' in refused.text
    assert world.registry.card("flight-delay").title == "Theirs"
    again = client.post(CARD, data={**fields_of(refused), "title": "Mine"}, headers=OWN)
    assert again.status_code == 303
    assert world.registry.card("flight-delay").title == "Mine"


def test_a_card_that_is_sent_twice_is_written_once(world: Any, client: Client) -> None:
    form = {**fields_of(client.get(CARD)), "title": "Once"}
    assert client.post(CARD, data=form, headers=OWN).status_code == 303
    assert client.post(CARD, data=form, headers=OWN).status_code == 303
    assert world.registry.card("flight-delay").generation == 1
    assert client.post(CARD, data={**form, "token": "x"}, headers=OWN).status_code == 403
