"""What gateway and agent are started with."""

from __future__ import annotations

from roadworthy.core.values import Document


class Limits(Document):
    """Bounds on requests. Bytes are of the body as it is after decompression."""

    body_bytes: int = 16 * 1024 * 1024
    rows: int = 10_000
    findings: int = 50
    body_seconds: float = 20.0
    deadline_seconds: float = 30.0
    queue_requests: int = 1024
    queue_rows: int = 50_000
    queue_bytes: int = 128 * 1024 * 1024
    batch_rows: int = 4096
    batch_bytes: int = 8 * 1024 * 1024


class LogOptions(Document):
    """Where the prediction log goes and how much of it may wait in memory."""

    directory: str
    flush_seconds: float = 5.0
    flush_rows: int = 20_000
    most_rows: int = 200_000
    most_bytes: int = 64 * 1024 * 1024


class GatewayOptions(Document):
    """What a gateway needs: its address or an inherited socket, its table, its control socket.

    With a ``token`` every request but those for health needs it as ``Authorization: Bearer``.
    ``lease`` is the file whose lock the agent holds; without an agent for ``lease_seconds``
    the gateway ends.
    """

    table: str
    control: str
    log: LogOptions | None = None
    host: str = "127.0.0.1"
    port: int = 8401
    socket_fd: int | None = None
    token: str = ""
    limits: Limits = Limits()
    lease: str = ""
    lease_seconds: float = 60.0


class AgentOptions(Document):
    """What an agent needs: its folder, its gateway's address, the runtime bundle for workers.

    ``directory`` is home's ``agent/``; ``runtime`` the folder put on workers' PYTHONPATH;
    ``threads`` the limit on threads that numeric libraries in a worker may use.
    """

    directory: str
    runtime: str
    predictions: str = ""
    host: str = "127.0.0.1"
    port: int = 8401
    token: str = ""
    flush_seconds: float = 5.0
    threads: int = 1
    start_seconds: float = 120.0
    lease_seconds: float = 60.0
    limits: Limits = Limits()
