"""Backup for Dataverse installations: every Datafile copied, and each copy proven against its registered checksum."""

__version__ = "0.1.0"
