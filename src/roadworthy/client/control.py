"""The control plane as the command line and programs see it: one method per question."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from blake3 import blake3

from roadworthy.client.problems import (
    error_from_problem,
    error_from_response,
    error_from_transport,
)
from roadworthy.core.capture import CaptureReport
from roadworthy.core.operation import DeployRequest, Operation, Progress
from roadworthy.core.run import Run
from roadworthy.errors import Damaged, Unavailable
from roadworthy.storage.disk import unsynced_disk

T = TypeVar("T")
_BLOCK = 1 << 20


class ControlPlane:
    """A connection to a control plane at ``address`` (``http://127.0.0.1:8400``).

    Every method raises the RoadworthyError that the control plane answered with, or
    Unavailable where it does not answer.
    """

    def __init__(
        self,
        address: str,
        token: str = "",
        caller: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        headers = {"X-Roadworthy-Caller": quote(caller)} if caller else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=self.address + "/api/v1",
            headers=headers,
            timeout=httpx.Timeout(30.0, connect=5.0),
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> ControlPlane:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    # Reading

    def get(self, path: str, **query: Any) -> Any:
        """The JSON value at a path below /api/v1; None-valued query parts are left out."""
        wanted = {key: value for key, value in query.items() if value is not None}
        return msgspec.json.decode(self._send("GET", path, params=wanted).content)

    def text(self, path: str, **query: Any) -> str:
        """The text at a path below /api/v1."""
        wanted = {key: value for key, value in query.items() if value is not None}
        return self._send("GET", path, params=wanted).text

    def post(self, path: str, body: Any = None) -> Any:
        """What a POST of a JSON value is answered with."""
        response = self._send(
            "POST",
            path,
            content=msgspec.json.encode(body, enc_hook=str),
            headers={"Content-Type": "application/json"},
        )
        return msgspec.json.decode(response.content) if response.content else None

    def put(self, path: str, body: Any) -> Any:
        """What a PUT of a JSON value is answered with."""
        response = self._send(
            "PUT",
            path,
            content=msgspec.json.encode(body, enc_hook=str),
            headers={"Content-Type": "application/json"},
        )
        return msgspec.json.decode(response.content) if response.content else None

    def blob(self, digest: str) -> bytes:
        """The content that has this digest."""
        return self._send("GET", f"/blobs/{digest}").content

    def copy_to(self, digest: str, target: Path) -> None:
        """Write the content, checked, to a file that takes the place of ``target`` at once."""
        hasher = blake3()
        with (
            _translated(self.address),
            self._http.stream("GET", f"/blobs/{digest}") as response,
            unsynced_disk().replacing(target) as copy,
        ):
            if not response.is_success:
                response.read()
                raise error_from_response(response)
            for part in response.iter_bytes():
                hasher.update(part)
                copy.write(part)
            if hasher.hexdigest() != digest:
                raise Damaged(
                    f"content {digest[:12]} did not arrive as it was sent", cure="try again"
                )

    # Uploading

    def upload_file(self, path: Path) -> tuple[str, int]:
        """Have the file's content there; its digest and size. What is there is not sent again."""
        digest = file_digest(path)
        size = path.stat().st_size
        if not self._has(digest):
            self._send(
                "PUT",
                f"/blobs/{digest}",
                content=_blocks(path),
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(size),
                },
            )
        return digest, size

    def upload_bytes(self, content: bytes) -> str:
        """Have the content there; its digest."""
        digest = blake3(content).hexdigest()
        if not self._has(digest):
            self._send(
                "PUT",
                f"/blobs/{digest}",
                content=content,
                headers={"Content-Type": "application/octet-stream"},
            )
        return digest

    def record_run(self, run: Run, report: CaptureReport | None = None) -> None:
        """Have the run kept, captured or failed; its program's files are uploaded already."""
        self.put(f"/runs/{run.id}", {"run": run, "report": report})

    # Operations

    def deploy(self, request: DeployRequest, reason: str = "") -> Operation:
        """Begin a deployment; see ``follow``."""
        body = {"kind": "deploy", "deploy": request, "reason": reason}
        return msgspec.convert(self.post("/operations", body), Operation)

    def promote(self, release: str, stage: str, reason: str = "") -> Operation:
        """Begin moving a release to a stage."""
        body = {"kind": "promote", "release": release, "stage": stage, "reason": reason}
        return msgspec.convert(self.post("/operations", body), Operation)

    def verify(self, release: str) -> Operation:
        """Begin repeating a release's checks."""
        body = {"kind": "verify", "release": release}
        return msgspec.convert(self.post("/operations", body), Operation)

    def follow(
        self,
        operation: Operation,
        told: Callable[[Progress], None],
        patience: float = 30.0,
    ) -> Operation:
        """Wait until the operation has ended, telling each line of progress as it comes.

        A control plane that is away is asked again for ``patience`` seconds: it takes the
        operation up where it was. Raises what the operation ended with where it failed; its
        details name the release, empty where none was recorded.
        """
        seen = 0
        away_since: float | None = None
        while True:
            for line in operation.progress[seen:]:
                told(line)
            seen = len(operation.progress)
            if operation.state != "running":
                break
            try:
                value = self.get(f"/operations/{operation.id}", after=seen, wait=10)
                operation = msgspec.convert(value, Operation)
                away_since = None
            except Unavailable as error:
                away_since = _still_patient(error, away_since, patience)
        if operation.problem is not None:
            failure = error_from_problem(operation.problem)
            failure.details.setdefault("release", operation.release)
            raise failure
        return operation

    def rollback(
        self,
        model: str,
        stage: str,
        generation: int,
        to: int | None = None,
        reason: str = "",
    ) -> dict[str, Any]:
        """Go back, provided that the deployment is still at ``generation``."""
        body = {"generation": generation, "to": to, "reason": reason}
        answer: dict[str, Any] = self.post(f"/deployments/{model}/{stage}/rollback", body)
        return answer

    def _has(self, digest: str) -> bool:
        with _translated(self.address):
            return self._http.head(f"/blobs/{digest}").status_code == 200

    def _send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        with _translated(self.address):
            response = self._http.request(method, path, **kwargs)
        if response.is_success:
            return response
        raise error_from_response(response)


def file_digest(path: Path) -> str:
    """The BLAKE3 digest of a file's bytes, as 64 hexadecimal digits."""
    hasher = blake3()
    for block in _blocks(path):
        hasher.update(block)
    return hasher.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _still_patient(error: Unavailable, since: float | None, patience: float) -> float:
    """When waiting began, after a moment; raises the error itself once it lasts too long."""
    now = time.monotonic()
    if since is not None and now - since > patience:
        raise error
    time.sleep(0.2)
    return now if since is None else since


@contextmanager
def _translated(address: str) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise error_from_transport(error, address) from error
