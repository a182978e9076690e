"""All tables of the metadata, in one place, the same on SQLite and PostgreSQL.

A column named ``document`` holds a core value as JSON text; whatever is asked for in a query
is a column of its own beside it. Times are UTC, ISO 8601, as text. The tables are made by
the migrations in ``migrations/versions``; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("program", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("report", Text),
)

run_files = Table(
    "run_files",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Index("ix_run_files_digest", "digest"),
)

models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created", Text, nullable=False),
    Column("last_number", Integer, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("model", Text, ForeignKey("models.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("run", Text, ForeignKey("runs.id"), nullable=False),
    Column("made", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("quarantined", Text, nullable=False),
    UniqueConstraint("model", "digest", name="uq_releases_model"),
    CheckConstraint("number > 0", name="number"),
    Index("ix_releases_digest", "digest"),
    Index("ix_releases_run", "run"),
)

certificates = Table(
    "certificates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("release", Text, nullable=False),
    Column("depth", Text, nullable=False),
    Column("made", Text, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_certificates_digest", "digest", "made"),
)

deployments = Table(
    "deployments",
    metadata,
    Column("model", Text, ForeignKey("models.name"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("document", Text, nullable=False),
)

stage_changes = Table(
    "stage_changes",
    metadata,
    Column("model", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(
        ["model", "stage"],
        ["deployments.model", "deployments.stage"],
        name="fk_stage_changes_model",
    ),
)

routing = Table(
    "routing",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("document", Text),
    CheckConstraint("id = 1", name="single"),
)

agents = Table(
    "agents",
    metadata,
    Column("agent", Text, primary_key=True),
    Column("seen", Text, nullable=False),
    Column("document", Text, nullable=False),
)

operations = Table(
    "operations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_operations_state", "state"),
    Index("ix_operations_model", "model", "started"),
)
