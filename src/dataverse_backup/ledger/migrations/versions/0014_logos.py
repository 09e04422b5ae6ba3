"""Logos of datasets: how far they were looked for, and those that there are, by an index of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """None was looked for yet."""
    for name in ("logos_after", "logos_newest"):
        op.add_column("destinations", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    is_logo = sa.text("substr(object, 1, 4) = 'logo'")
    op.create_index(
        "datafilestatus_logos",
        "datafilestatus",
        ["destination", "datafile_id"],
        sqlite_where=is_logo,
        postgresql_where=is_logo,
    )
