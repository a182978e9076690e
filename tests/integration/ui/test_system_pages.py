"""Processes, logs, doctor and settings over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from httpx import Client
from tests.integration.ui.day import EVIL, ready
from tests.integration.ui.servers import text_of

from roadworthy.core.deployment import WorkerEvent
from roadworthy.errors import Unavailable
from roadworthy.ui.settings import setting_lines


@pytest.fixture
def client(world: Any, client_of: Callable[..., Client]) -> Client:
    return client_of(world)


def write_log(world: Any, name: str, text: str) -> None:
    folder = world.settings.agent_logs
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.log").write_text(text, encoding="utf-8")


def test_processes_are_shown_with_what_happened_to_them(world: Any, client: Client) -> None:
    world.report(
        ready("flight-delay@3", cpu_seconds=12.5, restarts=2),
        ready("flight-delay@2", "w2", state="failed", error="out of memory " + EVIL),
        events=[
            WorkerEvent(at=world.at(minutes=9), release="flight-delay@2", worker="w2", kind="died"),
            WorkerEvent(
                at=world.at(minutes=8), release="flight-delay@3", worker="w1", kind="ready"
            ),
        ],
    )
    write_log(world, "flight-delay@3", "hello")
    page = client.get("/system")
    text = text_of(page)
    assert "1 worker of 2 failed." in text
    assert text.index("out of memory") < text.index("12.5 s")
    assert EVIL not in page.text
    assert text.index("flight-delay@3 ready") < text.index("flight-delay@2 died")
    assert 'href="/system/logs/flight-delay@3"' in page.text


def test_a_silent_agent_and_a_gateway_that_is_down_are_said(world: Any, client: Client) -> None:
    world.report(seconds_ago=90)
    text = text_of(client.get("/system"))
    assert "It is not known what runs: the agent has not reported for 1 min 30 s." in text
    world.report(gateway_pid=None)
    assert "The gateway does not answer." in text_of(client.get("/system"))


def test_a_log_is_shown_to_its_end_as_text(world: Any, client: Client) -> None:
    lines = [f"line {n}" for n in range(1000)] + [EVIL, "\x1b[31mred\x00", "z" * 10**6]
    write_log(world, "gateway", "\n".join(lines))
    page = client.get("/system/logs/gateway")
    assert EVIL not in page.text
    assert "&lt;script&gt;" in page.text
    assert "line 999" in page.text
    assert "line 600\n" not in page.text
    assert "\x1b" not in page.text
    assert len(page.content) < 40_000
    write_log(world, "gateway", "")
    assert "Nothing was written yet" in text_of(client.get("/system/logs/gateway"))


@pytest.mark.parametrize("name", ["gatewy", "..%2f..%2froadworthy", "%00", "x" * 3000])
def test_a_log_that_is_not_there_is_not_found(world: Any, client: Client, name: str) -> None:
    write_log(world, "gateway", "hello")
    missing = client.get(f"/system/logs/{name}")
    assert missing.status_code == 404
    if name == "gatewy":
        assert "did you mean gateway" in text_of(missing)


def test_the_doctor_says_what_is_wrong_first(world: Any, client: Client) -> None:
    text = text_of(client.get("/system/doctor"))
    assert "Nothing is wrong." in text
    assert "Compare the contents" in text
    world.report(ready("flight-delay@2"))
    text = text_of(client.get("/system/doctor"))
    assert "2 things are wrong." in text
    assert text.index("is live and has no ready worker") < text.index("python fine")
    digest = world.registry.release("flight-delay@3").files[0].digest
    for path in (world.settings.home / "blobs").rglob(f"*{digest[4:]}*"):
        path.chmod(0o600)
        path.write_bytes(b"damaged")
    thorough = text_of(client.get("/system/doctor?contents=1"))
    assert "were read and compared" in thorough
    assert digest[:7] in thorough


def test_settings_are_shown_without_anything_secret(
    world: Any, client_of: Callable[..., Client]
) -> None:
    settings = msgspec.structs.replace(
        world.settings,
        token="a-token-of-ours",
        metadata="postgresql://rw:pass-word@db/rw",
        blob_options={"secret_access_key": "s3cr3t"},
        gateway=msgspec.structs.replace(world.settings.gateway, rows=77),
    )
    page = client_of(world, settings=setting_lines(settings)).get("/system/settings")
    text = text_of(page)
    assert "4 settings are not the default." in text
    assert "gateway.rows 77 set" in text
    assert "postgresql://rw:…@db/rw" in text
    for secret in ("a-token-of-ours", "pass-word", "s3cr3t"):
        assert secret not in page.text


def test_the_pages_work_where_the_metadata_is_away(
    world: Any, client_of: Callable[..., Client]
) -> None:
    def away(*_: Any) -> Any:
        raise Unavailable("the metadata database does not answer", cure="roadworthy doctor")

    client = client_of(world, deployments=away)
    for path in ("/", "/models", "/models/flight-delay", "/apps/flight-delay", "/system"):
        page = client.get(path)
        assert page.status_code == 503, path
        assert "he metadata database does not answer" in text_of(page)
    assert client.get("/system/settings").status_code == 200
