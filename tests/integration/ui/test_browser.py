"""The pages in a real Chromium: what a person sees and presses, with and without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.integration.ui.browsing import axe
from tests.integration.ui.test_data_pages import seed

from roadworthy.errors import Unavailable

MODEL = "/models/flight-delay"
PAGES = 26
WIDTHS = (320, 390, 768, 1200, 1920)


def paths_of(world: Any) -> list[str]:
    failed = next(run for run in world.registry.runs() if run.status == "failed")
    captured = world.registry.release("flight-delay@3").run
    world.settings.run.mkdir(exist_ok=True)
    (world.settings.run / "control.log").write_text("12:00:00 control INFO ready\n")
    world.asked(
        {"minutes": 1},
        {"minutes": 9, "status": 422, "refused": "invalid-rows", "n": 0, "answered": None},
    )
    return [
        "/",
        "/models",
        "/models?q=nothing",
        MODEL,
        "/system",
        "/system/doctor",
        "/system/settings",
        "/system/logs/control",
        "/apps/flight-delay",
        f"{MODEL}/card",
        f"{MODEL}/log",
        f"{MODEL}/log?since=soon&caller=nobody",
        f"{MODEL}/compare",
        f"{MODEL}/compare?before=2&after=3",
        f"{MODEL}/releases/2",
        f"{MODEL}/releases/3",
        f"{MODEL}/releases/3/try",
        f"/runs/{failed.id}",
        f"/runs/{captured}",
        "/runs",
        f"{MODEL}/releases/1",
        f"{MODEL}/releases/4/promote",
        f"{MODEL}/releases/1/promote?to=staging",
        f"{MODEL}/releases/4/notes",
        f"{MODEL}?over=24h",
        "/models/nothing",
    ]


def looked_at(page: Any, where: str) -> list[str]:
    """What is wrong with a page in both themes at every width: axe's findings, what sticks out."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            out = page.evaluate("document.documentElement.scrollWidth") - width
            wrong = [f"sticks out by {out} px"] if out > 0 else []
            found += [f"{where} {scheme} {width}: {each}" for each in [*wrong, *axe(page)]]
    return found


@pytest.mark.parametrize("place", range(PAGES))
def test_every_page_is_accessible_and_fits(world: Any, open_page: Any, place: int) -> None:
    paths = paths_of(world)
    assert len(paths) == PAGES
    path = paths[place]
    watched = open_page(world, path)
    if any(each in path for each in ("since=soon", "/models/nothing")):
        watched.forgive("Failed to load resource")
    assert looked_at(watched.page, path) == []
    assert watched.page.evaluate("document.fonts.check('600 16px Barlow')")


@pytest.mark.parametrize("path", ["/", "/models", "/runs", "/system"])
def test_a_first_run_is_accessible_and_fits(empty_world: Any, open_page: Any, path: str) -> None:
    page = open_page(empty_world, path).page
    if path == "/":
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing runs here yet.")
    assert looked_at(page, path) == []


def test_a_stopped_agent_and_a_database_that_is_away_are_accessible_and_fit(
    world: Any, open_page: Any
) -> None:
    world.report(seconds_ago=300)
    page = open_page(world, "/").page
    expect(page.get_by_role("heading", level=1)).to_contain_text("the agent has not reported")
    assert looked_at(page, "stopped agent") == []

    def away() -> Any:
        raise Unavailable("the metadata database does not answer", cure="start it")

    watched = open_page(world, MODEL, deployments=away)
    expect(watched.page.get_by_role("heading", level=1)).to_have_text(
        "A part of Roadworthy does not answer."
    )
    watched.forgive("status of 503")
    assert looked_at(watched.page, "database away") == []


def test_script_in_notes_and_tracebacks_stays_text(world: Any, open_page: Any) -> None:
    failed = next(run for run in world.registry.runs() if run.status == "failed")
    for path in (MODEL, f"{MODEL}/releases/4", f"{MODEL}/releases/4/try", f"/runs/{failed.id}"):
        page = open_page(world, path).page
        assert "taken" not in page.title(), path
        assert page.locator("img").count() == 0, path
    page = open_page(world, f"{MODEL}/releases/4").page
    expect(page.get_by_text("<script>document.title='taken'</script>")).to_be_visible()


