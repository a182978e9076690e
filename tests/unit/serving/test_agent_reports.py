"""An agent tells its control plane how it is: what changed at once, and again and again."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from roadworthy.errors import Unavailable
from roadworthy.serving import agent as agents
from roadworthy.serving.options import AgentOptions


@pytest.fixture
def agent(tmp_path, monkeypatch):
    monkeypatch.setattr(agents, "REPORT_SECONDS", 0.05)
    options = AgentOptions(directory=str(tmp_path), runtime=str(tmp_path), port=0)
    return agents.Agent(options, lambda digest: tmp_path, tmp_path / "agent.lock")


def reports_of(agent, wanted, refused=0):
    """The first reports; so many are refused before."""
    heard = []
    enough = asyncio.Event()

    async def sink(status):
        heard.append(status)
        if len(heard) <= refused:
            raise Unavailable("away")
        if len(heard) >= wanted + refused:
            enough.set()

    async def listen():
        reporter = asyncio.create_task(agent._report_to(sink))
        await asyncio.wait_for(enough.wait(), 30)
        reporter.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporter

    asyncio.run(listen())
    return heard


def test_an_agent_reports_while_nothing_changes_and_while_no_step_gets_through(agent):
    agent._problem = "the disk is full"
    reports = reports_of(agent, 3)
    assert [report.problems for report in reports] == [["the disk is full"]] * 3


def test_what_changed_is_told_at_once(agent, monkeypatch):
    monkeypatch.setattr(agents, "REPORT_SECONDS", 3600.0)
    agent._write_status()
    assert len(reports_of(agent, 1)) == 1


def test_a_report_that_was_not_taken_is_sent_again(agent, monkeypatch):
    monkeypatch.setattr(agents, "REPORT_SECONDS", 3600.0)
    agent._write_status()
    assert len(reports_of(agent, 1, refused=1)) == 2
