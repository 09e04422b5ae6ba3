"""Attempts are asked for by run, and by datafile and destination."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Index both ways."""
    op.drop_index(op.f("attempts_by_datafile_id"), "attempts")
    op.create_index(op.f("attempts_by_run_id"), "attempts", ["run", "id"], unique=False)
    op.create_index(
        op.f("attempts_by_datafile_id_destination_id"), "attempts", ["datafile_id", "destination", "id"], unique=False
    )
