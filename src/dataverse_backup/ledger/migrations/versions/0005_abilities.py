"""What destinations can do, as probed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dataverse_backup.ledger.column_types import Words

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nothing was probed yet."""
    op.add_column("destinations", sa.Column("abilities", Words(), nullable=True))
