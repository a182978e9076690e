"""Commands on sources: where data comes from by itself, and what of it was set aside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from roadworthy.cli.data import data
from roadworthy.cli.options import DryRun, Json
from roadworthy.cli.output import ago, emit_json, plain, say, table
from roadworthy.cli.session import caller, settings_of
from roadworthy.core.source import Poll
from roadworthy.core.words import counted

if TYPE_CHECKING:
    from roadworthy.data.ingestion import Sources

source = typer.Typer(
    no_args_is_help=True,
    help="Where data comes from by itself: add, list, show, poll, release, pause, remove.",
)
data.add_typer(source, name="source")
Name = Annotated[str, typer.Argument(help="The source's name.")]


@contextlib.contextmanager
def opened() -> Iterator[Sources]:
    """The sources of the settings that hold here."""
    from roadworthy.wiring import open_sources

    with open_sources(settings_of()) as sources:
        yield sources


@source.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="A TOML file with [source.NAME] tables.")],
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Take everything again, in place of what is there."),
    ] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Add the sources that a file configures, or change them; a stopped one goes on."""
    from roadworthy.data.ingestion.configuring import read_sources

    found = read_sources(file)
    if not dry_run:
        with opened() as sources:
            found = [sources.add(each, anew=anew, author=caller()) for each in found]
    if as_json:
        emit_json(found)
        return
    for each in found:
        verb = "would add" if dry_run else "added"
        when = each.schedule or (f"after each commit to {each.trigger}" if each.trigger else "")
        say(
            f"{verb} {each.name}: {each.manner} to {each.dataset}, {each.path}; {when or 'by hand'}"
        )
    if not dry_run:
        say(f"  → roadworthy data source poll {found[0].name} --dry-run")


@source.command("list")
def list_(as_json: Json = False) -> None:
    """All sources: how they are, their last polls, how many rows are set aside."""
    with opened() as sources:
        found = sources.all()
    if as_json:
        emit_json(found)
        return
    if not found:
        say("there are no sources yet: roadworthy data source add FILE.toml")
        return
    rows = [
        [
            each.source.name,
            each.state.status,
            each.source.schedule or each.source.trigger or "by hand",
            f"{each.source.dataset} {each.source.path}",
            f"{each.last.outcome} {ago(each.last.at)}" if each.last else "never",
            each.quarantined or "",
        ]
        for each in found
    ]
    table(["source", "state", "polled", "delivers to", "last poll", "quarantine"], rows)


@source.command("show")
def show(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="How many polls, deliveries, rows.")] = 10,
    as_json: Json = False,
) -> None:
    """A source: its state and watermark, its last polls, what it delivered, what is set aside."""
    with opened() as sources:
        found = sources.show(name)
        polls = sources.polls(name, limit)
        deliveries = sources.deliveries(name, limit)
        aside = sources.quarantine(name, limit)
    if as_json:
        emit_json({"source": found, "polls": polls, "deliveries": deliveries, "quarantine": aside})
        return
    state = found.state
    say(f"{name} is {state.status}; {found.source.manner} to {found.source.dataset}")
    say(f"  from {plain(found.source.url)}")
    if state.said:
        say(f"  {plain(state.said)}")
    if state.watermark:
        marks = ", ".join(f"{key} {value}" for key, value in state.watermark.items())
        say(f"  come to {plain(marks)}")
    say()
    table(
        ["poll", "outcome", "deliveries", "twice", "rows", "bad", "commit", "said"],
        [
            [ago(p.at), p.outcome, p.deliveries, p.twice, p.rows, p.bad, p.commit[:12], _line(p)]
            for p in polls
        ],
    )
    if aside:
        say(f"\n{counted(found.quarantined, 'row')} in quarantine, {found.source.quarantine}")
        table(
            ["delivery", "row", "reason"],
            [[each["delivery"][-40:], each["row"], each["reason"][:80]] for each in aside],
        )
        say(f"  → correct the mapping, then roadworthy data source release {name}")


@source.command("poll")
def poll(name: Name, as_json: Json = False, dry_run: DryRun = False) -> None:
    """Look now for what is new, and commit it."""
    with opened() as sources:
        if dry_run:
            would, bad = sources.try_out(name)
        else:
            done = sources.poll(name)
    if dry_run:
        if as_json:
            emit_json({"poll": would, "bad": bad})
            return
        deliveries = counted(would.deliveries, "delivery", "deliveries")
        say(f"would take {counted(would.rows, 'row')} of {deliveries}; {would.bad} bad")
        for each in bad:
            say(f"  {plain(each.delivery)} row {each.row}: {plain(each.reason)}")
        if would.said:
            say(f"would stop: {plain(would.said)}")
        return
    if as_json:
        emit_json(done)
    else:
        _print_poll(done)
    raise typer.Exit({"failed": 9, "stopped": 2}.get(done.outcome, 0))


@source.command("release")
def release(name: Name, as_json: Json = False) -> None:
    """Map the rows in quarantine again and commit those that pass now."""
    with opened() as sources:
        done = sources.release(name)
    if as_json:
        emit_json(done)
    else:
        say(f"{name}: {counted(done.rows, 'row')} released, {done.bad} left in quarantine")


@source.command("pause")
def pause(name: Name, as_json: Json = False, dry_run: DryRun = False) -> None:
    """Have a source no longer polled."""
    _change(name, "pause", "paused", as_json, dry_run)


@source.command("resume")
def resume(name: Name, as_json: Json = False, dry_run: DryRun = False) -> None:
    """Have a paused or stopped source polled again."""
    _change(name, "resume", "resumed", as_json, dry_run)


@source.command("remove")
def remove(name: Name, as_json: Json = False, dry_run: DryRun = False) -> None:
    """Forget a source; what it delivered stays in its dataset."""
    _change(name, "remove", "removed", as_json, dry_run)


def _change(name: str, what: str, done: str, as_json: bool, dry_run: bool) -> None:
    with opened() as sources:
        before = sources.show(name)
        if not dry_run:
            getattr(sources, what)(name)
    if as_json:
        emit_json(before)
    else:
        say(f"{name} would be {done}" if dry_run else f"{name} is {done}")


def _print_poll(done: Poll) -> None:
    if done.outcome == "nothing" and not done.twice:
        say(f"{done.source}: nothing new")
    elif done.outcome in ("failed", "stopped"):
        say(f"✗ {done.source} {done.outcome}: {plain(done.said)}")
    if done.deliveries or done.twice:
        parts = [counted(done.deliveries, "delivery", "deliveries"), counted(done.rows, "row")]
        parts += [f"{done.bad} in quarantine"] if done.bad else []
        parts += [f"{done.replaced} replaced others"] if done.replaced else []
        parts += [f"{done.twice} had come before"] if done.twice else []
        say(f"{done.source}: {', '.join(parts)}; {done.commit[:12]}")
    if done.left:
        say(f"  there is more: roadworthy data source poll {done.source}")


def _line(done: Poll) -> str:
    return plain(done.said.partition("\n")[0])[:60]
