"""What audits found: verdicts, and when the primaries were proven."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Instant, Words

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what they need; nothing was judged yet."""
    op.add_column("copies", sa.Column("verdict", Words(), nullable=True))
    op.add_column("copies", sa.Column("judged", Instant(), nullable=True))
    op.create_index(
        op.f("copies_by_destination_proven_datafile_id"),
        "copies",
        ["destination", "proven", "datafile_id"],
        unique=False,
    )
    op.add_column("runs", sa.Column("bytes_read", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "primaries",
        sa.Column("datafile_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("object", sa.String(length=255), nullable=False),
        sa.Column("store", Words(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("proven", Instant(), nullable=True),
        sa.Column("verdict", Words(), nullable=True),
        sa.Column("judged", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("datafile_id", "object", name=op.f("primaries_primary")),
    )
    op.create_index(op.f("primaries_by_proven_datafile_id"), "primaries", ["proven", "datafile_id"], unique=False)
    op.create_table(
        "verdicts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("run", Words(), nullable=False),
        sa.Column("datafile_id", sa.BigInteger(), nullable=False),
        sa.Column("object", sa.String(length=255), nullable=False),
        sa.Column("destination", Words(), nullable=False),
        sa.Column("persistent_id", Words(), nullable=False),
        sa.Column("directory_label", Words(), nullable=False),
        sa.Column("label", Words(), nullable=False),
        sa.Column("store", Words(), nullable=False),
        sa.Column("storageidentifier", Words(), nullable=False),
        sa.Column("key", Words(), nullable=False),
        sa.Column("verdict", Words(), nullable=False),
        sa.Column("message", Words(), nullable=False),
        sa.Column("how", Words(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.run"], name=op.f("verdicts_run_of_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("verdicts_primary")),
    )
    op.create_index(op.f("verdicts_by_run_id"), "verdicts", ["run", "id"], unique=False)
    op.create_index(op.f("verdicts_by_datafile_id_id"), "verdicts", ["datafile_id", "id"], unique=False)
