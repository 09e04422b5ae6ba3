"""What a ``[Backup]`` or ``[Backup NAME]`` section says about one destination."""

import posixpath
from collections.abc import Hashable
from pathlib import Path
from typing import Literal

from pydantic import Field

from dataverse_backup.config.destination_base import DestinationSettings
from dataverse_backup.config.s3_destination import S3DestinationSettings
from dataverse_backup.config.swift_destination import SwiftDestinationSettings
from dataverse_backup.config.values import OF_MACHINE, LocalFile, LocalPath, Port, Word, folder_place

__all__ = [
    "DESTINATIONS",
    "SYNONYMS",
    "DestinationSettings",
    "FilesystemDestinationSettings",
    "S3DestinationSettings",
    "SshDestinationSettings",
    "SwiftDestinationSettings",
]


class SshDestinationSettings(DestinationSettings):
    """A folder on a server that is reached by ssh. What is not given is what ``ssh`` itself would take."""

    storage_type: Literal["ssh"] = Field("ssh", alias="StorageType", description="How the destination is reached.")
    host: Word = Field(
        alias="SshHost",
        description="A host name, or a Host of the ssh configuration.",
        examples=["backup.example.edu"],
    )
    port: Port | None = Field(None, alias="SshPort", description="By default that of the ssh configuration, or 22.")
    username: Word | None = Field(None, alias="SshUsername", description="By default that of the ssh configuration.")
    directory: str = Field(
        alias="BackupDirectory",
        description="The folder of all copies on the server: absolute, or relative to the home there. It must exist.",
        examples=["/srv/dataverse-backup"],
    )
    config_file: LocalFile | None = Field(
        None,
        alias="SshConfigFile",
        description="Read instead of the ssh configuration, as ssh -F does.",
        json_schema_extra=OF_MACHINE,
    )
    identity_file: LocalFile | None = Field(
        None,
        alias="SshIdentityFile",
        description="The private key, instead of those of the ssh configuration.",
        json_schema_extra=OF_MACHINE,
    )
    known_hosts: LocalFile | None = Field(
        None,
        alias="SshKnownHosts",
        description="Read instead of every known_hosts file.",
        json_schema_extra=OF_MACHINE,
    )
    accept_new_host_keys: bool = Field(
        False,
        alias="AcceptNewHostKeys",
        description="Accept the key of a host never seen before; a changed key is refused always.",
        json_schema_extra=OF_MACHINE,
    )
    program: Literal["auto", "no"] = Field(
        "auto",
        alias="SshProgram",
        description="auto: workers send files with OpenSSH's ssh program, where there is one here, Python is there, and"
        " no jump host or ProxyCommand lies between; that takes half of the processor time. no: they never do.",
        json_schema_extra=OF_MACHINE,
    )

    def place(self) -> Hashable:
        """The folder, as it is written: two ways to one folder of a server are not seen."""
        return self.storage_type, self.host.lower(), self.port, self.username, posixpath.normpath(self.directory)


class FilesystemDestinationSettings(DestinationSettings):
    """A folder on this machine, or mounted here."""

    storage_type: Literal["filesystem"] = Field(
        "filesystem", alias="StorageType", description="How the destination is reached."
    )
    directory: LocalPath = Field(
        alias="Directory",
        description="The folder of all copies; BackupDirectory means the same. It must exist.",
        examples=[str(Path("/mnt/dataverse-backup"))],
    )

    def place(self) -> Hashable:
        """The folder, told apart as the system does it, through links and mounts."""
        return folder_place(self.directory)


DESTINATIONS: dict[str, type[DestinationSettings]] = {
    "ssh": SshDestinationSettings,
    "filesystem": FilesystemDestinationSettings,
    "s3": S3DestinationSettings,
    "swift": SwiftDestinationSettings,
}
"""Every storage type that can be used, with its model; the first is the default."""

SYNONYMS = {"filesystem": {"BackupDirectory": "Directory"}}
"""By storage type: a key, and the key that it stands for when that is absent."""
