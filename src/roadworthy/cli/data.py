"""Commands on versioned datasets; they work on the metadata and blobs directly."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadworthy.cli.options import DryRun, Json
from roadworthy.cli.output import ago, emit_json, plain, say, size, table
from roadworthy.cli.progress import Bar
from roadworthy.cli.session import caller, settings_of
from roadworthy.core.dataset import MAIN, Committed
from roadworthy.core.dataset_names import parse_commit
from roadworthy.core.words import counted
from roadworthy.errors import Conflict, UsageError

if TYPE_CHECKING:
    from roadworthy.data import Datasets

data = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Versioned datasets: init, add, commit, log, diff, checkout, source, gc …",
)
Name = Annotated[str, typer.Argument(help="A dataset, or one of its commits: flights@main~2.")]
Branch = Annotated[str, typer.Argument(help="A dataset's branch: flights@main; flights means it.")]
Dataset = Annotated[str, typer.Argument(help="The dataset's name.")]


@contextlib.contextmanager
def opened() -> Iterator[Datasets]:
    """The datasets of the settings that hold here."""
    from roadworthy.wiring import open_datasets

    with open_datasets(settings_of()) as datasets:
        yield datasets


@data.command("init")
def init(
    name: Dataset,
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    key: Annotated[str, typer.Option(help="Columns that tell rows apart: id,day.")] = "",
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Make a dataset."""
    if dry_run:
        say(f"would make the dataset {name}")
        return
    with opened() as datasets:
        made = datasets.create(name, description=description, key=_words(key), author=caller())
    if as_json:
        emit_json(made)
    else:
        say(f"{name} is there, with the empty branch {MAIN}")
        say(f"  → roadworthy data commit {name} FILES --message 'First'")


@data.command("list")
def list_(as_json: Json = False) -> None:
    """All datasets."""
    with opened() as datasets:
        found = [(each, datasets.log(each.name, limit=1)) for each in datasets.all()]
    if as_json:
        emit_json([{"dataset": each, "newest": log[0] if log else None} for each, log in found])
        return
    if not found:
        say("there are no datasets yet: roadworthy data init NAME")
        return
    rows = []
    for each, log in found:
        newest = log[0].commit if log else None
        rows.append(
            [
                each.name,
                newest.files if newest else 0,
                size(newest.bytes) if newest else "",
                ago(newest.at) if newest else "never",
                each.description,
            ]
        )
    table(["dataset", "paths", "size", "changed", "description"], rows)


