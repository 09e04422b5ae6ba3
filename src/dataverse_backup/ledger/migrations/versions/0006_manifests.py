"""Manifests beside the copies: which of them are still to be written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Words

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """All of them."""
    op.create_table(
        "stale_manifests",
        sa.Column("destination", Words(), nullable=False),
        sa.Column("datasetidentifier", Words(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "datasetidentifier", name=op.f("stale_manifests_primary")),
    )
    op.execute(
        "INSERT INTO stale_manifests (destination, datasetidentifier)"
        " SELECT DISTINCT datafilestatus.destination, datafilestatus.datasetidentifier FROM datafilestatus JOIN copies"
        " ON copies.datafile_id = datafilestatus.datafile_id AND copies.destination = datafilestatus.destination"
        " WHERE datafilestatus.datasetidentifier IS NOT NULL"
    )
