"""Marks of the catalogue's rows, so that what did not change need not be read again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Words

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing was marked yet: the next plan reads everything once more."""
    op.add_column("destinations", sa.Column("layout", Words(), nullable=True))
    op.add_column("datafilestatus", sa.Column("mark", sa.BigInteger(), nullable=True))
