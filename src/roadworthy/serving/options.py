"""What gateway and agent are started with."""

from __future__ import annotations

from roadworthy.core.values import Document
from roadworthy.serving.growth import LeakLimits


class Limits(Document):
    """Bounds on requests. Bytes are of the body as it is after decompression.

    A request's head (request line and headers) must be there within ``head_seconds``, its body
    within ``body_seconds``; who takes nothing of an answer for ``send_seconds`` is cut off. A
    connection without a request is kept for ``keep_alive_seconds``. A gateway that ends goes on
    answering on open connections for ``drain_seconds``. An Arrow stream may have any number of
    record batches of ``arrow_bytes``; of one, up to ``arrow_rows`` are asked at once where that is
    quick; ``spool_bytes`` of its answer may wait to be read.
    """

    connections: int = 20_000
    head_bytes: int = 64 * 1024
    head_seconds: float = 20.0
    body_bytes: int = 16 * 1024 * 1024
    rows: int = 10_000
    arrow_bytes: int = 64 * 1024 * 1024
    arrow_rows: int = 65_536
    spool_bytes: int = 1024 * 1024 * 1024
    findings: int = 50
    body_seconds: float = 20.0
    send_seconds: float = 20.0
    keep_alive_seconds: float = 75.0
    drain_seconds: float = 0.5
    deadline_seconds: float = 30.0
    queue_requests: int = 1024
    queue_rows: int = 50_000
    queue_bytes: int = 128 * 1024 * 1024
    batch_rows: int = 4096
    batch_bytes: int = 8 * 1024 * 1024


class LogOptions(Document):
    """Where the prediction log goes, what of it is kept, and how much may wait in memory.

    ``sample`` is the share of plain answers that is kept, ``samples`` that of a model; columns in
    ``redact`` are left out, those in ``pseudonymise`` replaced by digests under ``pseudonym_key``
    (hexadecimal). One gateway of a host ``retains``: it puts small segments together, and removes
    those older than ``retention_days``, and the oldest ones beyond ``retention_bytes`` (0: no such
    limit).
    """

    directory: str
    flush_seconds: float = 5.0
    flush_rows: int = 20_000
    most_rows: int = 200_000
    most_bytes: int = 64 * 1024 * 1024
    sample: float = 1.0
    samples: dict[str, float] = {}
    redact: list[str] = []
    pseudonymise: list[str] = []
    pseudonym_key: str = ""
    retains: bool = True
    retention_days: float = 0.0
    retention_bytes: int = 0


class GatewayOptions(Document):
    """What a gateway needs: its address or inherited sockets, its table, its control socket.

    ``bound`` maps further ports to the model that is meant there. ``peers`` are the control
    sockets of gateways that share the port: ``/metrics`` tells of all together. With a ``token``
    every request but those for health needs it as ``Authorization: Bearer``. Spans go to
    ``traces``, an address that takes OTLP; ``trace_share`` of the traces begun here are sampled.
    ``lease`` is the file whose lock the agent holds; without an agent for ``lease_seconds``
    the gateway ends.
    """

    table: str
    control: str
    log: LogOptions | None = None
    host: str = "127.0.0.1"
    port: int = 8401
    bound: dict[int, str] = {}
    sockets: list[int] = []
    peers: list[str] = []
    token: str = ""
    limits: Limits = Limits()
    traces: str = ""
    trace_share: float = 0.0
    lease: str = ""
    lease_seconds: float = 60.0


class AgentOptions(Document):
    """What an agent needs: its folder, its gateway's address, the runtime bundle for workers.

    ``directory`` is home's ``agent/``; ``runtime`` the folder put on workers' PYTHONPATH;
    ``threads`` the limit on threads that numeric libraries in a worker may use; ``gateways`` how
    many gateway processes share the port; ``bound`` further ports, each bound to one model.
    """

    directory: str
    runtime: str
    log: LogOptions | None = None
    host: str = "127.0.0.1"
    port: int = 8401
    token: str = ""
    traces: str = ""
    trace_share: float = 0.0
    gateways: int = 1
    bound: dict[int, str] = {}
    threads: int = 1
    start_seconds: float = 120.0
    lease_seconds: float = 60.0
    limits: Limits = Limits()
    leaks: LeakLimits = LeakLimits()
