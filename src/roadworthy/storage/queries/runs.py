"""Runs and their files."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.capture import CaptureReport
from roadworthy.core.run import Run
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.tables import releases, run_files, runs


def run(connection: Connection, identity: str) -> Run | None:
    """The run of an id."""
    text = connection.execute(sa.select(runs.c.document).where(runs.c.id == identity)).scalar()
    return None if text is None else _run(text)


def run_report(connection: Connection, identity: str) -> CaptureReport | None:
    """What capture found in a run."""
    text = connection.execute(sa.select(runs.c.report).where(runs.c.id == identity)).scalar()
    return None if text is None else decode(text, CaptureReport, f"run {identity}'s capture")


def run_file_digests(connection: Connection, identity: str) -> dict[str, str]:
    """The files of a run's program: path to digest."""
    rows = connection.execute(
        sa.select(run_files.c.path, run_files.c.digest).where(run_files.c.run == identity)
    ).all()
    return {row.path: row.digest for row in sorted(rows, key=lambda row: str(row.path))}


def runs_before(
    connection: Connection, model: str | None, limit: int, before: str | None
) -> list[Run]:
    """Runs, newest first: of all programs, or those that gave releases of a model."""
    query = sa.select(runs.c.document)
    if model is not None:
        query = query.where(runs.c.id.in_(_runs_of(model)))
    if before is not None:
        query = query.where(runs.c.id < before)
    texts = connection.execute(query.order_by(runs.c.id.desc()).limit(limit)).scalars()
    return [_run(text) for text in texts]


def insert_run(connection: Connection, new: Run, report: CaptureReport | None) -> None:
    """Keeps a run that is not kept yet, its report and the digests of its files."""
    connection.execute(
        sa.insert(runs).values(
            id=new.id,
            program=new.program,
            status=new.status,
            started=new.started,
            caller=new.caller,
            document=encode(new),
            report=None if report is None else encode(report),
        )
    )
    rows = [{"run": new.id, "path": each.path, "digest": each.digest} for each in new.files]
    if rows:
        connection.execute(sa.insert(run_files), rows)


def _runs_of(model: str) -> sa.Select[tuple[str]]:
    return sa.select(releases.c.run).where(releases.c.model == model)


def _run(text: str) -> Run:
    return decode(text, Run, "a run")
