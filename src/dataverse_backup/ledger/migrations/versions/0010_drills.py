"""Drills: what each restored, how fast, and what failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Instant, Words

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Of former drills there are only their runs."""
    op.create_table(
        "drills",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("run", Words(), nullable=False),
        sa.Column("destination", Words(), nullable=False),
        sa.Column("started", Instant(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("outcome", Words(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("dataset", Words(), nullable=False),
        sa.Column("oldest_proof", Instant(), nullable=True),
        sa.Column("newest_proof", Instant(), nullable=True),
        sa.Column("message", Words(), nullable=False),
        sa.Column("failures", Words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("drills_primary")),
        sa.ForeignKeyConstraint(["run"], ["runs.run"], name=op.f("drills_run_of_runs")),
    )
    op.create_index(op.f("drills_by_destination_id"), "drills", ["destination", "id"])
