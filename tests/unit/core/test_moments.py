"""Moments as people write them."""

import datetime

import pytest

from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.moments import parse_moment
from roadworthy.errors import InvalidName, UsageError

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def test_a_moment_is_ago_or_on_the_clock() -> None:
    assert parse_moment("2h", NOON) == NOON - datetime.timedelta(hours=2)
    assert parse_moment(" 2026-03-01T13:00+01:00 ") == NOON
    assert parse_moment("2026-03-01 12:00") == NOON


def test_a_day_begins_or_ends() -> None:
    assert parse_moment("2026-03-01") == NOON - datetime.timedelta(hours=12)
    end = NOON + datetime.timedelta(hours=12, microseconds=-1)
    assert parse_moment("2026-03-01", whole_day=True) == end
    assert parse_commit("flights@2026-03-01").moment == end


@pytest.mark.parametrize(
    "text",
    ["soon", "2x", "-2h", "2026-13-01", "", "999999w", "9999-12-31T23:00-05:00", "٢h", "9" * 40],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no moment"):
        parse_moment(text, NOON)


def test_a_commit_of_no_moment_is_no_name() -> None:
    with pytest.raises(InvalidName, match=r"flights@main@soon.*'soon' is no moment"):
        parse_commit("flights@main@soon")
