"""Errors over HTTP: every code has a status, and comes back as the class that was raised."""

from __future__ import annotations

import json

import pytest

from roadworthy import cli, errors
from roadworthy.api.problems import STATUS_BY_CODE, problem_bytes, problem_of, status_of
from roadworthy.client.problems import error_from_problem

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.RoadworthyError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_status_and_an_exit_code(kind: type[errors.RoadworthyError]) -> None:
    assert 400 <= STATUS_BY_CODE[kind.code] < 600
    assert 1 <= cli.EXIT_BY_CODE[kind.code] <= 10


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_back_as_it_was_raised(kind: type[errors.RoadworthyError]) -> None:
    error = kind("flights can't be read", cure="look", line=12, near=["flights"])
    back = error_from_problem(json.loads(problem_bytes(error)))
    assert type(back) is kind
    assert (back.message, back.cure, back.line) == (error.message, "look", 12)
    assert back.details == {"near": ["flights"]}


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    problem = problem_of(errors.NotFound("there is no model m", cure="roadworthy releases"))
    assert problem["type"] == "urn:roadworthy:not-found"
    assert problem["status"] == 404
    assert problem["detail"] == "there is no model m"


def test_details_that_json_has_no_form_for_are_written_as_text() -> None:
    problem = json.loads(problem_bytes(errors.StorageError("no", path=object)))
    assert "object" in problem["details"]["path"]
    assert status_of(errors.StorageError("no")) == 500


def test_reserved_words_in_details_do_no_harm() -> None:
    body = {"code": "conflict", "message": "no", "details": {"message": "x", "by": "ann"}}
    assert error_from_problem(body).details == {"by": "ann"}


def test_a_gateway_finding_becomes_a_detail() -> None:
    body = {"code": "invalid-rows", "detail": "one is wrong", "findings": [{"row": 1}], "found": 1}
    error = error_from_problem(body)
    assert isinstance(error, errors.InvalidRows)
    assert error.details["findings"] == [{"row": 1}]
    assert isinstance(error_from_problem({"code": "overloaded"}), errors.Unavailable)
    assert isinstance(error_from_problem({"code": "too-many-rows"}), errors.UsageError)
