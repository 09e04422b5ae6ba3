"""Dumps of the Dataverse database at the destinations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Instant, Words

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """There were none."""
    op.create_table(
        "dumps",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("run", Words(), nullable=False),
        sa.Column("destination", Words(), nullable=False),
        sa.Column("taken", Instant(), nullable=False),
        sa.Column("message", Words(), nullable=False),
        sa.Column("hint", Words(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=True),
        sa.Column("key", Words(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("checksum", Words(), nullable=True),
        sa.Column("verified_by", Words(), nullable=True),
        sa.Column("durable", Words(), nullable=True),
        sa.Column("proven", Instant(), nullable=True),
        sa.Column("verdict", Words(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("dumps_primary")),
        sa.ForeignKeyConstraint(["run"], ["runs.run"], name=op.f("dumps_run_of_runs")),
    )
    op.create_index(op.f("dumps_by_destination_id"), "dumps", ["destination", "id"])
