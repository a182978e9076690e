"""The tables of versioned data."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables of datasets, commits, branches, tags, packs and pieces."""
    op.create_table(
        "datasets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_datasets"),
    )
    op.create_table(
        "data_commits",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("write", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"], name="fk_data_commits_dataset"),
        sa.PrimaryKeyConstraint("digest", name="pk_data_commits"),
        sa.UniqueConstraint("write", name="uq_data_commits_write"),
    )
    op.create_index("ix_data_commits_dataset", "data_commits", ["dataset", "at"])
    op.create_table(
        "data_branches",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"], name="fk_data_branches_dataset"),
        sa.PrimaryKeyConstraint("dataset", "name", name="pk_data_branches"),
    )
    op.create_table(
        "data_moves",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "branch", "generation", name="pk_data_moves"),
    )
    op.create_table(
        "data_tags",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"], name="fk_data_tags_dataset"),
        sa.PrimaryKeyConstraint("dataset", "name", name="pk_data_tags"),
    )
    op.create_table(
        "data_packs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_data_packs"),
        sa.UniqueConstraint("digest", name="uq_data_packs_digest"),
    )
    op.create_index("ix_data_packs_state", "data_packs", ["state"])
    op.create_table(
        "data_pieces",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("pack", sa.Integer(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("check", sa.LargeBinary(), nullable=False),
        sa.Column("base", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_data_pieces"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_data_pieces_pack", "data_pieces", ["pack"])
    op.create_table(
        "data_uses",
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("commit", "kind", "name", name="pk_data_uses"),
    )
    op.create_index("ix_data_uses_name", "data_uses", ["kind", "name"])
    op.create_table(
        "data_erasures",
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("content", name="pk_data_erasures"),
    )
    op.create_table(
        "data_erased_pieces",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_data_erased_pieces"),
    )
    op.create_table(
        "data_refs",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_data_refs_single"),
        sa.PrimaryKeyConstraint("id", name="pk_data_refs"),
    )
