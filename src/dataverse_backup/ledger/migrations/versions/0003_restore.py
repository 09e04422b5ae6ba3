"""What it takes to put a datafile back: whether it is ingested, of what type it is, what its original was called."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Words

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns, and let the next run fill them: no row is as it was noted, so each is noted again."""
    op.add_column("datafilestatus", sa.Column("is_tabular", sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in ("content_type", "original_name"):
        op.add_column("datafilestatus", sa.Column(name, Words(), nullable=False, server_default=""))
    op.execute("UPDATE datafilestatus SET fingerprint = ''")
    op.create_index(
        op.f("datafilestatus_by_datasetidentifier_datafile_id_destination"),
        "datafilestatus",
        ["datasetidentifier", "datafile_id", "destination"],
        unique=False,
    )
