"""Why a run ended before everything was done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Words

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Of former runs nobody knows it."""
    op.add_column("runs", sa.Column("message", Words(), nullable=False, server_default=""))
