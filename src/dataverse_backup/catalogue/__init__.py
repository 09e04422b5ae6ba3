"""What must exist: the Dataverse database, read only."""
