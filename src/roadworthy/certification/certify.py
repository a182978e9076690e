"""Certifying a candidate: every check, its evidence, and the certificate that lists them."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from typing import Literal

from roadworthy.certification.declared import (
    Loaded,
    StateFile,
    compatibility_check,
    environment_check,
    state_check,
)
from roadworthy.certification.golden import golden_check
from roadworthy.certification.leaks import leak_check
from roadworthy.certification.load import Load, measure, profile
from roadworthy.certification.measured import load_checks, start_check, unmeasured
from roadworthy.certification.robustness import robustness_checks
from roadworthy.certification.sample import Sample
from roadworthy.certification.service import Service, Usage
from roadworthy.core.certificate import Certificate, Check, ResourceProfile
from roadworthy.core.policy import Limits
from roadworthy.core.release import Lock
from roadworthy.core.signature import Signature
from roadworthy.core.values import Value
from roadworthy.errors import RoadworthyError

Group = Literal["capture", "service", "robustness", "environment", "compatibility"]

CAPTURE_CHECKS = {
    "replay": "Answers as the program did, from a fresh process",
    "law-alone": "Answers a row alone as among others",
    "law-permuted": "Answers rows in another order alike",
    "law-halves": "Answers rows in parts alike",
    "deterministic": "Answers the same every time",
    "effects": "Touches nothing but its input",
}


class Subject(Value, frozen=True):
    """A candidate as it is to be judged.

    ``checks`` are those that capture made; ``newest`` is the signature of the model's newest
    release (called ``newest_name``), None for the first; ``loaded`` what the worker says of its
    environment; ``start_seconds`` how long the worker took until it was ready.
    """

    release: str
    signature: Signature
    sample: Sample
    checks: Sequence[Check]
    lock: Lock | None
    loaded: Loaded | None
    state: Sequence[StateFile]
    tolerance: float = 0.0
    newest: Signature | None = None
    newest_name: str = ""
    start_seconds: float | None = None


def certify(
    subject: Subject,
    service: Service,
    usage: Callable[[], Usage],
    *,
    limits: Limits | None = None,
    load_seconds: float = 0.8,
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[str], None] = lambda message: None,
) -> Certificate:
    """The quick certificate of a release whose worker answers behind ``service``.

    ``usage`` says what its workers use at the moment; ``load_seconds`` is spent on the load in
    all. A check that can't be made has failed, with the reason: nothing is raised for it.
    """
    limits = limits or Limits()
    started = clock()
    made = now().isoformat(timespec="seconds")
    checks = [*capture_checks(subject.checks)]
    checks.append(
        compatibility_check(subject.signature, subject.newest, subject.newest_name, limits)
    )
    checks.append(environment_check(subject.lock, subject.loaded))
    checks.append(state_check(subject.state, limits))
    checks.append(start_check(subject.start_seconds, limits))

    progress("asking what creation asked")
    checks += _guarded(
        "golden", "service", lambda: [golden_check(service, subject.sample, subject.tolerance)]
    )
    progress("loading it for a moment")
    load, load_results = _load(subject, service, usage, clock, load_seconds, limits)
    checks += load_results
    if load is not None:
        checks += _guarded(
            "leak", "service", lambda: [leak_check(service, subject.sample.rows, usage, clock)]
        )
    progress("sending what should be refused")
    checks += _guarded("robustness", "robustness", lambda: _robustness(subject, service))
    return Certificate(
        release=subject.release,
        depth="quick",
        made=made,
        seconds=round(clock() - started, 3),
        checks=checks,
        profile=_profile(load, subject.start_seconds),
    )


def capture_checks(found: Sequence[Check]) -> list[Check]:
    """The checks that capture made; one that is asked for and was not made has failed."""
    made = {check.id for check in found}
    absent = [
        Check(
            id=name,
            group="capture",
            title=title,
            outcome="failed",
            required="made when the program was captured",
            measured="was not made",
        )
        for name, title in CAPTURE_CHECKS.items()
        if name not in made
    ]
    return [*found, *absent]


def _load(
    subject: Subject,
    service: Service,
    usage: Callable[[], Usage],
    clock: Callable[[], float],
    seconds: float,
    limits: Limits,
) -> tuple[Load | None, list[Check]]:
    try:
        load = measure(service, subject.sample.rows, usage, clock, seconds)
    except (RoadworthyError, OSError, ValueError) as error:
        return None, unmeasured(_reason(error))
    return load, load_checks(load, limits)


def _robustness(subject: Subject, service: Service) -> list[Check]:
    good = (
        row
        for row, answer in zip(subject.sample.rows, subject.sample.answers, strict=True)
        if not answer.rejected
    )
    row = next(good, None)
    if row is None:
        raise ValueError("no row of the sample has an answer, so that there is none to vary")
    return robustness_checks(service, subject.signature, row)


def _profile(load: Load | None, start_seconds: float | None) -> ResourceProfile | None:
    return None if load is None or start_seconds is None else profile(load, start_seconds)


_TITLES = {
    "golden": "Answers the sample",
    "leak": "Keeps no memory from request to request",
    "robustness": "Copes with bad input",
}


def _guarded(name: str, group: Group, work: Callable[[], list[Check]]) -> list[Check]:
    try:
        return work()
    except (RoadworthyError, OSError, ValueError) as error:
        return [
            Check(
                id=name,
                group=group,
                title=_TITLES[name],
                outcome="failed",
                required="can be checked",
                measured=f"could not be checked: {_reason(error)}",
            )
        ]


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, RoadworthyError) else str(error)
