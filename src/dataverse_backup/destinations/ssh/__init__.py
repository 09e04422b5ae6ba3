"""Copies on another machine, over SSH."""

from dataverse_backup.destinations.ssh.destination import SshDestination
from dataverse_backup.destinations.ssh.settings import SshSettings

__all__ = ["SshDestination", "SshSettings"]
