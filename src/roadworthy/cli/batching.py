"""``roadworthy batch``: a release's answers to all rows of a file, however many."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from roadworthy.cli.options import DryRun, Json
from roadworthy.cli.output import emit_json, say, steps
from roadworthy.cli.session import connect, settings_of
from roadworthy.errors import UsageError

ENGINES = ("local", "dask")


def batch(
    name: Annotated[str, typer.Argument(help="A model, or a release: flight-delay@12.")],
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A .parquet or .csv file, or s3://bucket/path.")
    ],
    output: Annotated[str, typer.Argument(help="The file to write, there or there.")],
    keep: Annotated[
        str, typer.Option(help="Columns of the input to write too: all, none, or a,b,c.")
    ] = "all",
    engine: Annotated[str, typer.Option(help="local, or dask (the extra `dask`).")] = "local",
    workers: Annotated[int, typer.Option(min=0, help="Worker processes; 0: one a core.")] = 0,
    scheduler: Annotated[str, typer.Option(help="A Dask scheduler: tcp://host:8786.")] = "",
    chunk_rows: Annotated[
        int, typer.Option(min=0, help="Rows that are answered at once; 0: by their size.")
    ] = 0,
    seconds: Annotated[float, typer.Option(help="The longest that a chunk may take.")] = 600.0,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", help="KEY=VALUE of the object store: endpoint, region …"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Answer all rows of a file; run it again to go on where it was interrupted."""
    if engine not in ENGINES:
        raise UsageError(f"{engine!r} is no engine", cure=f"use {' or '.join(ENGINES)}")
    settings = settings_of()
    given = {**settings.blob_options, **_options(options or [])}
    with connect(settings) as control:
        release = _release(control, name)
        if dry_run:
            say(f"would answer the rows of {source} by {release} into {output}")
            return
        with steps(as_json) as shown:
            from roadworthy.wiring import make_runnable

            found, runnable = make_runnable(settings, control, release, shown.begin)
    import msgspec

    from roadworthy.pipelines.batch import Batch, LocalEngine, run_batch
    from roadworthy.pipelines.workers import default_workers

    job = Batch(
        runnable=msgspec.structs.replace(runnable, seconds=seconds),
        digest=found.digest,
        signature=found.signature,
        input=source,
        output=output,
        keep=_kept(keep),
        overwrite=overwrite,
        chunk_rows=chunk_rows,
        options=given,
    )
    count = workers or default_workers()
    chosen: Any = LocalEngine(count)
    if engine == "dask":
        from roadworthy.pipelines.dask import DaskEngine

        chosen = DaskEngine(count, scheduler)
    with _Shown(as_json, found.name) as bar:
        done = run_batch(job, chosen, bar.show)
    if as_json:
        emit_json({"release": found.name, "output": output, "engine": engine, **_summary(done)})
        return
    say(_told(found.name, output, done))


def _release(control: Any, name: str) -> str:
    """The release that a name means: as written, else what is live in production, else newest."""
    if "@" not in name:
        for each in control.get("/deployments"):
            if each["model"] == name and each["stage"] == "production" and each["live"]:
                return f"{name}@{each['live']}"
    return str(control.get(f"/releases/{name}")["name"])


def _kept(text: str) -> list[str] | None:
    if text == "all":
        return None
    return [] if text == "none" else [each.strip() for each in text.split(",") if each.strip()]


def _options(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--option {text} sets nothing", cure="write --option KEY=VALUE")
        found[key] = value
    return found


def _summary(done: Any) -> dict[str, Any]:
    counts = done.counts
    return {
        "rows": done.total,
        "answered_before": done.before,
        "rejected": counts.rejected,
        "failed": counts.failed,
        "worker_deaths": counts.deaths,
        "seconds": round(done.seconds, 3),
        "rows_per_second": round(counts.rows / done.seconds) if done.seconds else 0,
    }


def _told(release: str, output: str, done: Any) -> str:
    summary = _summary(done)
    lines = [
        f"{summary['rows']:,} rows answered by {release} in {done.seconds:.1f} s "
        f"({summary['rows_per_second']:,} rows/s)"
    ]
    if done.before:
        lines.append(f"  {done.before:,} of them by an earlier attempt")
    for word in ("rejected", "failed", "worker_deaths"):
        if summary[word]:
            lines.append(f"  {summary[word]:,} {word.replace('_', ' ')}")
    return "\n".join([*lines, f"  {output}"])


class _Shown:
    """Progress with its rate: a bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self, quiet: bool, release: str) -> None:
        self._quiet = quiet
        self._release = release
        self._bar: Any = None
        self._task: Any = None
        self._said = 0.0

    def __enter__(self) -> _Shown:
        if not self._quiet and sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            self._bar = progress.Progress(
                progress.TextColumn(self._release),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TextColumn("{task.fields[rate]:,.0f} rows/s"),
                progress.TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(self._release, total=None, rate=0.0)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, state: Any) -> None:
        """Show how far it is."""
        rows = state.before + state.counts.rows
        rate = state.counts.rows / state.seconds if state.seconds else 0.0
        if self._bar is not None:
            self._bar.update(self._task, completed=rows, total=state.total, rate=rate)
        elif not self._quiet and state.seconds - self._said > EVERY_SECONDS:
            self._said = state.seconds
            of = f" of {state.total:,}" if state.total else ""
            print(f"{rows:,}{of} rows, {rate:,.0f} rows/s", file=sys.stderr, flush=True)


EVERY_SECONDS = 5.0
