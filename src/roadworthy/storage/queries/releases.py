"""Models, releases and certificates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from roadworthy.core.certificate import Certificate
from roadworthy.core.release import Release
from roadworthy.storage.queries.documents import decode, encode
from roadworthy.storage.queries.writing import insert_unless_there
from roadworthy.storage.tables import certificates, models, releases

_RELEASE = (releases.c.document, releases.c.notes, releases.c.quarantined)


def model_names(connection: Connection) -> list[str]:
    """The names of all models that have releases, in order."""
    return sorted(
        connection.execute(sa.select(models.c.name).where(models.c.last_number > 0)).scalars()
    )


def release(connection: Connection, model: str, number: int | None) -> Release | None:
    """A release by its number; the model's newest without one."""
    query = sa.select(*_RELEASE).where(releases.c.model == model)
    if number is not None:
        query = query.where(releases.c.number == number)
    row = connection.execute(query.order_by(releases.c.number.desc()).limit(1)).first()
    return None if row is None else _release(row)


def release_of_content(connection: Connection, model: str, digest: str) -> Release | None:
    """The release of a model that has a content."""
    row = connection.execute(
        sa.select(*_RELEASE).where(releases.c.model == model, releases.c.digest == digest)
    ).first()
    return None if row is None else _release(row)


def releases_of_digest(connection: Connection, digest: str) -> list[Release]:
    """The releases, of any model, that have a content, the first made first."""
    rows = connection.execute(
        sa.select(*_RELEASE)
        .where(releases.c.digest == digest)
        .order_by(releases.c.made, releases.c.model)
    ).all()
    return [_release(row) for row in rows]


def releases_before(
    connection: Connection, model: str, limit: int, before: int | None
) -> list[Release]:
    """A model's releases, newest first."""
    query = sa.select(*_RELEASE).where(releases.c.model == model)
    if before is not None:
        query = query.where(releases.c.number < before)
    rows = connection.execute(query.order_by(releases.c.number.desc()).limit(limit)).all()
    return [_release(row) for row in rows]


def releases_of_run(connection: Connection, run: str) -> list[Release]:
    """The releases that came from a run."""
    rows = connection.execute(
        sa.select(*_RELEASE)
        .where(releases.c.run == run)
        .order_by(releases.c.model, releases.c.number)
    ).all()
    return [_release(row) for row in rows]


def newest_releases(connection: Connection) -> list[tuple[Release, str]]:
    """The newest release of each model, and when the model was made."""
    rows = connection.execute(
        sa.select(*_RELEASE, models.c.created).join(
            models,
            sa.and_(models.c.name == releases.c.model, models.c.last_number == releases.c.number),
        )
    ).all()
    found = [(_release(row), str(row.created)) for row in rows]
    return sorted(found, key=lambda each: each[0].model)


def model_index(connection: Connection) -> list[tuple[str, int, str]]:
    """Name, newest release's number and when that was made, of each model that has one."""
    rows = connection.execute(
        sa.select(models.c.name, releases.c.number, releases.c.made).join(
            releases,
            sa.and_(models.c.name == releases.c.model, models.c.last_number == releases.c.number),
        )
    ).all()
    return sorted((str(name), int(number), str(made)) for name, number, made in rows)


def newest_of(connection: Connection, names: Sequence[str]) -> dict[str, Release]:
    """The newest release of each of these models, by model."""
    rows = connection.execute(
        sa.select(*_RELEASE)
        .join(
            models,
            sa.and_(models.c.name == releases.c.model, models.c.last_number == releases.c.number),
        )
        .where(models.c.name.in_(names))
    ).all()
    return {found.model: found for found in map(_release, rows)}


def lock_model(connection: Connection, model: str, now: str) -> int:
    """Has this transaction alone change a model, made if there is none; its last number."""
    chosen = sa.select(models.c.last_number).where(models.c.name == model).with_for_update()
    last = connection.execute(chosen).scalar()
    if last is None:
        insert_unless_there(connection, models, name=model, created=now, last_number=0)
        last = connection.execute(chosen).scalar_one()
    return int(last)


def insert_release(connection: Connection, new: Release) -> None:
    """Keeps a release whose number follows the model's last, and counts that up."""
    connection.execute(
        sa.insert(releases).values(
            model=new.model,
            number=new.number,
            digest=new.digest,
            run=new.run,
            made=new.made,
            document=encode(msgspec.structs.replace(new, notes="", quarantined="")),
            notes=new.notes,
            quarantined=new.quarantined,
        )
    )
    connection.execute(
        sa.update(models).where(models.c.name == new.model).values(last_number=new.number)
    )


def set_release_notes(connection: Connection, model: str, number: int, notes: str) -> bool:
    """Replaces a release's notes; whether there is such a release."""
    return _set(connection, model, number, notes=notes)


def set_quarantine(connection: Connection, model: str, number: int, reason: str) -> bool:
    """Sets why a release is in quarantine (empty: it is not); whether there is one."""
    return _set(connection, model, number, quarantined=reason)


def insert_certificate(
    connection: Connection, identity: str, digest: str, new: Certificate
) -> None:
    """Keeps a certificate of a content, unless one of this id is kept already."""
    insert_unless_there(
        connection,
        certificates,
        id=identity,
        digest=digest,
        release=new.release,
        depth=new.depth,
        made=new.made,
        passed=int(new.passed),
        document=encode(new),
    )


def certificates_of(
    connection: Connection, digest: str, *, limit: int | None = None
) -> list[Certificate]:
    """The certificates of a content, newest first."""
    texts = connection.execute(
        sa.select(certificates.c.document)
        .where(certificates.c.digest == digest)
        .order_by(certificates.c.made.desc(), certificates.c.id.desc())
        .limit(limit)
    ).scalars()
    return [decode(text, Certificate, "a certificate") for text in texts]


def _set(connection: Connection, model: str, number: int, **values: str) -> bool:
    result = connection.execute(
        sa.update(releases)
        .where(releases.c.model == model, releases.c.number == number)
        .values(**values)
    )
    return result.rowcount == 1


def _release(row: Any) -> Release:
    found = decode(row.document, Release, "a release")
    return msgspec.structs.replace(found, notes=row.notes, quarantined=row.quarantined)
