"""Companions of datafiles: objects beside them, found by an index of their own among many rows without any."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """There are none yet; those of a datafile may be proven at the same moment as it."""
    is_companion = sa.text("object != 'main'")
    op.create_index(
        "datafilestatus_companions",
        "datafilestatus",
        ["destination", "datafile_id"],
        sqlite_where=is_companion,
        postgresql_where=is_companion,
    )
    op.add_column("removals", sa.Column("object", sa.String(255), nullable=False, server_default="main"))
    op.drop_index("copies_by_destination_proven_datafile_id", "copies")
    op.create_index(
        "copies_by_destination_proven_datafile_id_object", "copies", ["destination", "proven", "datafile_id", "object"]
    )
