"""Journeys through the pages in a real Chromium, over a real system: deploy seen live, try,
compare, promote, roll back, log, app; with the mouse, by keyboard alone, and back again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from roadworthy.testing.hosts import wait_until
from roadworthy.testing.programs import write_churn
from roadworthy.testing.systems import System

DEPLOY = ("deploy", "churn.py", "--input", "customers", "--output", "scores", "--name", "churn")
CHURN = "/models/churn"
CHANGE = 'df["calls"] > 4', 'df["calls"] > 5'
SOON = 60_000
"""Milliseconds in which a slow machine does what takes a second."""
MOST_TABS = 80

pytestmark = pytest.mark.timeout(900)
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System() as running:
        running.up()
        yield running


@pytest.fixture
def two(system: System) -> System:
    """churn@1, and churn@2 that answers: made where no test before this one left them so."""
    program = system.directory / "churn.py"
    if not program.exists():
        first = write_churn(system.directory).read_text()
        deployed(system)
        program.write_text(first.replace(*CHANGE))
        deployed(system)
    if system.live("churn") != 2:
        assert system.run("promote", "churn@2", "--to", "production").returncode == 0
    return system


@pytest.fixture
def opened(chromium: Browser, system: System) -> Iterator[Open]:
    contexts = []

    def open_(path: str, javascript: bool = True) -> Page:
        context = chromium.new_context(
            java_script_enabled=javascript, viewport={"width": 1200, "height": 900}
        )
        context.set_default_timeout(SOON)
        contexts.append(context)
        page = context.new_page()
        page.goto(system.address + path)
        return page

    yield open_
    for context in contexts:
        context.close()


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until this has the focus: what can't be reached so can't be used by keyboard."""
    wanted.wait_for()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} was not reached by {MOST_TABS} presses of Tab")


def deployed(system: System) -> None:
    done = system.run(*DEPLOY, seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr


def promoted(system: System, number: int) -> None:
    """The release answers, and nothing is under way any more."""

    def ended() -> bool:
        operations = system.control.get("/operations", model="churn")
        return all(each["state"] != "running" for each in operations)

    wait_until(lambda: system.live("churn") == number and ended(), 60)


def test_a_deployment_is_seen_live(system: System, opened: Open) -> None:
    """The overview is open while the first release comes, the model's page while the second does:
    nobody reloads them.
    """
    overview = opened("/")
    expect(overview.get_by_role("heading", level=1)).to_have_text("Nothing runs here yet.")
    overview.evaluate("window.untouched = true")
    program = write_churn(system.directory)
    deployed(system)
    expect(overview.get_by_role("heading", level=1)).to_have_text(
        "Everything answers.", timeout=SOON
    )
    expect(overview.locator(".plate.production").first).to_have_text("P@1", timeout=SOON)
    model = opened(CHURN)
    model.evaluate("window.untouched = true")
    program.write_text(program.read_text().replace(*CHANGE))
    deployed(system)
    expect(model.locator("#live .plate.production")).to_contain_text("churn@2", timeout=SOON)
    expect(model.get_by_role("button", name="Roll back to @1")).to_be_visible(timeout=SOON)
    expect(overview.locator(".plate.production").first).to_have_text("P@2", timeout=SOON)
    for page in (overview, model):
        assert page.evaluate("window.untouched")


def test_certification_is_no_traffic(two: System, opened: Open) -> None:
    page = opened(CHURN + "/log")

    def nothing() -> bool:
        """On a machine that is busy a search may stop early, and says so."""
        page.reload()
        heading = page.get_by_role("heading", level=1).inner_text()
        return heading == "Nothing of churn is logged yet."

    wait_until(nothing, 60)
    page.get_by_label("Certification's requests too").check()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("by certification").first).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_release_is_tried_and_found_in_the_log(
    two: System, opened: Open, javascript: bool
) -> None:
    page = opened(f"{CHURN}/releases/2/try", javascript)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("output")).to_be_visible()
    request = page.locator("#answer dd code").inner_text()

    def logged() -> bool:
        page.goto(f"{two.address}{CHURN}/log?request={request}")
        return page.get_by_text(request).count() > 0

    wait_until(logged, 60)


def test_two_releases_are_compared_and_the_back_button_leads_back(
    two: System, opened: Open
) -> None:
    page = opened(CHURN)
    page.get_by_role("link", name="Compare two").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("churn@1")
    expect(page.get_by_text('df["many"] = df["calls"] > 5').first).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("churn")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_release_is_rolled_back_and_promoted(two: System, opened: Open, javascript: bool) -> None:
    page = opened(CHURN, javascript)
    page.get_by_role("button", name="Roll back to @1").click()
    expect(page.get_by_text("Rolled back: @1 answers in production.")).to_be_visible()
    assert two.live("churn") == 1
    page.get_by_role("link", name="Promote @2", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("to production?")
    page.get_by_label("Why").fill("the threshold was right")
    page.get_by_role("button", name="Promote to production").click()
    promoted(two, 2)
    page.goto(two.address + CHURN)
    expect(page.locator("#history-live")).to_contain_text("the threshold was right")


def test_the_back_button_leads_to_a_page_that_is_true_again(two: System, opened: Open) -> None:
    """It shows no form from before: what was pressed can't be pressed twice."""
    page = opened(f"{CHURN}/releases/1/promote")
    page.get_by_role("button", name="Promote to production").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("churn")
    promoted(two, 1)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("to production?")
    expect(page.get_by_text("churn@1 answers in production already.")).to_be_visible()
    expect(page.get_by_role("button", name="Promote to production")).to_be_disabled()
    two.answer("rollback", "churn")
    promoted(two, 2)


def test_trying_rolling_back_and_promoting_by_keyboard_alone(two: System, opened: Open) -> None:
    page = opened(CHURN)
    reach(page, page.get_by_role("link", name="Try it", exact=True))
    page.keyboard.press("Enter")
    reach(page, page.get_by_role("button", name="Predict"))
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_be_focused()
    page.goto(two.address + CHURN)
    reach(page, page.get_by_role("button", name="Roll back to @1"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Rolled back: @1 answers in production.")).to_be_visible()
    reach(page, page.get_by_role("link", name="Promote @2", exact=True))
    page.keyboard.press("Enter")
    reach(page, page.get_by_label("Why"))
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    promoted(two, 2)
    assert two.answer("history", "churn")[0]["reason"] == "by keyboard"


def test_the_app_answers_and_its_card_names_its_values(two: System, opened: Open) -> None:
    page = opened(f"{CHURN}/card")
    page.get_by_label("Title of the app").fill("Will they stay?")
    page.get_by_role("button", name="Write the card").click()
    page.get_by_role("link", name="Open the app").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Will they stay?")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("output")).to_be_visible()


def test_everything_is_read_without_javascript(two: System, opened: Open) -> None:
    page = opened("/", javascript=False)
    seen = set()
    for path in ("/", "/models", CHURN, f"{CHURN}/releases/2", f"{CHURN}/compare", f"{CHURN}/log",
                 "/runs", "/system", "/system/doctor", "/system/settings"):  # fmt: skip
        answer = page.goto(two.address + path)
        assert answer is not None
        assert answer.status == 200, path
        seen.add(page.get_by_role("heading", level=1).inner_text())
    assert len(seen) == 10
    page.goto(f"{two.address}{CHURN}/releases/2")
    expect(page.get_by_text("Replay").first).to_be_visible()
