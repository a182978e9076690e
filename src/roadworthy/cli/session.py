"""Finding the system that a command talks to, and starting it where it is absent."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadworthy.errors import RoadworthyError, Unavailable
from roadworthy.operations.supervisor import (
    ControlRecord,
    answers,
    check_port,
    leftovers,
    read_control,
    supervisor_of,
)
from roadworthy.settings import Settings, load_settings
from roadworthy.wiring import child_environment
from roadworthy_runtime.facade import GIVEN

if TYPE_CHECKING:
    from roadworthy.client.control import ControlPlane

READY_SECONDS = 30.0


def settings_of(**flags: Any) -> Settings:
    """The settings that hold here."""
    environ = {key: value for key, value in os.environ.items() if key != GIVEN}
    return load_settings(Path.cwd(), environ, flags)


def caller() -> str:
    """Who is calling: the user's name and machine."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def connect(settings: Settings | None = None) -> ControlPlane:
    """The control plane of the settings' home, or at its address; does not start it."""
    from roadworthy.client.control import ControlPlane

    settings = settings or settings_of()
    record = running(settings)
    address = record.address if record else settings.control_address
    return ControlPlane(address, settings.token, caller())


def connect_or_start(settings: Settings, quiet: bool = False) -> ControlPlane:
    """The same, started where it is absent. Raises what kept it from starting."""
    if running(settings) is None and not _answers_elsewhere(settings):
        if not quiet:
            print(f"starting Roadworthy in {settings.home}", file=sys.stderr, flush=True)
        start(settings)
    return connect(settings)


def running(settings: Settings) -> ControlRecord | None:
    """Where the system of this home is, if it runs and is ready."""
    record = read_control(settings)
    if record is None or supervisor_of(settings) is None:
        return None
    return record


def start(settings: Settings) -> ControlRecord:
    """Start the system in the background and wait until it is ready.

    Raises Conflict for a port in use, Unavailable with the end of its log where it dies.
    """
    log = settings.run / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if supervisor_of(settings) is None and not leftovers(settings):
        check_port(settings.control.host, settings.control.port, "--port")
        gateway_may_be_ours = settings.status_file.exists()
        check_port(
            settings.gateway.host, settings.gateway.port, "--gateway-port", gateway_may_be_ours
        )
    begun = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "roadworthy", "up", "--foreground"],
            env=child_environment(settings, os.environ),
            cwd=settings.file.parent if settings.file else settings.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _wait_until_ready(settings, child, begun)


def _wait_until_ready(
    settings: Settings, child: subprocess.Popen[bytes], begun: int
) -> ControlRecord:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        record = running(settings)
        if record is not None:
            return record
        if child.poll() is not None and supervisor_of(settings) is None:
            raise Unavailable(
                "Roadworthy did not start: " + _said(settings, begun),
                cure="roadworthy doctor; roadworthy logs supervisor",
            )
        time.sleep(0.03)
    raise Unavailable(
        f"Roadworthy is not ready after {READY_SECONDS:.0f} s",
        cure="roadworthy logs control; roadworthy logs agent",
    )


def _said(settings: Settings, begun: int) -> str:
    log = settings.run / "supervisor.log"
    with log.open("rb") as file:
        file.seek(begun)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return "\n".join(lines[-5:]) or "it said nothing"


def _answers_elsewhere(settings: Settings) -> bool:
    """Whether a control plane that was started on its own answers at the settings' address."""
    try:
        return answers(settings.control_address, "/api/v1/health") and _is_ours(settings)
    except RoadworthyError:
        return False


def _is_ours(settings: Settings) -> bool:
    from roadworthy.client.control import ControlPlane

    with ControlPlane(settings.control_address, settings.token) as control:
        return str(control.get("/status").get("home")) == str(settings.home)
