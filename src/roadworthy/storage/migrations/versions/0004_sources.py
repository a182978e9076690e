"""The tables of sources, what they delivered and when they were polled."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables of sources, deliveries and polls."""
    op.create_table(
        "data_sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_data_sources"),
    )
    op.create_table(
        "data_deliveries",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("poll", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "identity", "version", name="pk_data_deliveries"),
    )
    op.create_index("ix_data_deliveries_content", "data_deliveries", ["source", "content"])
    op.create_index("ix_data_deliveries_poll", "data_deliveries", ["poll"])
    op.create_table(
        "data_polls",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_data_polls"),
    )
    op.create_index("ix_data_polls_source", "data_polls", ["source", "at"])
