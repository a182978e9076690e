"""The pages over HTTP, from a real registry and real operations in a temporary home."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any

import pytest
from httpx import Client, Response
from tests.integration.ui.servers import text_of

MODEL = "/models/flight-delay"
OWN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def client(world: Any, client_of: Any) -> Client:
    return client_of(world)


def back_form(response: Response, stage: str = "production") -> dict[str, str]:
    """The hidden fields of the roll-back form of a stage."""
    for form in re.findall(
        r"<form method=\"post\" action=\"[^\"]*rollback\">.*?</form>", response.text, re.S
    ):
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        if fields["stage"] == stage:
            return fields
    raise AssertionError(f"no way back in {stage}")


def test_an_empty_home_says_what_would_be_there(empty_world: Any, client_of: Any) -> None:
    page = client_of(empty_world).get("/")
    assert page.status_code == 200
    assert "Nothing runs here yet." in text_of(page)
    assert "roadworthy deploy train.py --input flights" in text_of(page)


def test_the_overview_answers_in_its_heading_and_shows_what_is_live(client: Client) -> None:
    page = client.get("/")
    assert "<h1>Everything answers.</h1>" in page.text
    said = text_of(page)
    assert "The newest run of train.py failed" in said
    assert "line 14: KeyError: 'wind_sped'" in said
    assert 'class="plate production" href="/models/flight-delay/releases/3"' in page.text
    assert 'class="plate staging" href="/models/flight-delay/releases/4"' in page.text
    assert "Same as roadworthy status" in said


def test_the_overview_says_so_when_the_agent_is_silent(world: Any, client_of: Any) -> None:
    world.now += timedelta(minutes=3)
    page = client_of(world).get("/")
    assert "It is not known whether everything answers" in text_of(page)


def test_a_model_without_a_ready_worker_does_not_answer(world: Any, client_of: Any) -> None:
    world.report()
    said = text_of(client_of(world).get("/"))
    assert "flight-delay does not answer." in said
    assert "roadworthy logs" in said


def test_a_model_says_what_is_live_since_when_by_whom_and_why(client: Client) -> None:
    said = text_of(client.get(MODEL))
    for part in (
        "In production: P flight-delay@3",
        "Live since 3 Mar, 10:40 , 15 days",
        "Deployed by network-ops",
        "“evening gain”",
        "certificate, 6 of 6 passed",
        "@2 , still warm: going back takes effect at once",
        "1 of 1 worker, 231 MiB now",
        "1 of 6 failed",
        "quarantined",
        "network-ops deployed @3 to production in place of @2",
    ):
        assert part in said, part


def test_one_press_rolls_back_and_is_confirmed(world: Any, client: Client) -> None:
    fields = back_form(client.get(MODEL))
    answer = client.post(f"{MODEL}/rollback", data=fields, headers=OWN)
    assert answer.status_code == 303
    assert world.deployment("flight-delay", "production").live == 2
    page = client.get(answer.headers["location"])
    assert "Rolled back: @2 answers in production." in text_of(page)
    assert "somebody at the pages rolled production back to @2" in text_of(page)


def test_a_stale_press_changes_nothing_and_tells_who_acted(world: Any, client: Client) -> None:
    fields = back_form(client.get(MODEL))
    world.want("flight-delay", "production", 4, timedelta(minutes=1), "night-shift", "more wind")
    answer = client.post(f"{MODEL}/rollback", data=fields, headers=OWN)
    assert answer.status_code == 409
    assert world.deployment("flight-delay", "production").live == 4
    said = text_of(answer)
    assert "Somebody acted before you: nothing was changed by your press." in said
    assert "night-shift deployed @4 to production in place of @3 (“more wind”)" in said
    assert back_form(answer)["generation"] != fields["generation"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1"},
        {"origin": "null"},
    ],
)
def test_a_press_from_another_site_is_refused(
    world: Any, client: Client, headers: dict[str, str]
) -> None:
    fields = back_form(client.get(MODEL))
    answer = client.post(f"{MODEL}/rollback", data=fields, headers=headers)
    assert answer.status_code == 403
    assert world.deployment("flight-delay", "production").live == 3


def test_a_press_with_another_forms_token_is_refused(world: Any, client: Client) -> None:
    fields = {**back_form(client.get(MODEL)), "token": "0" * 64}
    answer = client.post(f"{MODEL}/rollback", data=fields, headers=OWN)
    assert answer.status_code == 403
    assert "from before a restart" in text_of(answer)
    assert world.deployment("flight-delay", "production").live == 3


def test_nothing_to_go_back_to_is_said(world: Any, client: Client) -> None:
    fields = back_form(client.get(MODEL))
    client.post(f"{MODEL}/rollback", data=fields, headers=OWN)
    page = client.get(MODEL)
    assert "Roll back to @3" in text_of(page)
    with pytest.raises(AssertionError):
        back_form(page, "staging")


def test_a_release_shows_its_certificate_failed_first(client: Client) -> None:
    page = client.get(f"{MODEL}/releases/2")
    said = text_of(page)
    assert said.index("Latency p50 / p95 / p99 failed") < said.index("Replay equals passed")
    assert "1/6" in said
    assert "p95 ≤ 50 ms 8 / 62 / 80 ms" in said


def test_a_release_shows_each_line_with_its_role_and_marks(client: Client) -> None:
    page = client.get(f"{MODEL}/releases/3")
    assert "fillna(<mark>flights.wind_speed.median()</mark>)" in page.text
    said = text_of(page)
    for part in (
        '9 dropped flights = raw.dropna(subset=["arr_delay"]) filter bypassed',
        '12 frozen planes = pd.read_parquet("planes.parquet") table of 3,322 rows',
        "the marked part is frozen: 10.357",
        "rw.deploy(…, keep_filters=True)",
        "wind_speed yes 0 to 42.57886",
        "6 of 18 statements",
        "From raw by 1 step with 1 frozen value to scores.",
        "the answers do not need them: arr_delay, minute.",
        "1 needs pickle",
        "212 MiB / 268 MiB",
        "100,000 users",
        "roadworthy checkout flight-delay@3",
    ):
        assert re.sub(r"float float64 ", "", part) in said.replace("float float64 ", ""), part


def test_certificate_and_files_can_be_downloaded(client: Client) -> None:
    path = f"{MODEL}/releases/3"
    document = client.get(f"{path}/certificate.json")
    assert document.headers["content-disposition"].startswith("attachment")
    assert json.loads(document.content)["release"] == "flight-delay@3"
    assert ET.fromstring(client.get(f"{path}/certificate.xml").content).tag == "testsuites"
    flow = client.get(f"{path}/flow/flow.py")
    assert flow.content == b"flow = 11"
    assert flow.headers["content-type"] == "application/octet-stream"
    assert client.get(f"{path}/flow/state/index.json").content == b"{}"
    assert client.get(f"{path}/flow/../../secret").status_code == 404


def fields_of(page: Response) -> dict[str, str]:
    found = dict(re.findall(r'<input id="f\d+" name="([^"]+)" value="([^"]*)"', page.text))
    for name, options in re.findall(
        r'<select id="f\d+" name="([^"]+)"[^>]*>(.*?)</select>', page.text, re.S
    ):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name] = chosen.group(1) if chosen else ""
    return found


def test_the_form_asks_the_release_and_shows_its_answer(client: Client, gateway: Any) -> None:
    typed = fields_of(client.get(f"{MODEL}/releases/3/try"))
    assert typed["in.sched_dep_time"] == "1745"
    answer = client.post(f"{MODEL}/releases/3/try", data=typed, headers=OWN)
    assert answer.status_code == 200
    said = text_of(answer)
    assert "scores 0.341 " in said
    assert "Answered by P flight-delay@3" in said
    assert "01JQ8-7T4K" in said
    assert gateway.rows[0]["sched_dep_time"] == 1745
    assert gateway.rows[0]["holiday"] is False
    assert gateway.rows[0]["wind_speed"] == 13.80936


def test_a_wrong_value_is_named_at_its_field_and_nothing_typed_is_lost(
    client: Client, gateway: Any
) -> None:
    typed = fields_of(client.get(f"{MODEL}/releases/3/try"))
    typed |= {"in.wind_speed": "13,81", "in.distance": "", "in.carrier": 'W"N<'}
    answer = client.post(f"{MODEL}/releases/3/try", data=typed, headers=OWN)
    assert answer.status_code == 422
    said = text_of(answer)
    assert "“13,81” is not a number. Write 13.81." in said
    assert "A value is needed here, such as 719." in said
    assert "2 fields can't be read" in said
    assert 'value="W&#34;N&lt;"' in answer.text
    assert 'value="13,81"' in answer.text
    assert gateway.rows == []


def test_what_the_gateway_refuses_is_named_at_its_field(client: Client) -> None:
    typed = fields_of(client.get(f"{MODEL}/releases/3/try"))
    typed["in.time_hour"] = "2013-03-01T17:00:00+02:00"
    answer = client.post(f"{MODEL}/releases/3/try", data=typed, headers=OWN)
    assert answer.status_code == 422
    wrong = re.search(r'class="field wrong">.*?</div>', answer.text, re.S)
    assert wrong is not None
    assert "time_hour" in wrong.group()
    assert "without an offset" in wrong.group()


def test_an_unseen_level_is_answered_with_a_warning(client: Client) -> None:
    typed = fields_of(client.get(f"{MODEL}/releases/3/try"))
    typed["in.carrier"] = "ZZ"
    said = text_of(client.post(f"{MODEL}/releases/3/try", data=typed, headers=OWN))
    assert "scores 0.341 " in said
    assert 'warning carrier : text "ZZ" was never seen at creation' in said


def test_a_row_that_the_flow_rejects_is_told_with_its_line(client: Client) -> None:
    typed = fields_of(client.get(f"{MODEL}/releases/3/try"))
    typed["in.wind_speed"] = ""
    said = text_of(client.post(f"{MODEL}/releases/3/try", data=typed, headers=OWN))
    assert "No answer: the flow rejects this row." in said
    assert "(line 14 of the program)" in said


def test_a_release_without_a_worker_can_not_be_asked_and_says_why(client: Client) -> None:
    page = client.get(f"{MODEL}/releases/1/try")
    assert "disabled" in page.text
    assert "flight-delay@1 has no ready worker now" in text_of(page)


def test_a_gateway_that_is_away_is_told(world: Any, client_of: Any) -> None:
    from roadworthy.ui import GatewayClient

    away = GatewayClient("http://127.0.0.1:9")
    client = client_of(world, predict=away.predict)
    typed = fields_of(client.get(f"{MODEL}/releases/3/try"))
    answer = client.post(f"{MODEL}/releases/3/try", data=typed, headers=OWN)
    away.close()
    assert answer.status_code == 502
    assert "The gateway does not answer" in text_of(answer)
    assert 'value="719"' in answer.text


def test_a_failed_run_shows_its_line_and_traceback(world: Any, client: Client) -> None:
    failed = next(run for run in world.registry.runs() if run.status == "failed")
    page = client.get(f"/runs/{failed.id}")
    said = text_of(page)
    assert "<h1>train.py failed at line 14.</h1>" in page.text
    assert "Traceback (most recent call last):" in said
    assert '14 failed flights["wind"]' in said.replace("&#34;", '"').replace("✕ ", "")
    assert "No release was made: what was live stays live." in said


def test_a_captured_run_leads_to_its_release(world: Any, client: Client) -> None:
    run = world.registry.release("flight-delay@3").run
    page = client.get(f"/runs/{run}")
    assert "<h1>train.py was captured.</h1>" in page.text
    assert 'href="/models/flight-delay/releases/3"' in page.text
    assert "auc 0.842" in text_of(page)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/models/flight-dela",
        "/models/No!Such",
        f"{MODEL}/releases/99",
        f"{MODEL}/releases/0",
        f"{MODEL}/releases/99999999999999999999",
        "/runs/none",
        f"{MODEL}/releases/3/flow/none.py",
        "/static/none.css",
    ],
)
def test_what_is_not_there_is_a_page_with_a_cure(client: Client, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 404
    assert "There is nothing here." in text_of(page)
    assert 'class="cure"' in page.text


def test_a_mistyped_model_is_told_the_nearest(client: Client) -> None:
    assert "did you mean flight-delay?" in text_of(client.get("/models/flight-dela"))


def test_an_unknown_address_of_the_api_stays_a_problem_document(client: Client) -> None:
    answer = client.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_page_that_fails_says_so_and_keeps_its_headers(world: Any, client_of: Any) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("a fault of ours")

    client = client_of(world, deployments=broken)
    page = client.get("/")
    assert page.status_code == 500
    assert "This page could not be made." in text_of(page)
    assert "a fault of ours" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", MODEL, "/nothing", "/static/style.css", "/static/ui.js"])
def test_every_answer_carries_the_strict_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"


def test_no_page_has_inline_script_or_style(world: Any, client: Client) -> None:
    run = world.registry.runs()[0].id
    for path in ("/", MODEL, f"{MODEL}/releases/3", f"{MODEL}/releases/3/try", f"/runs/{run}"):
        page = client.get(path).text
        assert " style=" not in page, path
        assert not re.search(r"<script(?![^>]* src=)", page), path
        assert not re.search(r"<[^>]* on\w+=", page), path


def test_names_of_other_sites_are_refused_without_a_token(world: Any, client_of: Any) -> None:
    answer = client_of(world).get("/", headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert "flight-delay" not in answer.text


class TestWithAToken:
    """A token is set: the pages ask for it once."""

    @pytest.fixture
    def client(self, world: Any, client_of: Any) -> Client:
        return client_of(world, token="a-long-token")

    def test_nothing_is_shown_without_it(self, client: Client) -> None:
        answer = client.get(MODEL)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/sign-in?next={MODEL}"
        assert client.get("/static/style.css").status_code == 200
        assert client.post(f"{MODEL}/rollback", headers=OWN).status_code == 401

    def test_it_opens_the_page_that_was_asked_for(self, client: Client) -> None:
        wrong = client.post("/sign-in", data={"token": "guess", "next": MODEL}, headers=OWN)
        assert wrong.status_code == 403
        assert "This is not the token." in text_of(wrong)
        answer = client.post("/sign-in", data={"token": "a-long-token", "next": MODEL}, headers=OWN)
        assert (answer.status_code, answer.headers["location"]) == (303, MODEL)
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "a-long-token" not in cookie
        page = client.get(MODEL)
        assert page.status_code == 200
        assert "Sign out" in page.text
        client.post("/sign-out", headers=OWN)
        assert client.get(MODEL).status_code == 303

    @pytest.mark.parametrize("address", ["//evil.example", "https://evil.example", "/\\evil", ""])
    def test_it_leads_to_no_other_site(self, client: Client, address: str) -> None:
        data = {"token": "a-long-token", "next": address}
        assert client.post("/sign-in", data=data, headers=OWN).headers["location"] == "/"

    def test_programs_show_it_in_a_header(self, client: Client) -> None:
        shown = {"authorization": "Bearer a-long-token"}
        assert client.get("/", headers=shown).status_code == 200
        assert client.get("/", headers={"authorization": "Bearer x"}).status_code == 303


def test_a_form_that_is_too_large_is_refused(client: Client) -> None:
    answer = client.post(
        f"{MODEL}/releases/3/try",
        content=b"in.carrier=" + b"x" * 1_100_000,
        headers={**OWN, "content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 400
    assert "larger than 1 MiB" in text_of(answer)