def test_what_is_typed_into_a_field_comes_back_as_text(world: Any, open_page: Any) -> None:
    page = open_page(world, f"{MODEL}/releases/3/try").page
    evil = "\"><script>document.title='taken'</script>"
    page.get_by_label("carrier").fill(evil)
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_label("carrier")).to_have_value(evil)
    assert "taken" not in page.title()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_release_is_tried_by_hand(world: Any, open_page: Any, javascript: bool) -> None:
    watched = open_page(world, f"{MODEL}/releases/3", javascript=javascript)
    page = watched.page
    page.get_by_label("distance").fill("1,200")
    page.get_by_label("sched_dep_time").fill("900")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_text("“1,200” is not a whole number.")).to_be_visible()
    expect(page.get_by_label("sched_dep_time")).to_have_value("900")
    expect(page.get_by_label("distance")).to_be_focused()
    watched.forgive("status of 422")
    page.get_by_label("distance").fill("1200")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("output")).to_have_text("0.341")
    answer = page.get_by_role("status").filter(has_text="Answered by")
    expect(answer.get_by_text("flight-delay@3")).to_be_visible()
    if javascript:
        expect(page.locator("#answer")).to_be_focused()


@pytest.mark.parametrize("javascript", [True, False])
def test_going_back_is_one_press(world: Any, open_page: Any, javascript: bool) -> None:
    page = open_page(world, MODEL, javascript=javascript).page
    page.get_by_role("button", name="Roll back to @2").click()
    expect(page.get_by_text("Rolled back: @2 answers in production.")).to_be_visible()
    expect(page.locator(".plate.production").first).to_contain_text("flight-delay@2")
    assert world.deployment("flight-delay", "production").live == 2


def test_a_stale_press_is_told_who_acted(world: Any, open_page: Any) -> None:
    watched = open_page(world, MODEL, javascript=False)
    world.want("flight-delay", "production", 4, timedelta(minutes=1), "night-shift", "more wind")
    watched.page.get_by_role("button", name="Roll back to @2").click()
    alert = watched.page.get_by_role("alert")
    expect(alert).to_contain_text("nothing was changed by your press")
    expect(alert).to_contain_text("night-shift deployed @4 to production")
    assert world.deployment("flight-delay", "production").live == 4
    watched.forgive("status of 409")


@pytest.mark.parametrize("javascript", [True, False])
def test_the_log_is_narrowed_down(world: Any, open_page: Any, javascript: bool) -> None:
    world.asked({"minutes": 1}, {"minutes": 3, "caller": "night-batch", "request_id": "abc-7"})
    watched = open_page(world, MODEL, javascript=javascript)
    page = watched.page
    page.get_by_role("link", name="Prediction log").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2\u00a0rows, all answered.")
    page.get_by_label("Caller").fill("night-batch")
    page.get_by_label("From").fill("soon")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("“soon” is no moment.")).to_be_visible()
    expect(page.get_by_label("Caller")).to_have_value("night-batch")
    watched.forgive("status of 422")
    page.get_by_label("From").fill("1h")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("abc-7")).to_be_visible()
    expect(page.get_by_text("01JQ8-0000")).to_have_count(0)


@pytest.mark.parametrize("javascript", [True, False])
def test_the_app_is_labelled_and_answers_a_row_and_a_table(
    world: Any, open_page: Any, javascript: bool, tmp_path: Any
) -> None:
    watched = open_page(world, MODEL, javascript=javascript)
    page = watched.page
    page.get_by_role("link", name="Write the card").click()
    page.get_by_label("Title of the app").fill("Will it be late?")
    page.get_by_label("Name of scores").fill("Chance of a delay")
    page.get_by_role("button", name="Write the card").click()
    page.get_by_role("link", name="Open the app").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Will it be late?")
    page.get_by_label("distance").fill("far")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_text("“far” is not a whole number.")).to_be_visible()
    watched.forgive("status of 422")
    page.get_by_label("distance").fill("500")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_text("Chance of a delay")).to_be_visible()
    expect(page.locator("output")).to_have_text("0.341")
    with page.expect_download() as example:
        page.get_by_role("link", name="Table with example rows").click()
    table = tmp_path / "rows.csv"
    example.value.save_as(table)
    page.get_by_label("A table as CSV").set_input_files(table)
    with page.expect_download() as answered:
        page.get_by_role("button", name="Predict and download").click()
    answered.value.save_as(tmp_path / "answers.csv")
    lines = (tmp_path / "answers.csv").read_text().splitlines()
    assert lines[0].endswith(",scores")
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["0.341234"] * 5


