"""Copies on another machine, over SSH."""

from dataverse_backup.destinations.ssh.settings import SshSettings

__all__ = ["SshSettings"]
