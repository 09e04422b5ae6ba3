"""Backup for Dataverse installations: every Datafile copied, and each copy proven against its registered checksum."""

from importlib.metadata import version

__version__ = version("dataverse-backup")
