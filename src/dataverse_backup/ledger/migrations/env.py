"""What Alembic runs: the migrations, on the connection and in the transaction of whoever opens the ledger."""

from __future__ import annotations

from alembic import context

from dataverse_backup.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,
)
context.run_migrations()
