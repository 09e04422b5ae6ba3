"""For how many workers destinations have room."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Nobody was refused yet, as far as is known."""
    op.add_column("destinations", sa.Column("room", sa.Integer(), nullable=True))