@pytest.mark.parametrize("javascript", [True, False])
def test_two_releases_are_compared(world: Any, open_page: Any, javascript: bool) -> None:
    page = open_page(world, MODEL, javascript=javascript).page
    page.get_by_role("link", name="Compare two").click()
    expect(page.get_by_role("link", name="Answers")).to_be_visible()
    page.get_by_label("Before").select_option("2")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("flight-delay@2")
    expect(page.get_by_text("One of the two came without rows of creation.")).to_be_visible()


def test_going_back_stays_on_the_screen_of_a_phone(world: Any, open_page: Any) -> None:
    page = open_page(world, MODEL, width=390).page
    page.mouse.wheel(0, 2000)
    button = page.get_by_role("button", name="Roll back to @2")
    expect(button).to_be_in_viewport()
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44


def test_an_open_page_renews_itself_and_says_when_it_can_not(world: Any, open_page: Any) -> None:
    watched = open_page(world, "/")
    page = watched.page
    expect(page.get_by_text("renewed every 5")).to_be_visible()
    world.want("flight-delay", "production", 4, timedelta(seconds=5), "night-shift")
    expect(page.locator(".plate.production").first).to_have_text("P@4", timeout=60_000)
    page.route("**/*", lambda route: route.abort())
    expect(page.get_by_text("not renewed since")).to_be_visible(timeout=60_000)
    watched.forgive("ERR_FAILED")


def test_the_theme_that_was_chosen_is_kept(world: Any, open_page: Any) -> None:
    page = open_page(world, "/").page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark


def test_the_page_can_be_used_with_the_keyboard(world: Any, open_page: Any) -> None:
    page = open_page(world, "/").page
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


DATA_PATHS = [
    "/datasets",
    "/datasets?q=nothing",
    "/datasets/flights",
    "/datasets/flights?branch=fix-wind",
    "/datasets/flights/commits/main",
    "/datasets/flights/compare?before=v1&after=main",
    "/datasets/flights/compare?before=nowhere&after=main",
    "/datasets/orders",
    "/sources",
    "/sources/acme-ops",
    "/sources/bolt",
    "/sources/carta",
]


@pytest.mark.parametrize("path", DATA_PATHS)
def test_every_page_of_data_is_accessible_and_fits(world: Any, open_page: Any, path: str) -> None:
    seed(world)
    watched = open_page(world, path)
    page = watched.page
    if "nowhere" in path:
        watched.forgive("status of 404")
    assert looked_at(page, path) == []
    assert "taken" not in page.title()
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("javascript", [True, False])
def test_one_walks_from_a_release_to_its_source_and_back(
    world: Any, open_page: Any, javascript: bool
) -> None:
    seed(world)
    page = open_page(world, "/models/wind-alarm/releases/1", javascript=javascript).page
    page.get_by_role("link", name="flights@").click()
    walk = page.locator(".walk")
    expect(walk.get_by_text("This commit")).to_be_visible()
    walk.get_by_role("link", name="monthly@").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("monthly@")
    page.locator(".walk").get_by_role("link", name="flights@").click()
    page.locator(".walk").get_by_role("link", name="wind-alarm@1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("wind-alarm@1")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Datasets").click()
    page.get_by_role("link", name="flights", exact=True).click()
    page.get_by_role("row").filter(has_text="month 1").get_by_role("link").first.click()
    page.locator(".walk").get_by_role("link", name="source acme-ops").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("acme-ops")


@pytest.mark.parametrize("javascript", [True, False])
def test_two_commits_are_chosen_and_compared_by_keyboard(
    world: Any, open_page: Any, javascript: bool
) -> None:
    seed(world)
    page = open_page(world, "/datasets/flights/compare", javascript=javascript).page
    page.get_by_label("Before").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("v1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("2\u00a0paths differ.")
    expect(page.get_by_role("img", name="Spread of wind_speed, before dashed")).to_be_visible()