@data.command("add")
def add(
    name: Branch,
    paths: Annotated[list[Path], typer.Argument(help="Files and folders to take in.")],
    at: Annotated[str, typer.Option(help="The path in the dataset; else the file's name.")] = "",
    kind: Annotated[str, typer.Option("--as", help="auto, file or table.")] = "auto",
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Note files for the next commit, which `roadworthy data commit` without files makes."""
    from roadworthy.cli.staging import Stage, planned

    stage = Stage(settings_of().home, parse_commit(name))
    fresh = planned(paths, at, kind)
    if not dry_run:
        stage.add(fresh)
    if as_json:
        emit_json([*fresh] if dry_run else stage.read())
        return
    say(f"{'would note' if dry_run else 'noted'} {len(fresh)} for the next commit to {name}")


@data.command("commit")
def commit(
    name: Branch,
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders; without: what was added.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What and why.")] = "",
    at: Annotated[str, typer.Option(help="The path in the dataset; else the file's name.")] = "",
    kind: Annotated[str, typer.Option("--as", help="auto, file or table.")] = "auto",
    append: Annotated[bool, typer.Option("--append", help="Rows come after those there.")] = False,
    key: Annotated[str, typer.Option(help="Columns that tell rows apart: id,day.")] = "",
    remove: Annotated[
        list[str] | None, typer.Option(help="A path of the dataset to leave out; repeatable.")
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Also remove what is not among the files given.")
    ] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Commit files and tables; Parquet, CSV, JSON lines and Arrow are kept as tables."""
    from roadworthy.cli.staging import Keys, Stage, changes_of, planned

    wanted = parse_commit(name)
    stage = Stage(settings_of().home, wanted)
    files = planned(paths, at, kind) if paths else stage.read()
    if not files and not remove:
        raise UsageError(
            f"there is nothing to commit to {name}",
            cure=f"roadworthy data commit {name} FILES, or roadworthy data add {name} FILES",
        )
    with opened() as datasets:
        usual = datasets.dataset(wanted.dataset).key
        keys = Keys(asked=_words(key), usual=usual)
        changes = changes_of(datasets, str(wanted), files, append, keys, remove or [], mirror)
        if dry_run:
            for each in changes:
                path = getattr(each, "path", "")
                say(f"would {type(each).__name__.lower().replace('put', 'put ')} {path}")
            return
        total = sum(os.stat(each.source).st_size for each in files)  # noqa: PTH116 - for many
        before = datasets.branch(wanted.dataset, wanted.ref).commit
        with Bar(f"committing to {name}", total, quiet=as_json) as bar:
            made = datasets.commit(
                str(wanted),
                changes,
                message=message,
                author=caller(),
                report=lambda path, count: bar.add(count, path),
            )
    if not paths:
        stage.clear()
    if as_json:
        emit_json({"commit": made, "new": made.digest != before})
    elif made.digest == before:
        say(f"nothing changed: {wanted.dataset}@{wanted.ref} stays at {made.digest[:12]}")
    else:
        _print_commit(made)


def _print_commit(made: Committed) -> None:
    commit = made.commit
    say(f"{made.name}  {commit.dataset}@{commit.branch}")
    paths = counted(commit.files, "path")
    say(f"  {paths}, {size(commit.bytes)}; stored anew: {size(commit.added)}")


@data.command("log")
def log(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """The commits of a line, newest first."""
    with opened() as datasets:
        found = datasets.log(name, limit)
    if as_json:
        emit_json(found)
        return
    if not found:
        say(f"{name} has no commit yet")
        return
    rows = [
        [
            each.digest[:12],
            ago(each.commit.at),
            each.commit.author,
            each.commit.files,
            size(each.commit.bytes),
            "+" + size(each.commit.added),
            plain(each.commit.message.partition("\n")[0])[:60],
        ]
        for each in found
    ]
    table(["commit", "made", "by", "paths", "size", "stored", "message"], rows)


@data.command("show")
def show(
    name: Name,
    path: Annotated[str, typer.Argument(help="Only this path, or what is under it.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many paths.")] = 50,
    as_json: Json = False,
) -> None:
    """A commit: who, when, from what; its paths; the columns of its tables."""
    with opened() as datasets:
        snapshot = datasets.read(name)
        entries = []
        for entry in snapshot.entries(path):
            entries.append(entry)
            if len(entries) == limit:
                break
        fields = {
            each.path: snapshot.table_of(each).manifest.fields()
            for each in entries
            if each.kind == "table"
        }
    made = snapshot.committed
    if as_json:
        kept = [
            {"path": e.path, "kind": e.kind, "content": e.content, "size": e.size, "rows": e.rows}
            for e in entries
        ]
        emit_json({"commit": made, "entries": kept, "tables": fields})
        return
    commit = made.commit
    say(f"{made.name}  made {ago(commit.at)} by {commit.author or 'unknown'}")
    if commit.message:
        say(f"  {plain(commit.message)}")
    for each in commit.provenance:
        say(f"  from {each.kind} {each.name} {plain(each.detail)}".rstrip())
    say(f"  {counted(commit.files, 'path')}, {size(commit.bytes)}")
    say()
    table(
        ["path", "kind", "size", "rows", "content"],
        [[e.path, e.kind, size(e.size), e.rows or "", f"b3:{e.content[:7]}"] for e in entries],
    )
    if commit.files > len(entries) and not path:
        say(f"and {commit.files - len(entries)} more (--limit)")
    for where, columns in fields.items():
        say(f"\n{where}")
        table(["  column", "type"], [[f"  {each.name}", each.type] for each in columns])


@data.command("diff")
def diff(
    before: Name,
    after: Annotated[str, typer.Argument(help="Another commit; else the branch main.")] = "",
    schema_only: Annotated[
        bool, typer.Option("--schema", help="Read no rows: paths and columns only.")
    ] = False,
    as_json: Json = False,
) -> None:
    """How two commits differ: paths; of tables the schema, rows and statistics."""
    from roadworthy.data.comparing import compare

    with opened() as datasets:
        old = datasets.read(before)
        new = datasets.read(after or old.committed.commit.dataset)
        found = compare(old, new, deep=not schema_only)
    if as_json:
        emit_json({"before": old.name, "after": new.name, "paths": found})
        return
    say(f"{old.name} → {new.name}")
    if not found:
        say("the same content")
    for each in found:
        sizes = [size(count) for count in (each.before_bytes, each.after_bytes) if count]
        say(f"{each.kind:<8} {each.path}  {' → '.join(sizes)}")
        if each.rows is not None:
            changed = f", {each.rows.changed} changed" if each.rows.changed is not None else ""
            say(
                f"  rows {each.rows.before} → {each.rows.after}: "
                f"{each.rows.added} added, {each.rows.removed} removed{changed}"
            )
        for column in each.columns:
            _print_column(column)


def _print_column(column: Any) -> None:
    if not column.before_type or not column.after_type:
        word = "new column" if not column.before_type else "column gone"
        say(f"  {word}: {column.name} {column.before_type or column.after_type}")
        return
    if column.before_type != column.after_type:
        say(f"  {column.name}: {column.before_type} → {column.after_type}")
    parts = []
    for what in ("nulls", "minimum", "maximum", "mean", "distinct"):
        was, now = getattr(column.before, what), getattr(column.after, what)
        if was != now:
            parts.append(f"{what} {_short(was)} → {_short(now)}")
    say(f"  {column.name}: {', '.join(parts) or 'other values'}")


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "—" if value is None else str(value)


@data.command("branch")
def branch(
    dataset: Dataset,
    name: Annotated[str, typer.Argument(help="The branch; without: list them.")] = "",
    of: Annotated[str, typer.Option(help="The commit it is to name: flights@main~1.")] = "",
    move: Annotated[bool, typer.Option("--move", help="Have an existing one name it.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it.")] = False,
    keep_last: Annotated[int | None, typer.Option(help="Keep so many commits of it.")] = None,
    keep_days: Annotated[float | None, typer.Option(help="Keep those of so many days.")] = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """List a dataset's branches; make, move or remove one; set what gc keeps of it."""
    from roadworthy.core.dataset import Retention

    with opened() as datasets:
        if not name or dry_run:
            found = datasets.branches(dataset)
            if as_json:
                emit_json(found)
            elif dry_run and name:
                verb = "remove" if delete else "move" if move else "make"
                say(f"would {verb} the branch {dataset}@{name}")
            else:
                table(
                    ["branch", "commit", "moved", "keeps"],
                    [[b.name, b.commit[:12] or "—", ago(b.at), _rule(b.retention)] for b in found],
                )
            return
        if keep_last is not None or keep_days is not None:
            done = datasets.set_retention(dataset, name, Retention(last=keep_last, days=keep_days))
        elif delete:
            done = datasets.delete_branch(dataset, name, author=caller())
        elif move:
            done = datasets.move_branch(dataset, name, of or dataset, author=caller())
        else:
            empty = not datasets.log(dataset, limit=1)
            done = datasets.create_branch(dataset, name, of or ("" if empty else dataset), caller())
    if as_json:
        emit_json(done)
    elif delete:
        say(f"{dataset}@{name} is removed; its commits stay until gc")
    else:
        say(f"{dataset}@{name} is at {done.commit[:12] or 'no commit'}; {_rule(done.retention)}")


def _rule(rule: Any) -> str:
    parts = [f"the last {rule.last}"] if rule.last is not None else []
    parts += [f"{rule.days:g} days"] if rule.days is not None else []
    return "keeps " + " and ".join(parts) if parts else "keeps all"


@data.command("tag")
def tag(
    dataset: Dataset,
    name: Annotated[str, typer.Argument(help="The tag; without: list them.")] = "",
    of: Annotated[str, typer.Option(help="The commit it names; else the branch main.")] = "",
    message: Annotated[str, typer.Option("--message", "-m", help="Why.")] = "",
    delete: Annotated[bool, typer.Option("--delete", help="Remove it.")] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """List a dataset's tags, or give a commit a name that stays."""
    with opened() as datasets:
        if name and dry_run:
            say(f"would {'remove' if delete else 'make'} the tag {dataset}@{name}")
            return
        if name and delete:
            datasets.delete_tag(dataset, name, author=caller())
        elif name:
            datasets.create_tag(dataset, name, of or dataset, author=caller(), message=message)
        found = datasets.tags(dataset)
    if as_json:
        emit_json(found)
    else:
        table(
            ["tag", "commit", "made", "by", "message"],
            [[t.name, t.commit[:12], ago(t.at), t.author, plain(t.message)] for t in found],
        )


@data.command("merge")
def merge(
    into: Branch,
    other: Annotated[str, typer.Argument(help="The line to bring in: flights@trial.")],
    message: Annotated[str, typer.Option("--message", "-m", help="Why.")] = "",
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Bring another line's appended rows, and paths that only it changed, into a branch."""
    with opened() as datasets:
        made = datasets.merge(into, other, author=caller(), message=message, dry_run=dry_run)
    if as_json:
        emit_json(made)
    elif dry_run:
        say(f"{other} can be merged into {into}")
    else:
        _print_commit(made)


@data.command("checkout")
def checkout(
    name: Name,
    to: Annotated[Path | None, typer.Option(help="The folder; else DATASET@COMMIT here.")] = None,
    path: Annotated[str, typer.Option(help="Only this path, or what is under it.")] = "",
    tables: Annotated[str, typer.Option(help="Tables as parquet, csv, jsonl or arrow.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that differ.")] = False,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Write a commit's files and tables into a folder."""
    from roadworthy.data.exporting import Export

    with opened() as datasets:
        snapshot = datasets.read(name)
        export = Export(snapshot, to or Path(snapshot.name), tables)
        planned = export.plan(path)
        there = [target for _, target in planned if os.path.lexists(target)]
        if there and not force and not dry_run:
            more = f", and {len(there) - 1} more" if there[1:] else ""
            raise Conflict(
                f"{there[0]} is there already{more}",
                cure="--to another folder, or --force to overwrite",
            )
        if dry_run:
            for _, target in planned:
                say(f"would write {target}")
            return
        with Bar("writing", sum(entry.size for entry, _ in planned), quiet=as_json) as bar:
            export.write_all(planned, lambda entry, count: bar.add(count, entry.path))
    if as_json:
        emit_json({"commit": snapshot.name, "files": [target for _, target in planned]})
    else:
        say(f"{snapshot.name}: {len(planned)} files in {export.folder}")


@data.command("cat")
def cat(
    name: Name,
    path: Annotated[str, typer.Argument(help="The path; else the only table or file.")] = "",
    columns: Annotated[str, typer.Option(help="Only these columns: id,day.")] = "",
    rows: Annotated[int | None, typer.Option("--rows", "-n", min=0, help="How many rows.")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or arrow, for tables.")] = "csv",
    start: Annotated[int, typer.Option(min=0, help="The first row.")] = 0,
) -> None:
    """Write a file's bytes, or a table's rows, to standard output."""
    from roadworthy.data.exporting import write_rows

    output = sys.stdout.buffer
    with opened() as datasets:
        snapshot = datasets.read(name)
        entry = snapshot.entry(path or None)
        if entry.kind == "file":
            for part in snapshot.parts(entry):
                output.write(part)
        else:
            stop = None if rows is None else start + rows
            reader = snapshot.table_of(entry)
            schema = reader.schema_of(_words(columns) or None)
            batches = reader.batches(_words(columns) or None, start, stop)
            write_rows(schema, batches, form, output)
    output.flush()


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


import roadworthy.cli.data_care  # noqa: E402 - more commands of the same group
import roadworthy.cli.data_sources  # noqa: E402, F401
