"""Commands that care for datasets: gc, fsck, erase, import, export, impact, lineage."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from roadworthy.cli.data import Dataset, Name, data, opened
from roadworthy.cli.options import DryRun, Json, Reason
from roadworthy.cli.output import ago, emit_json, plain, say, size, table
from roadworthy.cli.progress import Bar
from roadworthy.cli.session import caller
from roadworthy.core.words import counted
from roadworthy.errors import Unavailable


@data.command("gc")
def gc(
    run: Annotated[bool, typer.Option("--run", help="Do it; without: only say what.")] = False,
    grace: Annotated[float, typer.Option(min=0, help="Hours before what is condemned goes.")] = 24,
    as_json: Json = False,
) -> None:
    """Remove what no branch, tag, run, release or job reaches; says only what, without --run."""
    with opened() as datasets, Bar("looking", 0, quiet=as_json) as bar:
        told = datasets.collect(
            grace=timedelta(hours=grace),
            dry_run=not run,
            say=lambda what, done, total: bar.at(done, total, what),
        )
    if as_json:
        emit_json({"run": run, "collected": told})
        return
    verb = "" if run else "would be "
    condemned = counted(told.condemned, "pack or commit", "packs and commits")
    say(f"{condemned} {verb}condemned, {size(told.condemned_bytes)}")
    repacked = counted(told.repacked, "pack")
    say(f"{repacked} {verb}moved together, which frees {size(told.freed_bytes)}")
    say(f"{told.deleted} {verb}deleted for good, {size(told.deleted_bytes)}")
    if told.strays:
        say(f"{told.strays} blobs that nothing knows {verb}condemned")
    if not run:
        say("nothing was changed: roadworthy data gc --run")


@data.command("fsck")
def fsck(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Fill empty metadata from the store first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every digest; say what is damaged and which commits it touches."""
    with opened() as datasets, Bar("reading", 0, quiet=as_json) as bar:
        rebuilt = None
        if rebuild:
            rebuilt = datasets.rebuild(lambda what, n, total: bar.at(n, total, what))
        told = datasets.check(lambda what, done, total: bar.at(done, total, what))
    healthy = not told.problems and not (rebuilt and rebuilt.problems)
    if as_json:
        emit_json({"healthy": healthy, "checked": told, "rebuilt": rebuilt})
        raise typer.Exit(0 if healthy else 10)
    if rebuilt is not None:
        commits = counted(rebuilt.commits, "commit")
        say(f"known again: {counted(rebuilt.datasets, 'dataset')}, {commits}")
        for name in rebuilt.recovered:
            say(f"· {name} holds a commit whose branch had another one at that step")
        for problem in rebuilt.problems:
            say(f"✗ {plain(problem)}")
    read = ", ".join(
        [counted(told.pieces, "piece"), counted(told.commits, "commit"), size(told.bytes)]
    )
    say(f"read {counted(told.packs, 'pack')}, {read}")
    for each in told.problems:
        say(f"✗ {plain(each.what)}: {plain(each.reason)}")
        if each.commits:
            more = f" and {len(each.commits) - 5} more" if len(each.commits) > 5 else ""
            say(f"    touches {', '.join(each.commits[:5])}{more}")
    if healthy:
        erased = f"; {told.erased} contents were erased" if told.erased else ""
        say(f"✓ nothing is damaged{erased}")
    else:
        say("  → restore the blobs from a backup, or commit the damaged files again")
    raise typer.Exit(0 if healthy else 10)


@data.command("erase")
def erase(
    dataset: Dataset,
    path: Annotated[str, typer.Argument(help="The path whose contents are to go.")],
    reason: Reason = "",
    of: Annotated[str, typer.Option(help="Only what this commit has there.")] = "",
    keep_heads: Annotated[
        bool, typer.Option("--keep-heads", help="Leave what branches have now.")
    ] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Remove a content from all history; its digest, the reason and the certificates stay."""
    with opened() as datasets:
        done = datasets.erase(
            dataset,
            path,
            reason=reason,
            author=caller(),
            of=of,
            keep_heads=keep_heads,
            dry_run=dry_run,
        )
    if as_json:
        emit_json(done)
        return
    for each in done:
        verb = "would erase" if dry_run else "erased"
        pieces = counted(each.pieces, "piece")
        say(f"{verb} b3:{each.content[:12]}: {pieces}, {size(each.bytes)} of its own")


@data.command("import")
def import_(
    name: Dataset,
    source: Annotated[str, typer.Argument(help="The other home's data: a folder or URL.")],
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Take over a dataset with its whole history from another home's blobs, or from an export."""
    from roadworthy.cli.session import settings_of
    from roadworthy.wiring import import_dataset

    if dry_run:
        say(f"would take {name} over from {source}")
        return
    told = import_dataset(settings_of(), name, source)
    if as_json:
        emit_json(told)
    else:
        say(f"{name}: {counted(told['commits'], 'commit')}, {size(told['bytes'])} taken over")


@data.command("export")
def export(
    name: Dataset,
    to: Annotated[str, typer.Argument(help="A folder or URL to write to.")],
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Write a dataset with its whole history to a folder or bucket that `import` reads."""
    from roadworthy.cli.session import settings_of
    from roadworthy.wiring import export_dataset

    if dry_run:
        say(f"would write {name} to {to}")
        return
    told = export_dataset(settings_of(), name, to)
    if as_json:
        emit_json(told)
    else:
        say(f"{name}: {counted(told['commits'], 'commit')}, {size(told['bytes'])} in {to}")


@data.command("impact")
def impact(commit: Name, as_json: Json = False) -> None:
    """What a commit reached: commits made from it, runs, releases and jobs that read them."""
    with opened() as datasets:
        found = datasets.impact(commit)
    if as_json:
        emit_json(found)
        return
    if not found:
        say(f"nothing that is known was made from {commit}")
        return
    table(
        ["kind", "name", "since", "through"],
        [[e.kind, e.name[:40], ago(e.at), f"{e.commit[:12]} {e.detail}".strip()] for e in found],
    )


@data.command("describe")
def describe(
    name: Name,
    to: Annotated[Path | None, typer.Option(help="The file; else standard output.")] = None,
) -> None:
    """A commit as a Croissant description (JSON-LD), for tools that read datasets."""
    from roadworthy.data.describing import croissant

    with opened() as datasets:
        document = croissant(datasets.read(name))
    if to is None:
        emit_json(document)
        return
    import msgspec

    to.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    say(f"the description of {name} is in {to}")


@data.command("lineage")
def lineage(
    name: Name,
    to: Annotated[str, typer.Option(help="A file, or an OpenLineage server's address.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many commits, newest first.")] = 100,
) -> None:
    """Commits, and runs, releases and jobs that read them, as OpenLineage events (JSON lines)."""
    import msgspec

    from roadworthy.data.lineage import events

    with opened() as datasets:
        lines = [msgspec.json.encode(event) for event in events(datasets, name, limit)]
    if to.startswith(("http://", "https://")):
        _send(to, lines)
        say(f"{len(lines)} events of {name} are sent to {to}")
    elif to:
        Path(to).write_bytes(b"".join(line + b"\n" for line in lines))
        say(f"{len(lines)} events of {name} are in {to}")
    else:
        for line in lines:
            print(line.decode())


def _send(address: str, lines: list[bytes]) -> None:
    import httpx

    headers = {"Content-Type": "application/json"}
    try:
        with httpx.Client(timeout=30.0) as client:
            for line in lines:
                client.post(address, content=line, headers=headers).raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(
            f"{address} does not take the events: {error}",
            cure="give the whole address, as http://host:5000/api/v1/lineage",
        ) from error
