"""The configuration: one INI file, read and checked, all mistakes at once."""

from dataverse_backup.config.database import DatabaseSettings
from dataverse_backup.config.destinations import (
    DestinationSettings,
    FilesystemDestinationSettings,
    SshDestinationSettings,
)
from dataverse_backup.config.documentation import generate
from dataverse_backup.config.finding import find
from dataverse_backup.config.loading import load
from dataverse_backup.config.notifications import NotificationSettings
from dataverse_backup.config.settings import Settings
from dataverse_backup.config.stores import StoreSettings

__all__ = [
    "DatabaseSettings",
    "DestinationSettings",
    "FilesystemDestinationSettings",
    "NotificationSettings",
    "Settings",
    "SshDestinationSettings",
    "StoreSettings",
    "find",
    "generate",
    "load",
]
