"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Instant, Words

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "copies",
        sa.Column("destination", Words(), nullable=False),
        sa.Column("datafile_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("object", sa.String(length=255), nullable=False),
        sa.Column("key", Words(), nullable=False),
        sa.Column("folded_key", Words(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("checksum", Words(), nullable=False),
        sa.Column("registered", Words(), nullable=True),
        sa.Column("verified_by", Words(), nullable=False),
        sa.Column("durable", Words(), nullable=False),
        sa.Column("proven", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("datafile_id", "destination", "object", name=op.f("copies_primary")),
    )
    op.create_index(op.f("copies_by_destination_folded_key"), "copies", ["destination", "folded_key"], unique=False)
    op.create_index(op.f("copies_by_destination_key"), "copies", ["destination", "key"], unique=True)
    op.create_table(
        "datafilestatus",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("datasetidentifier", Words(), nullable=True),
        sa.Column("storageidentifier", Words(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=True),
        sa.Column("createdate", Instant(), nullable=True),
        sa.Column("lastbackuptime", Instant(), nullable=True),
        sa.Column("lastbackupmethod", sa.String(length=16), nullable=True),
        sa.Column("datafile_id", sa.BigInteger(), nullable=False),
        sa.Column("object", sa.String(length=255), nullable=False),
        sa.Column("destination", Words(), nullable=False),
        sa.Column("key", Words(), nullable=True),
        sa.Column("folded_key", Words(), nullable=True),
        sa.Column("store", Words(), nullable=False),
        sa.Column("persistent_id", Words(), nullable=False),
        sa.Column("label", Words(), nullable=False),
        sa.Column("directory_label", Words(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("checksum", Words(), nullable=True),
        sa.Column("fingerprint", Words(), nullable=False),
        sa.Column("reason", Words(), nullable=True),
        sa.Column("message", Words(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("not_here", Words(), nullable=True),
        sa.Column("not_here_message", Words(), nullable=False),
        sa.Column("gone_since", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("datafilestatus_primary")),
    )
    op.create_index(
        op.f("datafilestatus_by_destination_datafile_id_object"),
        "datafilestatus",
        ["destination", "datafile_id", "object"],
        unique=True,
    )
    op.create_index(
        op.f("datafilestatus_by_destination_folded_key"), "datafilestatus", ["destination", "folded_key"], unique=False
    )
    op.create_index(op.f("datafilestatus_by_destination_key"), "datafilestatus", ["destination", "key"], unique=False)
    op.create_table(
        "destinations",
        sa.Column("name", Words(), nullable=False),
        sa.Column("claimed", Instant(), nullable=True),
        sa.Column("folding", Words(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("destinations_primary")),
    )
    op.create_table(
        "ledger",
        sa.Column("id", Words(), nullable=False),
        sa.Column("made", Instant(), nullable=False),
        sa.Column("original_rows", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("ledger_primary")),
    )
    op.create_table(
        "original_matches",
        sa.Column("original_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("datafile_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("original_id", "datafile_id", name=op.f("original_matches_primary")),
    )
    op.create_index(op.f("original_matches_by_datafile_id"), "original_matches", ["datafile_id"], unique=False)
    op.create_table(
        "original_names",
        sa.Column("original_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("datasetidentifier", Words(), nullable=False),
        sa.Column("has_copy", sa.Integer(), nullable=False),
        sa.Column("lastbackuptime", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("original_id", "name", name=op.f("original_names_primary")),
    )
    op.create_index(
        op.f("original_names_by_datasetidentifier_name"), "original_names", ["datasetidentifier", "name"], unique=False
    )
    op.create_table(
        "runs",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("run", Words(), nullable=False),
        sa.Column("verb", Words(), nullable=False),
        sa.Column("destination", Words(), nullable=False),
        sa.Column("started", Instant(), nullable=False),
        sa.Column("ended", Instant(), nullable=True),
        sa.Column("outcome", Words(), nullable=False),
        sa.Column("files_ok", sa.BigInteger(), nullable=False),
        sa.Column("files_failed", sa.BigInteger(), nullable=False),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("runs_primary")),
        sa.UniqueConstraint("run", name=op.f("runs_one_run")),
    )
    op.create_table(
        "attempts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("run", Words(), nullable=False),
        sa.Column("datafile_id", sa.BigInteger(), nullable=False),
        sa.Column("object", sa.String(length=255), nullable=False),
        sa.Column("destination", Words(), nullable=False),
        sa.Column("storageidentifier", Words(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("key", Words(), nullable=True),
        sa.Column("reason", Words(), nullable=True),
        sa.Column("message", Words(), nullable=False),
        sa.Column("method", Words(), nullable=False),
        sa.Column("started", Instant(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("checksum", Words(), nullable=True),
        sa.Column("registered", Words(), nullable=True),
        sa.Column("verified_by", Words(), nullable=True),
        sa.Column("durable", Words(), nullable=True),
        sa.Column("proven", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.run"], name=op.f("attempts_run_of_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("attempts_primary")),
    )
    op.create_index(op.f("attempts_by_datafile_id"), "attempts", ["datafile_id"], unique=False)
