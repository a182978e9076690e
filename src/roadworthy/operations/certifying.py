"""Certifying a release whose worker runs: gathers what the checks need and has them made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from roadworthy.certification.certify import Subject, certify
from roadworthy.certification.declared import Loaded, StateFile, read_state
from roadworthy.certification.http_service import HttpService
from roadworthy.certification.sample import read_sample
from roadworthy.certification.service import Usage
from roadworthy.certification.usage import process_usage
from roadworthy.core.certificate import Certificate, Check
from roadworthy.core.deployment import WorkerStatus
from roadworthy.core.names import parse_release
from roadworthy.core.policy import Limits
from roadworthy.core.release import Release
from roadworthy.errors import Damaged, WorkerFailed
from roadworthy.operations.desired import Desired
from roadworthy.registry import Registry
from roadworthy.runtime.environments import describe
from roadworthy.settings import Settings


class Certifier:
    """Makes quick certificates through the gateway's address of one release's version."""

    def __init__(self, settings: Settings, desired: Desired, registry: Registry) -> None:
        self._settings = settings
        self._desired = desired
        self._registry = registry

    def __call__(
        self, release: Release, checks: Sequence[Check], allow_breaking: bool
    ) -> Certificate:
        """The certificate of a release that has a ready worker.

        ``checks`` are those that capture made; where there are none, those of the last
        certificate stand. Raises WorkerFailed where its worker is gone, Damaged.
        """
        directory = self._registry.materialise(release.digest, self._settings.releases)
        before = self._before(release)
        gateway = self._gateway()
        service = HttpService(gateway, parse_release(release.name), self._settings.token)
        subject = Subject(
            release=release.name,
            signature=release.signature,
            sample=read_sample(directory, release.signature),
            checks=list(checks) or self._made_at_capture(release),
            lock=release.lock,
            loaded=self._loaded(release),
            state=_state(directory),
            tolerance=_tolerance(directory),
            newest=before.signature if before else None,
            newest_name=before.name if before else "",
            start_seconds=self._workers(release)[0].start_seconds,
        )
        return certify(
            subject,
            service,
            lambda: self._usage(release),
            limits=Limits(breaking=allow_breaking),
        )

    def _gateway(self) -> str:
        status = self._desired.status
        said = status.gateway_address if status else ""
        return f"http://{said}" if said else self._settings.gateway_address

    def _before(self, release: Release) -> Release | None:
        """The model's release before this one, if there is one."""
        if release.number == 1:
            return None
        return next(
            iter(self._registry.releases(release.model, limit=1, before=release.number)), None
        )

    def _made_at_capture(self, release: Release) -> list[Check]:
        last = self._registry.latest_certificate(release.digest)
        return [] if last is None else [each for each in last.checks if each.group == "capture"]

    def _workers(self, release: Release) -> list[WorkerStatus]:
        status = self._desired.status
        found = [
            each
            for each in (status.workers if status else [])
            if each.release == release.name and each.state == "ready" and each.pid is not None
        ]
        if not found:
            raise WorkerFailed(
                f"{release.name} has no ready worker any more",
                cure=f"roadworthy logs --release {release.name}",
            )
        return found

    def _usage(self, release: Release) -> Usage:
        return process_usage([each.pid for each in self._workers(release) if each.pid is not None])

    def _loaded(self, release: Release) -> Loaded | None:
        spec = self._desired.placement.specs.get(release.name)
        if spec is None:
            return None
        found = describe(Path(spec.python))
        packages = {name: each.version for name, each in found.distributions.items()}
        return Loaded(python=found.python, packages=packages)


def _state(directory: Path) -> list[StateFile]:
    index = directory / "state" / "index.json"
    try:
        return read_state(msgspec.json.decode(index.read_bytes()))
    except (OSError, msgspec.DecodeError, KeyError) as error:
        raise Damaged(f"{index} can't be read: {error}", cure="deploy the program again") from None


def _tolerance(directory: Path) -> float:
    """The relative tolerance that the flow's replay was verified with; 0: exactly."""
    try:
        found = msgspec.toml.decode((directory / "flow.toml").read_bytes())
        return float(found.get("tolerance", 0.0))
    except (OSError, msgspec.DecodeError, ValueError, AttributeError) as error:
        raise Damaged(
            f"{directory / 'flow.toml'} can't be read: {error}", cure="deploy the program again"
        ) from None
