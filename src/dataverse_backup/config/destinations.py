"""What a ``[Backup]`` or ``[Backup NAME]`` section says about one destination."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from dataverse_backup.config.values import DirMode, FileMode, LocalFile, LocalPath, Port, SectionModel, Size, Word

MEBIBYTE = 1024 * 1024
DEFAULT_WORKERS = min(4, os.cpu_count() or 1)
MOST_WORKERS = 64


class DestinationSettings(SectionModel):
    """What every destination has. Holds no secret, and can be pickled for the workers."""

    name: str
    file_mode: FileMode = Field(0o640, alias="FileMode", description="The mode of every copy, in octal.")
    dir_mode: DirMode = Field(0o750, alias="DirMode", description="The mode of every folder made, in octal.")
    workers: int = Field(
        DEFAULT_WORKERS,
        alias="Workers",
        ge=1,
        le=MOST_WORKERS,
        description="How many processes copy at the same time, 1 to 64; by default one per processor, at most 4.",
    )
    batch_files: int = Field(
        500, alias="BatchFiles", ge=1, le=100_000, description="The most files that are copied and recorded together."
    )
    batch_bytes: Size = Field(
        64 * MEBIBYTE,
        alias="BatchBytes",
        description="The most bytes that are copied and recorded together (a bigger file goes alone); K, M, G or T.",
    )


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
        None, alias="SshConfigFile", description="Read instead of the ssh configuration, as ssh -F does."
    )
    identity_file: LocalFile | None = Field(
        None, alias="SshIdentityFile", description="The private key, instead of those of the ssh configuration."
    )
    known_hosts: LocalFile | None = Field(
        None, alias="SshKnownHosts", description="Read instead of every known_hosts file."
    )
    accept_new_host_keys: bool = Field(
        False,
        alias="AcceptNewHostKeys",
        description="Accept the key of a host never seen before; a changed key is refused always.",
    )


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


DESTINATIONS: dict[str, type[SshDestinationSettings] | type[FilesystemDestinationSettings]] = {
    "ssh": SshDestinationSettings,
    "filesystem": FilesystemDestinationSettings,
}
"""Every storage type that can be used, with its model; the first is the default."""

SYNONYMS = {"filesystem": {"BackupDirectory": "Directory"}}
"""By storage type: a key, and the key that it stands for when that is absent."""

NOT_YET = {
    "s3": (
        "S3Bucket",
        "S3Prefix",
        "S3Endpoint",
        "S3Region",
        "S3PathStyle",
        "S3Profile",
        "S3AccessKey",
        "S3SecretKey",
    ),
    "swift": (
        "SwiftAuthUrl",
        "SwiftAuthVersion",
        "SwiftUser",
        "SwiftKey",
        "SwiftTenant",
        "SwiftEndPoint",
        "SwiftContainer",
    ),
}
"""Storage types that are known by name and cannot be used yet, with their keys; the original had those of Swift."""
