"""What the gateway tells of itself and its models: health, metadata, metrics, descriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from roadworthy.serving import codec_oip
from roadworthy.serving.metrics import Metrics, merge_metrics
from roadworthy.serving.openapi import describe_model
from roadworthy.serving.problems import Refused
from roadworthy.serving.replies import Reply, as_json
from roadworthy.serving.routing import Routing
from roadworthy.serving.targets import Target

PEER_SECONDS = 1.0
MOST_METRICS = 64 * 1024 * 1024
NOT_READY = 400
"""The Open Inference Protocol has a 4xx mean no; its best-known server says 400."""


class Information:
    """Answers everything but inference. ``draining`` says that this gateway is about to end.

    ``peers`` are the control sockets of gateways that share the port with this one.
    """

    def __init__(self, routing: Routing, metrics: Metrics) -> None:
        self.draining = False
        self.peers: list[Path] = []
        self._routing = routing
        self._metrics = metrics

    def leave(self) -> None:
        """Say from now on that this gateway is not ready."""
        self.draining = True

    async def answer(self, target: Target, stage: str) -> Reply:
        """The reply to a question that is no inference. Raises Refused."""
        if target.verb == "metrics":
            return await self._metrics_text()
        return _ANSWERS[target.verb](self, target, stage)

    def _server(self, target: Target, stage: str) -> Reply:
        return as_json(
            {"name": "roadworthy", "version": our_version(), "extensions": codec_oip.EXTENSIONS}
        )

    def _live(self, target: Target, stage: str) -> Reply:
        return as_json({"live": True})

    def _ready(self, target: Target, stage: str) -> Reply:
        if not target.model:
            ready = self._routing.revision > 0 and not self.draining
            return as_json({"ready": ready}, 200 if ready else NOT_READY)
        pool, _ = self._routing.find(target.model, target.number, stage)
        ready = bool(pool.links)
        return as_json({"name": target.model, "ready": ready}, 200 if ready else NOT_READY)

    def _metadata(self, target: Target, stage: str) -> Reply:
        pool, _ = self._routing.find(target.model, target.number, stage)
        numbers = self._routing.numbers(target.model)
        return as_json(codec_oip.metadata(pool.signature, target.model, numbers))

    def _health(self, target: Target, stage: str) -> Reply:
        return as_json({"status": "ok", "table": self._routing.version})

    def _ping(self, target: Target, stage: str) -> Reply:
        """MLflow's: the model can answer. Without a model: this gateway can."""
        if target.model:
            try:
                ready = bool(self._routing.find(target.model, "", stage)[0].links)
            except Refused:
                ready = False
        else:
            ready = not self.draining
        return Reply(200 if ready else 404, b"\n", "text/plain")

    def _version(self, target: Target, stage: str) -> Reply:
        return Reply(200, our_version().encode(), "text/plain")

    async def _metrics_text(self) -> Reply:
        """The numbers of all gateways that share the port: any of them may have been asked."""
        texts = [self.own_metrics()]
        for found in await asyncio.gather(*(_ask_metrics(peer) for peer in self.peers)):
            if found:
                texts.append(found)
        body = merge_metrics(texts).encode()
        return Reply(200, body, "text/plain; version=0.0.4; charset=utf-8")

    def own_metrics(self) -> str:
        """This gateway's numbers; those that are looked at instead of counted as they are now."""
        for pool in self._routing.pools.values():
            self._metrics.waiting.labels(pool.release).set(pool.waiting)
        self._metrics.count_failures(self._routing.pools.values())
        self._metrics.table.set(self._routing.version)
        return self._metrics.text().decode()

    def _models(self, target: Target, stage: str) -> Reply:
        live = {}
        for model in self._routing.routed:
            pool, at = self._routing.resolve(model)
            live[model] = {"release": pool.release, "stage": at}
        models = [
            {"model": model, "versions": self._routing.numbers(model), "live": live.get(model)}
            for model in self._routing.models
        ]
        return as_json({"models": models})

    def _openapi(self, target: Target, stage: str) -> Reply:
        pool, _ = self._routing.find(target.model, target.number, stage)
        return as_json(describe_model(target.model, pool.release, pool.signature))


_ANSWERS: dict[str, Callable[[Information, Target, str], Reply]] = {
    "server": Information._server,
    "live": Information._live,
    "ready": Information._ready,
    "metadata": Information._metadata,
    "health": Information._health,
    "ping": Information._ping,
    "version": Information._version,
    "models": Information._models,
    "openapi": Information._openapi,
}


def our_version() -> str:
    """The version of Roadworthy that runs here; '0' where it isn't installed."""
    from importlib.metadata import PackageNotFoundError, version  # rarely asked, dear to load

    try:
        return version("roadworthy")
    except PackageNotFoundError:
        return "0"


async def _ask_metrics(peer: Path) -> str:
    """The numbers of another gateway; '' where it does not answer."""
    try:
        async with asyncio.timeout(PEER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(peer), limit=MOST_METRICS)
            try:
                writer.write(b'{"do":"metrics"}\n')
                answer = msgspec.json.decode(await reader.readline(), type=dict[str, str])
            finally:
                writer.close()
        return answer.get("metrics", "")
    except (OSError, TimeoutError, ValueError):
        return ""
