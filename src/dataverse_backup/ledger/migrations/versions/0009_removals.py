"""Copies that were deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Instant, Words

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """There were none."""
    op.create_table(
        "removals",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("run", Words(), nullable=False),
        sa.Column("destination", Words(), nullable=False),
        sa.Column("key", Words(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("datafile_id", sa.BigInteger(), nullable=True),
        sa.Column("checksum", Words(), nullable=True),
        sa.Column("registered", Words(), nullable=True),
        sa.Column("verified_by", Words(), nullable=True),
        sa.Column("durable", Words(), nullable=True),
        sa.Column("proven", Instant(), nullable=True),
        sa.Column("begun", Instant(), nullable=False),
        sa.Column("ended", Instant(), nullable=True),
        sa.Column("outcome", Words(), nullable=True),
        sa.Column("message", Words(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", name=op.f("removals_primary")),
        sa.ForeignKeyConstraint(["run"], ["runs.run"], name=op.f("removals_run_of_runs")),
    )
    op.create_index(op.f("removals_by_destination_ended"), "removals", ["destination", "ended"], unique=False)
    op.create_index(op.f("removals_by_datafile_id"), "removals", ["datafile_id"], unique=False)
