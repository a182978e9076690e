"""The controller: looks at what is wanted and what runs, and takes the next steps.

One loop, in the control plane. ``decisions`` decides; here each step is carried out, so that
it can be carried out again: whatever was written before a crash is found and built upon.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection

from roadworthy.core.certificate import Certificate, Check
from roadworthy.core.operation import Operation
from roadworthy.core.release import Release
from roadworthy.errors import PolicyViolation, RoadworthyError, UsageError
from roadworthy.operations import transitions
from roadworthy.operations.decisions import (
    Certify,
    Fail,
    Finish,
    GoLive,
    Note,
    Proceed,
    Record,
    Step,
    Want,
    next_steps,
)
from roadworthy.operations.desired import (
    Desired,
    Snapshot,
    deployment_of,
    name_of,
    number_of,
    save_deployment,
)
from roadworthy.operations.table import wanted_replicas
from roadworthy.registry import Registry, ReleaseDraft, check_quarantine
from roadworthy.storage.queries import operations

log = logging.getLogger(__name__)

CertifyRelease = Callable[[Release, list[Check], bool], Certificate]
"""Measures a release whose workers are ready, given capture's checks and whether it may break
the callers of the release before."""

LOOK_SECONDS = 2.0
"""How long the controller waits for an event before it looks anyway."""
_MOST_ROUNDS = 100


class Controller:
    """Takes the steps. ``run`` is its loop; ``look`` takes what can be taken now."""

    def __init__(
        self,
        desired: Desired,
        registry: Registry,
        certify: CertifyRelease,
        settle_seconds: float = 20.0,
    ) -> None:
        self._desired = desired
        self._registry = registry
        self._certify = certify
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._settle_seconds = settle_seconds
        self._quiet_since: float | None = None
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="certification")

    # The loop

    def run(self) -> None:
        """Look whenever the bell rings, and every two seconds, until ``stop``."""
        started = False
        while not self._stopped.is_set():
            count = self._desired.bell.count
            try:
                if not started:
                    self._take_up()
                    started = True
                self.look()
            except RoadworthyError as error:
                log.warning("looking again in a moment: %s", error.message)
                self._stopped.wait(0.5)
            except Exception:
                log.exception("the controller met what it did not expect")
                self._stopped.wait(LOOK_SECONDS)
            self._desired.bell.wait(count, LOOK_SECONDS)

    def stop(self) -> None:
        """End the loop; checks that run are left to be repeated by the next start."""
        self._stopped.set()
        self._desired.bell.ring()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._desired.placement.close()

    def look(self) -> None:
        """Take steps until nothing can be done without waiting."""
        for _ in range(_MOST_ROUNDS):
            if not self._round():
                return

    def _take_up(self) -> None:
        """Go on where the last control plane ended."""
        now = self._desired.snapshot()
        self._desired.placement.adopt(now.table.workers)
        for operation in now.operations:
            log.info("taking up %s of %s at %s", operation.kind, operation.model, operation.step)
            self._desired.change(
                operation.id,
                lambda _, each: transitions.resumed(
                    each, self._desired.at(), self._desired.clock()
                ),
            )

    def _round(self) -> bool:
        with self._lock:
            busy = set(self._busy)  # before the look: what ends in between is seen by the next
        now = self._desired.snapshot()
        self._place(now)
        self._settle(now)
        table = self._desired.database.write(self._desired.publish)
        if table.version != now.table.version:
            self._desired.bell.ring()
        steps = next_steps(
            now.deployments,
            now.operations,
            self._desired.observed(),
            table.version,
            busy,
            self._desired.clock(),
        )
        taken = [self._take(step) for step in steps]
        return any(taken)

    def _place(self, now: Snapshot) -> None:
        """Have every release that is wanted placed."""
        known = self._desired.placement.specs
        interpreters = [spec.python for spec in known.values()]
        own = {each.release: each.request.interpreter for each in now.operations if each.request}
        for name in wanted_replicas(now.deployments, now.operations):
            if name not in known:
                release = self._registry.release(name)
                self._desired.placement.place(release, [own.get(name, ""), *interpreters])

    def _settle(self, now: Snapshot) -> None:
        """Once nothing was deployed for a while, have what answers move to its own environment."""
        placement, clock = self._desired.placement, self._desired.clock()
        placement.watch_moves(self._desired.status)
        if now.operations or self._quiet_since is None:
            self._quiet_since = clock
        if clock - self._quiet_since < self._settle_seconds:
            return
        for each in now.deployments:
            if each.live is not None and each.live == each.release:
                placement.settle(self._registry.release(name_of(each.model, each.live)))

    # The steps

    def _take(self, step: Step) -> bool:
        """Carry out a step; whether something changed."""
        if isinstance(step, GoLive):
            return self._go_live(step)
        try:
            return self._take_for_operation(step)
        except RoadworthyError as error:
            if error.code == "unavailable":
                raise
            return self._fail(step.operation, error)

    def _take_for_operation(self, step: Step) -> bool:
        desired, at, now = self._desired, self._desired.at(), self._desired.clock()
        match step:
            case Record(operation=identity):
                return self._record(identity)
            case Certify(operation=identity):
                return self._begin_checks(identity)
            case Proceed(operation=identity, message=message):
                return desired.change(
                    identity,
                    lambda _, each: transitions.moved(each, "certify", message, at, now),
                )
            case Note(operation=identity, message=message):
                desired.change(identity, lambda _, each: transitions.noted(each, message, at))
                return False
            case Want(operation=identity):
                return desired.change(identity, self._want)
            case Finish(operation=identity, message=message):
                return desired.change(
                    identity,
                    lambda _, each: transitions.done(each, message, at, now, self._age(each)),
                )
            case Fail(operation=identity, problem=problem):
                return desired.change(identity, self._ended_by(problem))
        return False

    def _record(self, identity: str) -> bool:
        operation = self._operation(identity)
        request = operation.request
        if request is None:
            raise UsageError("the operation does not say what to record", cure="deploy again")
        release = self._registry.record_release(
            ReleaseDraft(
                model=request.model,
                files={file.path: file for file in request.files},
                signature=request.signature,
                lock=request.lock,
                run=request.run,
                caller=operation.caller,
                notes=request.notes,
            ),
            allow_breaking=request.allow_breaking,
        )
        self._desired.placement.forget_problem(release.name)
        with self._desired.database.reading() as connection:
            check_quarantine(connection, release.model, release.number)
        at, now = self._desired.at(), self._desired.clock()
        return self._desired.change(
            identity,
            lambda _, each: transitions.moved(
                each, "start", f"{release.name} is recorded", at, now, release=release.name
            ),
        )

    def _begin_checks(self, identity: str) -> bool:
        with self._lock:
            if identity in self._busy:
                return False
            self._busy.add(identity)
        self._pool.submit(self._check, identity)
        return False

    def _check(self, identity: str) -> None:
        """In a thread of its own: the checks of an operation's release, and what follows."""
        try:
            self._check_now(identity)
        except RoadworthyError as error:
            self._fail(identity, error)
        except Exception as error:
            log.exception("the checks of %s met what they did not expect", identity)
            self._fail(identity, RoadworthyError(f"the checks failed: {error!r}"))
        finally:
            with self._lock:
                self._busy.discard(identity)
            self._desired.bell.ring()

    def _check_now(self, identity: str) -> None:
        operation = self._operation(identity)
        release = self._registry.release(operation.release)
        before = self._registry.latest_certificate(release.digest)
        if operation.kind != "verify" and before is not None and before.passed:
            message = f"{release.name} was certified at {before.made}"
        else:
            request = operation.request
            checks = request.checks if request else []
            breaking = request.allow_breaking if request else True
            certificate = self._certify(release, checks, breaking)
            self._registry.record_certificate(release.digest, certificate)
            if not certificate.passed:
                raise not_passed(certificate)
            message = f"certified: {len(certificate.checks)} checks in {certificate.seconds:.1f} s"
        at, now = self._desired.at(), self._desired.clock()

        def checked(_: Connection, each: Operation) -> Operation | None:
            if each.step != "certify":
                return None  # it has gone on; these checks are late
            return transitions.moved(each, "switch", message, at, now)

        self._desired.change(identity, checked)

    def _want(self, connection: Connection, operation: Operation) -> Operation | None:
        desired = self._desired
        before = deployment_of(connection, operation.model, operation.stage)
        if before.asked > operation.generation:
            return None  # overtaken: the next look ends it and says by whom
        number = number_of(operation.release)
        check_quarantine(connection, operation.model, number)
        at, now = desired.at(), desired.clock()
        if before.release == before.live == number:
            message = f"{operation.release} answers already"
            return transitions.moved(operation, "route", message, at, now, wanted=before.asked)
        action = "promote" if operation.kind == "promote" else "deploy"
        after, change = transitions.wanted(
            before, number, action, at, operation.caller, operation.reason
        )
        if operation.request is not None and operation.request.workers:
            after = replace(after, workers=operation.request.workers)
        save_deployment(connection, before, after, change)
        message = f"{operation.release} is wanted in {operation.stage}"
        return transitions.moved(operation, "route", message, at, now, wanted=after.asked)

    def _go_live(self, step: GoLive) -> bool:
        desired = self._desired

        def work(connection: Connection) -> bool:
            before = deployment_of(connection, step.model, step.stage)
            if before.release != step.release or before.live == step.release:
                return False
            save_deployment(connection, before, transitions.routed(before))
            desired.publish(connection)
            return True

        changed = desired.database.write(work)
        if changed:
            log.info("%s is routed to in %s", name_of(step.model, step.release), step.stage)
            desired.bell.ring()
        return changed

    def _fail(self, identity: str, error: RoadworthyError) -> bool:
        try:
            return self._desired.change(identity, self._ended_by(error.problem()))
        except RoadworthyError as again:
            log.warning("%s could not be ended: %s", identity, again.message)
            return False

    def _ended_by(self, problem: dict[str, object]) -> Callable[[Connection, Operation], Operation]:
        """Ends an operation; the deployment goes back to what answers where it holds it."""

        def change(connection: Connection, operation: Operation) -> Operation:
            desired = self._desired
            at, now = desired.at(), desired.clock()
            before = deployment_of(connection, operation.model, operation.stage)
            if transitions.holds(before, operation):
                reason = f"{operation.release}: {problem.get('message', 'failed')}"
                after, line = transitions.given_up(before, at, reason)
                save_deployment(connection, before, after, line)
            return transitions.failed(operation, problem, at, now, self._age(operation))

        return change

    def _operation(self, identity: str) -> Operation:
        with self._desired.database.reading() as connection:
            return operations.operation(connection, identity)

    def _age(self, operation: Operation) -> float:
        began = datetime.fromisoformat(operation.started).timestamp()
        return round(max(0.0, self._desired.clock() - began), 3)


def not_passed(certificate: Certificate) -> PolicyViolation:
    """What is said of a certificate with failed checks: the first of them, and how many."""
    failed = [check for check in certificate.checks if check.outcome == "failed"]
    if not failed:
        return PolicyViolation(f"{certificate.release} has no checks", cure="deploy it again")
    first = failed[0]
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return PolicyViolation(
        f"{certificate.release} is not certified: {first.title}: required {first.required}, "
        f"measured {first.measured}{more}",
        cure=f"roadworthy show {certificate.release}",
        failed=[check.id for check in failed],
    )
