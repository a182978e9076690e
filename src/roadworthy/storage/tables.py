"""All tables of the metadata, in one place, the same on SQLite and PostgreSQL.

A column named ``document`` holds a core value as JSON text; whatever is asked for in a query
is a column of its own beside it. Times are UTC, ISO 8601, as text. The tables are made by
the migrations in ``migrations/versions``; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
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

model_cards = Table(
    "model_cards",
    metadata,
    Column("model", Text, ForeignKey("models.name"), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("document", Text, nullable=False),
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

datasets = Table(
    "datasets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created", Text, nullable=False),
    Column("document", Text, nullable=False),
)

data_commits = Table(
    "data_commits",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("dataset", Text, ForeignKey("datasets.name"), nullable=False),
    Column("parent", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("write", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("write", name="uq_data_commits_write"),
    Index("ix_data_commits_dataset", "dataset", "at"),
)

data_branches = Table(
    "data_branches",
    metadata,
    Column("dataset", Text, ForeignKey("datasets.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("commit", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("document", Text, nullable=False),
)

data_moves = Table(
    "data_moves",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("branch", Text, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("commit", Text, nullable=False),
    Column("at", Text, nullable=False),
)

data_tags = Table(
    "data_tags",
    metadata,
    Column("dataset", Text, ForeignKey("datasets.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("commit", Text, nullable=False),
    Column("document", Text, nullable=False),
)

data_packs = Table(
    "data_packs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", Text, nullable=False),
    UniqueConstraint("digest", name="uq_data_packs_digest"),
    Index("ix_data_packs_state", "state"),
)

# Where each piece is: `check` is the beginning of the digest of its bytes as they are stored,
# `base` the piece that it is a patch of; empty for one that stands alone.
data_pieces = Table(
    "data_pieces",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("pack", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("length", Integer, nullable=False),
    Column("check", LargeBinary, nullable=False),
    Column("base", LargeBinary, nullable=False),
    Index("ix_data_pieces_pack", "pack"),
    sqlite_with_rowid=False,
)

# Which commit was used by what: the provenance asked the other way round.
data_uses = Table(
    "data_uses",
    metadata,
    Column("commit", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("detail", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("ix_data_uses_name", "kind", "name"),
)

data_erasures = Table(
    "data_erasures",
    metadata,
    Column("content", Text, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("document", Text, nullable=False),
)

data_erased_pieces = Table(
    "data_erased_pieces",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("content", Text, nullable=False),
)

# Grows with every change of what names a commit, except commits themselves.
data_refs = Table(
    "data_refs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("id = 1", name="single"),
)

# Where data comes from: how each source is configured, and how far it has come.
data_sources = Table(
    "data_sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("state", Text, nullable=False),
)

# What was taken from a source, once and for all; asked for before anything is taken again.
data_deliveries = Table(
    "data_deliveries",
    metadata,
    Column("source", Text, primary_key=True),
    Column("identity", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("content", Text, nullable=False),
    Column("poll", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_data_deliveries_content", "source", "content"),
    Index("ix_data_deliveries_poll", "poll"),
)

data_polls = Table(
    "data_polls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_data_polls_source", "source", "at"),
)
